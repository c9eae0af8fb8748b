//! `search_history`.

use serde_json::{Map, Value, json};

use crate::api::{Call, query};
use crate::context::{Context, Done, Stop, refused};
use crate::schema::{id, object, said, text};

const LIMIT_DEFAULT: i64 = 25;
const LIMIT_MAX: i64 = 100;

pub fn schema() -> Value {
    object(
        json!({
            "id": id(),
            "action_type": said("such as task.completed"),
            "start_date": text(),
            "end_date": text(),
            "limit": json!({ "type": "integer", "minimum": 1, "maximum": LIMIT_MAX }),
            "cursor": text(),
        }),
        &[],
    )
}

pub fn output() -> Value {
    json!({
        "type": "object",
        "properties": { "entries": { "type": "array" }, "next_cursor": { "type": "string" } },
        "required": ["entries"],
    })
}

/// The log of all events; of one task alone, its changes with what they changed.
pub fn run(context: &Context<'_>, arguments: &Map<String, Value>) -> Result<Done, Stop> {
    let given = |name: &str| arguments.get(name).filter(|value| !value.is_null());
    let limit = match given("limit") {
        None => LIMIT_DEFAULT,
        Some(limit) => match limit.as_i64().filter(|limit| (1..=LIMIT_MAX).contains(limit)) {
            Some(limit) => limit,
            None => return refused(format!("limit must be an integer from 1 to {LIMIT_MAX}.")),
        },
    };
    let mut parameters = vec![("limit", limit.to_string())];
    for name in ["cursor", "action_type", "start_date", "end_date"] {
        match given(name) {
            None => {}
            Some(Value::String(value)) => parameters.push((name, value.clone())),
            Some(_) => return refused(format!("{name} must be a string.")),
        }
    }
    let is_filtered =
        ["action_type", "start_date", "end_date"].iter().any(|name| given(name).is_some());
    let task = match given("id") {
        None => None,
        Some(id) => match id.as_i64() {
            Some(id) => Some(id),
            None => return refused("id must be the id of a task."),
        },
    };
    let target = match task {
        Some(id) if !is_filtered => format!("tasks/{id}/history{}", query(parameters)),
        task => {
            parameters.extend(task.map(|id| ("task_id", id.to_string())));
            format!("audit/logs{}", query(parameters))
        }
    };
    let reply = context.send(&Call::get(target))?;
    let entries: Vec<_> = reply.body.as_array().into_iter().flatten().map(entry).collect();
    let mut data = json!({ "entries": entries });
    let mut said = format!("{} entries, newest first.", entries.len());
    if let Some(next) = reply.next {
        said += &format!(" There are more: call search_history again with cursor {next:?}.");
        data["next_cursor"] = next.into();
    }
    Ok(Done::new(said, data))
}

/// An entry of the log without what it repeats.
fn entry(entry: &Value) -> Value {
    let payload = &entry["payload"];
    if payload.is_null() {
        return entry.clone();
    }
    let mut short =
        json!({ "event_type": entry["action_type"], "occurred_at": entry["occurred_at"] });
    for (name, value) in [
        ("task_id", &entry["task_id"]),
        ("title", &payload["task_data"]["title"]),
        ("status", &payload["task_data"]["status"]),
        ("list", &payload["list_data"]["name"]),
        ("revision", &payload["revision"]),
        ("reason", &payload["reason"]),
        ("remind_at", &payload["remind_at"]),
        ("actor", &payload["actor"]),
        ("client", &payload["client"]),
    ] {
        if !value.is_null() {
            short[name] = value.clone();
        }
    }
    short
}
