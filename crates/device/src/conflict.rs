//! Conflicts: edits that meet other changes, member by member. Of two values, the later one stays, and the person is
//! told.

use rondo_domain::instant::Instant;
use serde_json::Value;

use crate::device::Device;
use crate::edit::{Edit, Members, members};
use crate::member::together;
use crate::notice::{Fault, Notice, NoticeKind, Problem};
use crate::outbox::Entry;
use crate::task::{Task, WRITABLE};

impl Device {
    /// Compares the entries of a task with what the server has now.
    #[inline(never)]
    pub(crate) fn reconcile(&mut self, uid: &str, now: Instant) {
        let Some(task) = self.base.get(uid).cloned() else { return };
        // Members that an earlier entry or one under way will change: a later entry counts from that one.
        let mut decided: Vec<String> = Vec::new();
        let entries: Vec<Entry> =
            self.outbox.iter().filter(|entry| entry.edit.uid() == Some(uid)).cloned().collect();
        for entry in entries {
            if self.sync.is_in_flight(&entry.id) {
                decided.extend(entry.edit.wanted().keys().cloned());
                continue;
            }
            if let Edit::Delete { .. } = entry.edit {
                self.reconcile_deletion(&entry, &task, now);
                continue;
            }
            if let Edit::Skip { .. } = entry.edit {
                let is_moved = |name: &&str| entry.base.get(*name) != Some(&task.member(name));
                let is_decided = decided.iter().any(|name| name == "due_date");
                if !is_decided && ["due_date", "due_day"].iter().any(is_moved) {
                    self.outdated(&entry, &task, now);
                }
                continue;
            }
            self.reconcile_members(&entry, &task, &mut decided, now);
        }
        self.show(uid);
    }

    fn reconcile_members(
        &mut self,
        entry: &Entry,
        task: &Task,
        decided: &mut Vec<String>,
        now: Instant,
    ) {
        let wanted = entry.edit.wanted();
        let (mut dropped, mut lost, mut replaced) = (Vec::new(), Vec::new(), Vec::new());
        let mut changed = entry.clone();
        for name in wanted.keys() {
            if decided.contains(name) || dropped.contains(name) {
                continue;
            }
            let names: Vec<&str> =
                together(name).into_iter().filter(|name| wanted.contains_key(*name)).collect();
            let theirs = |name: &str| task.member(name);
            let is_met = |name: &&str| wanted.get(*name) != Some(&theirs(name));
            let is_changed = |name: &&str| entry.base.get(*name) != Some(&theirs(name));
            if !names.iter().any(is_met) {
                // The server has it already.
                dropped.extend(names.iter().map(|name| (*name).to_owned()));
            } else if names.iter().any(is_changed) {
                let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
                if entry.instant() < task.updated_at {
                    dropped.extend(names.iter().cloned());
                    lost.extend(names);
                } else {
                    for name in &names {
                        changed.base.insert(name.clone(), theirs(name));
                    }
                    replaced.extend(names);
                }
            }
        }
        decided.extend(wanted.keys().filter(|name| !dropped.contains(name)).cloned());
        let pick = |names: &[String], of: &dyn Fn(&str) -> Value| -> Members {
            members(names.iter().map(|name| (name.clone(), of(name))))
        };
        let mine = |name: &str| wanted.get(name).cloned().unwrap_or_default();
        let theirs = |name: &str| task.member(name);
        if !lost.is_empty() {
            let (mine, theirs) = (pick(&lost, &mine), pick(&lost, &theirs));
            let offer = vec![Edit::patch(&task.uid, mine.clone())];
            self.tell(NoticeKind::Lost, task, mine, theirs, offer, now);
        }
        if !replaced.is_empty() {
            let (mine, theirs) = (pick(&replaced, &mine), pick(&replaced, &theirs));
            let offer = vec![Edit::patch(&task.uid, theirs.clone())];
            self.tell(NoticeKind::Replaced, task, mine, theirs, offer, now);
        }
        match &mut changed.edit {
            Edit::Patch { members, .. } => {
                members.retain(|name, _| !dropped.contains(name));
                if members.is_empty() {
                    self.finish(entry);
                    return;
                }
            }
            Edit::Move { list_id, .. } if !lost.is_empty() => *list_id = None,
            Edit::Complete { .. } | Edit::Reopen { .. } if !lost.is_empty() => {
                self.finish(entry);
                return;
            }
            _ => {}
        }
        self.replace(changed);
    }

