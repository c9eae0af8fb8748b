//! The reasons for closing a session, as sent to the client.

use rondo_contract::frame::close;

/// Why the server closes a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CloseReason {
    /// The server stops, or may have missed events: the client resumes from its revision.
    GoingAway,
    /// No valid token, or it has expired.
    Unauthenticated,
    /// The device reads more slowly than changes come: it resumes from its revision.
    TooSlow,
    /// `since` cannot be continued: the client starts from nothing.
    ResetRequired,
    TooManyConnections,
}

impl CloseReason {
    pub const ALL: [Self; 5] = [
        Self::GoingAway,
        Self::Unauthenticated,
        Self::TooSlow,
        Self::ResetRequired,
        Self::TooManyConnections,
    ];

    /// Code of the close frame.
    #[must_use]
    pub const fn code(self) -> u16 {
        match self {
            Self::GoingAway => close::GOING_AWAY,
            Self::Unauthenticated => close::UNAUTHENTICATED,
            Self::TooSlow => close::TOO_SLOW,
            Self::ResetRequired => close::RESET_REQUIRED,
            Self::TooManyConnections => close::TOO_MANY_CONNECTIONS,
        }
    }

    /// Text of the close frame, and the label in metrics; at most 123 bytes (RFC 6455, section
    /// 5.5.1).
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::GoingAway => "going_away",
            Self::Unauthenticated => "unauthenticated",
            Self::TooSlow => "too_slow",
            Self::ResetRequired => "reset_required",
            Self::TooManyConnections => "too_many_connections",
        }
    }
}
