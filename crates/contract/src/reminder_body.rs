//! Bodies of the reminder routes: a moment, or a span of time that leads to one.

use rondo_domain::Violation;
use rondo_domain::instant::{self, Instant};
use rondo_domain::offset::ReminderOffset;
use serde_json::{Map, Value};

use crate::problem::FieldError;
use crate::task_field::duration;

/// A moment as a client names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    At(Instant),
    /// Before the due date, for a further reminder; from now, for a snooze.
    Span(ReminderOffset),
}

/// A further reminder: `{remind_at}` or `{offset}`.
///
/// # Errors
/// Everything that is wrong.
pub fn parse_further(members: &Map<String, Value>) -> Result<Moment, Vec<FieldError>> {
    const EXPECTED: &str = "an object with either remind_at or offset";
    either(members, "remind_at", "offset", EXPECTED)
}

/// A snooze: `{until}` or `{for}`.
///
/// # Errors
/// Everything that is wrong.
pub fn parse_snooze(members: &Map<String, Value>) -> Result<Moment, Vec<FieldError>> {
    either(members, "until", "for", "an object with either until or for")
}

/// Reads a body of two members, one of which is given.
fn either(
    members: &Map<String, Value>,
    at: &'static str,
    span: &str,
    expected: &'static str,
) -> Result<Moment, Vec<FieldError>> {
    let unknown = members.keys().filter(|name| *name != at && *name != span);
    let mut errors: Vec<_> = unknown.map(|name| FieldError::unknown_member(name)).collect();
    let given = |name: &str| members.get(name).filter(|value| !value.is_null());
    let mut refuse = |name: &str, violation: Violation| {
        errors.push(FieldError::of(&format!("/{name}"), violation));
        None
    };
    let at_given = given(at).map(|value| {
        let text = value.as_str().ok_or(Violation::Malformed { expected: "a string" });
        let moment = text.and_then(instant::parse).map(Moment::At);
        moment.map_or_else(|violation| refuse(at, violation), Some)
    });
    let span_given = given(span).map(|value| {
        let moment = duration(value).map(Moment::Span);
        moment.map_or_else(|violation| refuse(span, violation), Some)
    });
    if at_given.is_some() && span_given.is_some() {
        refuse(span, Violation::Conflict { other: at });
    }
    let moment = match (at_given, span_given) {
        (Some(moment), _) | (None, Some(moment)) => moment,
        (None, None) => {
            if errors.is_empty() {
                errors.push(FieldError::of("", Violation::Malformed { expected }));
            }
            None
        }
    };
    moment.filter(|_| errors.is_empty()).ok_or(errors)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn one_of_two() {
        let check = |body: Value, expected: Result<&str, &[(&str, &str)]>| {
            let members = body.as_object().unwrap();
            match (parse_further(members), expected) {
                (Ok(Moment::At(at)), Ok(text)) => assert_eq!(instant::format(at), text),
                (Ok(Moment::Span(span)), Ok(text)) => assert_eq!(span.to_string(), text),
                (Err(errors), Err(expected)) => {
                    let found: Vec<_> =
                        errors.iter().map(|e| (e.pointer.as_str(), &*e.code)).collect();
                    assert_eq!(found, expected, "{body}");
                }
                (other, _) => panic!("{body}: {other:?}"),
            }
        };
        check(json!({"remind_at": "2031-01-01T01:00:00+01:00"}), Ok("2031-01-01T00:00:00Z"));
        check(json!({"offset": "P1W"}), Ok("P7D"));
        check(json!({"offset": 60, "remind_at": null}), Ok("PT1M"));
        check(json!({}), Err(&[("", "malformed")]));
        check(json!({"offset": null}), Err(&[("", "malformed")]));
        check(json!({"ofset": 1}), Err(&[("/ofset", "unknown_member")]));
        check(
            json!({"offset": "x", "remind_at": 7}),
            Err(&[("/remind_at", "malformed"), ("/offset", "malformed"), ("/offset", "conflict")]),
        );
        check(
            json!({"offset": "PT1H", "remind_at": "2031-01-01T00:00:00Z"}),
            Err(&[("/offset", "conflict")]),
        );
        assert_eq!(
            parse_snooze(json!({"for": "PT10M"}).as_object().unwrap()),
            Ok(Moment::Span(ReminderOffset::parse("PT10M").unwrap()))
        );
    }
}
