//! The notify component: decides about due reminders and renders their mails, records webhook deliveries, and
//! shows the history of both. The bridge sends what is recorded here.

rondo_guest::generate_service_bindings!("rondo:worlds/notify");

mod decision;
mod digest;
mod mail;
mod reminder;
mod rendering;
mod store;
mod webhook;

use rondo_contract::cloud_event::Disposition;
use rondo_contract::event::EventType;
use rondo_contract::query::number;
use rondo_domain::access::Scope;
use rondo_guest::Refusal;
use rondo_guest::bindings::wasi::http::types::{IncomingRequest, ResponseOutparam};
use rondo_guest::caller;
use rondo_guest::database::DatabaseError;
use rondo_guest::event::{self, Event, Unavailable};
use rondo_guest::http::{self, Method, Request, Response};
use rondo_guest::page::{self, parameters};

use crate::rendering::Rendering;
use crate::store::Store;

/// The events that lead to mails.
const MAILED: [EventType; 2] = [EventType::ReminderDue, EventType::DigestDue];

/// Variable that says whether an unverified address gets only the verification mail.
const VERIFIED_ONLY_VARIABLE: &str = "require_verified_email";

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
        ["events", "notify"] => event::METHODS.to_vec(),
        ["api", "notifications"] | ["api", _, "notifications"] => vec![Method::Get],
        ["api", "webhooks", rest @ ..] | ["api", _, "webhooks", rest @ ..] => {
            webhook::methods(rest).unwrap_or_default().to_vec()
        }
        _ => Vec::new(),
    }
}

fn route(request: &Request) -> Result<Response, Refusal> {
    match request.segments()[..] {
        ["events", "notify"] => event::take_batch(request, handle),
        ["api", "notifications"] => list(request, None),
        ["api", user, "notifications"] => list(request, Some(user)),
        ["api", "webhooks", ref rest @ ..] => webhook::route(request, None, rest),
        ["api", user, "webhooks", ref rest @ ..] => webhook::route(request, Some(user), rest),
        _ => Err(Refusal::not_found()),
    }
}

/// `GET /api/{user_id}/notifications`.
fn list(request: &Request, user: Option<&str>) -> Result<Response, Refusal> {
    let user = caller::acting(request, user, Scope::TasksRead)?;
    if request.method != Method::Get {
        return Err(request.unrouted());
    }
    let mut parameters = parameters(request);
    let (limit, cursor) = (parameters.limit(), parameters.cursor(number));
    parameters.finish()?;
    let page = Store::open()?.notifications(user, cursor, limit)?;
    let next = page.next.map(|id| id.to_string());
    Ok(page::with_next(Response::json(200, page.items), request, next.as_deref()))
}

fn handle(batch: Vec<Event>) -> Result<Vec<Disposition>, Unavailable> {
    let unavailable = |error: &dyn std::fmt::Display| Unavailable { reason: error.to_string() };
    match webhook::record(&batch) {
        Ok(()) => {}
        Err(error @ DatabaseError::Unavailable(_)) => return Err(unavailable(&error)),
        // One event may be at fault, so each is retried alone.
        Err(error @ DatabaseError::Failed(_)) => {
            let retry = Disposition::Retry { reason: error.to_string() };
            return Ok(vec![retry; batch.len()]);
        }
    }
    let is_mailed = |event: &Event| MAILED.iter().any(|known| event.event_type == known.as_str());
    if !batch.iter().any(is_mailed) {
        return Ok(vec![Disposition::Done; batch.len()]);
    }
    let rendering = Rendering::open().map_err(|error| unavailable(&error))?;
    event::each(batch, |event| match event.event_type.parse() {
        Ok(EventType::ReminderDue) => rendering.reminder(event),
        Ok(EventType::DigestDue) => rendering.digest(event),
        _ => Ok(Disposition::Done),
    })
}
