//! What the server has, and what is shown: the same with the edits of the outbox over it.

use rondo_domain::instant::Instant;
use rondo_domain::map::Set;
use rondo_domain::order;
use serde_json::{Value, json};

use crate::device::{Device, zone_of};
use crate::edit::{Edit, rename_in};
use crate::form::Form as _;
use crate::outbox::Entry;
use crate::place::{Filter, List};
use crate::record::{Record, Table};
use crate::row::Row;
use crate::task::Task;

impl Device {
    /// A task by its uid.
    #[must_use]
    pub fn task(&self, uid: &str) -> Option<&Row> {
        self.rows.get(uid)
    }

    /// A task by its id, also one that this device gave.
    #[must_use]
    pub fn task_of(&self, id: i64) -> Option<&Row> {
        self.rows.get(self.ids.get(&self.resolved(id))?)
    }

    /// The task as the server has it.
    #[must_use]
    pub fn server_task(&self, uid: &str) -> Option<&Task> {
        self.base.get(uid)
    }

    /// The task with the edits of the outbox over it.
    fn replayed(&self, uid: &str) -> (Option<Task>, bool) {
        let mut task = self.base.get(uid).cloned();
        let mut is_unsent = false;
        for entry in self.outbox.iter().chain(&self.forwarded) {
            if entry.touches(uid, task.as_ref()) {
                is_unsent |= entry.edit.uid() == Some(uid) || entry.takes_along(uid);
                task = self.applied(entry, uid, task);
            }
        }
        (task, is_unsent)
    }

    pub(crate) fn applied(&self, entry: &Entry, uid: &str, task: Option<Task>) -> Option<Task> {
        let at = entry.instant();
        let task = self.begun(&entry.edit, uid, task, at);
        let mut task = entry.edit.apply(uid, task, at);
        if let (Some(task), Some(position)) = (&mut task, &entry.position)
            && entry.edit.uid() == Some(uid)
            && (task.revision == 0 || entry.is_move())
        {
            task.position.clone_from(position);
        }
        task
    }

    /// The task that an edit makes or brings back.
    fn begun(&self, edit: &Edit, uid: &str, task: Option<Task>, at: Instant) -> Option<Task> {
        if task.is_some() {
            return task;
        }
        match edit {
            Edit::Create { uid: own, id, task } if own == uid => {
                let mut made = Task::new(uid, *id, self.account.time_zone(), at);
                made.patch(task, at);
                Some(made)
            }
            Edit::Restore { uid: own, task, .. } if own == uid => {
                Task::of(&Value::Object(task.clone()))
            }
            Edit::Undo { inverse, .. } => {
                inverse.iter().find_map(|edit| self.begun(edit, uid, None, at))
            }
            _ => None,
        }
    }

    /// Uids of the tasks that an entry changes.
    pub(crate) fn touched(&self, entry: &Entry) -> Vec<String> {
        let mut uids: Vec<String> = entry.also.to_vec();
        uids.extend(entry.edit.uid().map(str::to_owned));
        if let Edit::Undo { inverse, .. } = &entry.edit {
            uids.extend(inverse.iter().filter_map(|edit| edit.uid().map(str::to_owned)));
        }
        uids
    }

    /// Shows a task anew.
    pub(crate) fn show(&mut self, uid: &str) {
        let (task, is_unsent) = self.replayed(uid);
        let row = task.map(|task| {
            let zone = zone_of(&task.time_zone);
            Row::new(task, &zone, is_unsent)
        });
        let old = self.rows.get(uid);
        if old == row.as_ref() {
            return;
        }
        if let Some(old) = old {
            let (id, parent) = (old.id, old.subtask_of);
            self.unlink(uid, parent);
            if self.ids.get(&id).is_some_and(|known| known == uid) && !self.base.contains_key(uid) {
                self.ids.remove(&id);
            }
        }
        match row {
            Some(row) => {
                self.ids.insert(row.id, uid.to_owned());
                if let Some(parent) = row.subtask_of {
                    self.children.entry(parent, Set::new).insert(uid.to_owned());
                }
                self.rows.insert(uid.to_owned(), row);
            }
            None => {
                self.rows.remove(uid);
            }
        }
        self.changes.tasks.insert(uid.to_owned());
        self.changes.tags = true;
    }

    fn unlink(&mut self, uid: &str, parent: Option<i64>) {
        let Some(parent) = parent else { return };
        if let Some(children) = self.children.get_mut(&parent) {
            children.remove(uid);
            if children.is_empty() {
                self.children.remove(&parent);
            }
        }
    }

    /// Shows anew what an entry changes.
    pub(crate) fn show_entry(&mut self, entry: &Entry) {
        let mut uids = self.touched(entry);
        if entry.edit.is_wide() {
            uids.extend(self.base.keys().cloned());
            uids.extend(self.rows.keys().cloned());
        }
        uids.iter().for_each(|uid| self.show(uid));
        self.show_places();
        self.changes.outbox = true;
    }

    /// Shows what the server has, while nothing is shown and no edit waits.
    pub(crate) fn show_base(&mut self) {
        let mut zone = zone_of("UTC");
        for (uid, task) in &self.base {
            if zone.name() != task.time_zone {
                zone = zone_of(&task.time_zone);
            }
            if let Some(parent) = task.subtask_of {
                self.children.entry(parent, Set::new).insert(uid.clone());
            }
            self.rows.insert(uid.clone(), Row::new(task.clone(), &zone, false));
        }
    }

