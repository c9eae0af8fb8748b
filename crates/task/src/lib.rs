//! Tasks: the routes of the HTTP API, for each component that changes tasks. So a change has the same rules, events
//! and problems whoever asks for it.
//!
//! A change reads the task, applies the rules of `domain`, and calls one database function with the revision
//! that it read. The function writes the task and its events in one transaction.

mod answer;
mod batch;
mod change;
mod changes;
mod create;
mod etag;
mod filter;
mod health;
mod idempotency;
mod link;
mod list;
mod order;
mod quick_add;
mod reminder;
mod skip;
mod store;
mod tag;
mod task_list;
mod trash;
mod tree;
mod undo;
mod undo_token;

use rondo_contract::query::number;
use rondo_domain::access::{Caller, Scope};
use rondo_domain::due::Settings;
use rondo_guest::Refusal;
use rondo_guest::caller;
use rondo_guest::http::{Method, Request, Response};
use rondo_guest::page::parameters;

use crate::answer::task_response;
use crate::store::Store;

/// The methods of a path.
#[must_use]
pub fn methods(segments: &[&str]) -> Vec<Method> {
    use Method::{Delete, Get, Patch, Post, Put};
    let Some((_, area, rest)) = place(segments) else {
        return match segments {
            ["links", "complete" | "snooze"] => rondo_guest::link::METHODS.to_vec(),
            ["api", "health", "ready"] => vec![Method::Get],
            _ => Vec::new(),
        };
    };
    match (area, rest) {
        ("tasks", []) => vec![Get, Post],
        ("tasks", ["filter"]) => vec![Get],
        ("tasks", ["batch"]) => vec![Post],
        ("tasks", [_]) => vec![Get, Put, Patch, Delete],
        ("tasks", [_, "complete" | "reopen"]) => vec![Patch, Post],
        ("tasks", [_, "skip" | "move" | "restore" | "reminders"]) => vec![Post],
        ("changes" | "tags" | "reminders" | "trash", []) => vec![Get],
        ("quick-add" | "undo", []) => vec![Post],
        ("trash", [_]) => vec![Delete],
        ("tags", [_]) => vec![Put, Delete],
        ("lists", []) => vec![Get, Post],
        ("lists", [_]) => vec![Get, Put, Patch, Delete],
        ("lists", [_, "move"]) => vec![Post],
        ("filters", []) => vec![Get, Post],
        ("filters", [_]) => vec![Get, Put, Patch, Delete],
        ("filters", [_, "tasks"]) => vec![Get],
        ("reminders", [_]) => vec![Delete],
        ("reminders", [_, "snooze"]) => vec![Post],
        _ => Vec::new(),
    }
}

