//! Recurrence rules as JSON: converts between the members of `recurrence_rule` and the domain's types.

use rondo_domain::Violation;
use rondo_domain::instant;
use rondo_domain::recurrence::{
    Basis, CatchUp, End, EndDate, Frequency, MonthEnd, Pattern, Rule, RuleDraft,
};
use serde_json::{Map, Value, json};

use crate::body::{Reader, integer, text};
use crate::problem::FieldError;

/// Reads a rule. Pointers are relative to it.
///
/// # Errors
/// All faults.
pub fn from_json(value: &Value) -> Result<Rule, Vec<FieldError>> {
    let mut reader = Reader::of(value)?;
    let draft = RuleDraft {
        interval: reader.optional("interval", integer),
        day_of_month: reader.optional("day_of_month", integer),
        count: reader.optional("count", integer),
        frequency: reader.optional("frequency", text(Frequency::parse)),
        basis: reader.optional("basis", text(Basis::parse)),
        month_end: reader.optional("month_end", text(MonthEnd::parse)),
        catch_up: reader.optional("catch_up", text(CatchUp::parse)),
        rrule: reader.optional("rrule", text(|text| Ok(text.to_owned()))),
        end_date: reader.optional("end_date", text(end_date)),
        days_of_week: reader.optional("days_of_week", weekdays),
    };
    let rule = draft.build();
    for fault in rule.as_ref().err().into_iter().flatten() {
        // The draft lacks a member of the wrong type, so a fault about its absence is redundant.
        if !reader.is_refused(&fault.at) {
            reader.refuse(&fault.at, fault.violation);
        }
    }
    reader.finish()?;
    rule.map_err(|faults| faults.iter().map(|fault| FieldError::inside("", fault)).collect())
}

fn end_date(text: &str) -> Result<EndDate, Violation> {
    if text.contains(['T', 't']) {
        instant::parse(text).map(EndDate::Instant)
    } else {
        instant::parse_date(text).map(EndDate::Date)
    }
}

fn weekdays(value: &Value) -> Result<Vec<i64>, Violation> {
    let days = value.as_array().and_then(|days| days.iter().map(Value::as_i64).collect());
    days.ok_or(Violation::Malformed { expected: "a list of integers from 0 (Monday) to 6" })
}

/// A rule with all its members. Members of the other form are null.
#[must_use]
pub fn to_json(rule: &Rule) -> Value {
    let (pattern, rrule) = match &rule.pattern {
        Pattern::Structured(pattern) => (Some(pattern), None),
        Pattern::Rrule(rrule) => (None, Some(rrule)),
    };
    let (end_date, count) = match rule.end {
        End::Never => (None, None),
        _ if rrule.is_some_and(|rrule| rrule.names_end()) => (None, None),
        // Only an rrule can have it, and its text contains it.
        End::AtLocal(_) => (None, None),
        End::OnDate(date) => (Some(date.to_string()), None),
        End::AtInstant(at) => (Some(instant::format(at)), None),
        End::AfterCount(count) => (None, Some(count)),
    };
    json!({
        "frequency": pattern.map(|pattern| pattern.frequency.as_str()),
        "interval": pattern.map(|pattern| pattern.interval),
        "days_of_week": pattern
            .and_then(|pattern| pattern.days_of_week)
            .map(|days| days.iter().collect::<Vec<_>>()),
        "day_of_month": pattern.and_then(|pattern| pattern.day_of_month),
        "end_date": end_date,
        "count": count,
        "rrule": rrule.map(|rrule| rrule.as_str()),
        "basis": rule.basis.as_str(),
        "month_end": rule.month_end.as_str(),
        "catch_up": rule.catch_up.as_str(),
    })
}

/// Removes from a rule the members that a merge patch replaces: an rrule replaces the structured members and
/// the end, a frequency replaces the rrule. Otherwise a client would have to clear every member of the old
/// form.
pub(crate) fn switch_form(rule: &mut Map<String, Value>, patch: &Value) {
    let gives = |name: &str| patch.get(name).is_some_and(|value| !value.is_null());
    let replaced: &[&str] = if gives("rrule") {
        &["frequency", "interval", "days_of_week", "day_of_month", "month_end", "end_date", "count"]
    } else if gives("frequency") && rule.get("rrule").is_some_and(|rrule| !rrule.is_null()) {
        &["rrule", "month_end"]
    } else {
        &[]
    };
    for name in replaced {
        rule.remove(*name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rule: Value, expected: &[(&str, &str)]) {
        let errors = from_json(&rule).err().unwrap_or_default();
        let mut found: Vec<_> = errors.iter().map(|e| (e.pointer.as_str(), &*e.code)).collect();
        found.sort_unstable();
        assert_eq!(found, expected, "{rule}");
    }

    #[test]
    fn every_fault_is_named() {
        check(json!({"frequency": "daily"}), &[]);
        check(json!({"rrule": "FREQ=DAILY"}), &[]);
        check(json!({}), &[("/frequency", "required")]);
        check(json!("daily"), &[("", "malformed")]);
        check(json!({"rrule": 7}), &[("/frequency", "required"), ("/rrule", "malformed")]);
        check(
            json!({"rrule": "FREQ=SECONDLY", "interval": 2, "month_end": "clamp", "x": 1}),
            &[
                ("/interval", "conflict"),
                ("/month_end", "not_applicable"),
                ("/rrule", "too_frequent"),
                ("/x", "unknown_member"),
            ],
        );
        check(
            json!({"frequency": "weekly", "days_of_week": [0, "1"], "end_date": "31.12.2031"}),
            &[("/days_of_week", "malformed"), ("/end_date", "malformed")],
        );
    }

    #[test]
    fn an_answered_rule_can_be_sent_back() {
        for rule in [
            json!({"frequency": "monthly", "day_of_month": 31, "month_end": "skip", "count": 3}),
            json!({"frequency": "weekly", "days_of_week": [6, 0], "end_date": "2031-03-30"}),
            json!({"frequency": "daily", "end_date": "2031-03-30T14:00:00+02:00"}),
            json!({"rrule": "freq=monthly;byday=2tu", "basis": "completion", "catch_up": "all"}),
            json!({"rrule": "FREQ=DAILY;COUNT=3"}),
            json!({"rrule": "FREQ=DAILY;UNTIL=20310330T140000"}),
            json!({"rrule": "FREQ=DAILY", "count": 3}),
            json!({"rrule": "FREQ=DAILY", "end_date": "2031-03-30"}),
        ] {
            let parsed = from_json(&rule).unwrap_or_else(|errors| panic!("{rule}: {errors:?}"));
            let answered = to_json(&parsed);
            assert_eq!(answered.as_object().unwrap().len(), 10);
            assert_eq!(from_json(&answered), Ok(parsed), "{answered}");
        }
        let rule = from_json(&json!({"rrule": "rrule:freq=daily;count=3"})).unwrap();
        let answered = to_json(&rule);
        assert_eq!(answered["rrule"], "FREQ=DAILY;COUNT=3");
        assert_eq!((&answered["count"], &answered["frequency"]), (&Value::Null, &Value::Null));
    }
}
