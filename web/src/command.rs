//! What a person does to tasks, by key, menu, pointer or panel.

use rondo_device::{Edit, Members, Row, Scope, WRITABLE};
use rondo_domain::due::Due;
use rondo_domain::instant;
use rondo_domain::jiff::ToSpan as _;
use rondo_domain::jiff::civil::Date;
use rondo_domain::zone::Zone;
use serde_json::{Value, json};

use crate::dialog::{self, Dialog};
use crate::dom::*;
use crate::store::store;
use crate::text::{Text, t, with};
use crate::toast::{self, Action};

/// Completes a task, or reopens it.
pub fn toggle(uid: &str) {
    let Some(row) = store().read(|device| device.task(uid).cloned()) else { return };
    if row.is_completed() {
        store().edit(vec![Edit::Reopen { uid: uid.to_owned() }]);
        toast::show(with(Text::TaskReopened, &row.title), Action::Undo);
    } else {
        complete(&[uid.to_owned()]);
    }
}

pub fn complete(uids: &[String]) {
    let edits: Vec<_> = store().read(|device| {
        let steps = device.account().completes_subtasks();
        let open =
            uids.iter().filter(|uid| device.task(uid).is_some_and(|row| !row.is_completed()));
        open.map(|uid| Edit::Complete { uid: uid.clone(), steps }).collect()
    });
    done(uids, edits, Text::TaskCompleted);
}

/// Adds a task to the selection, or takes it out.
pub fn pick(uid: &str) {
    store().picked.update(|picked| {
        if !picked.remove(uid) {
            picked.insert(uid.to_owned());
        }
    });
}

/// Moves tasks to a day, and keeps their time of day.
pub fn reschedule(uids: &[String], day: Date) {
    let edits = store().read(|device| {
        let rows = uids.iter().filter_map(|uid| device.task(uid));
        rows.map(|row| patch(&row.uid, on_day(row, day, &device.zone()))).collect()
    });
    done(uids, edits, Text::TaskMoved);
}

/// Moves tasks by days. Those without a day count from today.
pub fn shift(uids: &[String], days: i32) {
    let today = today();
    let edits = store().read(|device| {
        let zone = device.zone();
        let rows = uids.iter().filter_map(|uid| device.task(uid));
        rows.filter_map(|row| {
            let from = row.due.map_or(today, |due| crate::format::day_of(due, &zone));
            let day = from.checked_add(days.days()).ok()?;
            Some(patch(&row.uid, on_day(row, day, &zone)))
        })
        .collect()
    });
    done(uids, edits, Text::TaskMoved);
}

/// A change, which moves the occurrences that the panel says. Of everything else, later occurrences take over what this
/// one has.
pub fn patch(uid: &str, members: Members) -> Edit {
    let is_moved =
        ["due_date", "due_day", "time_zone"].iter().any(|name| members.contains_key(*name));
    let scope = store().scope.get_untracked().filter(|(of, _)| is_moved && of == uid);
    let scope = scope.map(|(_, scope)| scope);
    Edit::Patch { uid: uid.to_owned(), members, scope }
}

/// The members that put a task on another day.
fn on_day(row: &Row, day: Date, zone: &Zone) -> Members {
    match row.due {
        Some(Due::At(at)) => {
            let local = day.to_datetime(zone.local_of(at).time());
            let at = zone.instant_of(local);
            members("due_date", at.map(instant::format).into())
        }
        _ => members("due_day", day.to_string().into()),
    }
}

/// The current day of the person.
pub fn today() -> Date {
    store().read(|device| device.zone().local_of(crate::store::now()).date())
}

/// Lets the server's language model read the tasks, or no longer.
pub fn share_with_model(is_shared: bool) {
    let members = members("share_with_model", is_shared.into());
    store().edit(vec![Edit::PatchAccount { members }]);
}

pub fn members(name: &str, value: Value) -> Members {
    rondo_device::members([(name.to_owned(), value)])
}

/// Sets a member of several tasks.
pub fn set(uids: &[String], name: &str, value: &Value) {
    let edits = uids.iter().map(|uid| patch(uid, members(name, value.clone()))).collect();
    done(uids, edits, Text::TaskChanged);
}

