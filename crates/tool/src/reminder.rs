//! `set_reminder`.

use serde_json::{Map, Value, json};

use crate::api::Call;
use crate::context::{Context, Done, Stop, refused};
use crate::schema::{flag, id, object, said};
use crate::{find, shape, undo};

pub fn schema() -> Value {
    object(
        json!({
            "id": id(),
            "before": said("the due date: PT30M, P1D"),
            "at": said("instant"),
            "snooze": said("put reminder_id off: PT1H"),
            "remove": flag(),
            "reminder_id": id(),
        }),
        &["id"],
    )
}

pub fn reminders_schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "task": { "type": "object" }, "reminders": { "type": "array" }, "undo": { "type": "string" },
        },
        "required": ["task"],
    })
}

pub fn run(context: &Context<'_>, arguments: &Map<String, Value>) -> Result<Done, Stop> {
    let Some(id) = arguments.get("id").and_then(Value::as_i64) else {
        return refused("id must be the id of a task.");
    };
    let given = |name: &str| arguments.get(name).filter(|value| !value.is_null());
    let task = find::read(context, id)?;
    context.ask_about(1, || {
        let set = arguments.iter().filter(|(name, _)| *name != "id");
        let set: String = set.map(|(name, value)| format!("\n- {name}: {value}")).collect();
        Ok(format!("Changes the reminders of {}:{set}", shape::name(&task)))
    })?;
    let way_back = match (given("before"), given("at"), given("snooze"), given("remove")) {
        (Some(before), None, None, None) => add_before(context, &task, before)?,
        (None, Some(at), None, None) => add(context, id, json!({ "remind_at": at }))?,
        (None, None, Some(span), None) => {
            let reminder = reminder(context, arguments, id)?;
            let target = format!("reminders/{}/snooze", reminder["id"]);
            context.send(&Call::post(target, json!({ "for": span })))?;
            undo::snoozed(&reminder)
        }
        (None, None, None, Some(Value::Bool(true))) => {
            remove(context, &task, &reminder(context, arguments, id)?)?
        }
        _ => {
            return refused(
                "Give one of before, at, snooze with reminder_id, or remove: true with reminder_id.",
            );
        }
    };
    let now = find::details(context, &find::read(context, id)?)?;
    let mut data = now.data;
    data.remove("subtasks");
    let text = format!("The reminders of {} are set.", shape::name(&task));
    Ok(Done::new(text, Value::Object(data)).undoable(way_back))
}

/// The first reminder before the due date is the task's own, which later occurrences have, too.
fn add_before(context: &Context<'_>, task: &Value, before: &Value) -> Result<Option<String>, Stop> {
    let id = task["id"].as_i64().unwrap_or_default();
    if task["reminder_offset"].is_null() {
        let body = json!({ "reminder_offset": before });
        return Ok(context.send(&Call::patch(format!("tasks/{id}"), body))?.undo);
    }
    add(context, id, json!({ "offset": before }))
}

fn add(context: &Context<'_>, task: i64, body: Value) -> Result<Option<String>, Stop> {
    let added = context.send(&Call::post(format!("tasks/{task}/reminders"), body))?.body;
    Ok(undo::added(&added))
}

fn remove(context: &Context<'_>, task: &Value, reminder: &Value) -> Result<Option<String>, Stop> {
    let id = &task["id"];
    if reminder["kind"] == "task" {
        let body = json!({ "reminder_offset": null });
        return Ok(context.send(&Call::patch(format!("tasks/{id}"), body))?.undo);
    }
    context.send(&Call::delete(format!("reminders/{}", reminder["id"])))?;
    Ok(undo::removed(id, reminder))
}

/// The reminder of an argument `reminder_id`, if it is the task's.
fn reminder(
    context: &Context<'_>,
    arguments: &Map<String, Value>,
    task: i64,
) -> Result<Value, Stop> {
    let wanted = arguments.get("reminder_id").cloned().unwrap_or_default();
    let reminders = context.send(&Call::get(format!("reminders?task_id={task}")))?.body;
    let reminders = reminders.as_array().cloned().unwrap_or_default();
    match reminders.iter().find(|reminder| reminder["id"] == wanted) {
        Some(reminder) => Ok(reminder.clone()),
        None => {
            let ids: Vec<_> = reminders.iter().map(|reminder| reminder["id"].to_string()).collect();
            refused(format!("reminder_id must be one of the task's: {}.", ids.join(", ")))
        }
    }
}
