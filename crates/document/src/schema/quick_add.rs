//! Quick add.

use rondo_contract::quick_add_body::{IGNORED_MAX, LANGUAGE_DEFAULT};
use rondo_contract::reminder_body::FURTHER_REMINDERS_MAX;
use rondo_domain::quick_add::{LINE_CHARS_MAX, Language, SpanKind};
use serde_json::{Value, json};

use super::{answered, described, id, instant, named, nullable, object, text};

fn position(description: &str) -> Value {
    json!({"type": "integer", "minimum": 0, "maximum": LINE_CHARS_MAX, "description": description})
}

pub fn line() -> Value {
    let range = object(json!({"start": position(""), "end": position("")}), &["start", "end"]);
    let ignored = json!({
        "type": "array",
        "maxItems": IGNORED_MAX,
        "items": range,
        "description": "Parts of the text that belong to the title. A span that shares a character with one of \
                        them is switched off.",
    });
    let language = json!({
        "type": "string", "enum": Language::WORDS, "default": LANGUAGE_DEFAULT.as_str(),
        "description": "The language of the text.",
    });
    let list = described(id(), "The list of the task, unless the text names another.");
    let text_member = described(
        text::not_blank(LINE_CHARS_MAX),
        "A title with phrases for due date, recurrence, priority, list, tags, reminders and description.",
    );
    let mut schema = object(
        json!({
            "text": text_member,
            "time_zone": nullable(described(text::time_zone(), "Defaults to the user's.")),
            "language": nullable(language),
            "list_id": nullable(list),
            "ignored": nullable(ignored),
        }),
        &["text"],
    );
    schema["examples"] = json!([
        {"text": "Call Bob tomorrow at 9 #home p2 !30 min before // about the roof"},
        {"text": "Blumen gießen alle 2 Wochen montags", "language": "de", "time_zone": "Europe/Berlin"},
    ]);
    schema
}

pub fn preview() -> Value {
    let further = answered(json!({
        "offset": {"type": ["string", "null"], "description": "How long before `due_date`. Null for a fixed instant."},
        "remind_at": instant(),
    }));
    let span = answered(json!({
        "start": position("The first character, counted in Unicode code points from 0."),
        "end": position("The character after the last one."),
        "kind": {"type": "string", "enum": SpanKind::WORDS},
        "meaning": {"type": "string", "description": "What was understood."},
    }));
    let mut schema = answered(json!({
        "task": described(named("TaskCreate"), "The task that would be created."),
        "further_reminders": {
            "type": "array", "maxItems": FURTHER_REMINDERS_MAX, "items": further,
            "description": "Reminders beside the one of `reminder_offset`.",
        },
        "spans": {
            "type": "array", "items": span,
            "description": "The understood parts of the text, in its order.",
        },
        "reading": {
            "type": "string",
            "description": "What was understood, in sentences of the text's language. Empty if nothing was.",
        },
    }));
    schema["examples"] = json!([{
        "task": {
            "uid": null, "title": "Call Bob", "description": null, "status": "pending", "priority": "high",
            "tags": [], "due_date": "2031-03-27T08:00:00Z", "time_zone": "Europe/Paris",
            "reminder_offset": null, "recurrence_rule": null,
        },
        "further_reminders": [],
        "spans": [
            {"start": 9, "end": 22, "kind": "due", "meaning": "2031-03-27T09:00:00"},
            {"start": 23, "end": 25, "kind": "priority", "meaning": "high"},
        ],
        "reading": "Due Thursday, 27 March 2031 at 09:00. Priority high.",
    }]);
    schema
}
