//! Edits: what a person changes, each with what it does to tasks that the device has.

use rondo_domain::instant::Instant;
use rondo_domain::list::TaskFate;
use rondo_domain::order;
use rondo_domain::task::{EditScope, tag_key};
use serde_json::{Value, json};

pub use crate::form::{Members, members};
use crate::task::Task;

/// A change by a person. Tasks are named by their `uid`, lists and filters by their id; a negative id is one that this
/// device made. Members have the form of the API.
#[derive(Debug, Clone, PartialEq)]
pub enum Edit {
    /// `id` is negative.
    Create {
        uid: String,
        id: i64,
        task: Members,
    },
    Patch {
        uid: String,
        members: Members,
        scope: Option<Scope>,
    },
    /// `steps`: whether the tasks beneath are completed, too.
    Complete {
        uid: String,
        steps: bool,
    },
    Reopen {
        uid: String,
    },
    Skip {
        uid: String,
    },
    /// To a place in the task's list or another.
    Move {
        uid: String,
        /// None keeps the list; `Some(None)` is the inbox.
        list_id: Option<Option<i64>>,
        beside: Beside,
    },
    Delete {
        uid: String,
        scope: Option<Scope>,
    },
    /// Brings a deleted task back. `id` is the server's, `task` what is shown until the server answers.
    Restore {
        uid: String,
        id: i64,
        task: Members,
    },
    AddReminder {
        uid: String,
        id: i64,
        reminder: Members,
    },
    RemoveReminder {
        id: i64,
    },
    /// `{"for": "PT10M"}` or `{"until": …}`.
    Snooze {
        id: i64,
        snooze: Members,
    },
    CreateList {
        id: i64,
        list: Members,
    },
    PatchList {
        id: i64,
        members: Members,
    },
    MoveList {
        id: i64,
        beside: Beside,
    },
    DeleteList {
        id: i64,
        delete_tasks: bool,
    },
    CreateFilter {
        id: i64,
        filter: Members,
    },
    PatchFilter {
        id: i64,
        members: Members,
    },
    DeleteFilter {
        id: i64,
    },
    /// A new name, a new colour.
    ChangeTag {
        name: String,
        members: Members,
    },
    DeleteTag {
        name: String,
    },
    /// A merge patch of `/api/auth/me`.
    PatchAccount {
        members: Members,
    },
    /// Undoes a change by the server's token. `inverse` does it by hand, should the server refuse.
    Undo {
        token: String,
        inverse: Vec<Edit>,
    },
}

/// Occurrences of a series that an edit applies to, apart from this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    Future,
    All,
}

impl Scope {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Future => EditScope::Future.as_str(),
            Self::All => EditScope::All.as_str(),
        }
    }
}

/// A place in an order, by a neighbour's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beside {
    After(i64),
    Before(i64),
    /// The end.
    Last,
}

impl Beside {
    pub(crate) fn write(self, members: &mut Members) {
        match self {
            Self::After(id) => members.insert("after".to_owned(), id.into()),
            Self::Before(id) => members.insert("before".to_owned(), id.into()),
            Self::Last => None,
        };
    }
}

impl Edit {
    /// Creates a task, whose uid and id the device makes.
    #[must_use]
    pub fn create(task: Members) -> Self {
        Self::Create { uid: String::new(), id: 0, task }
    }

    #[must_use]
    pub fn patch(uid: &str, members: Members) -> Self {
        Self::Patch { uid: uid.to_owned(), members, scope: None }
    }

    /// Sets one member.
    #[must_use]
    pub fn set(uid: &str, name: &str, value: Value) -> Self {
        Self::patch(uid, members([(name.to_owned(), value)]))
    }

    #[must_use]
    pub fn complete(uid: &str) -> Self {
        Self::Complete { uid: uid.to_owned(), steps: false }
    }

    #[must_use]
    pub fn delete(uid: &str) -> Self {
        Self::Delete { uid: uid.to_owned(), scope: None }
    }

    /// Brings back a task of the trash, or any other that was deleted.
    #[must_use]
    pub fn restore(task: &Value) -> Self {
        Self::Restore {
            uid: task["uid"].as_str().unwrap_or_default().to_owned(),
            id: task["id"].as_i64().unwrap_or_default(),
            task: task.as_object().cloned().unwrap_or_default(),
        }
    }

    /// Whether the edit changes tasks that it does not name, such as those with a tag.
    pub(crate) const fn is_wide(&self) -> bool {
        matches!(self, Self::DeleteList { .. } | Self::ChangeTag { .. } | Self::DeleteTag { .. })
    }

    #[must_use]
    pub fn create_list(list: Members) -> Self {
        Self::CreateList { id: 0, list }
    }

    #[must_use]
    pub fn create_filter(filter: Members) -> Self {
        Self::CreateFilter { id: 0, filter }
    }

    #[must_use]
    pub fn add_reminder(uid: &str, reminder: Members) -> Self {
        Self::AddReminder { uid: uid.to_owned(), id: 0, reminder }
    }

