//! `…/trash`: deleted tasks, which can be restored for a time.

use rondo_contract::problem::ProblemCode;
use rondo_contract::query::number;
use rondo_contract::undo_token::TRASH_DAYS;
use rondo_guest::database::{int, optional, text};
use rondo_guest::http::{Request, Response};
use rondo_guest::page::{self, parameters};
use rondo_guest::{Refusal, body};
use serde_json::Value;

use crate::answer::{replayed, task_response};
use crate::create::location;
use crate::idempotency::{self, Key};
use crate::store::{Outcome, Store, key_parameters};

/// `GET …/trash`, newest first.
pub fn list(request: &Request, user: i64) -> Result<Response, Refusal> {
    let mut parameters = parameters(request);
    let before = parameters.cursor(number);
    let limit = parameters.limit();
    parameters.finish()?;
    let values = [int(user), optional(before, int), int(limit), int(TRASH_DAYS.into())];
    let mut row = Store::open()?.0.query_one(include_str!("sql/trash.sql"), &values)?;
    let next = if row.boolean("more")? { row.optional_int("last")? } else { None };
    let next = next.map(|revision| revision.to_string());
    Ok(page::with_next(Response::json(200, row.text("items")?), request, next.as_deref()))
}

/// `DELETE …/trash/{id}`: deletes the task for good.
pub fn delete(request: &Request, user: i64, task: i64) -> Result<Response, Refusal> {
    parameters(request).finish()?;
    let values = [int(user), int(task)];
    let mut row = Store::open()?.0.query_one(include_str!("sql/task_purge.sql"), &values)?;
    match row.text("outcome")?.as_str() {
        "deleted" => Ok(Response::empty(204)),
        _ => Err(Refusal::not_found()),
    }
}

/// `POST …/tasks/{id}/restore`.
pub fn restore(request: &Request, user: i64, task: i64) -> Result<Response, Refusal> {
    parameters(request).finish()?;
    body::nothing(&request.body()?, request)?;
    let key = Key::of(request, &Value::Null)?;
    let [path, name, hash] = key_parameters(key.as_ref());
    let values = [int(user), int(task), path, name, hash, text(request.cause())];
    let mut row = Store::open()?.0.query_one(include_str!("sql/task_restore.sql"), &values)?;
    match Outcome::read(&mut row)? {
        Outcome::Done(answer) => Ok(task_response(200, answer)),
        Outcome::Replayed(answer) => Ok(replayed(200, answer)),
        Outcome::KeyReused => Err(idempotency::reused()),
        Outcome::NotFound => Err(Refusal::not_found()),
        Outcome::NoUser => Err(Refusal::unauthenticated()),
        Outcome::Conflict(ProblemCode::UidTaken, other) => {
            Err(Refusal::new(ProblemCode::UidTaken).header("location", location(user, &other)))
        }
        Outcome::Conflict(problem, _) => Err(Refusal::new(problem)),
        Outcome::Stale | Outcome::Invalid(_) => Err(Refusal::internal("a task was not restored")),
    }
}
