//! Frames of the WebSocket `/ws`: JSON objects in text frames, distinguished by `type`.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Subprotocol that the server echoes.
pub const SUBPROTOCOL: &str = "rondo.v1";
/// Prefix of the subprotocol that carries the token; never echoed.
pub const BEARER_SUBPROTOCOL_PREFIX: &str = "bearer.";

/// Frames from the server.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "type")]
pub enum ServerFrame {
    /// First frame: the revision that the session starts from.
    #[serde(rename = "welcome")]
    Welcome { revision: i64 },
    /// A change of a task as it happens.
    #[serde(rename = "task.updated")]
    TaskUpdated {
        event_id: String,
        event_type: String,
        revision: i64,
        task_id: i64,
        /// The task after the change; null if it was deleted.
        task: Option<Box<RawValue>>,
    },
    /// The state of a task that changed since `since`.
    #[serde(rename = "task.snapshot")]
    TaskSnapshot {
        revision: i64,
        task_id: i64,
        /// Null if the task was deleted.
        task: Option<Box<RawValue>>,
    },
    /// A change of a list as it happens.
    #[serde(rename = "list.updated")]
    ListUpdated {
        event_id: String,
        event_type: String,
        revision: i64,
        list_id: i64,
        /// The list after the change; null if it was deleted.
        list: Option<Box<RawValue>>,
    },
    /// The state of a list that changed since `since`.
    #[serde(rename = "list.snapshot")]
    ListSnapshot {
        revision: i64,
        list_id: i64,
        /// Null if the list was deleted.
        list: Option<Box<RawValue>>,
    },
    #[serde(rename = "pong")]
    Pong,
    /// The token expires soon; the client renews it with `auth`.
    #[serde(rename = "token.expiring")]
    TokenExpiring,
    #[serde(rename = "error")]
    Error { code: &'static str },
}

/// Frames from a client.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "type", deny_unknown_fields)]
pub enum ClientFrame {
    #[serde(rename = "ping")]
    Ping,
    /// Renews the session in place with a token of the same user.
    #[serde(rename = "auth")]
    Auth { token: String },
}

/// Close codes beyond RFC 6455.
pub mod close {
    /// The server is going away, or the feed was interrupted. The client resumes.
    pub const GOING_AWAY: u16 = 1001;
    /// No valid token.
    pub const UNAUTHENTICATED: u16 = 4401;
    /// The device reads too slowly. It resumes from its revision.
    pub const TOO_SLOW: u16 = 4408;
    /// `since` is too old, or beyond the current revision. The client starts from nothing.
    pub const RESET_REQUIRED: u16 = 4410;
    /// Too many connections for this user.
    pub const TOO_MANY_CONNECTIONS: u16 = 4429;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn server_frames() {
        let check = |frame: ServerFrame, expected: &str| {
            assert_eq!(serde_json::to_string(&frame).unwrap(), expected);
        };
        check(ServerFrame::Welcome { revision: 17 }, r#"{"type":"welcome","revision":17}"#);
        check(ServerFrame::Pong, r#"{"type":"pong"}"#);
        check(
            ServerFrame::TaskSnapshot { revision: 3, task_id: 4, task: None },
            r#"{"type":"task.snapshot","revision":3,"task_id":4,"task":null}"#,
        );
        check(
            ServerFrame::ListSnapshot { revision: 3, list_id: 4, list: None },
            r#"{"type":"list.snapshot","revision":3,"list_id":4,"list":null}"#,
        );
    }

    #[test]
    fn client_frames() {
        let parse = |text| serde_json::from_str::<ClientFrame>(text).ok();
        assert_eq!(parse(r#"{"type":"ping"}"#), Some(ClientFrame::Ping));
        assert_eq!(
            parse(r#"{"type":"auth","token":"t"}"#),
            Some(ClientFrame::Auth { token: "t".into() })
        );
        assert_eq!(parse(r#"{"type":"shout"}"#), None);
    }
}
