//! The chat.

use rondo_contract::chat_body::{
    CONFIRM_CHARS_MAX, CONVERSATION_MEMBERS, MESSAGE_CHARS_MAX, MESSAGES_SHOWN_MAX, Notice, Source,
};
use rondo_contract::quick_add_body::LANGUAGE_DEFAULT;
use rondo_domain::quick_add::Language;
use serde_json::{Value, json};

use super::{
    answered, described, id, instant, key, list_of, member, named, nullable, object, text,
};

pub fn turn() -> Value {
    let language = json!({
        "type": "string", "enum": Language::WORDS, "default": LANGUAGE_DEFAULT.as_str(),
        "description": "The language of the user's program; the answer is in that of the message if it is another one.",
    });
    let message = described(text::not_blank(MESSAGE_CHARS_MAX), "What the user says.");
    let confirm = described(
        key(),
        "Instead of a message: `confirm` of a proposal, to which the user agrees.",
    );
    let conversation = described(id(), "Left out, the turn begins a conversation.");
    let mut schema = object(
        json!({
            "conversation_id": nullable(conversation),
            "message": nullable(message),
            "confirm": nullable(confirm),
            "language": nullable(language),
        }),
        &[],
    );
    schema["anyOf"] = json!([
        {
            "required": ["message"],
            "properties": {"message": {"type": "string"}, "confirm": {"type": "null"}},
        },
        {
            "required": ["conversation_id", "confirm"],
            "properties": {
                "conversation_id": {"type": "integer"}, "message": {"type": "null"}, "confirm": {"type": "string"},
            },
        },
    ]);
    schema["examples"] = json!([
        {"message": "what is due this week?"},
        {"message": "die zweite auf Freitag verschieben", "conversation_id": 5, "language": "de"},
    ]);
    schema
}

pub fn answer() -> Value {
    let mut schema = answered(json!({"conversation_id": id(), "message": named("ChatMessage")}));
    schema["examples"] = json!([{"conversation_id": 5, "message": message_example()}]);
    schema
}

fn message_example() -> Value {
    json!({
        "number": 2, "role": "assistant", "created_at": "2026-01-05T09:12:44.120391Z",
        "text": "Shall I delete \u{201c}Old plan\u{201d}?", "source": "grammar", "notice": null,
        "tools": [{
            "tool": "list_tasks", "arguments": {"search": "old plan"}, "error": null,
            "tasks": [{"id": 42, "uid": "01a229f8-17bf-7f3d-acb2-2e689fada895", "title": "Old plan"}],
        }],
        "proposals": [{
            "tool": "delete_task", "arguments": {"ids": [42]}, "effect": "Deletes:\n- #42 Old plan",
            "confirm": "1767604964.bm90LWEtc2lnbmF0dXJl", "expires_at": "2026-01-05T09:22:44Z",
        }],
    })
}

fn conversation_example() -> Value {
    json!({
        "id": 5, "title": "delete old plan", "created_at": "2026-01-05T09:12:44.098113Z",
        "updated_at": "2026-01-05T09:12:44.120391Z",
    })
}

/// Members beside the first four are those of the assistant.
pub fn message() -> Value {
    let arguments = json!({"type": "object"});
    let task = json!({
        "type": "object",
        "properties": {"id": id(), "uid": {"type": "string"}, "title": {"type": "string"}},
    });
    let tool = answered(json!({
        "tool": {"type": "string", "examples": ["complete_task"]},
        "arguments": arguments,
        "tasks": {"type": "array", "items": task, "description": "The tasks in the result."},
        "error": {"type": ["string", "null"], "description": "Why nothing was done."},
    }));
    let proposal = answered(json!({
        "tool": {"type": "string", "examples": ["delete_task"]},
        "arguments": arguments,
        "effect": {"type": "string", "description": "What would happen. Nothing of it has happened."},
        "confirm": {"type": "string", "maxLength": CONFIRM_CHARS_MAX, "description": "For the turn that confirms it."},
        "expires_at": instant(),
    }));
    let source = json!({
        "type": "string", "enum": Source::WORDS, "description": "What has answered.",
    });
    let notice = json!({
        "type": "string", "enum": Notice::WORDS, "description": "Why the model has not answered, or not to the end.",
    });
    let mut schema = answered(json!({
        "number": id(),
        "role": {"type": "string", "enum": ["user", "assistant"]},
        "text": {"type": "string"},
        "created_at": instant(),
    }));
    let members = [
        ("source", source),
        ("notice", nullable(notice)),
        ("tools", json!({"type": "array", "items": tool})),
        (
            "proposals",
            json!({"type": "array", "items": proposal, "description": "Those that can still be confirmed."}),
        ),
    ];
    for (name, value) in members {
        schema["properties"][name] = value;
    }
    schema["examples"] = json!([message_example()]);
    schema
}

pub fn conversation(with_messages: bool) -> Value {
    let mut schema = member::object(CONVERSATION_MEMBERS);
    let mut example = conversation_example();
    if with_messages {
        example["messages"] = json!([message_example()]);
        let mut messages = list_of("ChatMessage");
        messages["maxItems"] = MESSAGES_SHOWN_MAX.into();
        schema["properties"]["messages"] = messages;
        if let Some(required) = schema["required"].as_array_mut() {
            required.push("messages".into());
        }
    }
    schema["examples"] = json!([example]);
    schema
}
