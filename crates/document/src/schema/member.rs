//! Schemas of the kinds of members that requests, responses and events share.

use rondo_contract::member::{Kind, Member, Presence};
use rondo_domain::position::{POSITION_CHARS_MAX, POSITION_CHARS_MIN};
use rondo_domain::task::{TAG_CHARS_MAX, TAGS_MAX};
use serde_json::{Map, Value, json};

use super::text::{self, NO_NUL, bounded, not_blank};
use super::{described, id, instant, key, named, nullable};

/// A member as in requests.
pub fn read(kind: &Kind) -> Value {
    match kind {
        Kind::Text { chars_max: Some(max) } => bounded(NO_NUL, *max),
        Kind::Shown { chars_max } => not_blank(*chars_max),
        Kind::Tags => json!({
            "type": "array",
            "items": not_blank(TAG_CHARS_MAX),
            "description": format!(
                "Each tag is trimmed, and the list is sorted. Tags that differ only in case or in \
                 Unicode normalization are one tag, whose first spelling stays. At most {TAGS_MAX} \
                 different tags."
            ),
        }),
        Kind::Ids { max } => described(
            json!({"type": "array", "items": id()}),
            &format!("Sorted, each once. At most {max} different ones."),
        ),
        Kind::Color => text::color(),
        Kind::Date => text::date(),
        Kind::Instant => text::instant(),
        Kind::TimeZone => text::time_zone(),
        Kind::Duration => text::duration(),
        Kind::RecurrenceRule => named("RecurrenceRuleInput"),
        other => answer(other),
    }
}

/// A member as in responses and events.
pub fn answer(kind: &Kind) -> Value {
    let visible = |max: usize| json!({"type": "string", "minLength": 1, "maxLength": max});
    match kind {
        Kind::Id => id(),
        Kind::Integer { min, max: None } => json!({"type": "integer", "minimum": min}),
        Kind::Integer { min, max } => json!({"type": "integer", "minimum": min, "maximum": max}),
        Kind::Instant => instant(),
        Kind::Date => json!({"type": "string", "format": "date"}),
        Kind::Text { chars_max: Some(max) } => json!({"type": "string", "maxLength": max}),
        Kind::Text { chars_max: None } | Kind::TimeZone => json!({"type": "string"}),
        Kind::Shown { chars_max } => visible(*chars_max),
        Kind::Key => key(),
        Kind::Boolean => json!({"type": "boolean"}),
        Kind::Color => json!({"type": "string", "pattern": "^#[0-9a-f]{6}$"}),
        Kind::Position => json!({
            "type": "string",
            "minLength": POSITION_CHARS_MIN,
            "maxLength": POSITION_CHARS_MAX,
            "pattern": "^[0-9A-Za-z]+$",
            "description": "A key to sort by, compared byte by byte. No two tasks of a user have the same, nor two lists.",
        }),
        Kind::Words(words) => json!({"type": "string", "enum": words}),
        Kind::Tags => {
            json!({"type": "array", "maxItems": TAGS_MAX, "items": visible(TAG_CHARS_MAX)})
        }
        Kind::Ids { max } => {
            json!({"type": "array", "items": id(), "maxItems": max, "uniqueItems": true})
        }
        Kind::Duration => json!({
            "type": "string",
            "description": "An ISO 8601 duration of days, hours, minutes and seconds.",
            "pattern": r"^P(?=.)([0-9]+D)?(T(?=.)([0-9]+H)?([0-9]+M)?([0-9]+S)?)?$",
        }),
        Kind::RecurrenceRule => named("RecurrenceRule"),
        Kind::Object(members) => object(members),
    }
}

/// An object with these members. A later version may add some.
pub fn object(members: &[Member]) -> Value {
    let properties: Map<String, Value> = members
        .iter()
        .map(|member| {
            let schema = answer(&member.kind);
            let is_nullable = member.presence == Presence::Nullable;
            (member.name.to_owned(), if is_nullable { nullable(schema) } else { schema })
        })
        .collect();
    let required: Vec<_> = members
        .iter()
        .filter(|member| member.presence != Presence::Optional)
        .map(|member| member.name)
        .collect();
    json!({"type": "object", "properties": properties, "required": required})
}
