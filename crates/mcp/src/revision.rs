//! Revisions of the protocol.

/// A revision, oldest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Revision {
    /// Known by not being named: no header said the revision yet.
    V2025_03_26,
    V2025_06_18,
    V2025_11_25,
    V2026_07_28,
}

impl Revision {
    /// What a client can choose, newest first.
    pub const OFFERED: [Self; 3] = [Self::V2026_07_28, Self::V2025_11_25, Self::V2025_06_18];
    /// The newest that begins with `initialize`.
    pub const INITIALIZED_MAX: Self = Self::V2025_11_25;

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V2025_03_26 => "2025-03-26",
            Self::V2025_06_18 => "2025-06-18",
            Self::V2025_11_25 => "2025-11-25",
            Self::V2026_07_28 => "2026-07-28",
        }
    }

    /// The offered revision of this name. The one without a name of its own is served as well, but not offered.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let served = Self::OFFERED.into_iter().chain([Self::V2025_03_26]);
        served.into_iter().find(|revision| revision.as_str() == name)
    }

    /// Whether each request says all that the server needs to know.
    #[must_use]
    pub fn is_stateless(self) -> bool {
        self >= Self::V2026_07_28
    }
}
