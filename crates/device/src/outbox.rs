//! The outbox: edits that the server has not accepted yet, in their order. What a person sees is the server's state
//! with these edits over it.

use rondo_domain::instant::{self, Instant};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::edit::{Edit, Members};
use crate::record::{Record, Table};
use crate::task::Task;

/// An edit on its way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The idempotency key, and the name of the entry in every tab.
    pub id: String,
    /// Its place in the order. 0 until the leading tab gives one.
    #[serde(default)]
    pub place: u64,
    /// When the person made the edit, as RFC 3339.
    pub at: String,
    pub edit: Edit,
    /// The members that the edit touches as they were before. Of a deletion, all of them.
    #[serde(default)]
    pub base: Members,
    /// Uids of tasks that the edit takes along, such as those beneath a deleted one.
    #[serde(default)]
    pub also: Vec<String>,
    /// The position that a new or moved task or list is shown at until the server gives one.
    #[serde(default)]
    pub position: Option<String>,
    /// The task, if the server deleted it while the edit was under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gone: Option<Members>,
    /// How often the server failed at it.
    #[serde(default)]
    pub failures: u32,
    /// Whether a request with it may have reached the server.
    #[serde(default)]
    pub is_tried: bool,
}

impl Entry {
    #[inline(never)]
    pub(crate) fn of(value: &Value) -> Option<Self> {
        Self::deserialize(value).ok()
    }

    pub(crate) fn instant(&self) -> Instant {
        instant::parse(&self.at).unwrap_or(Instant::UNIX_EPOCH)
    }

    pub(crate) fn is_move(&self) -> bool {
        matches!(self.edit, Edit::Move { .. })
    }

    /// Whether the edit takes this task along.
    pub(crate) fn takes_along(&self, uid: &str) -> bool {
        self.also.iter().any(|also| also == uid)
    }

    /// Whether the edit changes this task.
    pub(crate) fn touches(&self, uid: &str, task: Option<&Task>) -> bool {
        let is_named = |edit: &Edit| edit.uid() == Some(uid);
        match &self.edit {
            Edit::Undo { inverse, .. } if inverse.iter().any(is_named) => true,
            Edit::DeleteList { id, .. } => task.is_some_and(|task| task.list_id == Some(*id)),
            Edit::ChangeTag { .. } | Edit::DeleteTag { .. } => true,
            edit => is_named(edit) || self.takes_along(uid),
        }
    }

    /// The key sorts as the order does.
    pub(crate) fn key(&self) -> String {
        format!("{:012}", self.place)
    }

    pub(crate) fn record(&self) -> Record {
        Record::save(Table::Outbox, self.key(), json!(self))
    }
}