    /// The task that the edit is about.
    #[must_use]
    pub fn uid(&self) -> Option<&str> {
        match self {
            Self::Create { uid, .. }
            | Self::Patch { uid, .. }
            | Self::Complete { uid, .. }
            | Self::Reopen { uid }
            | Self::Skip { uid }
            | Self::Move { uid, .. }
            | Self::Delete { uid, .. }
            | Self::Restore { uid, .. }
            | Self::AddReminder { uid, .. } => Some(uid),
            _ => None,
        }
    }

    /// The members of its task that the edit wants to be as it says. Empty for what is not decided by members.
    #[must_use]
    pub fn wanted(&self) -> Members {
        let status = |word: &str| members([("status".to_owned(), json!(word))]);
        match self {
            Self::Patch { members, .. } => members.clone(),
            Self::Complete { .. } => status("completed"),
            Self::Reopen { .. } => status("pending"),
            Self::Move { list_id: Some(list), .. } => {
                members([("list_id".to_owned(), json!(list))])
            }
            _ => Members::new(),
        }
    }

    /// What the edit makes of a task, which is its own or one that it takes along. None if the task is gone.
    pub(crate) fn apply(&self, uid: &str, task: Option<Task>, at: Instant) -> Option<Task> {
        let is_own = self.uid() == Some(uid);
        if let Self::Undo { inverse, .. } = self {
            let own = inverse.iter().filter(|edit| edit.uid().is_none_or(|other| other == uid));
            return own.fold(task, |task, edit| edit.apply(uid, task, at));
        }
        let mut task = task?;
        match self {
            Self::Patch { members, .. } if is_own => task.patch(members, at),
            Self::Complete { .. } if !task.is_completed() => task.patch(&self.wanted(), at),
            Self::Reopen { .. } if is_own => task.patch(&self.wanted(), at),
            Self::Move { list_id: Some(list), .. } if is_own => task.list_id = *list,
            Self::Delete { .. } => return None,
            Self::DeleteList { id, delete_tasks } if task.list_id == Some(*id) => {
                if *delete_tasks {
                    return None;
                }
                task.list_id = None;
            }
            Self::ChangeTag { name, members } => {
                let key = tag_key(name);
                if let Some(new) = members.get("name").and_then(Value::as_str) {
                    retag(&mut task, &key, Some(new));
                }
            }
            Self::DeleteTag { name } => retag(&mut task, &tag_key(name), None),
            _ => {}
        }
        Some(task)
    }

    /// How a request says what becomes of a deleted list's tasks.
    pub(crate) fn fate(delete_tasks: bool) -> &'static str {
        if delete_tasks { TaskFate::Delete.as_str() } else { TaskFate::Inbox.as_str() }
    }

    /// Names something by the id that the server gave it.
    pub(crate) fn rename(&mut self, old: i64, new: i64) {
        let swap = |id: &mut i64| {
            if *id == old {
                *id = new;
            }
        };
        let beside = |place: &mut Beside| match place {
            Beside::After(id) | Beside::Before(id) => swap(id),
            Beside::Last => {}
        };
        match self {
            Self::Create { task: members, .. } | Self::Patch { members, .. } => {
                rename_in(members, old, new);
            }
            Self::Move { list_id, beside: place, .. } => {
                if let Some(Some(id)) = list_id {
                    swap(id);
                }
                beside(place);
            }
            Self::MoveList { id, beside: place } => {
                swap(id);
                beside(place);
            }
            Self::RemoveReminder { id }
            | Self::Snooze { id, .. }
            | Self::PatchList { id, .. }
            | Self::DeleteList { id, .. }
            | Self::PatchFilter { id, .. }
            | Self::DeleteFilter { id }
            | Self::Restore { id, .. } => swap(id),
            Self::Undo { inverse, .. } => {
                inverse.iter_mut().for_each(|edit| edit.rename(old, new));
            }
            _ => {}
        }
    }
}

/// Members that name other tasks or a list.
pub(crate) const REFERENCES: [&str; 3] = ["list_id", "subtask_of", "blocked_by"];

pub(crate) fn rename_in(members: &mut Members, old: i64, new: i64) {
    let swap = |value: &mut Value| {
        if value.as_i64() == Some(old) {
            *value = new.into();
        }
    };
    for name in REFERENCES {
        match members.get_mut(name) {
            Some(Value::Array(ids)) => ids.iter_mut().for_each(swap),
            Some(value) => swap(value),
            None => {}
        }
    }
}

/// Renames a tag of a task, or removes it. Tags stay sorted, each once.
fn retag(task: &mut Task, key: &str, new: Option<&str>) {
    let Some(at) = task.tags.iter().position(|tag| tag_key(tag) == key) else { return };
    task.tags.remove(at);
    let Some(new) = new else { return };
    let new_key = tag_key(new);
    if task.tags.iter().all(|tag| tag_key(tag) != new_key) {
        task.tags.push(new.to_owned());
        order::sort_by_key(&mut task.tags, |tag| tag_key(tag));
    }
}
