//! What the shell has to do.

use rondo_domain::instant::Instant;

use crate::notice::Notice;
use crate::outbox::Entry;
use crate::record::Record;

/// In the order in which they have to be carried out. All records between two other effects belong into one
/// transaction.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Keep or remove a record, and tell the other tabs.
    Keep(Record),
    /// Remove all records: the person signed out.
    Clear,
    /// Send a request, then call `answered` or `failed` with its ticket.
    Send(Request),
    /// Open the WebSocket with this `since`. Then call `connected`, `frame`, `closed`.
    Connect {
        since: i64,
    },
    Disconnect,
    /// Get a new access token, then call `refreshed`, or `signed_out` if there is none to have.
    Refresh,
    /// Call `tick` at this moment or soon after. A later one replaces an earlier one.
    Wake(Instant),
    /// Tell the person. The notice stays until it is dismissed.
    Notify(Notice),
    /// Hand these edits to the tab that leads, which calls `accept`.
    Forward(Vec<Entry>),
}

/// A request of the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Names the request to `answered` and `failed`.
    pub ticket: u64,
    pub method: &'static str,
    /// With the query.
    pub path: String,
    /// JSON.
    pub body: Option<String>,
    /// Beside those of authorization and media type.
    pub headers: Vec<(&'static str, String)>,
}

/// An answer to a request. Names of headers are in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Answer {
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    /// Seconds of `Retry-After`.
    pub(crate) fn retry_after_s(&self) -> Option<i64> {
        self.header("retry-after")?.trim().parse().ok()
    }
}
