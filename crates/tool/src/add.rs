//! `add_task` and what creating tasks has in common.

use rondo_domain::quick_add::Language;
use rondo_domain::task::Priority;
use serde_json::{Map, Value, json};

use crate::api::Call;
use crate::context::{Context, Done, Stop, refused};
use crate::schema::{id, list, object, said, text, words};
use crate::{input, shape};

/// Maximum number of tasks of one call.
pub const TASKS_MAX: usize = 25;

/// The members of a new task.
pub fn task_members() -> Value {
    json!({
        "title": text(),
        "description": text(),
        "due": said("2031-03-30, 2031-03-30T15:00:00+02:00, or words: tomorrow 9am"),
        "start": said("hidden until then; as due"),
        "priority": words(Priority::WORDS),
        "tags": list(&text()),
        "list": said("name or id"),
        "reminder": said("before due: PT30M, P1D"),
        "subtask_of": id(),
        "blocked_by": list(&id()),
        "estimate": { "type": "integer", "description": "minutes" },
    })
}

pub fn input_schema() -> Value {
    let mut members = task_members();
    members["text"] =
        said("quick-add line instead of members: \"Call Bob tomorrow 9am !30min #home p1\"");
    members["language"] = words(Language::WORDS);
    let mut tasks = list(&object(members, &[]));
    tasks["minItems"] = 1.into();
    tasks["maxItems"] = TASKS_MAX.into();
    object(json!({ "tasks": tasks, "confirm": text() }), &["tasks"])
}

pub fn run(context: &Context<'_>, arguments: &Map<String, Value>) -> Result<Done, Stop> {
    let items = arguments.get("tasks").and_then(Value::as_array).map(Vec::as_slice);
    let items = items.unwrap_or_default();
    if items.is_empty() || items.len() > TASKS_MAX {
        return refused(format!("tasks must be a list of 1 to {TASKS_MAX} tasks."));
    }
    let mut planned = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        let place = |stop| match stop {
            Stop::Refused(why) => Stop::Refused(format!("tasks[{index}]: {why}")),
            stop => stop,
        };
        planned.push(plan(context, item).map_err(place)?);
    }
    create(context, planned)
}

/// A task to create, and reminders beside its own.
pub struct Planned {
    task: Map<String, Value>,
    further: Vec<Value>,
}

/// What an argument asks for. Members beside a quick-add line win over what the line says.
pub fn plan(context: &Context<'_>, item: &Value) -> Result<Planned, Stop> {
    let Some(given) = item.as_object() else { return refused("must be an object.") };
    let mut given = given.clone();
    let Some(line) = given.remove("text") else {
        let task = input::members(context, &given, input::Use::Creation)?;
        return Ok(Planned { task, further: Vec::new() });
    };
    let body = json!({ "text": line, "language": given.remove("language") });
    let mut found = context.send(&Call::post("quick-add?preview=true", body))?.body;
    let mut task = match found["task"].take() {
        Value::Object(task) => task,
        _ => Map::new(),
    };
    task.retain(|_, value| !value.is_null());
    let members = input::members(context, &given, input::Use::Creation)?;
    for part in ["due", "start"] {
        let pair = [format!("{part}_date"), format!("{part}_day")];
        if pair.iter().any(|name| members.contains_key(name)) {
            task.retain(|name, _| !pair.contains(name));
        }
    }
    task.extend(members);
    let further = found["further_reminders"].as_array().cloned().unwrap_or_default();
    Ok(Planned { task, further })
}

/// Creates tasks, all or none.
pub fn create(context: &Context<'_>, planned: Vec<Planned>) -> Result<Done, Stop> {
    context.ask_about(planned.len(), || {
        let title = |planned: &Planned| planned.task["title"].as_str().map(|t| format!("\n- {t}"));
        let titles: String = planned.iter().filter_map(title).collect();
        Ok(format!("Adds {}:{titles}", shape::counted(planned.len())))
    })?;
    let operations = planned.iter().map(|planned| json!({ "op": "create", "task": planned.task }));
    let (tasks, undo) = context.batch(operations.collect())?;
    for (task, planned) in tasks.iter().zip(&planned) {
        for reminder in &planned.further {
            let body = match &reminder["offset"] {
                Value::Null => json!({ "remind_at": reminder["remind_at"] }),
                offset => json!({ "offset": offset }),
            };
            context.send(&Call::post(format!("tasks/{}/reminders", task["id"]), body))?;
        }
    }
    let text = format!("Added:{}\n", shape::names(&tasks));
    Ok(Done::new(text, json!({ "tasks": shape::tasks(&tasks) })).undoable(undo))
}
