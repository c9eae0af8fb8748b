//! The state of the connection: how far everything is known, what is under way, and what has to be fetched.

use rondo_domain::instant::Instant;
use rondo_domain::map::{Map, Set};

/// The state of sync.
#[derive(Debug, Default)]
pub(crate) struct Sync {
    /// The revision up to which everything is known.
    pub(crate) cursor: i64,
    /// Whether the feed has been read to its end once.
    pub(crate) is_synced: bool,
    pub(crate) is_online: bool,
    /// Waits for a new access token.
    pub(crate) is_paused: bool,
    pub(crate) socket: Socket,
    /// Requests under way, by their tickets.
    pub(crate) flight: Map<u64, Flight>,
    pub(crate) ticket: u64,
    /// Where the next page of the feed begins.
    pub(crate) page: Option<String>,
    /// What a sync from the start has seen. The rest is gone when it ends.
    pub(crate) reset: Option<Reset>,
    pub(crate) wants: Set<Part>,
    /// Nothing is sent before.
    pub(crate) wait: Option<Instant>,
    pub(crate) failures: u32,
    pub(crate) socket_wait: Option<Instant>,
    pub(crate) socket_failures: u32,
    pub(crate) next_poll: Option<Instant>,
    /// What the shell was last asked to wake the device at.
    pub(crate) woken: Option<Instant>,
}

#[derive(Debug, Default)]
pub(crate) struct Reset {
    pub(crate) tasks: Map<i64, i64>,
    pub(crate) lists: Map<i64, i64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Socket {
    #[default]
    Closed,
    Opening,
    Open,
}

/// What a request is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Flight {
    /// An entry of the outbox.
    Change(String),
    /// The task of an entry that met another change.
    Check(String),
    Part(Part),
}

/// What can be fetched anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    Account,
    /// The feed of changes: tasks and lists.
    Feed,
    Filters,
    Tags,
    Reminders,
}

/// How the device is connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connection {
    Offline,
    /// Catching up, or waiting for the server.
    Connecting,
    /// Changes elsewhere arrive at once.
    Live,
}

impl Sync {
    /// Whether a sync from the start is under way that has not seen this task yet: then what comes counts, whatever its
    /// revision.
    pub(crate) fn is_fresh(&self, id: i64) -> bool {
        self.reset.as_ref().is_some_and(|reset| !reset.tasks.contains_key(&id))
    }

    /// Marks a task as seen.
    pub(crate) fn see(&mut self, id: i64, revision: i64) {
        if let Some(reset) = &mut self.reset {
            reset.tasks.insert(id, revision);
        }
    }

    pub(crate) fn is_fresh_list(&self, id: i64) -> bool {
        self.reset.as_ref().is_some_and(|reset| !reset.lists.contains_key(&id))
    }

    pub(crate) fn is_in_flight(&self, entry: &str) -> bool {
        self.flight.values().any(|flight| matches!(flight, Flight::Change(id) if id == entry))
    }

    pub(crate) fn has_change(&self) -> bool {
        self.flight.values().any(|flight| !matches!(flight, Flight::Part(_)))
    }
}
