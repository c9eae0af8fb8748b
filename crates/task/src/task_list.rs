//! `…/lists`: a user's lists of tasks.
//!
//! A change is one read, the rules, and one call with the revision that was read, like a task's.

use rondo_contract::list_body;
use rondo_contract::problem::ProblemCode;
use rondo_domain::list::{LISTS_MAX, ListFields, TaskFate};
use rondo_domain::position;
use rondo_guest::database::{DatabaseError, Row, boolean, int, optional, text};
use rondo_guest::http::{Request, Response};
use rondo_guest::page::{self, parameters};
use rondo_guest::{Refusal, body};
use serde_json::{Value, json};

use crate::change::ATTEMPTS_MAX;
use crate::etag::{self, IfMatch};
use crate::idempotency::{self, Key};
use crate::store::{Store, key_parameters};

/// A list in the database's representation.
struct List {
    revision: i64,
    /// JSON.
    json: String,
}

impl List {
    fn read(row: &mut Row) -> Result<Self, DatabaseError> {
        Ok(Self { revision: row.int("revision")?, json: row.text("answer")? })
    }

    fn fields(&self) -> Result<ListFields, Refusal> {
        let value: Value = serde_json::from_str(&self.json)
            .map_err(|error| Refusal::internal(format!("stored list: {error}")))?;
        list_body::parse(&value)
            .map_err(|_| Refusal::internal("a stored list breaks the rules of this version"))
    }

    fn response(self, status: u16) -> Response {
        Response::json(status, self.json).header("etag", etag::of(self.revision))
    }
}

/// `GET …/lists`, in the user's order.
pub fn page(request: &Request, user: i64) -> Result<Response, Refusal> {
    let mut parameters = parameters(request);
    let archived = parameters.boolean("archived");
    let after = parameters.cursor(|text| position::is_key(text).then(|| text.to_owned()));
    let limit = parameters.limit();
    parameters.finish()?;
    let values =
        [int(user), optional(archived, boolean), optional(after.as_deref(), text), int(limit)];
    let mut row = Store::open()?.0.query_one(include_str!("sql/lists.sql"), &values)?;
    let next = if row.boolean("more")? { row.optional_text("last")? } else { None };
    Ok(page::with_next(Response::json(200, row.text("items")?), request, next.as_deref()))
}

/// `POST …/lists`.
pub fn create(request: &Request, user: i64) -> Result<Response, Refusal> {
    parameters(request).finish()?;
    let value = body::value(&request.body()?, request, &[body::JSON])?;
    let fields = list_body::parse(&value)?;
    let key = Key::of(request, &value)?;
    let [path, name, hash] = key_parameters(key.as_ref());
    let values = [
        int(user),
        text(Value::Object(list_body::to_json(&fields)).to_string()),
        int(LISTS_MAX),
        path,
        name,
        hash,
        text(request.cause()),
    ];
    let mut row = Store::open()?.0.query_one(include_str!("sql/list_create.sql"), &values)?;
    let is_replayed = match row.text("outcome")?.as_str() {
        "created" => false,
        "replayed" => true,
        "key_reused" => return Err(idempotency::reused()),
        "too_many" => return Err(Refusal::new(ProblemCode::TooManyLists)),
        _ => return Err(Refusal::unauthenticated()),
    };
    let json = row.text("answer")?;
    let list: Value = serde_json::from_str(&json)
        .map_err(|error| Refusal::internal(format!("a created list: {error}")))?;
    // A kept answer has the revision that the list had then.
    let revision = list["revision"].as_i64().unwrap_or_default();
    let location = format!("/api/{user}/lists/{}", list["id"]);
    let response = List { revision, json }.response(201).header("location", location);
    Ok(if is_replayed { idempotency::mark(response) } else { response })
}

/// `GET …/lists/{list_id}`.
pub fn read(request: &Request, user: i64, list: i64) -> Result<Response, Refusal> {
    parameters(request).finish()?;
    let list = Store::open()?.list(user, list)?.ok_or_else(Refusal::not_found)?;
    let revision = list.revision;
    Ok(etag::unless_known(request, revision, || list.response(200)))
}