    fn reconcile_deletion(&mut self, entry: &Entry, task: &Task, now: Instant) {
        let is_changed =
            |name: &&&str| entry.base.get(**name).is_some_and(|base| *base != task.member(name));
        let changed: Vec<&&str> = WRITABLE.iter().filter(is_changed).collect();
        if changed.is_empty() || entry.instant() >= task.updated_at {
            return;
        }
        let theirs = members(changed.iter().map(|name| ((**name).to_owned(), task.member(name))));
        self.finish(entry);
        let offer = vec![entry.edit.clone()];
        self.tell(NoticeKind::Kept, task, Members::new(), theirs, offer, now);
    }

    /// A skip from a slot at which the task no longer is. It may be the skip itself, whose answer was lost.
    fn outdated(&mut self, entry: &Entry, task: &Task, now: Instant) {
        self.finish(entry);
        if !entry.is_tried {
            let theirs = ["due_date", "due_day"].map(|name| (name.to_owned(), task.member(name)));
            let offer = vec![entry.edit.clone()];
            let theirs = members(theirs);
            self.tell(NoticeKind::Lost, task, Members::new(), theirs, offer, now);
        }
    }

    fn replace(&mut self, changed: Entry) {
        let Some(entry) = self.outbox.iter_mut().find(|entry| entry.id == changed.id) else {
            return;
        };
        if *entry != changed {
            *entry = changed;
            let record = entry.record();
            self.keep(record);
        }
    }

    pub(crate) fn tell(
        &mut self,
        kind: NoticeKind,
        task: &Task,
        mine: Members,
        theirs: Members,
        offer: Vec<Edit>,
        now: Instant,
    ) {
        let mut notice = Notice::new(self.random.name(), kind, now);
        notice.uid = Some(task.uid.clone());
        notice.title.clone_from(&task.title);
        (notice.mine, notice.theirs, notice.offer) = (mine, theirs, offer);
        self.notify(notice);
    }

    /// The server no longer has a task.
    pub(crate) fn lose(&mut self, uid: &str, now: Instant) {
        let of_task = self.outbox.iter().filter(|entry| entry.edit.uid() == Some(uid));
        let gone = of_task.filter_map(|entry| entry.gone.clone()).next_back();
        let gone = gone.and_then(|task| Task::of(&Value::Object(task)));
        let task = self.base.get(uid).cloned().or(gone);
        self.lose_task(&task.unwrap_or_else(|| Task::new(uid, 0, "UTC", now)), now);
    }

    /// The server no longer has a task. Edits of it that wait are kept in a notice, which offers to restore it.
    pub(crate) fn lose_task(&mut self, task: &Task, now: Instant) {
        let uid = task.uid.as_str();
        let of_task = self.outbox.iter().filter(|entry| entry.edit.uid() == Some(uid));
        let entries: Vec<Entry> = of_task.cloned().collect();
        let is_return =
            |entry: &Entry| matches!(entry.edit, Edit::Restore { .. } | Edit::Create { .. });
        // What brings the task back stays, and so does what comes after. The answer of one under way says the same.
        let before = entries.into_iter().take_while(|entry| !is_return(entry));
        let lost: Vec<Entry> = before.filter(|entry| !self.sync.is_in_flight(&entry.id)).collect();
        lost.iter().for_each(|entry| self.remove(entry));
        self.unlearn(uid);
        let is_deleted = lost.last().is_none_or(|last| matches!(last.edit, Edit::Delete { .. }));
        if is_deleted || task.id <= 0 {
            return;
        }
        let edits: Vec<Edit> = lost.into_iter().map(|entry| entry.edit).collect();
        let mine = members(edits.iter().flat_map(Edit::wanted));
        let restore = Edit::restore(&task.to_value());
        let offer = [restore].into_iter().chain(edits).collect();
        self.tell(NoticeKind::Gone, task, mine, Members::new(), offer, now);
    }

    /// The server has refused an entry: it is taken back, and the person keeps what was entered.
    pub(crate) fn refuse(&mut self, entry: &Entry, problem: Problem, now: Instant) {
        let mut notice = Notice::new(self.random.name(), NoticeKind::Refused, now);
        notice.uid = entry.edit.uid().map(str::to_owned);
        notice.title = self.name_of(&entry.edit);
        notice.mine = entered(&entry.edit);
        notice.offer = vec![entry.edit.clone()];
        notice.problem = Some(problem);
        self.remove(entry);
        // Later edits count from what was before this one.
        let wanted = entry.edit.wanted();
        let mut records = Vec::new();
        for later in self.outbox.iter_mut().filter(|later| later.edit.uid() == entry.edit.uid()) {
            for (name, base) in &entry.base {
                if later.base.get(name).is_some_and(|value| Some(value) == wanted.get(name)) {
                    later.base.insert(name.clone(), base.clone());
                }
            }
            records.push(later.record());
        }
        records.into_iter().for_each(|record| self.keep(record));
        if let Edit::Create { uid, .. } = &entry.edit {
            // Edits of what was never created are part of what was entered.
            let later: Vec<Entry> =
                self.outbox.iter().filter(|later| later.edit.uid() == Some(uid)).cloned().collect();
            for later in &later {
                notice.mine.extend(later.edit.wanted());
                self.remove(later);
            }
            notice.offer = vec![Edit::create(notice.mine.clone())];
        }
        self.show_entry(entry);
        self.notify(notice);
    }

