//! The way back of a call: an `Undo-Token` of the API, or what puts a reminder back, which has none.

use serde_json::{Value, json};

use crate::api::Call;
use crate::context::{Context, Done, Stop, refused};
use crate::shape;

/// What the way back of a reminder begins with. No token of the API does.
const REMOVE: &str = "remove-reminder ";
const ADD: &str = "add-reminder ";
const SNOOZE: &str = "snooze-reminder ";

pub fn added(reminder: &Value) -> Option<String> {
    Some(format!("{REMOVE}{}", reminder["id"].as_i64()?))
}

pub fn removed(task: &Value, reminder: &Value) -> Option<String> {
    let when = reminder["offset"].as_str().or(reminder["remind_at"].as_str())?;
    Some(format!("{ADD}{} {when}", task.as_i64()?))
}

pub fn snoozed(before: &Value) -> Option<String> {
    Some(format!("{SNOOZE}{} {}", before["id"].as_i64()?, before["remind_at"].as_str()?))
}

/// Takes back what an earlier call has done.
pub fn run(context: &Context<'_>, token: &str) -> Result<Done, Stop> {
    context.ask_about(1, || Ok("Takes back an earlier change.".to_owned()))?;
    if let Some(reminder) = token.strip_prefix(REMOVE) {
        context.send(&Call::delete(format!("reminders/{}", id(reminder)?)))?;
        return Ok(Done::new("The reminder is gone again.", json!({ "tasks": [] })));
    }
    if let Some((task, when)) = token.strip_prefix(ADD).and_then(|rest| rest.split_once(' ')) {
        let member = if when.starts_with('P') { "offset" } else { "remind_at" };
        let target = format!("tasks/{}/reminders", id(task)?);
        context.send(&Call::post(target, json!({ member: when })))?;
        return Ok(Done::new("The reminder is there again.", json!({ "tasks": [] })));
    }
    if let Some((reminder, at)) = token.strip_prefix(SNOOZE).and_then(|rest| rest.split_once(' ')) {
        let target = format!("reminders/{}/snooze", id(reminder)?);
        context.send(&Call::post(target, json!({ "until": at })))?;
        return Ok(Done::new("The reminder comes when it would have.", json!({ "tasks": [] })));
    }
    let reply = context.send(&Call::post("undo", json!({ "token": token })))?;
    let results = reply.body["results"].as_array().into_iter().flatten();
    let tasks: Vec<_> =
        results.map(|result| result["task"].clone()).filter(Value::is_object).collect();
    let text = format!("Taken back:{}\n", shape::names(&tasks));
    Ok(Done::new(text, json!({ "tasks": shape::tasks(&tasks) })).undoable(reply.undo))
}

fn id(text: &str) -> Result<i64, Stop> {
    text.parse().or_else(|_| refused("undo must be the undo of an earlier call, unchanged."))
}
