//! Changes and deletes tasks.
//!
//! Each change is one read, the rules, and one call with the revision that was read. If the task has changed
//! in between, the change starts again.

use rondo_contract::query::Reader;
use rondo_contract::task_body;
use rondo_domain::due::{Due, Settings};
use rondo_domain::instant::Instant;
use rondo_domain::recurrence::{Frequency, Rule};
use rondo_domain::step::SubtaskFate;
use rondo_domain::task::{self, EditScope, SeriesChange, TaskFields};
use rondo_domain::zone::Zone;
use rondo_guest::http::{Request, Response};
use rondo_guest::page::parameters;
use rondo_guest::{Refusal, body, clock};
use serde_json::{Value, json};

use crate::answer::{Answer, replayed, task_response};
use crate::etag::IfMatch;
use crate::idempotency::{self, Key};
use crate::store::{Change, Deletion, ForChange, Outcome, Store};
use crate::undo_token;

/// Maximum number of times that the rules are applied if the task changes in between.
pub const ATTEMPTS_MAX: usize = 3;

/// The action routes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Complete,
    Reopen,
}

/// `PATCH` or `POST …/{id}/complete` and `…/reopen`.
pub fn act(request: &Request, user: i64, task: i64, action: Action) -> Result<Response, Refusal> {
    let mut parameters = parameters(request);
    let subtasks = match action {
        Action::Complete => subtasks(&mut parameters),
        Action::Reopen => None,
    };
    parameters.finish()?;
    body::nothing(&request.body()?, request)?;
    let key = Key::of(request, &json!(subtasks.map(SubtaskFate::as_str)))?;
    let reach = Reach { scope: EditScope::This, subtasks };
    change(request, user, task, key.as_ref(), reach, |current| {
        Ok(match action {
            Action::Complete => current.fields.clone().completed(),
            Action::Reopen => current.fields.clone().reopened(),
        })
    })
}

/// Completes a task, as `…/{id}/complete` does, for a link in a mail.
pub fn complete(request: &Request, user: i64, task: i64) -> Result<Response, Refusal> {
    let reach = Reach { scope: EditScope::This, subtasks: None };
    change(request, user, task, None, reach, |current| Ok(current.fields.clone().completed()))
}

/// `PUT …/{id}`: absent writable members get their defaults, but the status stays.
pub fn replace(request: &Request, user: i64, task: i64) -> Result<Response, Refusal> {
    let mut parameters = parameters(request);
    let reach = Reach { scope: EditScope::This, subtasks: subtasks(&mut parameters) };
    parameters.finish()?;
    let value = body::value(&request.body()?, request, &[body::JSON])?;
    change(request, user, task, None, reach, |current| {
        Ok(task_body::replace(&current.fields, &value, &current.settings.time_zone, current.now)?)
    })
}

/// `PATCH …/{id}`: a merge patch (RFC 7396).
pub fn patch(request: &Request, user: i64, task: i64) -> Result<Response, Refusal> {
    let mut parameters = parameters(request);
    let reach = Reach { scope: scope(&mut parameters), subtasks: subtasks(&mut parameters) };
    parameters.finish()?;
    let accepted = [body::JSON, body::MERGE_PATCH];
    let value = body::value(&request.body()?, request, &accepted)?;
    change(request, user, task, None, reach, |current| {
        Ok(task_body::patch(&current.fields, &value, &current.settings.time_zone, current.now)?)
    })
}

/// `DELETE …/{id}`.
pub fn delete(request: &Request, user: i64, task: i64) -> Result<Response, Refusal> {
    let mut parameters = parameters(request);
    let scope = scope(&mut parameters);
    parameters.finish()?;
    let condition = IfMatch::of(request);
    let store = Store::open()?;
    for _ in 0..ATTEMPTS_MAX {
        let expected = if condition.is_given() {
            let current = store.task(user, task)?.ok_or_else(Refusal::not_found)?;
            condition.check(current.revision)?;
            Some(current.revision)
        } else {
            None
        };
        match store.delete(user, task, expected, scope.as_str(), &request.cause())? {
            Deletion::Deleted(token) => {
                return Ok(undo_token::with(Response::empty(204), Some(token)));
            }
            Deletion::Stale => {}
            Deletion::NotFound => return Err(Refusal::not_found()),
            Deletion::NoUser => return Err(Refusal::unauthenticated()),
        }
    }
    Err(keeps_changing())
}