    fn name_of(&self, edit: &Edit) -> String {
        let text = |members: &Members, name: &str| {
            members.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        match edit {
            Edit::Create { task, .. } => text(task, "title"),
            Edit::CreateList { list, .. } => text(list, "name"),
            Edit::CreateFilter { filter, .. } => text(filter, "name"),
            Edit::PatchList { id, .. }
            | Edit::MoveList { id, .. }
            | Edit::DeleteList { id, .. } => {
                self.lists.get(id).map(|list| list.name.clone()).unwrap_or_default()
            }
            Edit::PatchFilter { id, .. } | Edit::DeleteFilter { id } => {
                self.filters.get(id).map(|filter| filter.name.clone()).unwrap_or_default()
            }
            Edit::ChangeTag { name, .. } | Edit::DeleteTag { name } => name.clone(),
            edit => {
                let row = edit.uid().and_then(|uid| self.rows.get(uid));
                row.map(|row| row.title.clone()).unwrap_or_default()
            }
        }
    }

    /// Sends an entry again without a reference that the server does not know. Whether there was one.
    pub(crate) fn mended(&mut self, entry: &Entry, problem: &Problem) -> bool {
        let mut changed = entry.clone();
        for fault in &problem.errors {
            let name = match (fault.pointer.as_str(), fault.code.as_str()) {
                ("/list_id", "unknown_list") => "list_id",
                ("/subtask_of", "unknown_parent") => "subtask_of",
                ("/after" | "/before", _) => "beside",
                _ => return false,
            };
            match &mut changed.edit {
                Edit::Create { task: members, .. } | Edit::Patch { members, .. } => {
                    members.remove(name);
                }
                Edit::Move { beside, .. } if name == "beside" => *beside = crate::Beside::Last,
                Edit::Move { list_id, .. } => *list_id = Some(None),
                Edit::MoveList { beside, .. } => *beside = crate::Beside::Last,
                _ => return false,
            }
        }
        if changed == *entry {
            return false;
        }
        // Another body needs another key.
        changed.id = self.random.name();
        self.history.rekey(&entry.id, &changed.id);
        self.remove(entry);
        self.keep(changed.record());
        let at = self.outbox.partition_point(|other| other.place < changed.place);
        self.outbox.insert(at, changed.clone());
        self.show_entry(&changed);
        true
    }

    /// An undo came too late, or others have changed the task since. What it would have done is done by hand.
    pub(crate) fn not_undone(&mut self, entry: &Entry, now: Instant) {
        self.finish(entry);
        if let Edit::Undo { inverse, .. } = &entry.edit {
            for edit in self.still_possible(inverse.clone(), &entry.base, now) {
                // What is no longer there needs no undo. What is done by hand was wanted when the person undid.
                if self.push(edit, now).is_ok()
                    && let Some(last) = self.outbox.last_mut()
                {
                    last.at.clone_from(&entry.at);
                    let record = last.record();
                    self.keep(record);
                }
            }
        }
    }

    /// Does what a notice offers, and dismisses it.
    ///
    /// # Errors
    /// The faults of the edits; the notice stays.
    pub fn answer(&mut self, id: &str, now: Instant) -> Result<(), Vec<Fault>> {
        let Some(notice) = self.notices.get(id).cloned() else { return Ok(()) };
        self.edit(notice.offer, now)?;
        self.dismiss(id);
        Ok(())
    }
}

/// What a person has entered.
fn entered(edit: &Edit) -> Members {
    match edit {
        Edit::Create { task, .. } => task.clone(),
        Edit::AddReminder { reminder, .. } => reminder.clone(),
        Edit::Snooze { snooze, .. } => snooze.clone(),
        Edit::CreateList { list, .. } => list.clone(),
        Edit::CreateFilter { filter, .. } => filter.clone(),
        Edit::PatchList { members, .. }
        | Edit::PatchFilter { members, .. }
        | Edit::ChangeTag { members, .. }
        | Edit::PatchAccount { members } => members.clone(),
        edit => edit.wanted(),
    }
}
