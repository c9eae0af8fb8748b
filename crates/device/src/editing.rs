//! Takes a person's edits: checks them, notes what was before, and puts them into the outbox.

use rondo_contract::problem::FieldError;
use rondo_domain::instant::{self, Instant};
use rondo_domain::order;
use rondo_domain::position::between;
use serde_json::{Value, json};

use crate::device::Device;
use crate::edit::{Beside, Edit, Members, members};
use crate::effect::Effect;
use crate::form::Form as _;
use crate::history::{Done, Step};
use crate::member;
use crate::notice::Fault;
use crate::outbox::Entry;
use crate::place::List;
use crate::row::Row;
use crate::task::WRITABLE;

/// Maximum number of tasks of a list that are deleted one by one. More are left to the server.
const LIST_DELETIONS_MAX: usize = 100;

impl Device {
    /// Makes edits, which are undone together. Returns the uids of created tasks.
    ///
    /// # Errors
    /// All faults of the first edit that breaks a rule; the edits before it are made.
    pub fn edit(&mut self, edits: Vec<Edit>, now: Instant) -> Result<Vec<String>, Vec<Fault>> {
        let mut step = Step::default();
        let mut uids = Vec::new();
        let mut refused = None;
        for edit in edits.into_iter().flat_map(|edit| self.spelled_out(edit)).collect::<Vec<_>>() {
            match self.push(edit, now) {
                Ok(done) => {
                    if let Edit::Create { uid, .. } = &done.edit {
                        uids.push(uid.clone());
                    }
                    step.parts.push(done);
                }
                Err(faults) => {
                    refused = Some(faults);
                    break;
                }
            }
        }
        self.history.done(step);
        self.pump(now);
        refused.map_or(Ok(uids), Err)
    }

    /// A list that is deleted with its tasks: each task that the person saw is deleted by itself. So what others have
    /// added in the meantime stays, in the inbox, and each deletion can be undone.
    fn spelled_out(&self, edit: Edit) -> Vec<Edit> {
        let Edit::DeleteList { id, delete_tasks: true } = edit else { return vec![edit] };
        let inside = |row: &&Row| row.list_id == Some(self.resolved(id));
        let is_top = |row: &&Row| {
            row.subtask_of
                .and_then(|parent| self.task_of(parent))
                .is_none_or(|above| !inside(&above))
        };
        let tasks: Vec<&Row> = self.rows.values().filter(inside).filter(is_top).collect();
        if tasks.len() > LIST_DELETIONS_MAX {
            return vec![edit];
        }
        let deletions = tasks.into_iter().map(|row| Edit::delete(&row.uid));
        [Edit::DeleteList { id, delete_tasks: false }].into_iter().chain(deletions).collect()
    }

    /// Puts an edit into the outbox, or hands it to the tab that leads.
    pub(crate) fn push(&mut self, edit: Edit, now: Instant) -> Result<Done, Vec<Fault>> {
        let edit = self.prepared(edit)?;
        let inverse = self.inverse(&edit);
        let entry = Entry {
            id: self.random.name(),
            place: 0,
            at: instant::format(now),
            base: self.before(&edit),
            also: self.taken_along(&edit),
            position: self.position_for(&edit),
            edit,
            gone: None,
            failures: 0,
            is_tried: false,
        };
        let done = Done { entry: Some(entry.id.clone()), edit: entry.edit.clone(), inverse };
        if self.is_leader {
            self.enqueue(entry);
        } else {
            self.forwarded.push(entry.clone());
            self.effects.push(Effect::Forward(vec![entry.clone()]));
            self.show_entry(&entry);
        }
        Ok(done)
    }

    fn enqueue(&mut self, mut entry: Entry) {
        self.place += 1;
        entry.place = self.place;
        self.keep(entry.record());
        self.outbox.push(entry.clone());
        self.show_entry(&entry);
    }

