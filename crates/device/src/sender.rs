//! Sends the edits of the outbox, one after the other.

use rondo_domain::instant::Instant;
use serde_json::{Value, json};

use crate::connection::Flight;
use crate::device::Device;
use crate::edit::{Edit, Members, REFERENCES};
use crate::outbox::Entry;
use crate::record::{Record, Table};

/// A request without its ticket.
struct Draft {
    method: &'static str,
    path: String,
    body: Option<Value>,
    /// The revision that the task must have.
    revision: Option<i64>,
    has_key: bool,
}

impl Draft {
    fn new(method: &'static str, path: String, body: Option<Value>) -> Self {
        Self { method, path, body, revision: None, has_key: method == "POST" }
    }
}

/// What is to be done with an entry.
enum Step {
    Send(Draft),
    /// There is nothing to do any more.
    Done,
    /// Its task is gone.
    Gone,
}

impl Device {
    /// Sends the first entry. Those with nothing to do are done.
    pub(crate) fn send_next(&mut self, now: Instant) {
        while let Some(entry) = self.outbox.first().cloned() {
            if let Some(uid) = entry.edit.uid() {
                self.reconcile(uid, now);
            }
            let Some(entry) = self.outbox.first().filter(|first| first.id == entry.id).cloned()
            else {
                continue;
            };
            match self.draft(&entry) {
                Step::Done => self.finish(&entry),
                Step::Gone => match entry.edit.uid() {
                    Some(uid) => self.lose(uid, now),
                    None => self.finish(&entry),
                },
                Step::Send(draft) => {
                    if !entry.is_tried {
                        self.outbox[0].is_tried = true;
                        let record = self.outbox[0].record();
                        self.keep(record);
                    }
                    let mut headers = Vec::new();
                    if draft.has_key {
                        headers.push(("idempotency-key", entry.id.clone()));
                    }
                    if let Some(revision) = draft.revision {
                        headers.push(("if-match", format!("\"{revision}\"")));
                    }
                    let body = draft.body.map(|body| body.to_string());
                    let flight = Flight::Change(entry.id);
                    self.request(flight, draft.method, draft.path, body, headers);
                    return;
                }
            }
        }
    }

