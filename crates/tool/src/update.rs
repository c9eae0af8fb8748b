//! `update_task` and `reschedule_task`.

use rondo_domain::task::EditScope;
use serde_json::{Map, Value, json};

use crate::api::{Call, query};
use crate::context::{Context, Done, Stop, refused};
use crate::schema::{id, ids, object, said, text, words};
use crate::{find, input, shape, undo};

pub fn schema() -> Value {
    let changes = json!({
        "type": "object",
        "description": "members as in add_task, and status, repeat, time_zone; null clears one, others stay",
    });
    object(
        json!({
            "id": id(),
            "changes": changes,
            "expected_revision": id(),
            "scope": words(EditScope::WORDS),
            "undo": said("the undo of an earlier call, alone"),
            "confirm": text(),
        }),
        &[],
    )
}

pub fn update(context: &Context<'_>, arguments: &Map<String, Value>) -> Result<Done, Stop> {
    if let Some(token) = arguments.get("undo").and_then(Value::as_str) {
        return undo::run(context, token);
    }
    let Some(id) = arguments.get("id").and_then(Value::as_i64) else {
        return refused("Give id, an integer, and changes; or undo alone.");
    };
    let Some(changes) = arguments.get("changes").and_then(Value::as_object) else {
        return refused("changes must be an object of the members to change.");
    };
    let members = Value::Object(input::members(context, changes, input::Use::Change)?);
    let scope = scope(arguments)?;
    let mut target = format!("tasks/{id}");
    if let Some(reach) = beyond(scope) {
        let names: Vec<_> = changes.keys().map(String::as_str).collect();
        let task = find::read(context, id)?;
        context.ask(&format!(
            "Changes {} of {} and of {reach} of its series.",
            names.join(", "),
            shape::name(&task)
        ))?;
        target += &query([("scope", scope.to_string())]);
    } else {
        context.ask_about(1, || {
            let task = find::read(context, id)?;
            let set = changes.iter().map(|(name, value)| format!("\n- {name}: {value}"));
            Ok(format!("Changes {}:{}", shape::name(&task), set.collect::<String>()))
        })?;
    }
    let revision = arguments.get("expected_revision").and_then(Value::as_i64);
    let reply = context.send(&Call::patch(target, members).at(revision))?;
    let text = format!("Changed {}.", shape::name(&reply.body));
    Ok(Done::new(text, json!({ "tasks": shape::tasks(&[reply.body]) })).undoable(reply.undo))
}

pub fn reschedule_schema() -> Value {
    object(
        json!({
            "ids": ids(),
            "due": said("as in add_task; none removes it"),
            "skip": { "type": "boolean", "description": "move one task of a series to its next slot instead" },
            "confirm": text(),
        }),
        &["ids"],
    )
}

/// Never touches a rule: the series goes on as before.
pub fn reschedule(context: &Context<'_>, arguments: &Map<String, Value>) -> Result<Done, Stop> {
    let ids = find::ids(arguments)?;
    let skips = arguments.get("skip") == Some(&Value::Bool(true));
    match (arguments.get("due"), skips) {
        (None, true) => return skip(context, &ids),
        (Some(_), false) => {}
        _ => return refused("Give either due, or skip: true."),
    }
    let due = arguments.get("due").unwrap_or(&Value::Null);
    let due = Value::Object(input::moment(context, "due", due)?);
    context.ask_about(ids.len(), || {
        let tasks = find::each(context, &ids)?;
        let when = arguments.get("due").and_then(Value::as_str).unwrap_or("no date");
        Ok(format!("Moves {} to {when}:{}", shape::counted(tasks.len()), shape::names(&tasks)))
    })?;
    let operations = ids.iter().map(|id| json!({ "op": "patch", "id": id, "task": due }));
    let (tasks, undo) = context.batch(operations.collect())?;
    Ok(moved(&tasks, undo))
}

fn skip(context: &Context<'_>, ids: &[i64]) -> Result<Done, Stop> {
    let [id] = ids else { return refused("skip moves one task at a time.") };
    context.ask_about(1, || {
        let task = find::read(context, *id)?;
        Ok(format!("Moves {} to its next slot.", shape::name(&task)))
    })?;
    let reply = context.send(&Call::act(format!("tasks/{id}/skip")))?;
    Ok(moved(&[reply.body], reply.undo))
}

fn moved(tasks: &[Value], undo: Option<String>) -> Done {
    let text = format!("Moved:{}\n", shape::names(tasks));
    Done::new(text, json!({ "tasks": shape::tasks(tasks) })).undoable(undo)
}

/// The scope of an edit of a series.
pub fn scope(arguments: &Map<String, Value>) -> Result<EditScope, Stop> {
    match arguments.get("scope") {
        None | Some(Value::Null) => Ok(EditScope::This),
        Some(scope) => match scope.as_str().map(EditScope::parse) {
            Some(Ok(scope)) => Ok(scope),
            _ => refused(format!("scope must be one of {}.", EditScope::WORDS.join(", "))),
        },
    }
}

/// What else an edit applies to.
pub fn beyond(scope: EditScope) -> Option<&'static str> {
    match scope {
        EditScope::This => None,
        EditScope::Future => Some("every later occurrence"),
        EditScope::All => Some("every other open occurrence"),
    }
}
