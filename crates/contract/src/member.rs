//! The possible values of a task's or event's member, as data. The published JSON Schemas are generated from
//! it.

/// A member of an event's value, or of an object inside it.
#[derive(Debug)]
pub struct Member {
    pub name: &'static str,
    pub kind: Kind,
    pub presence: Presence,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    Always,
    /// Always present, but may be null.
    Nullable,
    /// May be absent.
    Optional,
}

impl Member {
    /// A member that is always present and never null.
    pub const fn new(name: &'static str, kind: Kind) -> Self {
        Self { name, kind, presence: Presence::Always }
    }

    pub const fn nullable(name: &'static str, kind: Kind) -> Self {
        Self { name, kind, presence: Presence::Nullable }
    }

    pub const fn optional(name: &'static str, kind: Kind) -> Self {
        Self { name, kind, presence: Presence::Optional }
    }
}

/// A kind of value. Requests may spell some of them in more ways than responses do.
#[derive(Debug)]
pub enum Kind {
    /// An integer from 1 to [`ID_MAX`](rondo_domain::ID_MAX).
    Id,
    /// An integer from `min` on, up to `max` if there is one.
    Integer {
        min: i64,
        max: Option<i64>,
    },
    /// RFC 3339; in UTC in responses.
    Instant,
    /// A calendar date, `2031-03-30`.
    Date,
    /// Any text of at most `chars_max` characters.
    Text {
        chars_max: Option<usize>,
    },
    /// Trimmed text of 1 to `chars_max` characters, at least one of which is visible.
    Shown {
        chars_max: usize,
    },
    /// A key that a client chooses: 1 to 255 visible ASCII characters.
    Key,
    /// True or false.
    Boolean,
    /// `#rrggbb`; in lower case in responses.
    Color,
    /// A key that orders tasks or lists, compared byte by byte.
    Position,
    /// One of these words.
    Words(&'static [&'static str]),
    /// The tags of a task.
    Tags,
    /// Ids, each once, in ascending order.
    Ids {
        max: usize,
    },
    /// A name of the IANA time zone database.
    TimeZone,
    /// An ISO 8601 duration.
    Duration,
    RecurrenceRule,
    /// An object with at least these members.
    Object(&'static [Member]),
}
