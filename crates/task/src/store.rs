//! The component's statements.

use std::cell::RefCell;
use std::rc::Rc;

use rondo_contract::problem::{FieldError, ProblemCode};
use rondo_contract::reminder_body::FURTHER_REMINDERS_MAX;
use rondo_contract::task_field::refused_by;
use rondo_contract::undo_token::UndoToken;
use rondo_domain::due::Settings;
use rondo_domain::instant::{self, Instant};
use rondo_domain::offset::ReminderOffset;
use rondo_domain::zone::Zone;
use rondo_guest::Refusal;
use rondo_guest::database::{
    Database, DatabaseError, Failure, ParameterValue, Row, int, optional, text,
};
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::idempotency::Key;

thread_local! {
    /// The connection of a batch, whose operations share it and its transaction.
    static SHARED: RefCell<Option<Rc<Database>>> = const { RefCell::new(None) };
}

#[derive(Clone)]
pub struct Store(pub Rc<Database>);

impl Store {
    /// Opens a connection; within [`Store::share`] it is the shared one.
    pub fn open() -> Result<Self, DatabaseError> {
        if let Some(shared) = SHARED.with_borrow(Clone::clone) {
            return Ok(Self(shared));
        }
        Database::open("database_url").map(|database| Self(Rc::new(database)))
    }

    /// Runs something in which every [`Store::open`] returns this connection.
    pub fn share<T>(&self, run: impl FnOnce() -> T) -> T {
        SHARED.set(Some(self.0.clone()));
        let outcome = run();
        SHARED.set(None);
        outcome
    }

    pub fn task(&self, user: i64, task: i64) -> Result<Option<Answer>, DatabaseError> {
        let parameters = [int(user), int(task)];
        let row = self.0.query_optional(include_str!("sql/task.sql"), &parameters)?;
        row.map(|mut row| Ok(Answer::read(row.int("revision")?, row.text("answer")?))).transpose()
    }

    /// What the user's tasks are read by.
    pub fn settings(&self, user: i64) -> Result<Settings, Refusal> {
        let mut row = self.0.query_one(include_str!("sql/user_settings.sql"), &[int(user)])?;
        settings(&mut row)?.ok_or_else(Refusal::unauthenticated)
    }

    /// Id and name of each of the user's lists, archived ones last.
    pub fn list_names(&self, user: i64) -> Result<Vec<(i64, String)>, DatabaseError> {
        let mut row = self.0.query_one(include_str!("sql/list_names.sql"), &[int(user)])?;
        row.json("names")
    }

    /// A task to change, unless the key already has an answer.
    pub fn task_for_change(
        &self,
        user: i64,
        task: i64,
        key: Option<&Key>,
    ) -> Result<ForChange, DatabaseError> {
        let [request, name, hash] = key_parameters(key);
        let parameters = [int(user), int(task), request, name, hash];
        let mut row = self.0.query_one(include_str!("sql/task_for_change.sql"), &parameters)?;
        Ok(match row.optional_text("kept_outcome")?.as_deref() {
            Some("replayed") => ForChange::Replayed(Answer::of(row.text("kept_answer")?)),
            Some(_) => ForChange::KeyReused,
            None => match row.optional_text("answer")? {
                Some(task) => ForChange::Task {
                    answer: Answer::read(row.int("revision")?, task),
                    further: offsets(&row.json::<Vec<String>>("further")?),
                    settings: settings(&mut row)?
                        .ok_or_else(|| Failure::plain("a task without its user"))?,
                },
                None => ForChange::NotFound,
            },
        })
    }

    pub fn create(
        &self,
        user: i64,
        task: String,
        key: Option<&Key>,
        traceparent: &str,
    ) -> Result<Outcome, DatabaseError> {
        let [request, name, hash] = key_parameters(key);
        let parameters = [int(user), text(task), request, name, hash, text(traceparent)];
        let mut row = self.0.query_one(include_str!("sql/task_create.sql"), &parameters)?;
        Outcome::read(&mut row)
    }

    /// Creates a task with further reminders: for each its offset, if it has one, and its moment.
    pub fn quick_add(
        &self,
        user: i64,
        task: String,
        further: &[(Option<ReminderOffset>, Instant)],
        key: Option<&Key>,
        traceparent: &str,
    ) -> Result<Outcome, DatabaseError> {
        let [request, name, hash] = key_parameters(key);
        let further = further.iter().map(|(offset, at)| {
            json!({ "before": offset.map(|o| o.to_string()), "at": instant::format(*at) })
        });
        let parameters = [
            int(user),
            text(task),
            request,
            name,
            hash,
            text(traceparent),
            text(Value::Array(further.collect()).to_string()),
            int(FURTHER_REMINDERS_MAX),
        ];
        let mut row = self.0.query_one(include_str!("sql/quick_add.sql"), &parameters)?;
        Outcome::read(&mut row)
    }

