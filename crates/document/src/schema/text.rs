//! Strings in requests. Patterns follow ECMA 262 (JSON Schema, section 6.4) and are as exact as a pattern can
//! be. A format names what no pattern can express.

use rondo_contract::task_query::SEARCH_CHARS_MAX;
use rondo_domain::blank::INVISIBLE;
use rondo_domain::offset::OFFSET_DAYS_MAX;
use rondo_domain::recurrence::RRULE_CHARS_MAX;
use rondo_domain::relative_day::{DIGITS_MAX, RelativeDay};
use rondo_domain::task::TAG_CHARS_MAX;
use serde_json::{Value, json};

/// Unicode's White_Space, which is trimmed, for use in a character class. `\s` differs between dialects.
const WHITE_SPACE: &str =
    r"\u0009-\u000d \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000";
const CONTROL: &str = r"\u0000-\u001f\u007f-\u009f";

/// Invisible characters, for use in a character class: a text needs at least one other character. Characters
/// beyond U+FFFF are omitted, because dialects write them differently.
fn invisible() -> String {
    let ranges = INVISIBLE.iter().filter(|(_, last)| u32::from(*last) <= 0xffff);
    let escaped = |c: &char| format!(r"\u{:04x}", u32::from(*c));
    let ranges = ranges.map(|(first, last)| match (escaped(first), escaped(last)) {
        (first, last) if first == last => first,
        (first, last) => format!("{first}-{last}"),
    });
    format!("{WHITE_SPACE}{CONTROL}{}", ranges.collect::<String>())
}

/// Texts without these characters and with at least one visible character.
fn shown(forbidden: &str) -> String {
    let invisible = invisible();
    format!("^[^{forbidden}]*[^{forbidden}{invisible}][^{forbidden}]*$")
}

/// No string may contain U+0000, because Postgres cannot store it.
pub const NO_NUL: &str = r"^[^\u0000]*$";

/// Text without U+0000 and with a visible character.
pub fn not_blank(length_max: usize) -> Value {
    bounded(&shown(r"\u0000"), length_max)
}

/// The name of a person or token: without control characters.
pub fn name(length_max: usize) -> Value {
    bounded(&shown(CONTROL), length_max)
}

/// A tag in a comma-separated list: a comma within a tag follows a backslash.
fn tag_of_list_pattern() -> String {
    let any = r"(?:[^\u0000,\\]|\\[^\u0000])*";
    format!(r"^{any}(?:[^\u0000,\\{}]|\\[^\u0000]){any}$", invisible())
}

/// RFC 3339, in the supported years. Leap seconds are accepted, although no pattern can express which ones
/// exist.
const INSTANT: &str = r"^[1-9][0-9]{3}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-5][0-9](\.[0-9]+)?([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$";
const DATE: &str = "^[1-9][0-9]{3}-[0-9]{2}-[0-9]{2}$";
/// Weeks, days, hours, minutes and seconds in this order, or seconds alone.
const DURATION: &str =
    "^(P(?=.)([0-9]+W)?([0-9]+D)?(T(?=.)([0-9]+H)?([0-9]+M)?([0-9]+S)?)?|[0-9]+)$";

pub fn bounded(pattern: &str, length_max: usize) -> Value {
    json!({"type": "string", "pattern": pattern, "maxLength": length_max})
}

/// An instant with any offset.
pub fn instant() -> Value {
    json!({
        "type": "string",
        "format": "date-time",
        "pattern": INSTANT,
        "description": "RFC 3339 with any offset, in the years 1000 to 9999. Fractions are truncated to \
                        microseconds. A leap second, at the end of June or December in UTC, counts as \
                        the second before it.",
        "examples": ["2031-03-30T14:00:00+02:00"],
    })
}

/// A calendar date.
pub fn date() -> Value {
    json!({"type": "string", "format": "date", "pattern": DATE})
}

/// A date, or an instant.
pub fn date_or_instant() -> Value {
    let date = date();
    let instant = json!({"type": "string", "format": "date-time", "pattern": INSTANT});
    json!({"anyOf": [date, instant], "examples": ["2031-03-30", "2031-03-30T14:00:00Z"]})
}

/// An end of a range of time.
pub fn bound() -> Value {
    let words = RelativeDay::WORDS.map(|(word, _)| word).join("|");
    let counted = json!({
        "type": "string",
        "pattern": format!("^({words}|[+-]?[0-9]{{1,{DIGITS_MAX}}}[dw])$"),
        "description": "A day counted from today, in days or weeks, or an end of this week or month. Weeks begin on \
                        Monday. In a URL, a plus sign is written `%2B`, or left out.",
    });
    let mut schema = date_or_instant();
    if let Some(forms) = schema["anyOf"].as_array_mut() {
        forms.push(counted);
    }
    schema["examples"] = json!(["2031-03-30", "2031-03-30T14:00:00Z", "end_of_week", "7d"]);
    schema
}

pub fn time_zone() -> Value {
    json!({
        "type": "string",
        "format": "time-zone",
        "description": "A name of the IANA time zone database, in any case.",
        "examples": ["Europe/Paris"],
    })
}

/// A duration.
pub fn duration() -> Value {
    json!({
        "anyOf": [
            {"type": "string", "pattern": DURATION},
            {"type": "integer", "minimum": 0, "maximum": u64::from(OFFSET_DAYS_MAX) * 86_400},
        ],
        "description": format!(
            "An ISO 8601 duration of weeks, days, hours, minutes and seconds, or a number of seconds. \
             At most P{OFFSET_DAYS_MAX}D. Days are calendar days in the task's time zone. The rest \
             is elapsed time."
        ),
        "examples": ["PT1H", "P1DT2H", 3600, "3600"],
    })
}

pub fn rrule() -> Value {
    json!({
        "type": "string",
        "format": "rrule",
        "maxLength": RRULE_CHARS_MAX,
        "description": "An RFC 5545 rule, daily or slower, in any case. A leading `RRULE:` and a trailing \
                        semicolon are allowed. Returned in upper case, without these.",
        "examples": ["FREQ=MONTHLY;BYDAY=2TU"],
    })
}

/// A colour.
pub fn color() -> Value {
    json!({
        "type": "string",
        "pattern": "^#[0-9a-fA-F]{6}$",
        "description": "Returned in lower case.",
        "examples": ["#3366ff"],
    })
}

/// The start of a page.
pub fn cursor() -> Value {
    json!({"type": "string", "format": "cursor"})
}

/// A tag in a query.
pub fn tag_of_list() -> Value {
    bounded(&tag_of_list_pattern(), TAG_CHARS_MAX)
}

/// A search phrase.
pub fn search() -> Value {
    bounded(NO_NUL, SEARCH_CHARS_MAX)
}
