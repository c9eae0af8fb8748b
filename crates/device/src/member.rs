//! The members of an edit: checked and in the form in which the server answers them, so that two values are equal
//! exactly if they mean the same.

use rondo_contract::problem::FieldError;
use rondo_contract::recurrence_rule;
use rondo_domain::offset::ReminderOffset;
use rondo_domain::order;
use rondo_domain::task::{Description, ESTIMATE_MINUTES_MAX, Priority, Status, Tags, Title};
use rondo_domain::{Violation, instant};
use serde_json::{Map, Value, json};

/// Pairs of which a task has at most one. Setting one clears the other.
pub(crate) const PAIRS: [[&str; 2]; 2] = [["due_date", "due_day"], ["start_date", "start_day"]];

/// The members that change together with this one.
pub(crate) fn together(name: &str) -> Vec<&str> {
    let pair = PAIRS.iter().find(|pair| pair.contains(&name));
    pair.map_or_else(|| vec![name], |pair| pair.to_vec())
}

/// Checks the members of a new task or a patch.
///
/// # Errors
/// All faults, each with the pointer to its member.
pub fn normal(members: &Map<String, Value>) -> Result<Map<String, Value>, Vec<FieldError>> {
    let mut found = Map::new();
    let mut faults = Vec::new();
    for (name, value) in members {
        match one(name, value) {
            Ok(value) => {
                found.insert(name.clone(), value);
            }
            Err(refused) => {
                faults.extend(refused.into_iter().map(|fault| fault.under(&format!("/{name}"))));
            }
        }
    }
    for [date, day] in PAIRS {
        let is_given = |name: &str| found.get(name).is_some_and(|value| !value.is_null());
        if is_given(date) && is_given(day) {
            faults.push(FieldError::of(&format!("/{day}"), Violation::Conflict { other: date }));
        }
        for [name, other] in [[date, day], [day, date]] {
            if found.contains_key(name) && !found.contains_key(other) {
                found.insert(other.to_owned(), Value::Null);
            }
        }
    }
    if faults.is_empty() { Ok(found) } else { Err(faults) }
}

fn one(name: &str, value: &Value) -> Result<Value, Vec<FieldError>> {
    let malformed = |expected| vec![FieldError::of("", Violation::Malformed { expected })];
    let fault = |violation| vec![FieldError::of("", violation)];
    if value.is_null() && name != "title" {
        return Ok(match name {
            "tags" | "blocked_by" => json!([]),
            "status" => Status::Pending.as_str().into(),
            _ => Value::Null,
        });
    }
    let text = || value.as_str().ok_or_else(|| malformed("a string"));
    Ok(match name {
        "title" => {
            let given = value.as_str().ok_or_else(|| fault(Violation::Required))?;
            Title::parse(given).map_err(fault)?.as_str().into()
        }
        "description" => Description::parse(text()?).map_err(fault)?.as_str().into(),
        "status" => Status::parse(text()?).map_err(fault)?.as_str().into(),
        "priority" => Priority::parse(text()?).map_err(fault)?.as_str().into(),
        "tags" => {
            let items = value.as_array().ok_or_else(|| malformed("a list of strings"))?;
            let tags = Tags::parse(items.iter().filter_map(Value::as_str));
            let tags = tags.map_err(|refused| {
                refused.iter().map(|fault| FieldError::inside("", fault)).collect::<Vec<_>>()
            })?;
            json!(tags.as_slice())
        }
        "blocked_by" => {
            let items = value.as_array().ok_or_else(|| malformed("a list of ids"))?;
            let mut ids: Vec<i64> = items.iter().filter_map(Value::as_i64).collect();
            order::sort(&mut ids);
            ids.dedup();
            json!(ids)
        }
        "list_id" | "subtask_of" => value.as_i64().ok_or_else(|| malformed("an id"))?.into(),
        "estimate" => {
            let max = ESTIMATE_MINUTES_MAX;
            let range = Violation::OutOfRange { min: 1, max, unit: " minutes" };
            let minutes = value.as_i64().filter(|minutes| (1..=max).contains(minutes));
            minutes.ok_or_else(|| fault(range))?.into()
        }
        "due_date" | "start_date" => {
            instant::format(instant::parse(text()?).map_err(fault)?).into()
        }
        "due_day" | "start_day" => instant::parse_date(text()?).map_err(fault)?.to_string().into(),
        "time_zone" => text()?.into(),
        "reminder_offset" => ReminderOffset::parse(text()?).map_err(fault)?.to_string().into(),
        "recurrence_rule" => recurrence_rule::to_json(&recurrence_rule::from_json(value)?),
        _ => return Err(fault(Violation::NotApplicable { with: "an edit" })),
    })
}