    /// Takes over edits of another tab. Those that it has already are passed over.
    pub fn accept(&mut self, entries: Vec<Entry>, now: Instant) {
        for mut entry in entries {
            if self.outbox.iter().any(|known| known.id == entry.id) {
                continue;
            }
            for (local, id) in self.aliases.clone() {
                entry.edit.rename(local, id);
            }
            self.enqueue(entry);
        }
        self.pump(now);
    }

    /// Names what the device makes, and checks members.
    fn prepared(&mut self, mut edit: Edit) -> Result<Edit, Vec<Fault>> {
        let faults =
            |errors: Vec<FieldError>| errors.into_iter().map(Fault::from).collect::<Vec<_>>();
        if let Some(uid) = edit.uid() {
            let is_new = matches!(edit, Edit::Create { .. } | Edit::Restore { .. });
            if !is_new && !self.rows.contains_key(uid) {
                return Err(vec![unknown("/uid")]);
            }
        }
        match &mut edit {
            Edit::Create { uid, id, task } => {
                if uid.is_empty() {
                    *uid = self.random.name();
                }
                if *id == 0 {
                    *id = self.random.local_id();
                }
                task.entry("title").or_insert(Value::Null);
                *task = member::normal(task).map_err(faults)?;
                if !task.contains_key("time_zone") {
                    task.insert("time_zone".to_owned(), json!(self.account.time_zone()));
                }
            }
            Edit::Patch { members, .. } => {
                *members = member::normal(members).map_err(faults)?;
            }
            Edit::AddReminder { id, .. } | Edit::CreateFilter { id, .. } if *id == 0 => {
                *id = self.random.local_id();
            }
            Edit::CreateList { id, list } => {
                if *id == 0 {
                    *id = self.random.local_id();
                }
                rondo_contract::list_body::parse(&Value::Object(list.clone())).map_err(faults)?;
            }
            _ => {}
        }
        if let Edit::CreateFilter { filter, .. } = &edit {
            rondo_contract::filter_body::parse(&Value::Object(filter.clone())).map_err(faults)?;
        }
        for (local, id) in &self.aliases {
            edit.rename(*local, *id);
        }
        Ok(edit)
    }

    /// The members that an edit touches, as they are shown.
    fn before(&self, edit: &Edit) -> Members {
        if let Edit::Undo { inverse, .. } = edit {
            return members(inverse.iter().flat_map(|edit| self.before(edit)));
        }
        let Some(row) = edit.uid().and_then(|uid| self.rows.get(uid)) else {
            return Members::new();
        };
        let names: Vec<String> = match edit {
            Edit::Delete { .. } => WRITABLE.iter().map(|name| (*name).to_owned()).collect(),
            Edit::Skip { .. } => vec!["due_date".to_owned(), "due_day".to_owned()],
            edit => edit.wanted().keys().cloned().collect(),
        };
        members(names.into_iter().map(|name| (name.clone(), row.member(&name))))
    }

    /// The tasks beneath that an edit takes along.
    fn taken_along(&self, edit: &Edit) -> Vec<String> {
        match edit {
            Edit::Delete { uid, .. } | Edit::Complete { uid, steps: true } => {
                let mut uids: Vec<_> =
                    self.beneath(uid).into_iter().map(|row| row.uid.clone()).collect();
                order::sort(&mut uids);
                uids.dedup();
                uids
            }
            _ => Vec::new(),
        }
    }

    /// All tasks beneath a task.
    #[must_use]
    pub fn beneath(&self, uid: &str) -> Vec<&Row> {
        let mut found: Vec<&Row> = Vec::new();
        let mut next = self.rows.get(uid).map(|row| self.subtasks(&row.uid)).unwrap_or_default();
        while let Some(row) = next.pop() {
            // A circle cannot come from the server, but two edits can make one here.
            if row.uid == uid || found.iter().any(|known| known.uid == row.uid) {
                continue;
            }
            found.push(row);
            next.extend(self.subtasks(&row.uid));
        }
        found
    }

