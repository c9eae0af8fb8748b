//! The chat.

use rondo_contract::chat_body::{CONVERSATIONS_MAX, HISTORY_MAX, MESSAGES_MAX, MESSAGES_SHOWN_MAX};
use rondo_contract::problem::ProblemCode;
use rondo_domain::access::Scope;
use serde_json::json;

use super::{CHAT, query, shared};
use crate::operation::{Access, Operation};
use crate::schema::{id, list_of, named};

const READ: Access = Access::Scope(Scope::TasksRead);
const WRITE: Access = Access::Scope(Scope::TasksWrite);

pub fn all() -> Vec<Operation> {
    const ALL: &str = "/api/{user_id}/chat/conversations";
    const ONE: &str = "/api/{user_id}/chat/conversations/{conversation_id}";
    let one = |access, method, id, summary| {
        Operation::new(CHAT, access, method, ONE, id, summary)
            .parameter(shared("conversation_id"))
            .problems(&[ProblemCode::NotFound])
    };
    vec![
        Operation::new(CHAT, READ, "post", "/api/{user_id}/chat", "chat", "Say something to the assistant")
            .describe(format!(
                "Begins a conversation, or continues one. The assistant acts by the token's scopes. What it deletes, what \
                 concerns many tasks and what the message does not ask for, it proposes; `confirm` of a proposal in the \
                 next turn does it. A user has at most {CONVERSATIONS_MAX} conversations of {MESSAGES_MAX} messages; a \
                 turn knows the last {HISTORY_MAX}. As `text/event-stream`, the events are `conversation`, `token`, \
                 `tool` and `proposal` as they happen, then `done` with what the JSON response would be, or `problem`."
            ))
            .body(named("ChatTurn"))
            .answers(200, "The answer", named("ChatAnswer"))
            .or_as(200, "text/event-stream", json!({"type": "string"}))
            .problems(&[ProblemCode::NotFound, ProblemCode::ConfirmationInvalid]),
        Operation::new(CHAT, READ, "get", ALL, "listConversations", "List conversations, the last used first")
            .answers(200, "All conversations", list_of("Conversation")),
        one(READ, "get", "getConversation", "Get a conversation with its messages")
            .describe(format!("The last {MESSAGES_SHOWN_MAX} messages, oldest first."))
            .parameter(query("before", "Only messages with a smaller number.", id()))
            .answers(200, "The conversation", named("ConversationWithMessages")),
        one(WRITE, "delete", "deleteConversation", "Delete a conversation with its messages")
            .answers_empty(204, "Deleted"),
    ]
}
