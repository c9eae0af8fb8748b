//! `complete_task` and `reopen_task`.

use rondo_domain::step::SubtaskFate;
use serde_json::{Map, Value, json};

use crate::context::{Context, Done, Stop};
use crate::schema::{ids, object, text, words};
use crate::{find, shape};

pub fn complete_schema() -> Value {
    let fate = words(SubtaskFate::WORDS);
    object(json!({ "ids": ids(), "subtasks": fate, "confirm": text() }), &["ids"])
}

pub fn reopen_schema() -> Value {
    object(json!({ "ids": ids(), "confirm": text() }), &["ids"])
}

pub fn complete(context: &Context<'_>, arguments: &Map<String, Value>) -> Result<Done, Stop> {
    let operation = |id: i64| {
        let mut operation = json!({ "op": "complete", "id": id });
        if let Some(fate) = arguments.get("subtasks").filter(|fate| !fate.is_null()) {
            operation["subtasks"] = fate.clone();
        }
        operation
    };
    let done = act(context, arguments, "Completes", "Completed", operation)?;
    let recurs = done.data["tasks"].as_array().into_iter().flatten();
    let recurs = recurs.filter(|task| task.get("recurrence_rule").is_some()).count();
    let more = if recurs == 0 { "" } else { " The next occurrence follows by itself." };
    Ok(Done { text: done.text + more, data: done.data })
}

pub fn reopen(context: &Context<'_>, arguments: &Map<String, Value>) -> Result<Done, Stop> {
    let operation = |id: i64| json!({ "op": "reopen", "id": id });
    act(context, arguments, "Reopens", "Reopened", operation)
}

fn act(
    context: &Context<'_>,
    arguments: &Map<String, Value>,
    will: &str,
    did: &str,
    operation: impl Fn(i64) -> Value,
) -> Result<Done, Stop> {
    let ids = find::ids(arguments)?;
    context.ask_about(ids.len(), || {
        let tasks = find::each(context, &ids)?;
        Ok(format!("{will} {}:{}", shape::counted(tasks.len()), shape::names(&tasks)))
    })?;
    let (tasks, undo) = context.batch(ids.into_iter().map(operation).collect())?;
    let text = format!("{did}:{}\n", shape::names(&tasks));
    Ok(Done::new(text, json!({ "tasks": shape::tasks(&tasks) })).undoable(undo))
}
