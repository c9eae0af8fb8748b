//! The body of `…/recurrence/preview`: a rule before it is saved; and the answer.

use rondo_domain::Violation;
use rondo_domain::due::Due;
use rondo_domain::instant::{self, Instant};
use rondo_domain::quick_add::{Language, describe_in};
use rondo_domain::recurrence::{Anchor, PREVIEW_SLOTS_MAX, Rule, Series};
use rondo_domain::zone::Zone;
use serde_json::{Map, Value, json};

use crate::body::{Reader, text};
use crate::problem::FieldError;
use crate::quick_add_body::LANGUAGE_DEFAULT;
use crate::recurrence_rule;
use crate::task_field::{DUE, moment};

/// A body.
#[derive(Debug)]
pub struct Preview {
    due: Option<Due>,
    /// None for the user's.
    pub time_zone: Option<Zone>,
    rule: Rule,
    count: usize,
    /// Of the description.
    language: Language,
}

/// Reads `{recurrence_rule, count, due_date?, due_day?, time_zone?, language?}`.
///
/// # Errors
/// All faults.
pub fn parse(members: &Map<String, Value>) -> Result<Preview, Vec<FieldError>> {
    let mut reader = Reader::new(members);
    let due = moment(&mut reader, DUE);
    let time_zone = reader.optional("time_zone", text(Zone::parse));
    let language = reader.optional("language", text(Language::parse));
    let given = reader.given("count").and_then(Value::as_u64);
    let given = given.and_then(|count| usize::try_from(count).ok());
    let count = given.filter(|count| (1..=PREVIEW_SLOTS_MAX).contains(count));
    if count.is_none() {
        let max = PREVIEW_SLOTS_MAX as i64;
        reader.refuse("count", Violation::OutOfRange { min: 1, max, unit: "" });
    }
    let rule = reader.required_nested("recurrence_rule", recurrence_rule::from_json);
    reader.finish()?;
    let (Some(rule), Some(count)) = (rule, count) else {
        unreachable!("a member that is not there was refused")
    };
    let language = language.unwrap_or(LANGUAGE_DEFAULT);
    Ok(Preview { due, time_zone, rule, count, language })
}

impl Preview {
    /// The rule in words and its first slots, from now on if no due date is given.
    ///
    /// # Errors
    /// If the rule never matches.
    pub fn answer(self, zone: Zone, now: Instant) -> Result<Value, Vec<FieldError>> {
        let anchor = Anchor::of(self.due.unwrap_or(Due::At(now)), &zone);
        let series = Series::new(self.rule, anchor, zone);
        series
            .validate()
            .map_err(|violation| vec![FieldError::of("/recurrence_rule", violation)])?;
        let slots = series.preview(self.count);
        let occurrences = slots.iter().map(|slot| match slot.due {
            // The wall-clock time: a slot in a gap is shown as the time that it becomes.
            Due::At(utc) => {
                let local = series.zone().local_of(utc);
                json!({ "local": local.to_string(), "utc": instant::format(utc) })
            }
            Due::On(day) => json!({ "due_day": day.to_string() }),
        });
        let occurrences: Vec<_> = occurrences.collect();
        Ok(
            json!({ "description": describe_in(&series, self.language), "occurrences": occurrences }),
        )
    }
}
