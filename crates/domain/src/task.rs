//! A task: limits of its fields, and the meaning of a change.

use jiff::civil::Time;

use crate::due::Due;
use crate::fold::{fold, fold_case};
use crate::instant::Instant;
use crate::normal::{Form, normal};
use crate::offset::ReminderOffset;
use crate::order;
use crate::recurrence::Rule;
use crate::step::Blockers;
use crate::text::{limited, shown};
use crate::zone::Zone;
use crate::{Fault, Violation};

/// Maximum length of a title, in Unicode scalar values, after trimming.
pub const TITLE_CHARS_MAX: usize = 200;
pub const DESCRIPTION_CHARS_MAX: usize = 2_000;
/// Maximum number of tags of a task, after equal ones are merged.
pub const TAGS_MAX: usize = 10;
/// Maximum length of a tag, after trimming.
pub const TAG_CHARS_MAX: usize = 50;

/// Maximum estimate of a task, in minutes: a year of days and nights.
pub const ESTIMATE_MINUTES_MAX: i64 = 525_600;

/// The fields that a client may write.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskFields {
    /// A key chosen by the client, see [`key`](crate::text::key); none if the server chooses one.
    pub uid: Option<String>,
    pub title: Title,
    pub description: Option<Description>,
    pub status: Status,
    pub priority: Option<Priority>,
    pub tags: Tags,
    /// The task's list; none for the inbox. The database knows whether it is one of the user's.
    pub list_id: Option<i64>,
    /// The task that this one is a subtask of, if any. The database knows whether it can be one.
    pub subtask_of: Option<i64>,
    /// The tasks that have to be completed before this one. The database knows whether they can block it.
    pub blocked_by: Blockers,
    /// How long the task takes, in minutes, 1 to [`ESTIMATE_MINUTES_MAX`].
    pub estimate: Option<i64>,
    pub due: Option<Due>,
    /// Before it the task is deferred; not after `due`.
    pub start: Option<Due>,
    /// The zone of `due` and `start`.
    pub time_zone: Zone,
    /// Only with `due`.
    pub reminder_offset: Option<ReminderOffset>,
    pub recurrence_rule: Option<Rule>,
}

impl TaskFields {
    /// A task with a title and the default of every other field.
    #[must_use]
    pub fn new(title: Title, time_zone: Zone) -> Self {
        Self {
            uid: None,
            title,
            description: None,
            status: Status::Pending,
            priority: None,
            tags: Tags(Vec::new()),
            list_id: None,
            subtask_of: None,
            blocked_by: Blockers::default(),
            estimate: None,
            due: None,
            start: None,
            time_zone,
            reminder_offset: None,
            recurrence_rule: None,
        }
    }

    /// When the task's own reminder is due. Reminders of a day count from `day_time`.
    #[must_use]
    pub fn remind_at(&self, day_time: Time) -> Option<Instant> {
        Some(self.due?.remind_at(self.reminder_offset?, &self.time_zone, day_time))
    }

    /// The same task by other rules of its zone: its moments show on the clock what they showed by `before`. A moment
    /// that the clock shows as before stays the same instant, also where the clock shows a time twice.
    #[must_use]
    pub fn by_rules_after(mut self, before: &Zone) -> Self {
        let zone = self.time_zone.clone();
        let moved = |due: Due| match due {
            Due::At(instant) => {
                let local = before.local_of(instant);
                if zone.local_of(instant) == local {
                    return due;
                }
                zone.instant_of(local).map_or(due, Due::At)
            }
            Due::On(_) => due,
        };
        (self.due, self.start) = (self.due.map(moved), self.start.map(moved));
        self
    }

    /// Whether the task would start only when it is overdue already.
    #[must_use]
    pub fn starts_after_due(&self) -> bool {
        let zone = &self.time_zone;
        self.start.zip(self.due).is_some_and(|(start, due)| start.start(zone) > due.end(zone))
    }

    /// The same task, due at another moment of its series. Its start moves along.
    #[must_use]
    pub fn moved_to(mut self, due: Due) -> Self {
        let local = |due: Due| due.local(&self.time_zone);
        self.start = match (self.start, self.due) {
            (Some(start), Some(from)) => start.moved(local(from), local(due), &self.time_zone),
            (start, _) => start,
        };
        self.due = Some(due);
        self
    }

    /// The same task, completed.
    #[must_use]
    pub fn completed(mut self) -> Self {
        self.status = Status::Completed;
        self
    }

    /// The same task, not completed: a completed one becomes pending, any other stays as it is.
    #[must_use]
    pub fn reopened(mut self) -> Self {
        if self.status == Status::Completed {
            self.status = Status::Pending;
        }
        self
    }
}

/// The effects of a change of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    pub event: ChangeEvent,
    pub series: SeriesChange,
}

impl Change {
    /// Compares a task with the wanted one. None if nothing would change, such as when a completed task is
    /// completed. Every route uses it, so that a change of status means the same on all of them.
    #[must_use]
    pub fn between(current: &TaskFields, wanted: &TaskFields, scope: EditScope) -> Option<Self> {
        if current == wanted {
            return None;
        }
        let (before, after) = (&current.recurrence_rule, &wanted.recurrence_rule);
        let is_moved = current.due != wanted.due || current.time_zone != wanted.time_zone;
        let is_of_days = |task: &TaskFields| task.due.is_some_and(Due::is_day);
        // A series keeps its kind: days or times.
        let is_of_other_kind = is_of_days(current) != is_of_days(wanted);
        // A past occurrence no longer decides how its series continues.
        let is_past = current.status == Status::Completed && wanted.status == Status::Completed;
        let series = match (before, after, scope) {
            (Some(_), Some(_), _) if is_past => SeriesChange::Keep,
            (Some(_), Some(_), EditScope::All) if is_of_other_kind => SeriesChange::Start,
            (Some(_), Some(_), EditScope::All) if before != after || is_moved => {
                SeriesChange::Rewrite
            }
            (Some(_), Some(_), EditScope::Future) if is_moved => SeriesChange::Start,
            (before, after, _) if before == after => SeriesChange::Keep,
            (_, Some(_), _) => SeriesChange::Start,
            (_, None, _) => SeriesChange::Leave,
        };
        Some(Self { event: ChangeEvent::of(current.status, wanted.status), series })
    }
}

