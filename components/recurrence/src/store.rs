//! The component's statements.

use rondo_contract::{recurrence_rule, task_body};
use rondo_domain::due::Due;
use rondo_domain::instant::Instant;
use rondo_domain::jiff::civil::{DateTime, Time};
use rondo_domain::offset::ReminderOffset;
use rondo_domain::recurrence::{Anchor, Series};
use rondo_domain::step::{LEVELS_MAX, SUBTASKS_MAX};
use rondo_domain::zone::Zone;
use rondo_guest::database::{Database, DatabaseError, Row, int, text};
use serde::Deserialize;
use serde_json::Value;

use crate::step::{Renewed, Step};

pub struct Store(Database);

impl Store {
    pub fn open() -> Result<Self, DatabaseError> {
        Database::open("database_url").map(Self)
    }

    /// The occurrence of a task, or of one that was deleted alone; none if it is in no series.
    pub fn occurrence(
        &self,
        user: i64,
        task: i64,
    ) -> Result<Option<Result<Occurrence, String>>, DatabaseError> {
        let parameters = [int(user), int(task)];
        self.0
            .query_optional(include_str!("sql/occurrence.sql"), &parameters)?
            .map(|mut row| Ok(Stored::read(&mut row)?.occurrence()))
            .transpose()
    }

    /// The name of the user's zone, the default of their tasks.
    pub fn user_time_zone(&self, user: i64) -> Result<Option<String>, DatabaseError> {
        let statement = include_str!("sql/user_time_zone.sql");
        self.0.query_one(statement, &[int(user)])?.optional_text("time_zone")
    }

    pub fn create(
        &self,
        user: i64,
        predecessor: i64,
        series: i64,
        (next, skipped): &(Vec<Next>, Vec<DateTime>),
        zone: &Zone,
        traceparent: &str,
    ) -> Result<Outcome, DatabaseError> {
        let next: Vec<_> = next.iter().map(|next| next.json(zone)).collect();
        let skipped: Vec<_> = skipped.iter().map(ToString::to_string).collect();
        let parameters = [
            int(user),
            int(predecessor),
            int(series),
            text(Value::from(next).to_string()),
            text(Value::from(skipped).to_string()),
            text(traceparent),
        ];
        let mut row = self.0.query_one(include_str!("sql/occurrence_create.sql"), &parameters)?;
        Outcome::read(&mut row)
    }

    pub fn end(
        &self,
        user: i64,
        predecessor: i64,
        series: i64,
        traceparent: &str,
    ) -> Result<Outcome, DatabaseError> {
        let parameters = [int(user), int(predecessor), int(series), text(traceparent)];
        let mut row = self.0.query_one(include_str!("sql/series_end.sql"), &parameters)?;
        Outcome::read(&mut row)
    }
}

/// An occurrence, and what decides about its successor.
pub struct Occurrence {
    pub series_id: i64,
    pub series: Series,
    pub slot: DateTime,
    /// None if it was deleted or is not completed.
    pub completed_at: Option<Instant>,
    pub zone: Zone,
    pub reminder_offset: Option<ReminderOffset>,
    pub due: Option<Due>,
    pub start: Option<Due>,
    /// The user's time of day that reminders of a day count from.
    pub day_reminder_time: Time,
    /// The tasks beneath it that its successor gets anew.
    pub steps: Vec<Step>,
    pub deleted: bool,
    /// Whether it already has a successor, or its series ends with it.
    pub followed: bool,
    /// Later slots that other occurrences have.
    pub taken: Vec<DateTime>,
    /// Number of completed occurrences of the series, including this one.
    pub completions: u32,
}

/// A successor to create.
pub struct Next {
    pub slot: DateTime,
    pub due: Due,
    pub start: Option<Due>,
    pub remind_at: Option<Instant>,
    pub steps: Vec<Renewed>,
}

impl Next {
    fn json(&self, zone: &Zone) -> Value {
        let mut members =
            task_body::moment_members(Some(self.due), self.start, self.remind_at, zone);
        let own = [
            ("slot", self.slot.to_string().into()),
            ("steps", self.steps.iter().map(Renewed::json).collect()),
            ("levels_max", LEVELS_MAX.into()),
            ("subtasks_max", SUBTASKS_MAX.into()),
        ];
        members.extend(own.map(|(name, value)| (name.to_owned(), value)));
        members.into()
    }
}

/// The outcome of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Done,
    /// The occurrence has changed since it was read.
    Stale,
}