    pub fn change(
        &self,
        user: i64,
        task: i64,
        change: Change<'_>,
        key: Option<&Key>,
        traceparent: &str,
    ) -> Result<Outcome, DatabaseError> {
        let [request, name, hash] = key_parameters(key);
        let parameters = [
            int(user),
            int(task),
            int(change.expected),
            optional(change.event, text),
            text(change.task),
            text(change.series),
            request,
            name,
            hash,
            text(traceparent),
        ];
        let mut row = self.0.query_one(include_str!("sql/task_change.sql"), &parameters)?;
        Outcome::read(&mut row)
    }

    pub fn delete(
        &self,
        user: i64,
        task: i64,
        expected: Option<i64>,
        scope: &str,
        traceparent: &str,
    ) -> Result<Deletion, DatabaseError> {
        let parameters =
            [int(user), int(task), optional(expected, int), text(scope), text(traceparent)];
        let mut row = self.0.query_one(include_str!("sql/task_delete.sql"), &parameters)?;
        let outcome = row.text("outcome")?;
        Ok(match outcome.as_str() {
            "deleted" => Deletion::Deleted(UndoToken::change(row.int("revision")?)),
            "stale" => Deletion::Stale,
            "not_found" => Deletion::NotFound,
            _ => Deletion::NoUser,
        })
    }
}

/// The arguments of a change.
pub struct Change<'a> {
    /// Revision that the rules were applied to.
    pub expected: i64,
    /// None if nothing changes and only the answer is kept for the key.
    pub event: Option<&'a str>,
    pub task: String,
    pub series: &'a str,
}

/// The state found before a change.
pub enum ForChange {
    Task {
        answer: Answer,
        /// Offsets of its further reminders, each once.
        further: Vec<ReminderOffset>,
        settings: Settings,
    },
    NotFound,
    Replayed(Answer),
    KeyReused,
}

/// The outcome of creating or changing.
pub enum Outcome {
    /// Also if there was nothing to change.
    Done(Answer),
    Replayed(Answer),
    KeyReused,
    /// The task has another revision now.
    Stale,
    NotFound,
    /// A member names a list or another task that does not fit.
    Invalid(FieldError),
    /// The token's user no longer exists.
    NoUser,
    /// Another task conflicts.
    Conflict(ProblemCode, Answer),
}

impl Outcome {
    pub fn read(row: &mut Row) -> Result<Self, DatabaseError> {
        let outcome = row.text("outcome")?;
        let answer = row.optional_text("answer")?.unwrap_or_default();
        Ok(match outcome.as_str() {
            "unchanged" => Self::Done(Answer::read(row.int("revision")?, answer)),
            "created" => {
                let mut answer = Answer::read(row.int("revision")?, answer);
                answer.undo = Some(UndoToken::creation(answer.revision, answer.id()));
                Self::Done(answer)
            }
            "changed" | "skipped" | "moved" | "restored" => {
                let mut answer = Answer::read(row.int("revision")?, answer);
                answer.undo = Some(UndoToken::change(answer.revision));
                Self::Done(answer)
            }
            "replayed" => Self::Replayed(Answer::of(answer)),
            "key_reused" => Self::KeyReused,
            "stale" => Self::Stale,
            "not_found" => Self::NotFound,
            other => match (refused_by(other), ProblemCode::named(other)) {
                (Some(error), _) => Self::Invalid(error),
                (None, Some(problem)) => Self::Conflict(problem, Answer::of(answer)),
                (None, None) => Self::NoUser,
            },
        })
    }
}

/// The outcome of deleting.
pub enum Deletion {
    Deleted(UndoToken),
    Stale,
    NotFound,
    NoUser,
}

/// The settings of a row, which were validated when they were written; none without a user.
fn settings(row: &mut Row) -> Result<Option<Settings>, DatabaseError> {
    let Some(name) = row.optional_text("time_zone")? else { return Ok(None) };
    let time = row.text("day_reminder_time")?;
    let read = || Some((Zone::parse(&name).ok()?, time.parse().ok()?));
    let unreadable = || Failure::plain(format!("stored settings {name}, {time}"));
    let (time_zone, day_reminder_time) = read().ok_or_else(unreadable)?;
    Ok(Some(Settings { time_zone, day_reminder_time }))
}

/// Stored offsets, which were validated when they were written.
fn offsets(stored: &[String]) -> Vec<ReminderOffset> {
    stored.iter().filter_map(|offset| ReminderOffset::parse(offset).ok()).collect()
}

pub fn key_parameters(key: Option<&Key>) -> [ParameterValue; 3] {
    [
        optional(key, |key| text(key.request.as_str())),
        optional(key, |key| text(key.key.as_str())),
        optional(key, |key| text(key.body_hash.as_str())),
    ]
}