/// The user in a path, if there is one, the area, and the rest of the path.
fn place<'a>(segments: &'a [&'a str]) -> Option<(Option<&'a str>, &'a str, &'a [&'a str])> {
    match segments {
        ["api", area, rest @ ..] if is_area(area) => Some((None, area, rest)),
        ["api", user, area, rest @ ..] if is_area(area) => Some((Some(user), area, rest)),
        _ => None,
    }
}

/// Answers a request of the caller that its token identifies.
///
/// # Errors
/// Every refusal of a route.
pub fn route(request: &Request) -> Result<Response, Refusal> {
    let segments = request.segments();
    let is_place = match segments[..] {
        ["api", "health", "ready"] if request.method == Method::Get => {
            return health::ready(request);
        }
        ["api", "health", "ready"] => return Err(request.unrouted()),
        ["links", "complete"] => return link::complete(request),
        ["links", "snooze"] => return link::snooze(request),
        _ => place(&segments).is_some(),
    };
    if !is_place {
        return Err(unknown_path(request));
    }
    route_of(request, caller::authenticate(request)?)
}

/// Answers a request of this caller.
///
/// # Errors
/// As [`route`].
pub fn route_of(request: &Request, caller: Caller) -> Result<Response, Refusal> {
    let segments = request.segments();
    let (user, area, rest) = place(&segments).ok_or_else(Refusal::not_found)?;
    let scope = match request.method {
        Method::Get => Scope::TasksRead,
        _ => Scope::TasksWrite,
    };
    let user = caller::acting_as(caller, user, scope)?;
    match area {
        "tasks" => tasks(request, user, rest),
        "changes" => changes(request, user, rest),
        "tags" => tags(request, user, rest),
        "lists" => lists(request, user, rest),
        "filters" => filters(request, user, rest),
        "quick-add" => quick_add(request, user, rest),
        "trash" => trash(request, user, rest),
        "undo" => undo(request, user, rest),
        _ => reminders(request, user, rest),
    }
}

/// What the user's tasks are read by.
///
/// # Errors
/// 401 if the user no longer exists; 503 without a database.
pub fn settings(user: i64) -> Result<Settings, Refusal> {
    Store::open()?.settings(user)
}

fn is_area(segment: &str) -> bool {
    matches!(
        segment,
        "tasks"
            | "changes"
            | "tags"
            | "lists"
            | "filters"
            | "reminders"
            | "quick-add"
            | "trash"
            | "undo"
    )
}

fn tasks(request: &Request, user: i64, rest: &[&str]) -> Result<Response, Refusal> {
    match (request.method, rest) {
        (Method::Get, [] | ["filter"]) => list::answer(request, user),
        (Method::Post, []) => create::answer(request, user),
        (Method::Post, ["batch"]) => batch::answer(request, user),
        (_, ["filter" | "batch"]) => Err(request.unrouted()),
        (method, [task]) => one(request, method, user, id(task)),
        (method, [task, action]) => act(request, method, user, id(task), action),
        _ => Err(request.unrouted()),
    }
}

fn changes(request: &Request, user: i64, rest: &[&str]) -> Result<Response, Refusal> {
    match (request.method, rest) {
        (Method::Get, []) => changes::answer(request, user),
        _ => Err(request.unrouted()),
    }
}

fn quick_add(request: &Request, user: i64, rest: &[&str]) -> Result<Response, Refusal> {
    match (request.method, rest) {
        (Method::Post, []) => quick_add::answer(request, user),
        _ => Err(request.unrouted()),
    }
}

fn trash(request: &Request, user: i64, rest: &[&str]) -> Result<Response, Refusal> {
    match (request.method, rest) {
        (Method::Get, []) => trash::list(request, user),
        (Method::Delete, [task]) => trash::delete(request, user, id(task)),
        _ => Err(request.unrouted()),
    }
}

fn undo(request: &Request, user: i64, rest: &[&str]) -> Result<Response, Refusal> {
    match (request.method, rest) {
        (Method::Post, []) => undo::answer(request, user),
        _ => Err(request.unrouted()),
    }
}

fn tags(request: &Request, user: i64, rest: &[&str]) -> Result<Response, Refusal> {
    match (request.method, rest) {
        (Method::Get, []) => tag::list(request, user),
        (Method::Put, [name]) => tag::replace(request, user, name),
        (Method::Delete, [name]) => tag::remove(request, user, name),
        _ => Err(request.unrouted()),
    }
}

fn lists(request: &Request, user: i64, rest: &[&str]) -> Result<Response, Refusal> {
    match (request.method, rest) {
        (Method::Get, []) => task_list::page(request, user),
        (Method::Post, []) => task_list::create(request, user),
        (Method::Get, [list]) => task_list::read(request, user, id(list)),
        (Method::Put, [list]) => task_list::replace(request, user, id(list)),
        (Method::Patch, [list]) => task_list::patch(request, user, id(list)),
        (Method::Delete, [list]) => task_list::delete(request, user, id(list)),
        (Method::Post, [list, "move"]) => order::list(request, user, id(list)),
        _ => Err(request.unrouted()),
    }
}

fn filters(request: &Request, user: i64, rest: &[&str]) -> Result<Response, Refusal> {
    match (request.method, rest) {
        (Method::Get, []) => filter::all(request, user),
        (Method::Post, []) => filter::create(request, user),
        (Method::Get, [filter]) => filter::read(request, user, id(filter)),
        (Method::Put, [filter]) => filter::replace(request, user, id(filter)),
        (Method::Patch, [filter]) => filter::patch(request, user, id(filter)),
        (Method::Delete, [filter]) => filter::delete(request, user, id(filter)),
        (Method::Get, [filter, "tasks"]) => filter::tasks(request, user, id(filter)),
        _ => Err(request.unrouted()),
    }
}

fn reminders(request: &Request, user: i64, rest: &[&str]) -> Result<Response, Refusal> {
    match (request.method, rest) {
        (Method::Get, []) => reminder::list(request, user),
        (Method::Delete, [reminder]) => reminder::remove(request, user, id(reminder)),
        (Method::Post, [reminder, "snooze"]) => reminder::snooze(request, user, id(reminder)),
        _ => Err(request.unrouted()),
    }
}

/// The routes of one task.
fn one(request: &Request, method: Method, user: i64, task: i64) -> Result<Response, Refusal> {
    match method {
        Method::Get => read(request, user, task),
        Method::Put => change::replace(request, user, task),
        Method::Patch => change::patch(request, user, task),
        Method::Delete => change::delete(request, user, task),
        Method::Post | Method::Other => Err(request.unrouted()),
    }
}

/// The action routes of one task.
fn act(
    request: &Request,
    method: Method,
    user: i64,
    task: i64,
    action: &str,
) -> Result<Response, Refusal> {
    let action = match (action, method) {
        ("complete", _) => change::Action::Complete,
        ("reopen", _) => change::Action::Reopen,
        ("skip", Method::Post) => return skip::answer(request, user, task),
        ("move", Method::Post) => return order::task(request, user, task),
        ("restore", Method::Post) => return trash::restore(request, user, task),
        ("reminders", Method::Post) => return reminder::add(request, user, task),
        _ => return Err(request.unrouted()),
    };
    match method {
        Method::Patch | Method::Post => change::act(request, user, task, action),
        _ => Err(request.unrouted()),
    }
}

fn read(request: &Request, user: i64, task: i64) -> Result<Response, Refusal> {
    parameters(request).finish()?;
    let answer = Store::open()?.task(user, task)?.ok_or_else(Refusal::not_found)?;
    let revision = answer.revision;
    Ok(etag::unless_known(request, revision, || task_response(200, answer)))
}

/// The id in a path. A non-numeric id becomes 0, so that request errors still win over 404.
fn id(segment: &str) -> i64 {
    number(segment).unwrap_or(0)
}

/// Only callers with a token learn whether a path exists.
fn unknown_path(request: &Request) -> Refusal {
    caller::authenticate(request).err().unwrap_or_else(Refusal::not_found)
}
