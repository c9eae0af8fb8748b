//! What the audit log says: the routes that read it, for each component that does.

mod store;

use rondo_contract::query::{Reader, number};
use rondo_domain::access::{AuditReach, Caller, Scope};
use rondo_domain::zone::Zone;
use rondo_guest::Refusal;
use rondo_guest::http::{Method, Request, Response};
use rondo_guest::page::{self, parameters};
use rondo_guest::{caller, clock};

use crate::store::{LogFilter, Store};

/// The methods of a path.
#[must_use]
pub fn methods(segments: &[&str]) -> Vec<Method> {
    match segments {
        ["api", "audit", "logs" | "statistics"]
        | ["api", "tasks", _, "history"]
        | ["api", _, "tasks", _, "history"] => vec![Method::Get],
        _ => Vec::new(),
    }
}

/// Answers a request of the caller that its token identifies.
///
/// # Errors
/// Every refusal of a route.
pub fn route(request: &Request) -> Result<Response, Refusal> {
    if methods(&request.segments()).is_empty() {
        return Err(Refusal::not_found());
    }
    route_of(request, caller::authenticate(request)?)
}

/// Answers a request of this caller.
///
/// # Errors
/// As [`route`].
pub fn route_of(request: &Request, caller: Caller) -> Result<Response, Refusal> {
    match request.segments()[..] {
        ["api", "audit", "logs"] => logs(request, caller),
        ["api", "audit", "statistics"] => statistics(request, caller),
        ["api", "tasks", task, "history"] => history(request, caller, None, task),
        ["api", user, "tasks", task, "history"] => history(request, caller, Some(user), task),
        _ => Err(Refusal::not_found()),
    }
}

/// `GET /api/audit/logs`.
fn logs(request: &Request, caller: Caller) -> Result<Response, Refusal> {
    let (mut parameters, user) = begin(request, caller)?;
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
fn statistics(request: &Request, caller: Caller) -> Result<Response, Refusal> {
    let (mut parameters, user) = begin(request, caller)?;
    let now = clock::now();
    let first = parameters.bound("start_date").map(|bound| bound.first_in(&Zone::utc(), now));
    let last = parameters.bound("end_date").map(|bound| bound.last_in(&Zone::utc(), now));
    parameters.finish()?;
    Ok(Response::json(200, Store::open()?.statistics(user, first, last)?))
}

/// `GET /api/{user_id}/tasks/{id}/history`. A task without records is not found: this component does not know which
/// tasks there are.
fn history(
    request: &Request,
    caller: Caller,
    user: Option<&str>,
    task: &str,
) -> Result<Response, Refusal> {
    let user = caller::acting_as(caller, user, Scope::TasksRead)?;
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

/// The start of both routes of the log: the user whose events the caller reads; none for everyone's.
fn begin(request: &Request, caller: Caller) -> Result<(Reader, Option<i64>), Refusal> {
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
