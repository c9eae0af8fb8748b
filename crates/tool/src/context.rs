//! One call of a tool.

use serde_json::{Map, Value, json};

use crate::api::{Api, Call, Reply, query};

/// Maximum number of tasks that a call changes without asking.
pub const TASKS_UNASKED_MAX: usize = 5;

/// What a tool needs.
pub struct Context<'a> {
    pub api: &'a dyn Api,
    /// Whether the user has agreed to exactly this effect.
    pub agrees: &'a dyn Fn(&str) -> bool,
    /// Whether the user has to agree to any change, because it may not be what they asked for.
    pub asks_always: bool,
}

/// What a tool has done.
#[derive(Debug, Clone, PartialEq)]
pub struct Done {
    /// For the model: what happened, and what can come next.
    pub text: String,
    /// Fits the tool's output schema.
    pub data: Map<String, Value>,
}

/// Why a tool has done nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// The user has to agree to this effect first.
    Ask(String),
    /// The model can mend it, by what this says.
    Refused(String),
    /// The token lacks this scope.
    Denied(String),
    /// The server cannot answer: an HTTP status of 500 or above.
    Failed(u16),
}

impl Done {
    pub fn new(text: impl Into<String>, data: Value) -> Self {
        let data = match data {
            Value::Object(data) => data,
            other => Map::from_iter([("value".to_owned(), other)]),
        };
        Self { text: text.into(), data }
    }

    /// The same with the way back.
    pub fn undoable(mut self, undo: Option<String>) -> Self {
        if let Some(undo) = undo {
            self.text +=
                &format!(" To take this back, call update_task with {{\"undo\":\"{undo}\"}}.");
            self.data.insert("undo".to_owned(), undo.into());
        }
        self
    }
}

pub fn refused<T>(message: impl Into<String>) -> Result<T, Stop> {
    Err(Stop::Refused(message.into()))
}

impl Context<'_> {
    /// Stops unless the user has agreed to this effect.
    pub fn ask(&self, effect: &str) -> Result<(), Stop> {
        if (self.agrees)(effect) { Ok(()) } else { Err(Stop::Ask(effect.to_owned())) }
    }

    /// As [`Context::ask`], for a change of this many tasks that is told only if it is many, or if any is.
    pub fn ask_about(
        &self,
        count: usize,
        effect: impl FnOnce() -> Result<String, Stop>,
    ) -> Result<(), Stop> {
        if count <= TASKS_UNASKED_MAX && !self.asks_always {
            return Ok(());
        }
        self.ask(&effect()?)
    }

    /// Sends a request; any status of 400 or above stops the tool.
    pub fn send(&self, call: &Call) -> Result<Reply, Stop> {
        let reply = self.api.send(call);
        match reply.status {
            ..400 => Ok(reply),
            500.. => Err(Stop::Failed(reply.status)),
            _ if reply.body["code"] == "missing_scope" => {
                Err(Stop::Denied(reply.body["detail"].as_str().unwrap_or_default().to_owned()))
            }
            _ => Err(Stop::Refused(mendable(&reply))),
        }
    }

    /// Changes tasks at once, all or none.
    pub fn batch(&self, mut operations: Vec<Value>) -> Result<(Vec<Value>, Option<String>), Stop> {
        if let [operation] = &mut operations[..] {
            let reply = self.send(&single(operation))?;
            return Ok((vec![reply.body], reply.undo));
        }
        let body = json!({ "atomic": true, "operations": operations });
        let reply = self.send(&Call::post("tasks/batch", body))?;
        let results = reply.body["results"].as_array().cloned().unwrap_or_default();
        let tasks = results.into_iter().map(|mut result| result["task"].take()).collect();
        Ok((tasks, reply.undo))
    }
}

/// The one operation of a batch as a request of its own. A batch is a transaction, whose database session the host does
/// not keep: a new one takes longer than all else.
fn single(operation: &mut Value) -> Call {
    let task = operation["task"].take();
    let target = format!("tasks/{}", operation["id"]);
    let parameter = |name| operation[name].as_str().map(|value| (name, value.to_owned()));
    let parameters: Vec<_> = ["scope", "subtasks"].into_iter().filter_map(parameter).collect();
    let query = if parameters.is_empty() { String::new() } else { query(parameters) };
    let call = match operation["op"].as_str() {
        Some("create") => Call::post("tasks", task),
        Some("patch") => Call::patch(target + &query, task),
        Some("delete") => Call::delete(target + &query),
        action => Call::act(format!("{target}/{}{query}", action.unwrap_or_default())),
    };
    call.at(operation["revision"].as_i64())
}

/// What a problem says, for a model that can mend its call.
fn mendable(reply: &Reply) -> String {
    let problem = &reply.body;
    let mut said = match reply.status {
        412 if problem["code"] == "changed_since" => {
            let ids: Vec<_> = problem["tasks"].as_array().into_iter().flatten().collect();
            format!("Tasks have changed since, so this cannot be taken back any more: {ids:?}.")
        }
        404 => "There is no such task, or it was deleted; list_tasks finds ids.".to_owned(),
        412 => "The task has changed since you read it; get_task has its revision now.".to_owned(),
        _ => problem["detail"].as_str().unwrap_or("The request was refused.").to_owned(),
    };
    for error in problem["errors"].as_array().into_iter().flatten() {
        let part = |name: &str| error[name].as_str().unwrap_or_default();
        said += &format!(" {} {}.", named(part("pointer")), part("detail"));
    }
    said
}

/// A pointer of the API, as the tool's arguments have it.
fn named(pointer: &str) -> String {
    let place = pointer.strip_prefix("/operations/").unwrap_or(pointer);
    place.replacen("/task/", ": ", 1).trim_start_matches(['/', '?']).to_owned()
}
