//! Takes the answers to requests.

use rondo_domain::instant::{self, Instant};
use serde_json::{Value, json};

use crate::connection::{Flight, Part};
use crate::device::Device;
use crate::edit::Edit;
use crate::effect::Answer;
use crate::form::Form as _;
use crate::notice::Problem;
use crate::outbox::Entry;
use crate::place::{Filter, List, Reminder};
use crate::record::{Record, Table};
use crate::task::Task;

/// How often the server may fail (500) at an edit before the edit is taken back.
const FAILURES_MAX: u32 = 8;

impl Device {
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
                self.accepted(&entry, &body, now);
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
                _ if self.is_replaced(&entry) => match entry.edit {
                    Edit::Delete { .. } => self.finish(&entry),
                    _ => self.sent_anew(id),
                },
                (Edit::Delete { uid, .. }, _) => {
                    let uid = uid.clone();
                    self.finish(&entry);
                    self.unlearn(&uid);
                }
                (Edit::Create { .. } | Edit::Restore { .. }, _) | (_, None) => match entry.edit {
                    Edit::DeleteList { .. }
                    | Edit::DeleteFilter { .. }
                    | Edit::DeleteTag { .. }
                    | Edit::RemoveReminder { .. } => self.accepted(&entry, &Value::Null, now),
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

    /// Whether the task of an entry was deleted while a request was under way, and another has its uid by now, such as
    /// after an undo. The answer is about the first.
    fn is_replaced(&self, entry: &Entry) -> bool {
        let old = entry.gone.as_ref().and_then(|task| task.get("id")?.as_i64());
        let new = entry.edit.uid().and_then(|uid| self.base.get(uid)).map(|task| task.id);
        old.is_some() && new.is_some() && old != new
    }

    /// The entry is sent again, to the task that has its uid now.
    fn sent_anew(&mut self, id: &str) {
        let Some(entry) = self.outbox.iter_mut().find(|entry| entry.id == id) else { return };
        entry.gone = None;
        let record = entry.record();
        self.keep(record);
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
                Some(_) if self.is_replaced(&entry) => self.sent_anew(id),
                Some(uid) => self.lose(&uid, now),
                None => {}
            },
        }
    }

    /// The server has accepted an entry.
    fn accepted(&mut self, entry: &Entry, body: &Value, now: Instant) {
        // The other tasks that it changed come by the feed. Until then they stay as they are shown.
        let mut others: Vec<String> = entry.also.to_vec();
        match &entry.edit {
            Edit::DeleteList { .. } | Edit::ChangeTag { .. } | Edit::DeleteTag { .. } => {
                others.extend(self.base.keys().cloned());
            }
            Edit::Delete { uid, .. } if !self.is_replaced(entry) => others.push(uid.clone()),
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
                if let Some(list) = List::of(body) {
                    // As for tasks: a repeated answer may be of a list that is gone.
                    let is_known = self.base_lists.contains_key(&list.id);
                    if is_known || list.revision > self.sync.cursor {
                        self.learn_list(list);
                    }
                }
            }
            Edit::CreateFilter { .. } | Edit::PatchFilter { .. } => {
                if let Some(filter) = Filter::of(body) {
                    self.keep(Record::save(
                        Table::Filter,
                        filter.id.to_string(),
                        filter.to_value(),
                    ));
                    self.base_filters.insert(filter.id, filter);
                }
            }
            Edit::AddReminder { .. } | Edit::Snooze { .. } => {
                if let Some(reminder) = Reminder::of(body) {
                    let key = reminder.id.to_string();
                    self.keep(Record::save(Table::Reminder, key, reminder.to_value()));
                    self.reminders.insert(reminder.id, reminder);
                    self.changes.reminders = true;
                }
            }
            Edit::Undo { .. } => {
                for result in body["results"].as_array().into_iter().flatten() {
                    match Task::of(&result["task"]) {
                        Some(task) => self.learn_answer(task, now),
                        None => {
                            let id = result["id"].as_i64().unwrap_or_default();
                            if let Some(uid) = self.ids.get(&id).cloned() {
                                self.lose(&uid, now);
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
                    self.learn_answer(task, now);
                }
            }
            _ => {}
        }
        self.show_entry(entry);
    }

    /// Takes over a task from an answer. A repeated answer may be of a task that is gone by now: it is unknown, though
    /// everything up to its revision is known.
    fn learn_answer(&mut self, task: Task, now: Instant) {
        if self.base.contains_key(&task.uid) || task.revision > self.sync.cursor {
            self.learn(task);
        } else {
            self.lose_task(&task, now);
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
}

fn last_number(path: &str) -> Option<i64> {
    path.rsplit('/').next()?.parse().ok()
}
