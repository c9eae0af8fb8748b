//! Webhooks and their deliveries.

use rondo_contract::event::EventType;
use rondo_contract::webhook::EVENT_TYPES;
use rondo_domain::destination::URL_BYTES_MAX;
use serde_json::{Value, json};

use super::{answered, id, instant, nullable, object, words};

fn url() -> Value {
    json!({
        "type": "string",
        "format": "uri",
        "maxLength": URL_BYTES_MAX,
        "examples": ["https://example.org/hook"],
    })
}

fn events() -> Value {
    json!({
        "type": "array",
        "minItems": 1,
        "maxItems": EVENT_TYPES.len(),
        "items": {"type": "string", "enum": words(&EVENT_TYPES, EventType::as_str)},
    })
}

pub fn webhook(with_secret: bool) -> Value {
    let mut members = json!({
        "id": id(),
        "url": url(),
        "events": events(),
        "enabled": {"type": "boolean"},
        "disabled_reason": {
            "enum": ["owner", "gone", "failing", null],
            "description": "By its owner, by a 410, or after days of failing; null while it is enabled.",
        },
        "disabled_at": nullable(instant()),
        "failing_since": nullable(instant()),
        "created_at": instant(),
    });
    if with_secret {
        members["secret"] = json!({
            "type": "string",
            "pattern": "^whsec_[A-Za-z0-9+/]{43}=$",
            "description": "What requests are signed with. Shown this once.",
        });
    }
    answered(members)
}

pub fn webhook_create() -> Value {
    object(json!({"url": url(), "events": events()}), &["url", "events"])
}

pub fn webhook_patch() -> Value {
    object(json!({"url": url(), "events": events(), "enabled": {"type": "boolean"}}), &[])
}

pub fn delivery() -> Value {
    answered(json!({
        "id": id(),
        "event_id": {"type": "string", "format": "uuid"},
        "event_type": {"type": "string", "examples": ["task.completed"]},
        "status": {"type": "string", "enum": ["pending", "delivered", "failed", "cancelled"]},
        "attempts": {"type": "integer", "minimum": 0},
        "answer_status": {
            "type": ["integer", "null"],
            "description": "What the last attempt was answered with.",
        },
        "answer": {"type": ["string", "null"], "description": "The beginning of that answer's body."},
        "last_error": {
            "type": ["string", "null"],
            "description": "Why the last attempt was no success.",
        },
        "last_attempt_at": nullable(instant()),
        "next_attempt_at": nullable(instant()),
        "delivered_at": nullable(instant()),
        "created_at": instant(),
    }))
}
