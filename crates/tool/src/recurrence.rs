//! `add_recurring_task` and `preview_recurrence`.

use rondo_domain::task::Priority;
use serde_json::{Map, Value, json};

use crate::api::Call;
use crate::context::{Context, Done, Stop, refused};
use crate::schema::{id, list, object, said, text, words};
use crate::{add, find, input};

/// Number of occurrences that are shown unless the call says how many.
const SHOWN_DEFAULT: i64 = 5;
const SHOWN_MAX: i64 = 100;

pub fn add_schema() -> Value {
    object(
        json!({
            "title": text(),
            "repeat": said("RRULE, or words: every weekday, every 3rd friday; every! 3 days counts from completion"),
            "due": said("first occurrence, as in add_task"),
            "description": text(),
            "priority": words(Priority::WORDS),
            "tags": list(&text()),
            "list": text(),
            "reminder": said("before due: PT30M"),
        }),
        &["title", "repeat"],
    )
}

pub fn add_recurring(context: &Context<'_>, arguments: &Map<String, Value>) -> Result<Done, Stop> {
    if !arguments.contains_key("repeat") {
        return refused("repeat says how often: an RRULE, or words such as \"every weekday\".");
    }
    let planned = add::plan(context, &Value::Object(arguments.clone()))?;
    let done = add::create(context, vec![planned])?;
    let Some(task) = done.data["tasks"].get(0) else { return Ok(done) };
    let rule = preview(context, &task["recurrence_rule"], task, SHOWN_DEFAULT)?;
    let text = format!(
        "{} It repeats: {}. Next: {}.",
        done.text,
        rule["description"].as_str().unwrap_or_default(),
        dates(&rule)
    );
    Ok(Done { text, ..done })
}

pub fn preview_schema() -> Value {
    object(
        json!({
            "repeat": said("as in add_recurring_task"),
            "id": json!({ "type": "integer", "description": "a task, instead of repeat" }),
            "due": text(),
            "time_zone": text(),
            "count": id(),
        }),
        &[],
    )
}

pub fn preview_output() -> Value {
    json!({
        "type": "object",
        "properties": { "description": { "type": "string" }, "occurrences": { "type": "array" } },
        "required": ["description", "occurrences"],
    })
}

pub fn preview_recurrence(
    context: &Context<'_>,
    arguments: &Map<String, Value>,
) -> Result<Done, Stop> {
    let count = match arguments.get("count") {
        None | Some(Value::Null) => SHOWN_DEFAULT,
        Some(count) => match count.as_i64().filter(|count| (1..=SHOWN_MAX).contains(count)) {
            Some(count) => count,
            None => return refused(format!("count must be an integer from 1 to {SHOWN_MAX}.")),
        },
    };
    let found = match (arguments.get("id").and_then(Value::as_i64), arguments.get("repeat")) {
        (Some(id), None) => {
            let task = find::read(context, id)?;
            if task["recurrence_rule"].is_null() {
                return refused(format!("#{id} does not repeat."));
            }
            preview(context, &task["recurrence_rule"], &task, count)?
        }
        (None, Some(repeat)) => {
            let (rule, first) = input::repeat(context, repeat)?;
            let mut anchor = match arguments.get("due") {
                Some(due) => input::moment(context, "due", due)?,
                None => first,
            };
            if let Some(zone) = arguments.get("time_zone") {
                anchor.insert("time_zone".to_owned(), zone.clone());
            }
            preview(context, &rule, &Value::Object(anchor), count)?
        }
        _ => return refused("Give either repeat, or the id of a task that repeats."),
    };
    let text = format!("{}: {}.", found["description"].as_str().unwrap_or_default(), dates(&found));
    Ok(Done::new(text, found))
}

/// The first occurrences of a rule, from the due date of `anchor`.
fn preview(context: &Context<'_>, rule: &Value, anchor: &Value, count: i64) -> Result<Value, Stop> {
    let mut body = json!({ "recurrence_rule": rule, "count": count });
    for name in ["due_date", "due_day", "time_zone"] {
        if let Some(value) = anchor.get(name).filter(|value| !value.is_null()) {
            body[name] = value.clone();
        }
    }
    Ok(context.send(&Call::post("recurrence/preview", body))?.body)
}

fn dates(found: &Value) -> String {
    let occurrences = found["occurrences"].as_array().into_iter().flatten();
    let dates: Vec<_> =
        occurrences.filter_map(|at| at["local"].as_str().or(at["due_day"].as_str())).collect();
    dates.join(", ")
}