    fn draft(&self, entry: &Entry) -> Step {
        let known = entry.edit.uid().and_then(|uid| self.base.get(uid));
        let task = |action: &str| known.map(|task| format!("/api/tasks/{}{action}", task.id));
        let post = |action: &str, body| match task(action) {
            Some(path) => Step::Send(Draft::new("POST", path, body)),
            None => Step::Gone,
        };
        let revision = known.map(|task| task.revision);
        let matching = |step| match step {
            Step::Send(draft) => Step::Send(Draft { revision, ..draft }),
            other => other,
        };
        let scoped = |path: String, scope: &Option<crate::Scope>| match scope {
            Some(scope) => format!("{path}?scope={}", scope.as_str()),
            None => path,
        };
        let to = |method, path: String, body| Step::Send(Draft::new(method, path, body));
        match &entry.edit {
            Edit::Create { uid, task, .. } => {
                // It was created by a request whose answer was lost.
                if known.is_some() {
                    return Step::Done;
                }
                let mut task = without_unknown(task);
                task.insert("uid".to_owned(), json!(uid));
                task.retain(|_, value| !value.is_null());
                to("POST", "/api/tasks".to_owned(), Some(task.into()))
            }
            Edit::Patch { members, scope, .. } => match task("") {
                Some(path) => {
                    let body = without_unknown(members).into();
                    matching(to("PATCH", scoped(path, scope), Some(body)))
                }
                None => Step::Gone,
            },
            Edit::Complete { steps, .. } => {
                let fate = if *steps { "complete" } else { "keep" };
                post(&format!("/complete?subtasks={fate}"), None)
            }
            Edit::Reopen { .. } => post("/reopen", None),
            Edit::Skip { .. } => matching(post("/skip", None)),
            Edit::Move { list_id, beside, .. } => {
                let mut body = Members::new();
                if let Some(list) = list_id {
                    body.insert("list_id".to_owned(), json!(list.filter(|id| *id > 0)));
                }
                beside.write(&mut body);
                body.retain(|_, value| value.is_null() || value.as_i64() > Some(0));
                post("/move", Some(body.into()))
            }
            Edit::Delete { scope, .. } => match task("") {
                Some(path) => matching(to("DELETE", scoped(path, scope), None)),
                None => Step::Done,
            },
            Edit::Restore { id, .. } => {
                if known.is_some() || *id <= 0 {
                    return Step::Done;
                }
                to("POST", format!("/api/tasks/{id}/restore"), None)
            }
            Edit::AddReminder { reminder, .. } => post("/reminders", Some(reminder.clone().into())),
            Edit::RemoveReminder { id } if *id <= 0 => Step::Done,
            Edit::RemoveReminder { id } => to("DELETE", format!("/api/reminders/{id}"), None),
            Edit::Snooze { id, .. } if *id <= 0 => Step::Done,
            Edit::Snooze { id, snooze } => {
                let path = format!("/api/reminders/{id}/snooze");
                to("POST", path, Some(snooze.clone().into()))
            }
            Edit::CreateList { list, .. } => {
                to("POST", "/api/lists".to_owned(), Some(list.clone().into()))
            }
            Edit::CreateFilter { filter, .. } => {
                to("POST", "/api/filters".to_owned(), Some(filter.clone().into()))
            }
            Edit::PatchList { id, .. }
            | Edit::MoveList { id, .. }
            | Edit::DeleteList { id, .. }
            | Edit::PatchFilter { id, .. }
            | Edit::DeleteFilter { id }
                if *id <= 0 =>
            {
                Step::Done
            }
            Edit::PatchList { id, members } => {
                to("PATCH", format!("/api/lists/{id}"), Some(members.clone().into()))
            }
            Edit::MoveList { id, beside } => {
                let mut body = Members::new();
                beside.write(&mut body);
                to("POST", format!("/api/lists/{id}/move"), Some(body.into()))
            }
            Edit::DeleteList { id, delete_tasks } => {
                let fate = Edit::fate(*delete_tasks);
                to("DELETE", format!("/api/lists/{id}?tasks={fate}"), None)
            }
            Edit::PatchFilter { id, members } => {
                to("PATCH", format!("/api/filters/{id}"), Some(members.clone().into()))
            }
            Edit::DeleteFilter { id } => to("DELETE", format!("/api/filters/{id}"), None),
            Edit::ChangeTag { name, members } => {
                to("PUT", format!("/api/tags/{}", escaped(name)), Some(members.clone().into()))
            }
            Edit::DeleteTag { name } => to("DELETE", format!("/api/tags/{}", escaped(name)), None),
            Edit::PatchAccount { members } => {
                to("PATCH", "/api/auth/me".to_owned(), Some(members.clone().into()))
            }
            Edit::Undo { token, .. } => {
                to("POST", "/api/undo".to_owned(), Some(json!({ "token": token })))
            }
        }
    }

    /// Removes an entry that has nothing to do any more.
    pub(crate) fn finish(&mut self, entry: &Entry) {
        self.remove(entry);
        self.show_entry(entry);
    }

    /// Removes an entry, without showing what that changes.
    pub(crate) fn remove(&mut self, entry: &Entry) {
        self.outbox.retain(|other| other.id != entry.id);
        self.keep(Record::forget(Table::Outbox, entry.key()));
        self.changes.outbox = true;
    }
}

/// The members without references to what the server does not know: its creation was refused.
fn without_unknown(members: &Members) -> Members {
    let mut members = members.clone();
    for name in REFERENCES {
        match members.get_mut(name) {
            Some(Value::Array(ids)) => ids.retain(|id| id.as_i64() > Some(0)),
            Some(id) if id.as_i64().is_some_and(|id| id < 0) => *id = Value::Null,
            _ => {}
        }
    }
    members
}

/// A segment of a path, escaped.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}
