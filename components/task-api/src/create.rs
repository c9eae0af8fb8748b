//! Creating a task.

use rondo_contract::task_body;
use rondo_domain::task::Status;
use rondo_domain::zone::Zone;
use rondo_guest::http::{Request, Response};
use rondo_guest::page::Parameters;
use rondo_guest::{Refusal, body, clock};
use serde_json::Value;

use crate::idempotency::{self, Key};
use crate::store::{Outcome, Store};
use crate::task_response;

/// `POST /api/{user_id}/tasks`.
pub fn answer(request: &Request, user: i64) -> Result<Response, Refusal> {
    Parameters::of(request).finish()?;
    let bytes = request.body()?;
    let value = body::value(&bytes, request, &[body::JSON])?;
    let key = Key::of(request, &bytes)?;
    let store = Store::open()?;
    let now = clock::now();
    // The user's own zone is asked for only where something is calculated in it; otherwise the
    // function that creates the task fills it in, and creating is one round trip.
    let named = task_body::names_zone(&value);
    let calculated = ["recurrence_rule", "recurrence_pattern", "reminder_offset"]
        .iter()
        .any(|member| value.get(member).is_some_and(|value| !value.is_null()));
    let zone = if named || !calculated { Zone::utc() } else { user_zone(&store, user)? };
    let fields = task_body::parse(&value, Status::Pending, &zone, now).map_err(Refusal::invalid)?;
    let mut stored = task_body::to_stored(&fields, now);
    if !named && !calculated {
        stored["time_zone"] = Value::Null;
    }
    match store.create(user, stored.to_string(), key.as_ref(), &request.trace.traceparent())? {
        Outcome::Done(task) => {
            let location = format!("/api/{user}/tasks/{}", task.id());
            Ok(task_response(201, task).header("location", location))
        }
        Outcome::Replayed(task) => {
            let location = format!("/api/{user}/tasks/{}", task.id());
            Ok(idempotency::replayed(201, task).header("location", location))
        }
        Outcome::KeyReused => Err(idempotency::reused()),
        Outcome::NoUser => Err(Refusal::unauthenticated()),
        Outcome::Stale | Outcome::NotFound => Err(Refusal::internal("a task was not created")),
    }
}

/// The zone that the user's tasks are in unless they say otherwise.
fn user_zone(store: &Store, user: i64) -> Result<Zone, Refusal> {
    let name = store.user_time_zone(user)?.ok_or_else(Refusal::unauthenticated)?;
    Zone::parse(&name).map_err(|violation| Refusal::internal(format!("time zone: {violation}")))
}
