//! Sends the edits of the outbox, one after the other, and takes the answers.

use rondo_domain::instant::{self, Instant};
use serde_json::{Value, json};

use crate::device::Device;
use crate::edit::{Edit, Members, REFERENCES};
use crate::effect::Answer;
use crate::notice::Problem;
use crate::outbox::Entry;
use crate::place::{Filter, List, Reminder};
use crate::record::{Record, Table};
use crate::sync::{Flight, Part};
use crate::task::Task;

/// How often the server may fail (500) at an edit before the edit is taken back.
const FAILURES_MAX: u32 = 8;

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
                if known.is_some() && !entry.is_tried {
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

    /// A request was answered.
    pub fn answered(&mut self, ticket: u64, answer: &Answer, now: Instant) {
        let Some(flight) = self.sync.flight.remove(&ticket) else { return };
        match (answer.status, &flight) {
            (401, _) => {
                self.again(&flight);
                self.pause();
            }
            (429 | 503, _) => {
                self.again(&flight);
                self.back_off(answer.retry_after_s(), now);
            }
            (500.., Flight::Change(id)) => {
                self.fail(id, answer, now);
                self.back_off(answer.retry_after_s(), now);
            }
            (500.., _) => {
                self.again(&flight);
                self.back_off(answer.retry_after_s(), now);
            }
            (status, _) => {
                self.sync.failures = 0;
                match flight {
                    Flight::Part(part) if status == 200 => {
                        self.learn_part(part, &answer.json(), now);
                    }
                    Flight::Part(Part::Feed) if status == 410 => self.restart(),
                    Flight::Part(_) => {}
                    Flight::Check(id) => self.checked(&id, answer, now),
                    Flight::Change(id) => self.change_answered(&id, answer, now),
                }
            }
        }
        self.pump(now);
    }

    /// A request got no answer: whether the server has seen it is not known.
    pub fn failed(&mut self, ticket: u64, now: Instant) {
        let Some(flight) = self.sync.flight.remove(&ticket) else { return };
        self.again(&flight);
        self.back_off(None, now);
        self.pump(now);
    }

    fn again(&mut self, flight: &Flight) {
        if let Flight::Part(part) = flight {
            self.sync.wants.insert(*part);
        }
    }

    fn fail(&mut self, id: &str, answer: &Answer, now: Instant) {
        let Some(entry) = self.outbox.iter_mut().find(|entry| entry.id == id) else { return };
        if answer.status == 500 {
            entry.failures += 1;
        }
        if entry.failures >= FAILURES_MAX {
            let entry = entry.clone();
            self.refuse(&entry, Problem::of(answer.status, &answer.json()), now);
        }
    }

    fn change_answered(&mut self, id: &str, answer: &Answer, now: Instant) {
        let Some(entry) = self.outbox.iter().find(|entry| entry.id == id).cloned() else { return };
        let body = answer.json();
        let is_uid_taken = answer.status == 409 && body["code"] == json!("uid_taken");
        match answer.status {
            200..=299 => {
                if let Some(token) = answer.header("undo-token") {
                    let token = token.to_owned();
                    let kept = json!({ "token": token, "at": instant::format(now) });
                    self.keep(Record::save(Table::Token, id, kept));
                    self.tokens.insert(id.to_owned(), (token, now));
                }
                self.accepted(&entry, &body);
            }
            409 if is_uid_taken && matches!(entry.edit, Edit::Create { .. }) => {
                // It was created by a request whose answer was lost.
                match answer.header("location").and_then(last_number) {
                    Some(task) => self.check(&entry, task),
                    None => self.finish(&entry),
                }
            }
            412 if matches!(entry.edit, Edit::Undo { .. }) => self.not_undone(&entry, now),
            410 if matches!(entry.edit, Edit::Undo { .. }) => self.not_undone(&entry, now),
            412 => {
                let known = entry.edit.uid().and_then(|uid| self.base.get(uid)).map(|task| task.id);
                match known {
                    Some(task) => self.check(&entry, task),
                    None => self.refuse(&entry, Problem::of(answer.status, &body), now),
                }
            }
            404 => match (&entry.edit, entry.edit.uid()) {
                (Edit::Delete { uid, .. }, _) => {
                    let uid = uid.clone();
                    self.finish(&entry);
                    self.unlearn(&uid);
                }
                (Edit::Create { .. } | Edit::Restore { .. }, _) | (_, None) => match entry.edit {
                    Edit::DeleteList { .. }
                    | Edit::DeleteFilter { .. }
                    | Edit::DeleteTag { .. }
                    | Edit::RemoveReminder { .. } => self.accepted(&entry, &Value::Null),
                    _ => self.refuse(&entry, Problem::of(404, &body), now),
                },
                (_, Some(uid)) => {
                    let uid = uid.to_owned();
                    self.lose(&uid, now);
                }
            },
            status => {
                let problem = Problem::of(status, &body);
                if !self.mended(&entry, &problem) {
                    self.refuse(&entry, problem, now);
                }
            }
        }
    }

    fn check(&mut self, entry: &Entry, task: i64) {
        let flight = Flight::Check(entry.id.clone());
        self.request(flight, "GET", format!("/api/tasks/{task}"), None, Vec::new());
    }

    /// The task of an entry has arrived.
    fn checked(&mut self, id: &str, answer: &Answer, now: Instant) {
        let Some(entry) = self.outbox.iter().find(|entry| entry.id == id).cloned() else { return };
        match (answer.status, Task::of(&answer.json())) {
            (200, Some(task)) => {
                let uid = task.uid.clone();
                self.learn(task);
                if matches!(entry.edit, Edit::Create { .. }) {
                    self.finish(&entry);
                } else {
                    self.reconcile(&uid, now);
                }
            }
            _ => match entry.edit.uid().map(str::to_owned) {
                // Created and deleted again.
                Some(_) if matches!(entry.edit, Edit::Create { .. }) => self.finish(&entry),
                Some(uid) => self.lose(&uid, now),
                None => {}
            },
        }
    }

    /// The server has accepted an entry.
    fn accepted(&mut self, entry: &Entry, body: &Value) {
        // The other tasks that it changed come by the feed. Until then they stay as they are shown.
        let touched = self.touched(entry);
        let mut others: Vec<String> = entry.also.iter().cloned().collect();
        match &entry.edit {
            Edit::DeleteList { .. } | Edit::ChangeTag { .. } | Edit::DeleteTag { .. } => {
                others.extend(self.base.keys().cloned());
            }
            Edit::Delete { uid, .. } => others.push(uid.clone()),
            _ => {}
        }
        for uid in others {
            let Some(old) = self.base.get(&uid).cloned() else { continue };
            match entry.edit.apply(&uid, Some(old.clone()), entry.instant()) {
                Some(new) if new != old => {
                    self.keep(Record::save(Table::Task, &uid, new.to_value()));
                    self.base.insert(uid, new);
                }
                Some(_) => {}
                None => self.unlearn(&uid),
            }
        }
        let id = body["id"].as_i64().unwrap_or_default();
        match &entry.edit {
            Edit::CreateList { id: local, .. } => self.adopt(*local, id),
            Edit::CreateFilter { id: local, .. } => self.adopt(*local, id),
            Edit::AddReminder { id: local, .. } => self.adopt(*local, id),
            Edit::DeleteList { id, .. } => self.unlearn_list(*id),
            Edit::DeleteFilter { id } => {
                self.base_filters.remove(id);
                self.keep(Record::forget(Table::Filter, id.to_string()));
            }
            Edit::RemoveReminder { id } => {
                self.reminders.remove(id);
                self.keep(Record::forget(Table::Reminder, id.to_string()));
                self.changes.reminders = true;
            }
            Edit::ChangeTag { .. } | Edit::DeleteTag { .. } => {
                self.sync.wants.insert(Part::Tags);
            }
            Edit::PatchAccount { .. } => {
                self.learn_part(Part::Account, body, entry.instant());
            }
            _ => {}
        }
        self.remove(entry);
        match &entry.edit {
            Edit::CreateList { .. } | Edit::PatchList { .. } | Edit::MoveList { .. } => {
                if let Ok(list) = serde_json::from_value::<List>(body.clone()) {
                    self.learn_list(list);
                }
            }
            Edit::CreateFilter { .. } | Edit::PatchFilter { .. } => {
                if let Ok(filter) = serde_json::from_value::<Filter>(body.clone()) {
                    self.keep(Record::save(Table::Filter, filter.id.to_string(), json!(filter)));
                    self.base_filters.insert(filter.id, filter);
                }
            }
            Edit::AddReminder { .. } | Edit::Snooze { .. } => {
                if let Ok(reminder) = serde_json::from_value::<Reminder>(body.clone()) {
                    let key = reminder.id.to_string();
                    self.keep(Record::save(Table::Reminder, key, json!(reminder)));
                    self.reminders.insert(reminder.id, reminder);
                    self.changes.reminders = true;
                }
            }
            Edit::Undo { .. } => {
                for result in body["results"].as_array().into_iter().flatten() {
                    match Task::of(&result["task"]) {
                        Some(task) => self.learn_answer(task),
                        None => {
                            let id = result["id"].as_i64().unwrap_or_default();
                            if let Some(uid) = self.ids.get(&id).cloned() {
                                self.unlearn(&uid);
                            }
                        }
                    }
                }
            }
            edit if edit.uid().is_some() => {
                if let Some(task) = Task::of(body) {
                    self.follow_up(entry, &task);
                    if let Edit::Create { id: local, .. } = edit {
                        self.adopt(*local, task.id);
                    }
                    self.learn_answer(task);
                }
            }
            _ => {}
        }
        touched.iter().for_each(|uid| self.show(uid));
        self.show_places();
    }

    /// Takes over a task from an answer. A repeated answer may be of a task that is gone by now: it is unknown, though
    /// everything up to its revision is known.
    fn learn_answer(&mut self, task: Task) {
        if self.base.contains_key(&task.uid) || task.revision > self.sync.cursor {
            self.learn(task);
        }
    }

    /// Later entries count from what the server has made of this one.
    fn follow_up(&mut self, entry: &Entry, task: &Task) {
        let wanted = match &entry.edit {
            Edit::Create { task, .. } => task.clone(),
            edit => edit.wanted(),
        };
        let mut records = Vec::new();
        for later in &mut self.outbox {
            if later.id == entry.id || later.edit.uid() != Some(&task.uid) {
                continue;
            }
            for (name, value) in &wanted {
                if later.base.get(name) == Some(value) {
                    later.base.insert(name.clone(), task.member(name));
                }
            }
            records.push(later.record());
        }
        records.into_iter().for_each(|record| self.keep(record));
    }

    /// Removes an entry that has nothing to do any more.
    pub(crate) fn finish(&mut self, entry: &Entry) {
        self.remove(entry);
        self.touched(entry).iter().for_each(|uid| self.show(uid));
        self.show_places();
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

fn last_number(path: &str) -> Option<i64> {
    path.rsplit('/').next()?.parse().ok()
}
