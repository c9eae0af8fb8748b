//! Webhooks and their deliveries.

use rondo_contract::webhook::{DELIVERY_STATUSES, DISABLED_REASONS, EVENT_NAMES};
use rondo_domain::destination::URL_BYTES_MAX;
use serde_json::{Value, json};

use super::{answered, event, id, instant, nullable, object};

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
        "maxItems": EVENT_NAMES.len(),
        "items": {"type": "string", "enum": *EVENT_NAMES},
    })
}

pub fn webhook(with_secret: bool) -> Value {
    let reasons: Vec<_> = DISABLED_REASONS.into_iter().map(Some).chain([None]).collect();
    let mut members = json!({
        "id": id(),
        "url": url(),
        "events": events(),
        "enabled": {"type": "boolean"},
        "disabled_reason": {
            "enum": reasons,
            "description": "`owner`: by its owner. `gone`: the receiver answered 410. `failing`: it failed \
                            for days. `recovery`: the account was recovered after the webhook was \
                            made. Null while it is enabled.",
        },
        "disabled_at": nullable(instant()),
        "failing_since": nullable(instant()),
        "created_at": instant(),
    });
    if with_secret {
        members["secret"] = json!({
            "type": "string",
            "pattern": "^whsec_[A-Za-z0-9+/]{43}=$",
            "description": "The key that requests are signed with. Shown only once.",
        });
    }
    let mut example = json!({
        "id": 2, "url": "https://example.org/hook", "events": ["task.completed"], "enabled": true,
        "disabled_reason": null, "disabled_at": null, "failing_since": null,
        "created_at": "2026-01-05T09:12:44.120391Z",
    });
    if with_secret {
        example["secret"] = "whsec_bm90IGEgc2VjcmV0LCBqdXN0IGFuIGV4YW1wbGUgLi4=".into();
    }
    let mut schema = answered(members);
    schema["examples"] = json!([example]);
    schema
}

pub fn webhook_create() -> Value {
    let mut schema = object(json!({"url": url(), "events": events()}), &["url", "events"]);
    schema["examples"] =
        json!([{"url": "https://example.org/hook", "events": ["task.created", "task.completed"]}]);
    schema
}

pub fn webhook_patch() -> Value {
    let members = json!({"url": url(), "events": events(), "enabled": {"type": "boolean"}});
    let mut schema = object(members, &[]);
    schema["examples"] = json!([{"enabled": false}, {"events": ["task.deleted"]}]);
    schema
}

pub fn delivery() -> Value {
    let mut schema = answered(json!({
        "id": id(),
        "event_id": event::uuid(),
        "event_type": {"type": "string", "examples": ["task.completed"]},
        "status": {"type": "string", "enum": DELIVERY_STATUSES},
        "attempts": {"type": "integer", "minimum": 0},
        "answer_status": {
            "type": ["integer", "null"],
            "description": "The HTTP status of the last attempt.",
        },
        "answer": {"type": ["string", "null"], "description": "The beginning of the response body of the last attempt."},
        "last_error": {
            "type": ["string", "null"],
            "description": "Why the last attempt failed.",
        },
        "last_attempt_at": nullable(instant()),
        "next_attempt_at": nullable(instant()),
        "delivered_at": nullable(instant()),
        "created_at": instant(),
    }));
    schema["examples"] = json!([{
        "id": 11, "event_id": "0197f0c2-8a51-7cc3-9b1e-3f6f4f1c2d10", "event_type": "task.completed",
        "status": "pending", "attempts": 1, "answer_status": 502, "answer": "Bad gateway",
        "last_error": "answered with 502", "last_attempt_at": "2026-01-12T14:03:00.2Z",
        "next_attempt_at": "2026-01-12T14:03:05.2Z", "delivered_at": null,
        "created_at": "2026-01-12T14:03:00.031Z",
    }]);
    schema
}
