//! `POST …/{id}/skip`: moves the same task to its next slot.

use rondo_contract::problem::ProblemCode;
use rondo_contract::{recurrence_rule, task_body};
use rondo_domain::due::Due;
use rondo_domain::instant::Instant;
use rondo_domain::jiff::civil::DateTime;
use rondo_domain::recurrence::{Anchor, Rule, Series, Successor};
use rondo_domain::task::Status;
use rondo_guest::database::{DatabaseError, Row, int, text};
use rondo_guest::http::{Request, Response};
use rondo_guest::page::parameters;
use rondo_guest::{Refusal, body};
use serde_json::Value;

use crate::answer::{replayed, task_response};
use crate::change::{ATTEMPTS_MAX, Current, keeps_changing};
use crate::create::stored_zone;
use crate::etag::IfMatch;
use crate::idempotency::{self, Key};
use crate::store::{ForChange, Outcome, Store, key_parameters};

pub fn answer(request: &Request, user: i64, task: i64) -> Result<Response, Refusal> {
    parameters(request).finish()?;
    body::nothing(&request.body()?, request)?;
    let key = Key::of(request, &Value::Null)?;
    let condition = IfMatch::of(request);
    let store = Store::open()?;
    for _ in 0..ATTEMPTS_MAX {
        let (answer, further, current) = match store.task_for_change(user, task, key.as_ref())? {
            ForChange::Task { answer, further, settings } => {
                let current = Current::read(&answer, settings)?;
                (answer, further, current)
            }
            ForChange::Replayed(kept) => return Ok(replayed(200, kept)),
            ForChange::KeyReused => return Err(idempotency::reused()),
            ForChange::NotFound => return Err(Refusal::not_found()),
        };
        condition.check(answer.revision)?;
        if current.fields.status == Status::Completed {
            return Err(no_next());
        }
        let occurrence = store.occurrence(user, task)?.ok_or_else(no_next)?;
        let (slot, due, skipped) = occurrence.next(current.now)?.ok_or_else(no_next)?;
        let moved = current.fields.moved_to(due);
        let mut next = task_body::moments(&moved, &further, current.settings.day_reminder_time);
        next.insert("slot".to_owned(), slot.to_string().into());
        let skipped: Vec<_> = skipped.iter().map(ToString::to_string).collect();
        let [request_name, name, hash] = key_parameters(key.as_ref());
        let values = [
            int(user),
            int(task),
            int(answer.revision),
            text(Value::Object(next).to_string()),
            text(Value::from(skipped).to_string()),
            request_name,
            name,
            hash,
            text(request.cause()),
        ];
        let mut row = store.0.query_one(include_str!("sql/task_skip.sql"), &values)?;
        match Outcome::read(&mut row)? {
            Outcome::Done(answer) => return Ok(task_response(200, answer)),
            Outcome::Replayed(answer) => return Ok(replayed(200, answer)),
            Outcome::KeyReused => return Err(idempotency::reused()),
            Outcome::Stale => {}
            Outcome::NotFound => return Err(Refusal::not_found()),
            Outcome::Invalid(error) => return Err(Refusal::invalid(vec![error])),
            Outcome::NoUser => return Err(Refusal::unauthenticated()),
            Outcome::Conflict(problem, _) => return Err(Refusal::new(problem)),
        }
    }
    Err(keeps_changing())
}

fn no_next() -> Refusal {
    Refusal::new(ProblemCode::NoNextOccurrence)
}

impl Store {
    /// The task's occurrence; none if it is in no series.
    pub fn occurrence(&self, user: i64, task: i64) -> Result<Option<Occurrence>, DatabaseError> {
        let parameters = [int(user), int(task)];
        let row = self.0.query_optional(include_str!("sql/task_series.sql"), &parameters)?;
        row.map(|mut row| Occurrence::read(&mut row)).transpose()
    }
}

/// An occurrence as stored.
pub struct Occurrence {
    rule: String,
    anchor: String,
    of_days: bool,
    time_zone: String,
    slot: String,
    /// Later slots of other occurrences.
    taken: Vec<String>,
    completions: i64,
}

impl Occurrence {
    fn read(row: &mut Row) -> Result<Self, DatabaseError> {
        Ok(Self {
            rule: row.text("rule")?,
            anchor: row.text("anchor")?,
            of_days: row.boolean("of_days")?,
            time_zone: row.text("time_zone")?,
            slot: row.text("slot")?,
            taken: row.json("taken")?,
            completions: row.int("completions")?,
        })
    }

    fn series(&self) -> Result<Series, Refusal> {
        let rule: Value = serde_json::from_str(&self.rule).map_err(|_| unreadable())?;
        let rule = recurrence_rule::from_json(&rule).map_err(|_| unreadable())?;
        let anchor = Anchor::of_local(local(&self.anchor)?, self.of_days);
        Ok(Series::new(rule, anchor, stored_zone(&self.time_zone)?))
    }

    fn completions(&self) -> u32 {
        u32::try_from(self.completions).unwrap_or(u32::MAX)
    }

    /// The rule of the rest of the series.
    pub fn rest(&self) -> Result<Rule, Refusal> {
        Ok(self.series()?.rest_from(local(&self.slot)?, self.completions()))
    }

    /// The next free slot, when it is due, and the skipped slots; none if the series is over.
    fn next(&self, now: Instant) -> Result<Option<(DateTime, Due, Vec<DateTime>)>, Refusal> {
        let taken: Vec<DateTime> = self.taken.iter().filter_map(|slot| slot.parse().ok()).collect();
        let slot = local(&self.slot)?;
        Ok(match self.series()?.successor(slot, now, now, self.completions(), &taken) {
            Successor::Next { slot, due, skipped } => Some((slot, due, skipped)),
            Successor::Ended => None,
        })
    }
}

fn local(text: &str) -> Result<DateTime, Refusal> {
    text.parse().map_err(|_| unreadable())
}

fn unreadable() -> Refusal {
    Refusal::internal("a stored series breaks the rules of this version")
}