/// Adds a tag to several tasks, or removes it from them if all have it.
pub fn toggle_tag(uids: &[String], tag: &str) {
    let has = |row: &Row| row.tags.iter().any(|other| other.eq_ignore_ascii_case(tag));
    let edits = store().read(|device| {
        let rows: Vec<_> = uids.iter().filter_map(|uid| device.task(uid)).collect();
        let is_removed = rows.iter().all(|row| has(row));
        rows.iter()
            .filter(|row| has(row) == is_removed)
            .map(|row| {
                let mut tags: Vec<_> = row
                    .tags
                    .iter()
                    .filter(|other| !other.eq_ignore_ascii_case(tag))
                    .cloned()
                    .collect();
                if !is_removed {
                    tags.push(tag.to_owned());
                }
                Edit::set(&row.uid, "tags", json!(tags))
            })
            .collect()
    });
    done(uids, edits, Text::TaskChanged);
}

pub fn move_to_list(uids: &[String], list: Option<i64>) {
    set_list(uids, list);
}

fn set_list(uids: &[String], list: Option<i64>) {
    let edits = uids.iter().map(|uid| Edit::set(uid, "list_id", json!(list))).collect();
    done(uids, edits, Text::TaskMoved);
}

pub fn moved(uids: &[String], edits: Vec<Edit>) {
    done(uids, edits, Text::TaskMoved);
}

pub fn skip(uid: &str) {
    done(&[uid.to_owned()], vec![Edit::Skip { uid: uid.to_owned() }], Text::TaskSkipped);
}

/// Makes an open copy of a task, without its steps.
pub fn duplicate(uid: &str) {
    let Some(row) = store().read(|device| device.task(uid).cloned()) else { return };
    let not_copied = ["status", "blocked_by"];
    let names = WRITABLE.iter().filter(|name| !not_copied.contains(name));
    let members = names.map(|name| ((*name).to_owned(), row.member(name)));
    let task = rondo_device::members(members.filter(|(_, value)| !value.is_null()));
    store().edit(vec![Edit::create(task)]);
    toast::show(with(Text::TaskAdded, &row.title), Action::Undo);
}

/// Deletes tasks. For one that repeats, asks which occurrences.
pub fn delete(uids: &[String]) {
    let repeats = store().read(|device| {
        uids.len() == 1 && device.task(&uids[0]).is_some_and(|row| row.recurrence_rule.is_some())
    });
    if repeats {
        dialog::open(Dialog::DeleteOccurrence(uids[0].clone()));
    } else {
        delete_with(uids, None);
    }
}

pub fn delete_with(uids: &[String], scope: Option<Scope>) {
    let edits = uids.iter().map(|uid| Edit::Delete { uid: uid.clone(), scope }).collect();
    close_panel_of(uids);
    done(uids, edits, Text::TaskDeleted);
}

fn close_panel_of(uids: &[String]) {
    let route = store().route.get_untracked();
    if route.task.as_ref().is_some_and(|task| uids.contains(task)) {
        route.with_task(None).go();
    }
}

pub fn undo() {
    if store().change(|device| device.undo(crate::store::now())) {
        toast::show(t(Text::Undone).to_owned(), Action::Redo);
    }
}

pub fn redo() {
    if store().change(|device| device.redo(crate::store::now())) {
        toast::show(t(Text::Redone).to_owned(), Action::Undo);
    }
}

/// Makes edits, says so, and clears the selection.
fn done(uids: &[String], edits: Vec<Edit>, text: Text) {
    if edits.is_empty() {
        return;
    }
    let title = store().read(|device| Some(device.task(uids.first()?)?.title.clone()));
    let count = edits.len();
    store().edit(edits);
    store().picked.update(rondo_domain::map::Set::clear);
    let text = match title {
        Some(title) if count == 1 => with(text, title),
        _ => with(Text::TasksChanged, count),
    };
    toast::show(text, Action::Undo);
}

/// The tasks that a key acts on: the picked ones, else the current one.
pub fn targets() -> Vec<String> {
    let store = store();
    let picked = store.picked.get_untracked();
    if picked.is_empty() {
        let open = store.route.get_untracked().task;
        return store.at.get_untracked().or(open).into_iter().collect();
    }
    let order = store.order.get_untracked();
    order.into_iter().filter(|uid| picked.contains(uid)).collect()
}
