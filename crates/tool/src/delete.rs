//! `delete_task`.

use rondo_contract::undo_token::{TRASH_DAYS, UNDO_MINUTES};
use rondo_domain::task::EditScope;
use serde_json::{Map, Value, json};

use crate::context::{Context, Done, Stop};
use crate::schema::{ids, object, text, words};
use crate::{find, shape, update};

pub fn schema() -> Value {
    let scope = words(EditScope::WORDS);
    object(json!({ "ids": ids(), "scope": scope, "confirm": text() }), &["ids"])
}

pub fn run(context: &Context<'_>, arguments: &Map<String, Value>) -> Result<Done, Stop> {
    let ids = find::ids(arguments)?;
    let scope = update::scope(arguments)?;
    let tasks = find::each(context, &ids)?;
    let mut effect = match tasks.len() {
        1 => format!("Deletes:{}", shape::names(&tasks)),
        many => format!("Deletes {many} tasks:{}", shape::names(&tasks)),
    };
    let beneath: i64 = tasks.iter().filter_map(|task| task["subtasks"]["total"].as_i64()).sum();
    if beneath > 0 {
        effect += &format!("\nwith {beneath} subtasks and what is beneath them");
    }
    if let Some(reach) = update::beyond(scope) {
        effect += &format!("\nwith {reach} of their series, which end");
    }
    context.ask(&effect)?;
    // What was shown is what is deleted, or nothing is.
    let operation = |task: &Value| json!({ "op": "delete", "id": task["id"], "revision": task["revision"], "scope": scope.as_str() });
    let (_, undo) = context.batch(tasks.iter().map(operation).collect())?;
    let text = format!(
        "Deleted:{}\nThey can be put back for {UNDO_MINUTES} minutes, and are in the trash for {TRASH_DAYS} days.",
        shape::names(&tasks)
    );
    Ok(Done::new(text, json!({ "tasks": shape::tasks(&tasks) })).undoable(undo))
}
