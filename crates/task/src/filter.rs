//! `…/filters`: a user's saved filters, and their tasks.

use rondo_contract::filter_body::{self, COUNT_MAX, FILTERS_MAX, FilterFields};
use rondo_contract::problem::ProblemCode;
use rondo_contract::task_query::TaskQuery;
use rondo_guest::database::{DatabaseError, int, optional, text};
use rondo_guest::http::{Request, Response};
use rondo_guest::page::parameters;
use rondo_guest::{Refusal, body};
use serde_json::Value;

use crate::change::ATTEMPTS_MAX;
use crate::etag::{self, IfMatch};
use crate::idempotency::{self, Key};
use crate::list;
use crate::store::{Store, key_parameters};

/// A filter in the database's representation.
struct Filter {
    version: i64,
    query: String,
    /// JSON.
    json: String,
}

impl Filter {
    fn fields(&self) -> Result<FilterFields, Refusal> {
        let value: Value = serde_json::from_str(&self.json)
            .map_err(|error| Refusal::internal(format!("stored filter: {error}")))?;
        filter_body::parse(&value)
            .map_err(|_| Refusal::internal("a stored filter breaks the rules of this version"))
    }
}

fn response(status: u16, version: i64, json: String) -> Response {
    Response::json(status, json).header("etag", etag::of(version))
}

/// `GET …/filters`: all of them, oldest first. With `count=true`, each has the number of its tasks, up to
/// [`COUNT_MAX`].
pub fn all(request: &Request, user: i64) -> Result<Response, Refusal> {
    let mut parameters = parameters(request);
    let is_counted = parameters.boolean("count").unwrap_or(false);
    parameters.finish()?;
    let store = Store::open()?;
    let rows = store.0.query(include_str!("sql/filters.sql"), &[int(user)])?;
    let filters =
        rows.map(|row| Ok(row.optional_text("query")?.zip(row.optional_text("answer")?)))?;
    let mut items = Vec::with_capacity(filters.len());
    for (query, mut json) in filters.into_iter().flatten() {
        if is_counted {
            let query = TaskQuery::parse_stored(&query)?;
            let count = list::count(&store, user, &query, COUNT_MAX)?;
            // The object has members.
            json.truncate(json.trim_end_matches('}').len());
            json += &format!(",\"count\":{count}}}");
        }
        items.push(json);
    }
    Ok(Response::json(200, format!("[{}]", items.join(","))))
}

/// `POST …/filters`.
pub fn create(request: &Request, user: i64) -> Result<Response, Refusal> {
    parameters(request).finish()?;
    let value = body::value(&request.body()?, request, &[body::JSON])?;
    let fields = filter_body::parse(&value)?;
    let key = Key::of(request, &value)?;
    let [path, name, hash] = key_parameters(key.as_ref());
    let members = Value::Object(filter_body::to_json(&fields)).to_string();
    let values = [int(user), text(members), int(FILTERS_MAX), path, name, hash];
    let mut row = Store::open()?.0.query_one(include_str!("sql/filter_create.sql"), &values)?;
    let is_replayed = match row.text("outcome")?.as_str() {
        "created" => false,
        "replayed" => true,
        "key_reused" => return Err(idempotency::reused()),
        "too_many" => return Err(Refusal::new(ProblemCode::TooManyFilters)),
        _ => return Err(Refusal::unauthenticated()),
    };
    let json = row.text("answer")?;
    let filter: Value = serde_json::from_str(&json)
        .map_err(|error| Refusal::internal(format!("a created filter: {error}")))?;
    let location = format!("/api/{user}/filters/{}", filter["id"]);
    let version = filter["version"].as_i64().unwrap_or_default();
    let response = response(201, version, json).header("location", location);
    Ok(if is_replayed { idempotency::mark(response) } else { response })
}

/// `GET …/filters/{filter_id}`.
pub fn read(request: &Request, user: i64, filter: i64) -> Result<Response, Refusal> {
    parameters(request).finish()?;
    let filter = Store::open()?.filter(user, filter)?.ok_or_else(Refusal::not_found)?;
    Ok(etag::unless_known(request, filter.version, || response(200, filter.version, filter.json)))
}

