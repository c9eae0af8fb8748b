//! `list_tasks` and `get_task`.

use rondo_domain::task::{Priority, Status};
use serde_json::{Map, Value, json};

use crate::api::{Call, query};
use crate::context::{Context, Done, Stop, refused};
use crate::schema::{flag, found, id, list, object, said, text, words};
use crate::{input, shape};

/// Number of tasks of a page.
const LIMIT_DEFAULT: i64 = 25;
const LIMIT_MAX: i64 = 100;

pub fn list_schema() -> Value {
    object(
        json!({
            "search": text(),
            "status": list(&words(Status::WORDS)),
            "priority": list(&words(Priority::WORDS)),
            "tags": list(&text()),
            "tags_all": list(&text()),
            "list": said("name, id or inbox"),
            "due_date_start": said("day, instant, today or today+7d; inclusive"),
            "due_date_end": text(),
            "has_due_date": flag(),
            "deferred": words(&["false", "true", "only"]),
            "subtask_of": id(),
            "parent_task_id": id(),
            "blocked": flag(),
            "uid": text(),
            "updated_since": text(),
            "sort_by": words(&["due_date", "priority", "created_at", "updated_at", "title", "position"]),
            "sort_order": words(&["asc", "desc"]),
            "count": flag(),
            "limit": json!({ "type": "integer", "minimum": 1, "maximum": LIMIT_MAX }),
            "cursor": text(),
        }),
        &[],
    )
}

pub fn page_schema() -> Value {
    let mut schema = found();
    schema["properties"]["next_cursor"] = text();
    schema["properties"]["total"] = id();
    schema
}

pub fn list_tasks(context: &Context<'_>, arguments: &Map<String, Value>) -> Result<Done, Stop> {
    let mut parameters = Vec::new();
    let mut limit = LIMIT_DEFAULT;
    let is_counted = arguments.get("count") == Some(&Value::Bool(true));
    for (name, value) in arguments {
        match (name.as_str(), value) {
            (_, Value::Null) => {}
            ("limit", value) => match value.as_i64() {
                Some(given) if (1..=LIMIT_MAX).contains(&given) => limit = given,
                _ => return refused(format!("limit must be an integer from 1 to {LIMIT_MAX}.")),
            },
            ("list", value) => {
                let place = match input::list(context, value)? {
                    Value::Null => "inbox".to_owned(),
                    id => id.to_string(),
                };
                parameters.push(("list_id", place));
            }
            (name, Value::Array(items)) => {
                for item in items {
                    // A comma separates values.
                    parameters.push((name, plain(item).replace('\\', "\\\\").replace(',', "\\,")));
                }
            }
            (name, value) => parameters.push((name, plain(value))),
        }
    }
    parameters.push(("limit", limit.to_string()));
    let reply = context.send(&Call::get(format!("tasks{}", query(parameters))))?;
    let tasks = reply.body.as_array().cloned().unwrap_or_default();
    let mut data = json!({ "tasks": shape::tasks(&tasks) });
    let mut said = match tasks.len() {
        0 => "No task matches.".to_owned(),
        1 => "1 task.".to_owned(),
        many => format!("{many} tasks."),
    };
    if let Some(total) = reply.total.filter(|_| is_counted) {
        data["total"] = total.into();
        said += &format!(" {total} match in all.");
    }
    if let Some(next) = reply.next {
        said += &format!(" There are more: call list_tasks again with cursor {next:?}.");
        data["next_cursor"] = next.into();
    }
    Ok(Done::new(said, data))
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

pub fn get_schema() -> Value {
    object(json!({ "id": id(), "uid": text() }), &[])
}

pub fn details_schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "task": { "type": "object" },
            "reminders": { "type": "array" },
            "subtasks": { "type": "array" },
        },
        "required": ["task"],
    })
}

pub fn get_task(context: &Context<'_>, arguments: &Map<String, Value>) -> Result<Done, Stop> {
    let task = match (arguments.get("id").and_then(Value::as_i64), arguments.get("uid")) {
        (Some(id), None) => read(context, id)?,
        (None, Some(Value::String(uid))) => match with_uid(context, uid)? {
            Some(task) => task,
            None => return refused(format!("There is no task with the uid {uid:?}.")),
        },
        _ => return refused("Give either id, an integer, or uid, a string."),
    };
    details(context, &task)
}

/// A task with what belongs to it.
pub fn details(context: &Context<'_>, task: &Value) -> Result<Done, Stop> {
    let id = &task["id"];
    let reminders = context.send(&Call::get(format!("reminders?status=armed&task_id={id}")))?.body;
    let subtasks = if task["subtasks"]["total"] == 0 {
        Vec::new()
    } else {
        let target = format!("tasks?subtask_of={id}&deferred=true&sort_by=position&sort_order=asc");
        context.send(&Call::get(target))?.body.as_array().cloned().unwrap_or_default()
    };
    let mut data = json!({ "task": shape::task(task) });
    if reminders.as_array().is_some_and(|reminders| !reminders.is_empty()) {
        data["reminders"] = reminders;
    }
    if !subtasks.is_empty() {
        data["subtasks"] = shape::tasks(&subtasks);
    }
    let said = format!(
        "{}. Its revision is {}: as expected_revision, it keeps an update from undoing a change that you have not seen.",
        shape::name(task),
        task["revision"]
    );
    Ok(Done::new(said, data))
}

pub fn read(context: &Context<'_>, id: i64) -> Result<Value, Stop> {
    Ok(context.send(&Call::get(format!("tasks/{id}")))?.body)
}

pub fn with_uid(context: &Context<'_>, uid: &str) -> Result<Option<Value>, Stop> {
    let target = format!("tasks{}", query([("uid", uid.to_owned())]));
    Ok(context.send(&Call::get(target))?.body.as_array().and_then(|found| found.first().cloned()))
}

/// The tasks of an argument `ids`.
pub fn ids(arguments: &Map<String, Value>) -> Result<Vec<i64>, Stop> {
    let ids = arguments.get("ids").and_then(Value::as_array);
    let ids: Option<Vec<i64>> = ids.and_then(|ids| ids.iter().map(Value::as_i64).collect());
    match ids {
        Some(mut ids) if (1..=100).contains(&ids.len()) => {
            let mut seen = std::collections::BTreeSet::new();
            ids.retain(|id| seen.insert(*id));
            Ok(ids)
        }
        _ => refused("ids must be a list of 1 to 100 ids of tasks."),
    }
}

/// The tasks with these ids, all of which must be there.
pub fn each(context: &Context<'_>, ids: &[i64]) -> Result<Vec<Value>, Stop> {
    ids.iter()
        .map(|id| match read(context, *id) {
            Err(Stop::Refused(why)) => refused(format!("#{id}: {why}")),
            found => found,
        })
        .collect()
}