/// `PUT …/lists/{list_id}`: absent writable members get their defaults.
pub fn replace(request: &Request, user: i64, list: i64) -> Result<Response, Refusal> {
    parameters(request).finish()?;
    let value = body::value(&request.body()?, request, &[body::JSON])?;
    let wanted = list_body::parse(&value)?;
    change(request, user, list, |_| Ok(wanted.clone()))
}

/// `PATCH …/lists/{list_id}`: a merge patch (RFC 7396).
pub fn patch(request: &Request, user: i64, list: i64) -> Result<Response, Refusal> {
    parameters(request).finish()?;
    let accepted = [body::JSON, body::MERGE_PATCH];
    let value = body::value(&request.body()?, request, &accepted)?;
    change(request, user, list, |current| Ok(list_body::patch(current, &value)?))
}

/// Writes the result of `rule` for the current list.
fn change(
    request: &Request,
    user: i64,
    list: i64,
    rule: impl Fn(&ListFields) -> Result<ListFields, Refusal>,
) -> Result<Response, Refusal> {
    let condition = IfMatch::of(request);
    let store = Store::open()?;
    for _ in 0..ATTEMPTS_MAX {
        let Some(found) = store.list(user, list)? else {
            // Faults of the request itself take precedence.
            let any = list_body::parse(&json!({ "name": "any" }))?;
            return rule(&any).and(Err(Refusal::not_found()));
        };
        let current = found.fields()?;
        let wanted = rule(&current)?;
        condition.check(found.revision)?;
        if wanted == current {
            return Ok(found.response(200));
        }
        let values = [
            int(user),
            int(list),
            int(found.revision),
            text(Value::Object(list_body::to_json(&wanted)).to_string()),
            text(request.cause()),
        ];
        let mut row = store.0.query_one(include_str!("sql/list_change.sql"), &values)?;
        match row.text("outcome")?.as_str() {
            "changed" => return Ok(List::read(&mut row)?.response(200)),
            "not_found" => return Err(Refusal::not_found()),
            "stale" => {}
            _ => return Err(Refusal::unauthenticated()),
        }
    }
    Err(keeps_changing())
}

/// `DELETE …/lists/{list_id}`: the list, and its tasks as `tasks` says.
pub fn delete(request: &Request, user: i64, list: i64) -> Result<Response, Refusal> {
    let mut parameters = parameters(request);
    let fate = parameters.one("tasks", TaskFate::parse).unwrap_or(TaskFate::Inbox);
    parameters.finish()?;
    let condition = IfMatch::of(request);
    let store = Store::open()?;
    for _ in 0..ATTEMPTS_MAX {
        let expected = if condition.is_given() {
            let current = store.list(user, list)?.ok_or_else(Refusal::not_found)?;
            condition.check(current.revision)?;
            Some(current.revision)
        } else {
            None
        };
        let values = [
            int(user),
            int(list),
            optional(expected, int),
            text(fate.as_str()),
            text(request.cause()),
        ];
        let mut row = store.0.query_one(include_str!("sql/list_delete.sql"), &values)?;
        match row.text("outcome")?.as_str() {
            "deleted" => return Ok(Response::empty(204)),
            "not_found" => return Err(Refusal::not_found()),
            "stale" => {}
            _ => return Err(Refusal::unauthenticated()),
        }
    }
    Err(keeps_changing())
}

fn keeps_changing() -> Refusal {
    Refusal::unavailable("the list keeps changing")
}

impl Store {
    fn list(&self, user: i64, list: i64) -> Result<Option<List>, DatabaseError> {
        let parameters = [int(user), int(list)];
        let row = self.0.query_optional(include_str!("sql/list.sql"), &parameters)?;
        row.map(|mut row| List::read(&mut row)).transpose()
    }
}