/// `PUT …/filters/{filter_id}`: absent writable members get their defaults.
pub fn replace(request: &Request, user: i64, filter: i64) -> Result<Response, Refusal> {
    parameters(request).finish()?;
    let value = body::value(&request.body()?, request, &[body::JSON])?;
    let wanted = filter_body::parse(&value)?;
    change(request, user, filter, |_| Ok(wanted.clone()))
}

/// `PATCH …/filters/{filter_id}`: a merge patch (RFC 7396).
pub fn patch(request: &Request, user: i64, filter: i64) -> Result<Response, Refusal> {
    parameters(request).finish()?;
    let accepted = [body::JSON, body::MERGE_PATCH];
    let value = body::value(&request.body()?, request, &accepted)?;
    change(request, user, filter, |current| Ok(filter_body::patch(current, &value)?))
}

/// Writes the result of `rule` for the current filter.
fn change(
    request: &Request,
    user: i64,
    filter: i64,
    rule: impl Fn(&FilterFields) -> Result<FilterFields, Refusal>,
) -> Result<Response, Refusal> {
    let condition = IfMatch::of(request);
    let store = Store::open()?;
    for _ in 0..ATTEMPTS_MAX {
        let Some(found) = store.filter(user, filter)? else {
            // Faults of the request itself take precedence.
            let any = FilterFields { name: "any".to_owned(), icon: None, query: String::new() };
            return rule(&any).and(Err(Refusal::not_found()));
        };
        let current = found.fields()?;
        let wanted = rule(&current)?;
        condition.check(found.version)?;
        if wanted == current {
            return Ok(response(200, found.version, found.json));
        }
        let members = Value::Object(filter_body::to_json(&wanted)).to_string();
        let values = [int(user), int(filter), int(found.version), text(members)];
        let mut row = store.0.query_one(include_str!("sql/filter_change.sql"), &values)?;
        match row.text("outcome")?.as_str() {
            "changed" => return Ok(response(200, row.int("version")?, row.text("answer")?)),
            "not_found" => return Err(Refusal::not_found()),
            _ => {}
        }
    }
    Err(keeps_changing())
}

/// `DELETE …/filters/{filter_id}`.
pub fn delete(request: &Request, user: i64, filter: i64) -> Result<Response, Refusal> {
    parameters(request).finish()?;
    let condition = IfMatch::of(request);
    let store = Store::open()?;
    for _ in 0..ATTEMPTS_MAX {
        let expected = if condition.is_given() {
            let current = store.filter(user, filter)?.ok_or_else(Refusal::not_found)?;
            condition.check(current.version)?;
            Some(current.version)
        } else {
            None
        };
        let values = [int(user), int(filter), optional(expected, int)];
        let mut row = store.0.query_one(include_str!("sql/filter_delete.sql"), &values)?;
        match row.text("outcome")?.as_str() {
            "deleted" => return Ok(Response::empty(204)),
            "not_found" => return Err(Refusal::not_found()),
            _ => {}
        }
    }
    Err(keeps_changing())
}

/// `GET …/filters/{filter_id}/tasks`: a page of the tasks that the filter finds now.
pub fn tasks(request: &Request, user: i64, filter: i64) -> Result<Response, Refusal> {
    let Some(filter) = Store::open()?.filter(user, filter)? else {
        // Faults of the request itself take precedence.
        TaskQuery::parse_part("", request.query())?;
        return Err(Refusal::not_found());
    };
    list::page(request, user, &TaskQuery::parse_part(&filter.query, request.query())?)
}

fn keeps_changing() -> Refusal {
    Refusal::unavailable("the filter keeps changing")
}

impl Store {
    fn filter(&self, user: i64, filter: i64) -> Result<Option<Filter>, DatabaseError> {
        let row =
            self.0.query_optional(include_str!("sql/filter.sql"), &[int(user), int(filter)])?;
        row.map(|mut row| {
            Ok(Filter {
                version: row.int("version")?,
                query: row.text("query")?,
                json: row.text("answer")?,
            })
        })
        .transpose()
    }
}
