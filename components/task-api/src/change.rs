//! Changing and deleting a task.
//!
//! Each change is one read, the rules, and one call with the revision that the rules were applied
//! to. When the task has changed in between, it starts again, unless the client has said which
//! revision it means.

use rondo_contract::task_body;
use rondo_domain::jiff::Timestamp;
use rondo_domain::task::{self, TaskFields};
use rondo_domain::zone::Zone;
use rondo_guest::http::{Request, Response};
use rondo_guest::page::Parameters;
use rondo_guest::{Refusal, body, clock};
use serde_json::Value;

use crate::etag::IfMatch;
use crate::idempotency::{self, Key};
use crate::store::{Answer, Change, Deletion, ForChange, Outcome, Store};
use crate::task_response;

/// How often the rules are applied anew when the task changes in between.
const ATTEMPTS_MAX: usize = 3;

/// What the action routes do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Complete,
    Reopen,
}

/// `PATCH` or `POST …/{id}/complete` and `…/reopen`. They take no body; an empty object is none.
pub fn act(request: &Request, user: i64, task: i64, action: Action) -> Result<Response, Refusal> {
    Parameters::of(request).finish()?;
    let bytes = request.body()?;
    if !bytes.is_empty() && !body::object_of(&bytes, request)?.is_empty() {
        let members = body::object_of(&bytes, request)?;
        let errors =
            members.keys().map(|name| rondo_contract::problem::FieldError::unknown_member(name));
        return Err(Refusal::invalid(errors.collect()));
    }
    let key = Key::of(request, &bytes)?;
    let store = Store::open()?;
    change(request, &store, user, task, key.as_ref(), |current, _, _| {
        Ok(match action {
            Action::Complete => current.clone().completed(),
            Action::Reopen => current.clone().reopened(),
        })
    })
}

/// `PUT …/{id}`: writable members that are left out get their defaults, but the status stays.
pub fn replace(request: &Request, user: i64, task: i64) -> Result<Response, Refusal> {
    Parameters::of(request).finish()?;
    let value = body::value(&request.body()?, request, &[body::JSON])?;
    let store = Store::open()?;
    // The form of the body comes before whether there is such a task.
    task_body::parse(&value, task::Status::Pending, &Zone::utc(), clock::now())
        .map_err(Refusal::invalid)?;
    change(request, &store, user, task, None, |current, zone, now| {
        task_body::parse(&value, current.status, zone, now).map_err(Refusal::invalid)
    })
}

/// `PATCH …/{id}`: a merge patch (RFC 7396).
pub fn patch(request: &Request, user: i64, task: i64) -> Result<Response, Refusal> {
    scope(request)?;
    let accepted = [body::JSON, body::MERGE_PATCH];
    let value = body::value(&request.body()?, request, &accepted)?;
    let store = Store::open()?;
    change(request, &store, user, task, None, |current, zone, now| {
        task_body::patch(current, &value, zone, now).map_err(Refusal::invalid)
    })
}

/// `DELETE …/{id}`.
pub fn delete(request: &Request, user: i64, task: i64) -> Result<Response, Refusal> {
    let scope = scope(request)?;
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
        match store.delete(user, task, expected, &scope, &request.trace.traceparent())? {
            Deletion::Deleted => return Ok(Response::empty(204)),
            Deletion::Stale => {}
            Deletion::NotFound => return Err(Refusal::not_found()),
            Deletion::NoUser => return Err(Refusal::unauthenticated()),
        }
    }
    Err(Refusal::unavailable("the task keeps changing"))
}

/// `scope` of a change of an occurrence.
fn scope(request: &Request) -> Result<String, Refusal> {
    let mut parameters = Parameters::of(request);
    let scope = parameters.text("scope");
    parameters.finish()?;
    match scope.as_deref() {
        None => Ok("this".to_owned()),
        Some(scope @ ("this" | "future" | "all")) => Ok(scope.to_owned()),
        Some(_) => Err(Refusal::invalid(vec![rondo_contract::problem::FieldError::parameter(
            "scope",
            "unknown_value",
            "must be one of: this, future, all".to_owned(),
        )])),
    }
}

/// Applies `rule` to the task as it is and writes what comes of it.
fn change(
    request: &Request,
    store: &Store,
    user: i64,
    task: i64,
    key: Option<&Key>,
    rule: impl Fn(&TaskFields, &Zone, Timestamp) -> Result<TaskFields, Refusal>,
) -> Result<Response, Refusal> {
    let condition = IfMatch::of(request);
    for _ in 0..ATTEMPTS_MAX {
        let (current, zone) = match store.task_for_change(user, task, key)? {
            ForChange::Task { answer, user_time_zone } => (answer, user_time_zone),
            ForChange::NotFound => return Err(Refusal::not_found()),
            ForChange::Replayed(answer) => return Ok(idempotency::replayed(200, answer)),
            ForChange::KeyReused => return Err(idempotency::reused()),
        };
        condition.check(current.revision)?;
        let now = clock::now();
        let fields = fields(&current)?;
        let zone = Zone::parse(&zone)
            .map_err(|violation| Refusal::internal(format!("time zone: {violation}")))?;
        let wanted = rule(&fields, &zone, now)?;
        let change = task::Change::between(&fields, &wanted);
        if change.is_none() && key.is_none() {
            return Ok(task_response(200, current));
        }
        let change = Change {
            expected: current.revision,
            event: change.map(|change| change.event.as_str()),
            task: task_body::to_stored(&wanted, now).to_string(),
            series: change.map_or("keep", |change| change.series.as_str()),
        };
        match store.change(user, task, change, key, &request.trace.traceparent())? {
            Outcome::Done(answer) => return Ok(task_response(200, answer)),
            Outcome::Replayed(answer) => return Ok(idempotency::replayed(200, answer)),
            Outcome::KeyReused => return Err(idempotency::reused()),
            Outcome::Stale => {}
            Outcome::NotFound => return Err(Refusal::not_found()),
            Outcome::NoUser => return Err(Refusal::unauthenticated()),
        }
    }
    Err(Refusal::unavailable("the task keeps changing"))
}

/// The writable members of a task that this program has written.
fn fields(answer: &Answer) -> Result<TaskFields, Refusal> {
    let task: Value =
        serde_json::from_str(&answer.task).map_err(|error| Refusal::internal(error.to_string()))?;
    task_body::from_answer(&task)
        .map_err(|_| Refusal::internal("a stored task breaks the rules of this version"))
}
