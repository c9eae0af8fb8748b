//! Recurrence rules.

use rondo_domain::recurrence::{Basis, COUNT_MAX, CatchUp, Frequency, INTERVAL_MAX, MonthEnd};
use serde_json::{Map, Value, json};

use super::{answered, described, nullable, object, text};

fn members() -> Map<String, Value> {
    let members = json!({
        "frequency": {"type": "string", "enum": Frequency::WORDS},
        "interval": {"type": "integer", "minimum": 1, "maximum": INTERVAL_MAX},
        "days_of_week": {
            "type": "array",
            "maxItems": 7,
            "items": {"type": "integer", "minimum": 0, "maximum": 6},
            "description": "0 is Monday. Only with frequency weekly.",
        },
        "day_of_month": {
            "type": "integer", "minimum": 1, "maximum": 31,
            "description": "Only with frequency monthly.",
        },
        "end_date": described(
            text::date_or_instant(),
            "Inclusive: a date in the task's time zone, or an instant. Not with `count`.",
        ),
        "count": {
            "type": "integer", "minimum": 1, "maximum": COUNT_MAX,
            "description": "The number of occurrences. Not with `end_date`.",
        },
        "rrule": described(
            text::rrule(),
            "Replaces the other members of the rule's pattern. With COUNT or UNTIL in it, it \
             replaces `count` and `end_date` too.",
        ),
        "basis": {
            "type": "string", "enum": Basis::WORDS,
            "description": "`schedule`: the next slot after the completed one. `completion`: the local \
                            date of the completion plus the interval.",
        },
        "month_end": {
            "type": "string", "enum": MonthEnd::WORDS,
            "description": "What the 31st means in a shorter month. Always `skip` with `rrule`.",
        },
        "catch_up": {
            "type": "string", "enum": CatchUp::WORDS,
            "description": "What happens to missed slots. `next_future`: the next occurrence is the first \
                            that is not past. `one_step`: it is the slot after the completed one, \
                            even if past. `all`: every missed slot becomes an occurrence.",
        },
    });
    members.as_object().cloned().unwrap_or_default()
}

/// Members that may be null, which means the same as absent.
fn optional() -> Map<String, Value> {
    members().into_iter().map(|(name, schema)| (name, nullable(schema))).collect()
}

/// A rule in requests. The form of the rule decides which members it may have.
pub fn read() -> Value {
    let none = || json!({"type": "null"});
    let no_days = || json!({"type": ["array", "null"], "maxItems": 0});
    let form = |title: &str, given: &[(&str, Value)], required: &str| {
        let mut members = optional();
        for (name, schema) in given {
            members[*name] = schema.clone();
        }
        let mut schema = object(members.into(), &[required]);
        schema["title"] = title.into();
        // At most one end.
        schema["anyOf"] = ["end_date", "count"]
            .map(|end| json!({"properties": {end: {"type": "null"}}}))
            .as_slice()
            .into();
        schema
    };
    let frequency = |words: &[Frequency]| {
        let words: Vec<_> = words.iter().map(|word| word.as_str()).collect();
        ("frequency", json!({"type": "string", "enum": words}))
    };
    let schema = json!({
        "oneOf": [
            form(
                "Every n days or years",
                &[
                    frequency(&[Frequency::Daily, Frequency::Yearly]),
                    ("days_of_week", no_days()),
                    ("day_of_month", none()),
                    ("rrule", none()),
                ],
                "frequency",
            ),
            form(
                "Every n weeks",
                &[frequency(&[Frequency::Weekly]), ("day_of_month", none()), ("rrule", none())],
                "frequency",
            ),
            form(
                "Every n months",
                &[frequency(&[Frequency::Monthly]), ("days_of_week", no_days()), ("rrule", none())],
                "frequency",
            ),
            form(
                "RFC 5545",
                &[
                    ("rrule", members()["rrule"].clone()),
                    ("frequency", none()),
                    ("interval", none()),
                    ("days_of_week", no_days()),
                    ("day_of_month", none()),
                    ("month_end", nullable(json!({"enum": [MonthEnd::Skip.as_str()], "type": "string"}))),
                ],
                "rrule",
            ),
        ],
        "examples": [
            {"frequency": "monthly", "day_of_month": 31},
            {"frequency": "weekly", "interval": 2, "days_of_week": [0, 4], "end_date": "2031-12-31"},
            {"rrule": "FREQ=MONTHLY;BYDAY=2TU", "catch_up": "all"},
        ],
    });
    described(
        schema,
        "How a task recurs: `frequency` with its members, or `rrule`. A rule that can never match is \
         refused.",
    )
}

/// A change of a rule.
pub fn patch() -> Value {
    let mut schema = object(optional().into(), &[]);
    schema["examples"] = json!([{"interval": 2}, {"rrule": "FREQ=MONTHLY;BYDAY=-1FR"}]);
    described(
        schema,
        "The members of a rule that change, as in a merge patch (RFC 7396). A `frequency` replaces an \
         `rrule`, and the other way round.",
    )
}

/// A rule in responses.
pub fn answered_rule() -> Value {
    let always = ["basis", "month_end", "catch_up"];
    let members: Map<String, Value> = members()
        .into_iter()
        .map(|(name, schema)| {
            let is_there = always.contains(&name.as_str());
            (name, if is_there { schema } else { nullable(schema) })
        })
        .collect();
    let mut schema = answered(members.into());
    schema["examples"] = json!([{
        "frequency": "weekly", "interval": 1, "days_of_week": [0, 2], "day_of_month": null,
        "end_date": null, "count": null, "rrule": null, "basis": "schedule",
        "month_end": "clamp", "catch_up": "next_future",
    }]);
    schema
}
