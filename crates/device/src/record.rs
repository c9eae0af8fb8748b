//! What a device keeps in storage, as small records. They are also what tabs tell each other.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Where a record is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Table {
    /// Tasks as the server has them, by uid.
    Task,
    List,
    Filter,
    Tag,
    Reminder,
    /// Edits that the server has not accepted yet, by their order.
    Outbox,
    /// What the person has to be told.
    Notice,
    /// Server ids of what this device made.
    Alias,
    /// Undo tokens of edits.
    Token,
    /// The account and the place in the feed of changes.
    Meta,
}

impl Table {
    pub const ALL: [Self; 10] = [
        Self::Task,
        Self::List,
        Self::Filter,
        Self::Tag,
        Self::Reminder,
        Self::Outbox,
        Self::Notice,
        Self::Alias,
        Self::Token,
        Self::Meta,
    ];

    /// The name of the object store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Task => "task",
            Self::List => "list",
            Self::Filter => "filter",
            Self::Tag => "tag",
            Self::Reminder => "reminder",
            Self::Outbox => "outbox",
            Self::Notice => "notice",
            Self::Alias => "alias",
            Self::Token => "token",
            Self::Meta => "meta",
        }
    }
}

/// A record. Without a value, it is removed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    pub table: Table,
    pub key: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
}

impl Record {
    pub(crate) fn save(table: Table, key: impl Into<String>, value: Value) -> Self {
        Self { table, key: key.into(), value: Some(value) }
    }

    pub(crate) fn forget(table: Table, key: impl Into<String>) -> Self {
        Self { table, key: key.into(), value: None }
    }
}