    /// Shows everything anew.
    pub(crate) fn show_all(&mut self) {
        let own = self.outbox.iter().flat_map(|entry| self.touched(entry));
        let mut uids: Vec<String> = own.chain(self.base.keys().cloned()).collect();
        uids.extend(self.rows.keys().cloned());
        order::sort(&mut uids);
        uids.dedup();
        for uid in uids {
            self.show(&uid);
        }
        self.show_places();
        self.mark_all();
    }

    /// Shows lists, filters and the account anew.
    pub(crate) fn show_places(&mut self) {
        let mut account = self.base_account.clone();
        let mut lists = self.base_lists.clone();
        let mut filters = self.base_filters.clone();
        for entry in self.outbox.iter().chain(&self.forwarded) {
            match &entry.edit {
                Edit::CreateList { id, list } => {
                    let mut value = Value::Object(list.clone());
                    value["id"] = json!(id);
                    value["position"] = json!(entry.position);
                    lists.extend(List::of(&value).map(|l| (*id, l)));
                }
                Edit::PatchList { id, members } => {
                    if let Some(list) = lists.get_mut(id) {
                        *list = list.patched(members).unwrap_or_else(|| list.clone());
                    }
                }
                Edit::MoveList { id, .. } => {
                    if let (Some(list), Some(position)) = (lists.get_mut(id), &entry.position) {
                        list.position.clone_from(position);
                    }
                }
                Edit::DeleteList { id, .. } => {
                    lists.remove(id);
                }
                Edit::CreateFilter { id, filter } => {
                    let mut value = Value::Object(filter.clone());
                    value["id"] = json!(id);
                    filters.extend(Filter::of(&value).map(|f| (*id, f)));
                }
                Edit::PatchFilter { id, members } => {
                    if let Some(filter) = filters.get_mut(id) {
                        *filter = filter.patched(members).unwrap_or_else(|| filter.clone());
                    }
                }
                Edit::DeleteFilter { id } => {
                    filters.remove(id);
                }
                Edit::PatchAccount { members } => account.patch(members),
                Edit::ChangeTag { .. } | Edit::DeleteTag { .. } => self.changes.tags = true,
                Edit::AddReminder { .. } | Edit::RemoveReminder { .. } | Edit::Snooze { .. } => {
                    self.changes.reminders = true;
                }
                _ => {}
            }
        }
        self.changes.account |= account != self.account;
        self.account = account;
        self.changes.lists |= lists != self.lists;
        self.changes.filters |= filters != self.filters;
        (self.lists, self.filters) = (lists, filters);
    }

    /// Takes over a task as the server has it, unless what is known is newer.
    pub(crate) fn learn(&mut self, task: Task) {
        let uid = task.uid.clone();
        let is_fresh = self.sync.is_fresh(task.id);
        self.sync.see(task.id, task.revision);
        if let Some(known) = self.base.get(&uid) {
            if task.revision <= known.revision && known.id == task.id && !is_fresh {
                return;
            }
            self.ids.remove(&known.id);
        }
        self.keep(Record::save(Table::Task, &uid, task.to_value()));
        self.ids.insert(task.id, uid.clone());
        let id = task.id;
        self.base.insert(uid.clone(), task);
        let created = self.outbox.iter().find_map(|entry| match &entry.edit {
            Edit::Create { uid: own, id, .. } if *own == uid => Some(*id),
            _ => None,
        });
        if let Some(local) = created {
            self.adopt(local, id);
        }
        self.show(&uid);
    }

    /// The server has given an id to what this device named by a negative one.
    pub(crate) fn adopt(&mut self, local: i64, id: i64) {
        if local >= 0 || self.aliases.insert(local, id) == Some(id) {
            return;
        }
        self.keep(Record::save(Table::Alias, local.to_string(), id.into()));
        let mut records = Vec::new();
        let mut uids = Vec::new();
        for entry in self.outbox.iter_mut().chain(&mut self.forwarded) {
            let old = entry.edit.clone();
            entry.edit.rename(local, id);
            rename_in(&mut entry.base, local, id);
            if entry.edit != old {
                uids.extend(entry.edit.uid().map(str::to_owned));
                if entry.place > 0 {
                    records.push(entry.record());
                }
            }
        }
        records.into_iter().for_each(|record| self.keep(record));
        self.history.rename(local, id);
        uids.iter().for_each(|uid| self.show(uid));
        self.show_places();
    }

    /// Takes over that the server no longer has a task.
    pub(crate) fn unlearn(&mut self, uid: &str) {
        if let Some(task) = self.base.remove(uid) {
            self.keep(Record::forget(Table::Task, uid));
            self.ids.remove(&task.id);
            // Should they fail for that, the person is offered to restore it.
            let waiting = self.outbox.iter_mut().filter(|entry| entry.edit.uid() == Some(uid));
            let mut records = Vec::new();
            for entry in waiting {
                entry.gone = task.to_value().as_object().cloned();
                records.push(entry.record());
            }
            records.into_iter().for_each(|record| self.keep(record));
        }
        self.show(uid);
    }

    pub(crate) fn learn_list(&mut self, list: List) {
        let is_older = self.base_lists.get(&list.id).is_some_and(|known| {
            known.revision >= list.revision && !self.sync.is_fresh_list(list.id)
        });
        if !is_older {
            self.keep(Record::save(Table::List, list.id.to_string(), list.to_value()));
            self.base_lists.insert(list.id, list);
            self.show_places();
        }
    }

    pub(crate) fn unlearn_list(&mut self, id: i64) {
        if self.base_lists.remove(&id).is_some() {
            self.keep(Record::forget(Table::List, id.to_string()));
            self.show_places();
        }
    }
}
