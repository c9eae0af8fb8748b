//! The audit component: records every event once, and serves the routes of `crates/history`, which read the records.

rondo_guest::generate_service_bindings!("rondo:worlds/audit");

mod record;
mod store;

use rondo_contract::cloud_event::Disposition;
use rondo_guest::Refusal;
use rondo_guest::bindings::wasi::http::types::{IncomingRequest, ResponseOutparam};
use rondo_guest::database::DatabaseError;
use rondo_guest::event::{self, Event, Unavailable};
use rondo_guest::http::{self, Method, Request, Response};

use crate::record::Record;
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
        ["events", "audit"] => event::METHODS.to_vec(),
        _ => rondo_history::methods(segments),
    }
}

fn route(request: &Request) -> Result<Response, Refusal> {
    match request.segments()[..] {
        ["events", "audit"] => event::take_batch(request, handle),
        _ => rondo_history::route(request),
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
