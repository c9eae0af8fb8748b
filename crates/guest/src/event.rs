//! The two ways in which events reach a component.
//!
//! `POST /events/<capability>` takes a CloudEvents batch and requires the service token. The typed export
//! `rondo:events/consumer` requires none, because only a host can call it. Both pass the batch to the same
//! function of the component.

pub use rondo_contract::cloud_event::CloudEvent as Event;
use rondo_contract::cloud_event::{BATCH_MEDIA_TYPE, BatchAnswer, Disposition};
use rondo_contract::json;
use rondo_contract::problem::ProblemCode;
use rondo_contract::token::SECRET_BYTES_MIN;
use subtle::ConstantTimeEq as _;

use crate::caller::bearer;
use crate::database::DatabaseError;
use crate::http::{Method, Request, Response};
use crate::{Refusal, body, variable};

/// Variable that holds the service token.
const TOKEN_VARIABLE: &str = "event_token";
/// Variable that holds the previous token, which is valid until rotation is over; may be empty.
const PREVIOUS_TOKEN_VARIABLE: &str = "event_token_previous";
/// Maximum number of events of a batch.
const BATCH_EVENTS_MAX: usize = 1_000;

/// Methods of a route that takes batches.
pub const METHODS: &[Method] = &[Method::Post];

/// The component could not try anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unavailable {
    pub reason: String,
}

/// A component's handler of a batch: one disposition per event, in order.
pub type Handle = fn(Vec<Event>) -> Result<Vec<Disposition>, Unavailable>;

/// Answers `POST /events/<capability>`. Nothing is read or done without a valid token.
///
/// # Errors
/// 401 or 405; 415, 400 or 422 for a malformed batch; 503 if the component could not try anything.
pub fn take_batch(request: &Request, handle: Handle) -> Result<Response, Refusal> {
    authorize(request)?;
    if request.method != Method::Post {
        return Err(request.unrouted());
    }
    let bytes = request.body()?;
    body::admit(request, &[BATCH_MEDIA_TYPE])?;
    let mut batch: Vec<Event> = serde_json::from_slice(json::without_mark(&bytes))
        .map_err(|error| Refusal::new(ProblemCode::MalformedJson).detail(error.to_string()))?;
    if batch.len() > BATCH_EVENTS_MAX {
        return Err(Refusal::new(ProblemCode::BodyTooLarge)
            .detail(format!("A batch may have at most {BATCH_EVENTS_MAX} events.")));
    }
    // The trace of an event alone goes on below this call, and that of several below the consumer.
    if let [event] = &mut *batch
        && request.header("traceparent").is_some()
    {
        event.traceparent = Some(request.trace.traceparent());
    }
    let dispositions =
        handle(batch).map_err(|unavailable| Refusal::unavailable(unavailable.reason))?;
    let answer = serde_json::to_vec(&BatchAnswer { dispositions })
        .map_err(|error| Refusal::internal(error.to_string()))?;
    Ok(Response::json(200, answer))
}

fn authorize(request: &Request) -> Result<(), Refusal> {
    let header = request.header("authorization").ok_or_else(Refusal::unauthenticated)?;
    let given = bearer(&header).ok_or_else(Refusal::unauthenticated)?;
    let current = token(TOKEN_VARIABLE)?;
    // Without a previous token, only the current one is valid.
    let previous = match variable::get(PREVIOUS_TOKEN_VARIABLE)?.is_empty() {
        true => String::new(),
        false => token(PREVIOUS_TOKEN_VARIABLE)?,
    };
    // Both are always compared, so that timing does not reveal which one matched.
    let matches = is_token(given, &current) | is_token(given, &previous);
    if matches { Ok(()) } else { Err(Refusal::unauthenticated()) }
}

/// A service token; one that is easy to guess is refused.
fn token(name: &str) -> Result<String, Refusal> {
    let token = variable::get(name)?;
    if token.len() < SECRET_BYTES_MIN {
        let reason = format!("variable {name} is shorter than {SECRET_BYTES_MIN} bytes");
        return Err(Refusal::internal(reason));
    }
    Ok(token)
}

/// Compares in a time that depends only on the lengths. An empty token never matches.
fn is_token(given: &str, expected: &str) -> bool {
    !expected.is_empty() && bool::from(given.as_bytes().ct_eq(expected.as_bytes()))
}

/// Handles events one after another, for a capability that needs a call for each. If the database becomes
/// unavailable, so does the whole batch; events already handled change nothing when repeated.
///
/// # Errors
/// If the database is unavailable.
pub fn each(
    batch: Vec<Event>,
    mut one: impl FnMut(&Event) -> Result<Disposition, DatabaseError>,
) -> Result<Vec<Disposition>, Unavailable> {
    batch
        .iter()
        .map(|event| match one(event) {
            Ok(disposition) => Ok(disposition),
            Err(error @ DatabaseError::Unavailable(_)) => {
                Err(Unavailable { reason: error.to_string() })
            }
            Err(error @ DatabaseError::Failed(_)) => {
                Ok(Disposition::Retry { reason: error.to_string() })
            }
        })
        .collect()
}

/// Implements the typed export `rondo:events/consumer` for `$component` by `$handle`, a
/// [`Handle`](crate::event::Handle); `$bindings` is the module of the component's own bindings.
#[macro_export]
macro_rules! export_consumer {
    ($component:ident, $bindings:ident, $handle:path) => {
        impl $bindings::exports::rondo::events::consumer::Guest for $component {
            fn handle(
                batch: Vec<$bindings::exports::rondo::events::consumer::CloudEvent>,
            ) -> Result<
                Vec<$bindings::exports::rondo::events::consumer::Disposition>,
                $bindings::exports::rondo::events::consumer::Unavailable,
            > {
                use $bindings::exports::rondo::events::consumer as typed;
                use $crate::rondo_contract::cloud_event::Disposition;
                let batch = batch
                    .into_iter()
                    .map(|event| $crate::event::Event {
                        id: event.id,
                        event_type: event.event_type,
                        subject: event.subject,
                        time: event.time,
                        traceparent: event.traceparent,
                        topic: event.topic,
                        data: event.data,
                    })
                    .collect();
                match $handle(batch) {
                    Ok(dispositions) => Ok(dispositions
                        .into_iter()
                        .map(|disposition| match disposition {
                            Disposition::Done => typed::Disposition::Done,
                            Disposition::Retry { reason } => typed::Disposition::Retry(reason),
                            Disposition::Reject { reason } => typed::Disposition::Reject(reason),
                        })
                        .collect()),
                    Err(unavailable) => Err(typed::Unavailable { reason: unavailable.reason }),
                }
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens() {
        assert!(is_token("abc", "abc"));
        for (given, expected) in [("", ""), ("abc", ""), ("", "abc"), ("abd", "abc"), ("ab", "abc")]
        {
            assert!(!is_token(given, expected), "{given:?} {expected:?}");
        }
    }
}
