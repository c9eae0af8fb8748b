//! Validation errors: a closed set, each with a stable code.

use thiserror::Error;

/// Why a value is refused. The text continues a sentence that starts with the member's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Violation {
    #[error("must be given and not be empty")]
    Required,
    #[error("must have at most {max} characters")]
    TooLong { max: usize },
    #[error("must have at most {max} entries")]
    TooMany { max: usize },
    /// `unit` continues the sentence and includes its leading space; empty for a plain number.
    #[error("must be between {min} and {max}{unit}")]
    OutOfRange { min: i64, max: i64, unit: &'static str },
    #[error("must be one of: {}", expected.join(", "))]
    UnknownValue { expected: &'static [&'static str] },
    #[error("must not contain the character U+0000")]
    ForbiddenCharacter,
    #[error("must be {expected}")]
    Malformed { expected: &'static str },
    #[error("must be a name of the IANA time zone database, such as Europe/Paris")]
    UnknownTimeZone,
    #[error("applies only with {with}")]
    NotApplicable { with: &'static str },
    #[error("cannot be combined with {other}")]
    Conflict { other: &'static str },
    #[error("needs a due_date or a due_day")]
    NeedsDueDate,
    #[error("must not be after the task is due")]
    AfterDue,
    #[error("must be in the future")]
    InThePast,
    #[error("never matches a date")]
    NeverMatches,
    #[error("must not repeat more often than once a day")]
    TooFrequent,
    #[error("must lead to a public host")]
    NotPublic,
    #[error("must be the id of one of the user's lists")]
    UnknownList,
    #[error("must be the id of another task in the list")]
    UnknownTask,
    #[error("must be the id of one of the user's tasks")]
    UnknownParent,
    #[error("must have only ids of the user's tasks")]
    UnknownBlocker,
    #[error("must not lead back to the task itself")]
    Circular,
    #[error("must not lead to more than {max} levels of tasks")]
    TooDeep { max: i64 },
    #[error("must not lead to more than {max} subtasks beneath one task")]
    TooManySubtasks { max: i64 },
}

impl Violation {
    /// The stable name of the kind of violation.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Required => "required",
            Self::TooLong { .. } => "too_long",
            Self::TooMany { .. } => "too_many",
            Self::OutOfRange { .. } => "out_of_range",
            Self::UnknownValue { .. } => "unknown_value",
            Self::ForbiddenCharacter => "forbidden_character",
            Self::Malformed { .. } => "malformed",
            Self::UnknownTimeZone => "unknown_time_zone",
            Self::NotApplicable { .. } => "not_applicable",
            Self::Conflict { .. } => "conflict",
            Self::NeedsDueDate => "needs_due_date",
            Self::AfterDue => "after_due",
            Self::InThePast => "in_the_past",
            Self::NeverMatches => "never_matches",
            Self::TooFrequent => "too_frequent",
            Self::NotPublic => "not_public",
            Self::UnknownList => "unknown_list",
            Self::UnknownTask => "unknown_task",
            Self::UnknownParent => "unknown_parent",
            Self::UnknownBlocker => "unknown_blocker",
            Self::Circular => "circular",
            Self::TooDeep { .. } => "too_deep",
            Self::TooManySubtasks { .. } => "too_many_subtasks",
        }
    }
}

/// A violation and its position within a larger value.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{at}: {violation}")]
pub struct Fault {
    /// Members and list indexes joined by `/`, relative to the value, for example
    /// `days_of_week/2`; empty for the value as a whole.
    pub at: String,
    #[source]
    pub violation: Violation,
}

impl Fault {
    #[must_use]
    pub fn new(at: impl Into<String>, violation: Violation) -> Self {
        Self { at: at.into(), violation }
    }
}
