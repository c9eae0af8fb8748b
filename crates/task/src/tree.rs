//! `tree=true`: each task of a list with the tasks beneath it, as its member `children`.

use std::collections::HashMap;

use rondo_guest::database::{DatabaseError, int, text};

use crate::answer::Answer;
use crate::store::Store;

/// The tasks, as JSON, each with what is beneath it.
pub fn grown(store: &Store, user: i64, tasks: Vec<String>) -> Result<Vec<String>, DatabaseError> {
    let tasks: Vec<Answer> = tasks.into_iter().map(Answer::of).collect();
    let ids: Vec<_> = tasks.iter().map(|task| task.id().to_string()).collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let parameters = [int(user), text(format!("{{{}}}", ids.join(",")))];
    let rows = store.0.query(include_str!("sql/tasks_beneath.sql"), &parameters)?;
    let rows = rows.map(|row| {
        let (id, above) = (row.optional_int("id")?, row.optional_int("subtask_of")?);
        Ok::<_, DatabaseError>(id.zip(above).zip(row.optional_text("representation")?))
    })?;
    let mut beneath: HashMap<i64, Vec<(i64, String)>> = HashMap::new();
    for ((id, above), task) in rows.into_iter().flatten() {
        beneath.entry(above).or_default().push((id, task));
    }
    Ok(tasks.into_iter().map(|task| with_children(task.id(), task.task, &mut beneath)).collect())
}

/// The database keeps the number of levels small.
fn with_children(
    id: i64,
    mut task: String,
    beneath: &mut HashMap<i64, Vec<(i64, String)>>,
) -> String {
    let children = beneath.remove(&id).unwrap_or_default();
    let children: Vec<_> =
        children.into_iter().map(|(id, task)| with_children(id, task, beneath)).collect();
    // The brace that ends the object, which has members.
    task.pop();
    task += &format!(r#","children":[{}]}}"#, children.join(","));
    task
}
