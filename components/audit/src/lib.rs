//! The audit component: records every event once, and answers queries about the records, among them a task's history.

rondo_guest::generate_service_bindings!("rondo:worlds/audit");

mod record;
mod store;

use rondo_contract::cloud_event::Disposition;
use rondo_contract::query::{Reader, number};
use rondo_domain::access::{AuditReach, Scope};
use rondo_domain::zone::Zone;
use rondo_guest::Refusal;
use rondo_guest::bindings::wasi::http::types::{IncomingRequest, ResponseOutparam};
use rondo_guest::database::DatabaseError;
use rondo_guest::event::{self, Event, Unavailable};
use rondo_guest::http::{self, Method, Request, Response};
use rondo_guest::page::{self, parameters};
use rondo_guest::{caller, clock};

use crate::record::Record;
use crate::store::{LogFilter, Store};

struct Component;

impl bindings::exports::wasi::http::incoming_handler::Guest for Component {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        http::serve(request, out, methods, route);
    }
}

rondo_guest::export_consumer!(Component, bindings, handle);
bindings::export!(Component with_types_in bindings);

/// The methods of a path.
fn methods(segments: &[&str]) -> Vec<Method> {
    match segments {
        ["events", "audit"] => event::METHODS.to_vec(),
        ["api", "audit", "logs" | "statistics"]
        | ["api", "tasks", _, "history"]
        | ["api", _, "tasks", _, "history"] => vec![Method::Get],
        _ => Vec::new(),
    }
}

fn route(request: &Request) -> Result<Response, Refusal> {
    match request.segments()[..] {
        ["events", "audit"] => event::take_batch(request, handle),
        ["api", "audit", "logs"] => logs(request),
        ["api", "audit", "statistics"] => statistics(request),
        ["api", "tasks", task, "history"] => history(request, None, task),
        ["api", user, "tasks", task, "history"] => history(request, Some(user), task),
        _ => Err(Refusal::not_found()),
    }
}

/// Records a batch with one statement. Malformed events are rejected first, so that they do not fail the
/// others. If the statement still fails, each event is retried alone.
fn handle(batch: Vec<Event>) -> Result<Vec<Disposition>, Unavailable> {
    let mut records = Vec::with_capacity(batch.len());
    let mut dispositions: Vec<_> = batch
        .into_iter()
        .map(|event| match Record::of(event) {
            Ok(record) => {
                records.push(record);
                Disposition::Done
            }
            Err(reason) => Disposition::Reject { reason },
        })
        .collect();
    if records.is_empty() {
        return Ok(dispositions);
    }
    match Store::open().and_then(|store| store.append(records)) {
        Ok(()) => {}
        Err(error @ DatabaseError::Unavailable(_)) => {
            return Err(Unavailable { reason: error.to_string() });
        }
        Err(error @ DatabaseError::Failed(_)) => {
            for disposition in &mut dispositions {
                if *disposition == Disposition::Done {
                    *disposition = Disposition::Retry { reason: error.to_string() };
                }
            }
        }
    }
    Ok(dispositions)
}

/// `GET /api/audit/logs`.
fn logs(request: &Request) -> Result<Response, Refusal> {
    let (mut parameters, user) = begin(request)?;
    let now = clock::now();
    let filter = LogFilter {
        user,
        action_type: parameters.text("action_type"),
        task: parameters.id("task_id"),
        first: parameters.bound("start_date").map(|bound| bound.first_in(&Zone::utc(), now)),
        last: parameters.bound("end_date").map(|bound| bound.last_in(&Zone::utc(), now)),
        cursor: parameters.cursor(number),
        limit: parameters.limit(),
    };
    parameters.finish()?;
    let page = Store::open()?.logs(filter)?;
    let next = page.next.map(|id| id.to_string());
    Ok(page::with_next(Response::json(200, page.items), request, next.as_deref()))
}

/// `GET /api/audit/statistics`.
fn statistics(request: &Request) -> Result<Response, Refusal> {
    let (mut parameters, user) = begin(request)?;
    let now = clock::now();
    let first = parameters.bound("start_date").map(|bound| bound.first_in(&Zone::utc(), now));
    let last = parameters.bound("end_date").map(|bound| bound.last_in(&Zone::utc(), now));
    parameters.finish()?;
    Ok(Response::json(200, Store::open()?.statistics(user, first, last)?))
}

/// `GET /api/{user_id}/tasks/{id}/history`. A task without records is not found: this component does not know which
/// tasks there are.
fn history(request: &Request, user: Option<&str>, task: &str) -> Result<Response, Refusal> {
    let user = caller::acting(request, user, Scope::TasksRead)?;
    if request.method != Method::Get {
        return Err(request.unrouted());
    }
    let mut parameters = parameters(request);
    let (cursor, limit) = (parameters.cursor(number), parameters.limit());
    parameters.finish()?;
    let page = Store::open()?.history(user, number(task).unwrap_or(0), cursor, limit)?;
    if cursor.is_none() && page.items == "[]" {
        return Err(Refusal::not_found());
    }
    let next = page.next.map(|revision| revision.to_string());
    Ok(page::with_next(Response::json(200, page.items), request, next.as_deref()))
}

/// The start of both routes of the log: authenticates, and returns the user whose events the caller reads; none for
/// everyone's.
fn begin(request: &Request) -> Result<(Reader, Option<i64>), Refusal> {
    let caller = caller::authenticate(request)?;
    let mut parameters = parameters(request);
    let requested = parameters.id("user_id");
    let user = match caller.audit_reach(requested).map_err(caller::denied)? {
        AuditReach::User(user) => Some(user),
        AuditReach::Everyone => None,
    };
    if request.method != Method::Get {
        return Err(request.unrouted());
    }
    Ok((parameters, user))
}