    /// Where a new or moved task or list is shown until the server says where it is.
    fn position_for(&self, edit: &Edit) -> Option<String> {
        match edit {
            Edit::Create { .. } => between(self.last_position().as_deref(), None)
                .or_else(|| Some("a00000000000000".to_owned())),
            Edit::Move { uid, list_id, beside } => {
                let row = self.rows.get(uid)?;
                let list = list_id.unwrap_or(row.list_id);
                let mut keys: Vec<(&str, i64)> = self
                    .rows
                    .values()
                    .filter(|other| other.list_id == list && other.uid != *uid)
                    .map(|other| (other.position.as_str(), other.id))
                    .collect();
                order::sort(&mut keys);
                place(&keys, *beside, |id| self.resolved(id))
            }
            Edit::CreateList { .. } => {
                let last = self.lists.values().map(|list| list.position.clone()).max();
                between(last.as_deref(), None).or_else(|| Some("a00000000000000".to_owned()))
            }
            Edit::MoveList { id, beside } => {
                let others = self.lists.values().filter(|list| list.id != *id);
                let mut keys: Vec<(&str, i64)> =
                    others.map(|list: &List| (list.position.as_str(), list.id)).collect();
                order::sort(&mut keys);
                place(&keys, *beside, |id| self.resolved(id))
            }
            _ => None,
        }
    }

    fn last_position(&self) -> Option<String> {
        self.rows.values().map(|row| row.position.as_str()).max().map(str::to_owned)
    }

    /// Edits that put back what an edit is about to change.
    fn inverse(&mut self, edit: &Edit) -> Vec<Edit> {
        let own = |uid: &str| uid.to_owned();
        let row = edit.uid().and_then(|uid| self.rows.get(uid));
        match edit {
            Edit::Create { uid, .. } | Edit::Restore { uid, .. } => vec![Edit::delete(uid)],
            Edit::Patch { uid, .. } => vec![Edit::patch(uid, self.before(edit))],
            Edit::Complete { .. } => {
                let open = |row: &&Row| !row.is_completed();
                let along = self.taken_along(edit);
                let along = along.iter().filter_map(|uid| self.rows.get(uid));
                let own_row = row.into_iter().chain(along).filter(open);
                own_row.map(|row| Edit::Reopen { uid: row.uid.clone() }).collect()
            }
            Edit::Reopen { uid } if row.is_some_and(|row| row.is_completed()) => {
                vec![Edit::complete(uid)]
            }
            Edit::Skip { uid } => row
                .map(|row| {
                    let names = ["due_date", "due_day", "start_date", "start_day"];
                    let old = names.map(|name| (name.to_owned(), row.member(name)));
                    Edit::patch(&own(uid), members(old))
                })
                .into_iter()
                .collect(),
            Edit::Move { uid, list_id, .. } => row
                .map(|row| Edit::Move {
                    uid: own(uid),
                    list_id: list_id.map(|_| row.list_id),
                    beside: self.beside_of(row),
                })
                .into_iter()
                .collect(),
            Edit::Delete { uid, .. } => {
                let all = row.into_iter().chain(self.beneath(uid));
                all.map(returning).collect()
            }
            Edit::CreateList { id, .. } => {
                vec![Edit::DeleteList { id: *id, delete_tasks: false }]
            }
            Edit::CreateFilter { id, .. } => vec![Edit::DeleteFilter { id: *id }],
            Edit::PatchList { id, members } => {
                let old = self.lists.get(id).map(|list| list.to_value()).unwrap_or_default();
                vec![Edit::PatchList { id: *id, members: picked(&old, members) }]
            }
            Edit::PatchFilter { id, members } => {
                let old = self.filters.get(id).map(|filter| filter.to_value()).unwrap_or_default();
                vec![Edit::PatchFilter { id: *id, members: picked(&old, members) }]
            }
            Edit::MoveList { id, .. } => {
                let lists = self.lists();
                let at = lists.iter().position(|list| list.id == *id);
                let next = at.and_then(|at| lists.get(at + 1));
                let beside = next.map_or(Beside::Last, |next| Beside::Before(next.id));
                vec![Edit::MoveList { id: *id, beside }]
            }
            Edit::DeleteList { id, .. } => {
                let Some(list) = self.lists.get(id) else { return Vec::new() };
                let new = self.random.local_id();
                let list = named(&list.to_value(), &["name", "color", "icon", "archived"]);
                let tasks = self.rows.values().filter(|row| row.list_id == Some(*id));
                let back = tasks.map(|row| Edit::Move {
                    uid: row.uid.clone(),
                    list_id: Some(Some(new)),
                    beside: Beside::Last,
                });
                [Edit::CreateList { id: new, list }].into_iter().chain(back).collect()
            }
            Edit::DeleteFilter { id } => {
                let old = self.filters.get(id).map(|filter| filter.to_value()).unwrap_or_default();
                let filter = named(&old, &["name", "icon", "query"]);
                vec![Edit::CreateFilter { id: 0, filter }]
            }
            Edit::ChangeTag { name, members } => {
                let new = members.get("name").and_then(Value::as_str).unwrap_or(name);
                let known = self.base_tags.get(&rondo_domain::task::tag_key(name));
                let mut back = Members::new();
                if members.contains_key("name") {
                    back.insert("name".to_owned(), json!(name));
                }
                if members.contains_key("color") {
                    let color = known.and_then(|tag| tag.color.clone());
                    back.insert("color".to_owned(), json!(color));
                }
                vec![Edit::ChangeTag { name: new.to_owned(), members: back }]
            }
            Edit::PatchAccount { members } => {
                let old = Value::Object(self.account.members.clone());
                vec![Edit::PatchAccount { members: picked(&old, members) }]
            }
            _ => Vec::new(),
        }
    }

