//! Creating a task.

use rondo_contract::task_body;
use rondo_domain::task::{Status, TaskFields};
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
    let value = body::value(&request.body()?, request, &[body::JSON])?;
    let key = Key::of(request, &value)?;
    let now = clock::now();
    let parse = |zone: &Zone| {
        task_body::parse(&value, Status::Pending, zone, now).map_err(Refusal::invalid)
    };
    let mut fields = parse(&Zone::utc())?;
    let store = Store::open()?;
    // The user's own zone is asked for only where something is calculated in it; otherwise the
    // function that creates the task fills it in, and creating is one round trip.
    let fill_in = !task_body::names_zone(&value) && !is_calculated_in_zone(&fields);
    if !task_body::names_zone(&value) && is_calculated_in_zone(&fields) {
        let name = store.user_time_zone(user)?.ok_or_else(Refusal::unauthenticated)?;
        fields = parse(&stored_zone(&name)?)?;
    }
    let mut stored = task_body::to_stored(&fields, &[], now);
    if fill_in {
        stored["time_zone"] = Value::Null;
    }
    let (task, replayed) =
        match store.create(user, stored.to_string(), key.as_ref(), &request.trace.traceparent())? {
            Outcome::Done(task) => (task, false),
            Outcome::Replayed(task) => (task, true),
            Outcome::KeyReused => return Err(idempotency::reused()),
            Outcome::NoUser => return Err(Refusal::unauthenticated()),
            Outcome::Stale | Outcome::NotFound => {
                return Err(Refusal::internal("a task was not created"));
            }
        };
    let location = format!("/api/{user}/tasks/{}", task.id());
    let response =
        if replayed { idempotency::replayed(201, task) } else { task_response(201, task) };
    Ok(response.header("location", location))
}

/// Whether what is derived from the fields is another in another zone.
fn is_calculated_in_zone(fields: &TaskFields) -> bool {
    fields.recurrence_rule.is_some() || fields.reminder_offset.is_some_and(|o| o.has_days())
}

/// A zone that the database keeps; it was checked when it came in.
pub fn stored_zone(name: &str) -> Result<Zone, Refusal> {
    Zone::parse(name).map_err(|violation| Refusal::internal(format!("stored zone: {violation}")))
}
