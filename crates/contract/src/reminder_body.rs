//! Bodies of the reminder routes: a moment, or a duration that leads to one.

use rondo_domain::due::Due;
use rondo_domain::instant::{self, Instant};
use rondo_domain::jiff::civil::Time;
use rondo_domain::offset::ReminderOffset;
use rondo_domain::zone::Zone;
use rondo_domain::{Violation, word_enum};
use serde_json::{Map, Value};

use crate::body::{Reader, text};
use crate::problem::FieldError;
use crate::task_field::duration;

/// Maximum number of further reminders of one task.
pub const FURTHER_REMINDERS_MAX: i64 = 10;

/// Where a reminder comes from: the task's `reminder_offset`, or a request of its own.
pub const KINDS: [&str; 2] = ["task", "further"];

word_enum! {
    /// The state of a reminder.
    pub enum ReminderStatus {
        Armed = "armed",
        Fired = "fired",
        Cancelled = "cancelled",
    }
}

/// A moment in the form that a client chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    At(Instant),
    /// Before the due date for a further reminder; from now for a snooze.
    Span(ReminderOffset),
}

/// A further reminder: `{remind_at}` or `{offset}`.
///
/// # Errors
/// All faults.
pub fn parse_further(members: &Map<String, Value>) -> Result<Moment, Vec<FieldError>> {
    const EXPECTED: &str = "an object with either remind_at or offset";
    either(members, "remind_at", "offset", EXPECTED)
}

/// When a further reminder of a task will fire, with its offset if it has one. If its moment has passed but
/// the due date has not, it fires at once, like a task's own. Reminders of a day count from `day_time`.
///
/// # Errors
/// `in_the_past`, `needs_due_date`.
pub fn planned(
    moment: Moment,
    due: Option<Due>,
    zone: &Zone,
    day_time: Time,
    now: Instant,
) -> Result<(Option<ReminderOffset>, Instant), Violation> {
    match (moment, due) {
        (Moment::At(at), _) if at <= now => Err(Violation::InThePast),
        (Moment::At(at), _) => Ok((None, at)),
        (Moment::Span(_), None) => Err(Violation::NeedsDueDate),
        (Moment::Span(offset), Some(due)) => match due.remind_at(offset, zone, day_time) {
            at if at.max(due.end(zone)) <= now => Err(Violation::InThePast),
            at => Ok((Some(offset), at)),
        },
    }
}

/// A snooze: `{until}` or `{for}`.
///
/// # Errors
/// All faults.
pub fn parse_snooze(members: &Map<String, Value>) -> Result<Moment, Vec<FieldError>> {
    either(members, "until", "for", "an object with either until or for")
}

/// Reads a body that has one of two members.
fn either(
    members: &Map<String, Value>,
    at: &'static str,
    span: &'static str,
    expected: &'static str,
) -> Result<Moment, Vec<FieldError>> {
    let mut reader = Reader::new(members);
    let is_given = [at, span].map(|name| reader.given(name).is_some());
    let moment = reader.optional(at, text(instant::parse)).map(Moment::At);
    let span_moment = reader.optional(span, duration).map(Moment::Span);
    if is_given == [true, true] {
        reader.refuse(span, Violation::Conflict { other: at });
    }
    reader.finish()?;
    let neither = || vec![FieldError::of("", Violation::Malformed { expected })];
    moment.or(span_moment).ok_or_else(neither)
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
