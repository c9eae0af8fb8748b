//! The recurrence component: creates the successor of a completed occurrence, or ends its series.
//!
//! It decides by the pure rules of `domain` from the current state, not from the event. Then it makes one
//! call of one database function, whose natural keys ensure that an occurrence has one successor, however
//! often and late events come.

rondo_guest::generate_service_bindings!("rondo:worlds/recurrence");

mod engine;
mod preview;
mod step;
mod store;
mod successor;

use rondo_contract::capability::RECURRENCE;
use rondo_contract::cloud_event::Disposition;
use rondo_contract::event::{EventType, TaskEvent};
use rondo_guest::Refusal;
use rondo_guest::TraceContext;
use rondo_guest::bindings::wasi::http::types::{IncomingRequest, ResponseOutparam};
use rondo_guest::database::DatabaseError;
use rondo_guest::event::{self, Event, Unavailable};
use rondo_guest::http::{self, Method, Request, Response};
use serde_json::Value;

use crate::store::Store;

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
        ["events", "recurrence"] => event::METHODS.to_vec(),
        ["api", _, "recurrence", "preview"] | ["api", "recurrence", "preview"] => {
            vec![Method::Post]
        }
        _ => Vec::new(),
    }
}

fn route(request: &Request) -> Result<Response, Refusal> {
    match request.segments()[..] {
        ["events", "recurrence"] => event::take_batch(request, handle),
        ["api", user, "recurrence", "preview"] => preview::answer(request, Some(user)),
        ["api", "recurrence", "preview"] => preview::answer(request, None),
        _ => Err(Refusal::not_found()),
    }
}

fn handle(batch: Vec<Event>) -> Result<Vec<Disposition>, Unavailable> {
    let store = Store::open().map_err(|error| Unavailable { reason: error.to_string() })?;
    event::each(batch, |event| handle_one(&store, event))
}

fn handle_one(store: &Store, event: &Event) -> Result<Disposition, DatabaseError> {
    // A bridge of the release before delivers types that it does not know.
    if event.event_type.parse().is_ok_and(|event_type| !(RECURRENCE.wants)(event_type)) {
        return Ok(Disposition::Done);
    }
    let value = match TaskEvent::parse(&event.data) {
        Ok(value) => value,
        Err(reason) => return Ok(Disposition::Reject { reason }),
    };
    let Some(cause) = Cause::of(&value) else { return Ok(Disposition::Done) };
    let trace = TraceContext::received(event.traceparent.as_deref());
    successor::follow(store, value.user_id, value.task_id, cause, &trace)
}

/// Why a successor may be due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    Completed,
    /// Its user deleted only this pending occurrence, and the series continues.
    Deleted,
}

impl Cause {
    fn of(event: &TaskEvent) -> Option<Self> {
        let is = |member: &str, word: &str| event.task_data.get(member) == Some(&Value::from(word));
        match event.event_type {
            EventType::TaskCompleted => Some(Self::Completed),
            EventType::TaskCreated | EventType::TaskRestored if is("status", "completed") => {
                Some(Self::Completed)
            }
            EventType::TaskDeleted
                if event.reason.as_deref() == Some("deleted")
                    && event.scope.as_deref() == Some("this")
                    && !is("status", "completed") =>
            {
                Some(Self::Deleted)
            }
            _ => None,
        }
    }
}
