//! The statements of this component.

use rondo_contract::chat_body::{
    CONVERSATIONS_MAX, HISTORY_MAX, MESSAGES_MAX, MESSAGES_SHOWN_MAX, title,
};
use rondo_domain::zone::Zone;
use rondo_guest::Refusal;
use rondo_guest::database::{Database, DatabaseError, int, optional, text};
use serde_json::Value;

pub struct Store(Database);

/// A turn that has begun.
pub struct Opening {
    pub conversation: i64,
    /// Of the user's message.
    pub number: i64,
    /// The messages before it, oldest first.
    pub history: Vec<Value>,
    pub zone: Zone,
    /// Whether a model may read the user's tasks.
    pub is_shared: bool,
}

/// A conversation with some of its messages.
pub struct Conversation {
    pub members: Value,
    pub messages: Vec<Value>,
}

impl Store {
    pub fn open() -> Result<Self, DatabaseError> {
        Database::open("database_url").map(Self)
    }

    /// Gives the session back while the component waits for something else.
    pub fn release(&self) {
        self.0.release();
    }

    /// Keeps a user's message. None if there is no such conversation.
    pub fn begin(
        &self,
        user: i64,
        conversation: Option<i64>,
        message: &str,
    ) -> Result<Option<Opening>, Refusal> {
        let values = [
            int(user),
            int(conversation.unwrap_or(0)),
            text(title(message)),
            text(message),
            int(CONVERSATIONS_MAX),
            int(MESSAGES_MAX),
            int(HISTORY_MAX),
        ];
        let mut row = self.0.query_one(include_str!("sql/begin.sql"), &values)?;
        match row.text("outcome")?.as_str() {
            "begun" => {}
            "not_found" => return Ok(None),
            _ => return Err(Refusal::unauthenticated()),
        }
        let zone = row.text("time_zone")?;
        let zone = Zone::parse(&zone)
            .map_err(|_| Refusal::internal(format!("a user's time zone is {zone:?}")))?;
        Ok(Some(Opening {
            conversation: row.int("conversation_id")?,
            number: row.int("number")?,
            history: list(&row.text("history")?)?,
            zone,
            is_shared: row.boolean("is_shared")?,
        }))
    }

    /// Keeps the assistant's message, and answers it as stored. None if the conversation was deleted meanwhile.
    pub fn end(
        &self,
        user: i64,
        conversation: i64,
        content: &str,
        detail: &Value,
    ) -> Result<Option<Value>, Refusal> {
        let values = [int(user), int(conversation), text(content), text(detail.to_string())];
        let mut row = self.0.query_one(include_str!("sql/end.sql"), &values)?;
        row.optional_text("answer")?.map(|answer| value(&answer)).transpose()
    }

    /// All conversations of a user, JSON.
    pub fn conversations(&self, user: i64) -> Result<String, DatabaseError> {
        self.0.query_one(include_str!("sql/conversations.sql"), &[int(user)])?.text("answer")
    }

    pub fn conversation(
        &self,
        user: i64,
        id: i64,
        before: Option<i64>,
    ) -> Result<Option<Conversation>, Refusal> {
        let values = [int(user), int(id), optional(before, int), int(MESSAGES_SHOWN_MAX)];
        let row = self.0.query_optional(include_str!("sql/conversation.sql"), &values)?;
        let Some(mut row) = row else { return Ok(None) };
        let members = value(&row.text("answer")?)?;
        let messages = list(&row.text("messages")?)?;
        Ok(Some(Conversation { members, messages }))
    }

    /// Whether there was such a conversation.
    pub fn delete(&self, user: i64, id: i64) -> Result<bool, DatabaseError> {
        let values = [int(user), int(id)];
        let mut row = self.0.query_one(include_str!("sql/delete.sql"), &values)?;
        Ok(row.text("outcome")? == "deleted")
    }

    /// Counts tokens of a model; false if the user would then have used more than `max` on this day.
    pub fn spend(&self, user: i64, tokens: i64, max: Option<i64>) -> Result<bool, DatabaseError> {
        let values = [int(user), int(tokens), optional(max, int)];
        let mut row = self.0.query_one(include_str!("sql/spend.sql"), &values)?;
        Ok(row.text("outcome")? == "counted")
    }
}

fn value(json: &str) -> Result<Value, Refusal> {
    serde_json::from_str(json)
        .map_err(|error| Refusal::internal(format!("a stored message: {error}")))
}

fn list(json: &str) -> Result<Vec<Value>, Refusal> {
    match value(json)? {
        Value::Array(items) => Ok(items),
        _ => Err(Refusal::internal("stored messages that are no list")),
    }
}