    /// The place of a task in its list, by its neighbour.
    fn beside_of(&self, row: &Row) -> Beside {
        let of_list = self.rows.values().filter(|other| other.list_id == row.list_id);
        let next = of_list
            .filter(|other| other.position > row.position)
            .min_by(|one, other| one.position.cmp(&other.position));
        next.map_or(Beside::Last, |next| Beside::Before(next.id))
    }

    /// Tells the tab that leads again what it has not confirmed, such as after another tab took the lead.
    pub fn forward_again(&mut self) {
        if !self.forwarded.is_empty() && !self.is_leader {
            self.effects.push(Effect::Forward(self.forwarded.clone()));
        }
    }
}

fn unknown(pointer: &str) -> Fault {
    Fault {
        pointer: pointer.to_owned(),
        code: "not_found".to_owned(),
        detail: "is not a task that is here".to_owned(),
    }
}

/// Brings a task back that is about to be deleted. One that the server does not know is created again.
fn returning(row: &Row) -> Edit {
    if row.id > 0 {
        return Edit::restore(&row.task().to_value());
    }
    let all = WRITABLE.iter().map(|name| ((*name).to_owned(), row.member(name)));
    let task = members(all.filter(|(_, value)| !value.is_null()));
    Edit::Create { uid: row.uid.clone(), id: row.id, task }
}

/// A key beside a neighbour, among keys in order.
fn place(keys: &[(&str, i64)], beside: Beside, resolved: impl Fn(i64) -> i64) -> Option<String> {
    let find = |id: i64| keys.iter().position(|(_, own)| *own == resolved(id));
    let at = match beside {
        Beside::After(id) => find(id).map_or(keys.len(), |at| at + 1),
        Beside::Before(id) => find(id).unwrap_or(keys.len()),
        Beside::Last => keys.len(),
    };
    let before = at.checked_sub(1).map(|before| keys[before].0);
    between(before, keys.get(at).map(|(key, _)| *key))
}

/// The old values of the members of a patch.
fn picked(old: &Value, patch: &Members) -> Members {
    members(patch.keys().map(|name| (name.clone(), old[name.as_str()].clone())))
}

fn named(old: &Value, names: &[&str]) -> Members {
    members(names.iter().map(|name| ((*name).to_owned(), old[*name].clone())))
}