/// `scope`: the occurrences of a series that the edit applies to.
fn scope(parameters: &mut Reader) -> EditScope {
    parameters.one("scope", EditScope::parse).unwrap_or(EditScope::This)
}

/// `subtasks`: what becomes of open subtasks if the change completes the task. None for what the user has set.
fn subtasks(parameters: &mut Reader) -> Option<SubtaskFate> {
    parameters.one("subtasks", SubtaskFate::parse)
}

/// Which other tasks a change applies to.
#[derive(Clone, Copy)]
struct Reach {
    scope: EditScope,
    subtasks: Option<SubtaskFate>,
}

/// The current task, and what the rules also need.
pub struct Current {
    pub fields: TaskFields,
    pub settings: Settings,
    pub now: Instant,
}

/// Writes the result of `rule` for the current task.
fn change(
    request: &Request,
    user: i64,
    task: i64,
    key: Option<&Key>,
    Reach { scope, subtasks }: Reach,
    rule: impl Fn(&Current) -> Result<TaskFields, Refusal>,
) -> Result<Response, Refusal> {
    let condition = IfMatch::of(request);
    let store = Store::open()?;
    for _ in 0..ATTEMPTS_MAX {
        let (answer, further, current) = match store.task_for_change(user, task, key)? {
            ForChange::Task { answer, further, settings } => {
                let current = Current::read(&answer, settings)?;
                (answer, further, current)
            }
            ForChange::Replayed(answer) => return Ok(replayed(200, answer)),
            ForChange::KeyReused => return Err(idempotency::reused()),
            // Faults of the request itself take precedence.
            ForChange::NotFound => {
                return rule(&Current::placeholder()?).and(Err(Refusal::not_found()));
            }
        };
        let mut wanted = rule(&current)?;
        condition.check(answer.revision)?;
        let difference = task::Change::between(&current.fields, &wanted, scope);
        if scope == EditScope::Future
            && wanted.recurrence_rule == current.fields.recurrence_rule
            && difference.is_some_and(|change| change.series == SeriesChange::Start)
            && let Some(occurrence) = store.occurrence(user, task)?
        {
            wanted.recurrence_rule = Some(occurrence.rest()?);
        }
        if difference.is_none() && key.is_none() {
            return Ok(task_response(200, answer));
        }
        let mut stored = task_body::to_stored(
            &wanted,
            &further,
            current.settings.day_reminder_time,
            current.now,
        );
        if let Some(difference) = difference {
            stored["completion"] = difference.event.completion().as_str().into();
        }
        if let Some(fate) = subtasks {
            stored["complete_subtasks"] = (fate == SubtaskFate::Complete).into();
        }
        let change = Change {
            expected: answer.revision,
            event: difference.map(|change| change.event.as_str()),
            task: stored.to_string(),
            series: difference.map_or(SeriesChange::Keep, |change| change.series).as_str(),
        };
        match store.change(user, task, change, key, &request.cause())? {
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

impl Current {
    pub fn read(answer: &Answer, settings: Settings) -> Result<Self, Refusal> {
        let task: Value = serde_json::from_str(&answer.task)
            .map_err(|error| Refusal::internal(format!("stored task: {error}")))?;
        let fields = task_body::from_answer(task)
            .map_err(|_| Refusal::internal("a stored task breaks the rules of this version"))?;
        Ok(Self { fields, settings, now: clock::now() })
    }

    /// Takes the place of a missing task so that a request can be checked by itself: it has everything that
    /// members of a patch may depend on.
    fn placeholder() -> Result<Self, Refusal> {
        let (zone, now) = (Zone::utc(), Instant::UNIX_EPOCH);
        let mut fields = task_body::create(&json!({ "title": "any" }), &zone, now)?;
        fields.due = Some(Due::At(now));
        fields.recurrence_rule = Some(Rule::every(Frequency::Daily));
        Ok(Self { fields, settings: Settings::defaults(), now })
    }
}

pub fn keeps_changing() -> Refusal {
    Refusal::unavailable("the task keeps changing")
}