word_enum! {
    /// The one event of a task's change. Completing or reopening takes precedence over other changes in the
    /// same request.
    pub enum ChangeEvent {
        Updated = "task.updated",
        Completed = "task.completed",
        Reopened = "task.reopened",
    }
}

impl ChangeEvent {
    #[must_use]
    pub const fn of(before: Status, after: Status) -> Self {
        match (before, after) {
            (Status::Completed, Status::Completed) => Self::Updated,
            (_, Status::Completed) => Self::Completed,
            (Status::Completed, _) => Self::Reopened,
            _ => Self::Updated,
        }
    }

    /// What the change does to `completed_at`.
    #[must_use]
    pub const fn completion(self) -> Completion {
        match self {
            Self::Updated => Completion::Keep,
            Self::Completed => Completion::Set,
            Self::Reopened => Completion::Clear,
        }
    }
}

word_enum! {
    /// The effect of a change on the instant of the task's completion.
    pub enum Completion {
        /// Leaves it as it is, or absent.
        Keep = "keep",
        /// Sets it to the instant of the change.
        Set = "set",
        /// Removes it.
        Clear = "clear",
    }
}

word_enum! {
    /// The effect of a change on the task's series.
    pub enum SeriesChange {
        /// The series stays as it is; a postponed due date does not move it.
        Keep = "keep",
        /// A series starts at this task and replaces the previous one, which ends.
        Start = "start",
        /// The rule is removed, and the task's series ends.
        Leave = "leave",
        /// The series continues by the new rule, and moves by as much as the task.
        Rewrite = "rewrite",
    }
}

word_enum! {
    /// Which occurrences of a series an edit applies to.
    pub enum EditScope {
        /// This one, which keeps its slot.
        This = "this",
        /// This one and those after it.
        Future = "future",
        /// The whole series, except completed occurrences.
        All = "all",
    }
}

word_enum! {
    pub enum Status {
        Pending = "pending",
        InProgress = "in_progress",
        Completed = "completed",
    }
}

word_enum! {
    /// In ascending order; a task may also have no priority.
    pub enum Priority {
        Low = "low",
        Medium = "medium",
        High = "high",
        Urgent = "urgent",
    }
}

/// 1 to 200 characters, trimmed, at least one of them visible.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Title(String);

impl Title {
    /// # Errors
    /// `required`, `too_long`, `forbidden_character`.
    pub fn parse(text: &str) -> Result<Self, Violation> {
        shown(text.trim(), TITLE_CHARS_MAX).map(Self)
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// At most 2,000 characters, kept as given; may be empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description(String);

impl Description {
    /// # Errors
    /// `too_long`, `forbidden_character`.
    pub fn parse(text: &str) -> Result<Self, Violation> {
        limited(text, DESCRIPTION_CHARS_MAX).map(Self)
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// At most 10 tags of 1 to 50 characters: trimmed, unique by [`tag_key`] (the first spelling stays) and
/// sorted by it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tags(Vec<String>);

impl Tags {
    /// # Errors
    /// Every refused tag, by its index; or `too_many` for the whole list.
    pub fn parse<'a>(tags: impl IntoIterator<Item = &'a str>) -> Result<Self, Vec<Fault>> {
        let mut keyed: Vec<(String, String)> = Vec::new();
        let mut faults = Vec::new();
        for (index, tag) in tags.into_iter().enumerate() {
            match parse_tag(tag) {
                // Above the maximum, only the number of tags still matters.
                Ok(tag) if keyed.len() <= TAGS_MAX => {
                    let key = tag_key(&tag);
                    if keyed.iter().all(|(known, _)| *known != key) {
                        keyed.push((key, tag));
                    }
                }
                Ok(_) => {}
                Err(violation) => faults.push(Fault::new(index.to_string(), violation)),
            }
        }
        if keyed.len() > TAGS_MAX {
            faults.push(Fault::new("", Violation::TooMany { max: TAGS_MAX }));
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        order::sort(&mut keyed);
        Ok(Self(keyed.into_iter().map(|(_, tag)| tag).collect()))
    }

    #[must_use]
    pub fn as_slice(&self) -> &[String] {
        &self.0
    }
}

/// One tag: trimmed, 1 to 50 characters, at least one of them visible.
///
/// # Errors
/// `required`, `too_long`, `forbidden_character`.
pub fn parse_tag(tag: &str) -> Result<String, Violation> {
    shown(tag.trim(), TAG_CHARS_MAX)
}

/// The key that all spellings of a tag share: a canonical caseless match (Unicode, section 3.13, D145).
#[must_use]
pub fn tag_key(tag: &str) -> String {
    if tag.is_ascii() {
        return tag.to_ascii_lowercase();
    }
    normal(&fold_case(&normal(tag, Form::Nfd)), Form::Nfc)
}

/// The sort key of a title: the beginning of the folded title, because some characters fold to many.
#[must_use]
pub fn title_key(title: &str) -> String {
    fold(title).chars().take(TITLE_CHARS_MAX).collect()
}

#[cfg(test)]
#[path = "task_tests.rs"]
mod tests;