impl Outcome {
    fn read(row: &mut Row) -> Result<Self, DatabaseError> {
        Ok(if row.text("outcome")? == "stale" { Self::Stale } else { Self::Done })
    }
}

/// A task beneath an occurrence, as stored.
#[derive(Deserialize)]
struct StoredStep {
    id: i64,
    revision: i64,
    due_at: Option<String>,
    due_day: Option<String>,
    start_at: Option<String>,
    start_day: Option<String>,
    time_zone: String,
    reminder_offset: Option<String>,
}

impl StoredStep {
    fn step(self) -> Result<Step, String> {
        Ok(Step {
            id: self.id,
            revision: self.revision,
            due: moment(self.due_at.as_deref(), self.due_day.as_deref())?,
            start: moment(self.start_at.as_deref(), self.start_day.as_deref())?,
            zone: Zone::parse(&self.time_zone).map_err(|error| error.to_string())?,
            reminder_offset: offset(self.reminder_offset.as_deref())?,
        })
    }
}

fn moment(at: Option<&str>, day: Option<&str>) -> Result<Option<Due>, String> {
    Due::parse(at, day).map_err(|error| format!("stored moment {error}"))
}

fn offset(stored: Option<&str>) -> Result<Option<ReminderOffset>, String> {
    let read = stored.map(ReminderOffset::parse).transpose();
    read.map_err(|error| format!("stored reminder_offset {error}"))
}

/// The row as stored, not yet parsed.
struct Stored {
    series_id: i64,
    rule: String,
    anchor: String,
    of_days: bool,
    series_time_zone: String,
    slot: String,
    completed_at: Option<String>,
    time_zone: String,
    reminder_offset: Option<String>,
    due_at: Option<String>,
    due_day: Option<String>,
    start_at: Option<String>,
    start_day: Option<String>,
    day_reminder_time: String,
    steps: Vec<StoredStep>,
    deleted: bool,
    followed: bool,
    taken: Vec<String>,
    completions: i64,
}

impl Stored {
    fn read(row: &mut Row) -> Result<Self, DatabaseError> {
        Ok(Self {
            series_id: row.int("series_id")?,
            rule: row.text("rule")?,
            anchor: row.text("anchor")?,
            of_days: row.boolean("of_days")?,
            series_time_zone: row.text("series_time_zone")?,
            slot: row.text("slot")?,
            completed_at: row.optional_text("completed_at")?,
            time_zone: row.text("time_zone")?,
            reminder_offset: row.optional_text("reminder_offset")?,
            due_at: row.optional_text("due_at")?,
            due_day: row.optional_text("due_day")?,
            start_at: row.optional_text("start_at")?,
            start_day: row.optional_text("start_day")?,
            day_reminder_time: row.text("day_reminder_time")?,
            steps: row.json("steps")?,
            deleted: row.boolean("deleted")?,
            followed: row.boolean("followed")?,
            taken: row.json("taken")?,
            completions: row.int("completions")?,
        })
    }

    /// Fails only for a row that another version of the rules has written.
    fn occurrence(self) -> Result<Occurrence, String> {
        let series_zone = Zone::parse(&self.series_time_zone).map_err(|e| e.to_string())?;
        let rule: Value = serde_json::from_str(&self.rule).map_err(|error| error.to_string())?;
        let rule =
            recurrence_rule::from_json(&rule).map_err(|_| format!("stored rule {}", self.rule))?;
        let anchor = self.anchor.parse().map_err(|_| format!("stored anchor {}", self.anchor))?;
        Ok(Occurrence {
            series_id: self.series_id,
            series: Series::new(rule, Anchor::of_local(anchor, self.of_days), series_zone),
            slot: self.slot.parse().map_err(|_| format!("stored slot {}", self.slot))?,
            completed_at: self.completed_at.and_then(|at| at.parse().ok()),
            zone: Zone::parse(&self.time_zone).map_err(|error| error.to_string())?,
            reminder_offset: offset(self.reminder_offset.as_deref())?,
            due: moment(self.due_at.as_deref(), self.due_day.as_deref())?,
            start: moment(self.start_at.as_deref(), self.start_day.as_deref())?,
            day_reminder_time: self
                .day_reminder_time
                .parse()
                .map_err(|_| format!("stored day_reminder_time {}", self.day_reminder_time))?,
            steps: self.steps.into_iter().map(StoredStep::step).collect::<Result<_, _>>()?,
            deleted: self.deleted,
            followed: self.followed,
            taken: self.taken.iter().filter_map(|slot| slot.parse().ok()).collect(),
            completions: u32::try_from(self.completions).unwrap_or(u32::MAX),
        })
    }
}
