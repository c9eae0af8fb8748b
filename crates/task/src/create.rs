//! Creates tasks.

use rondo_contract::task_body;
use rondo_domain::due::{Due, Settings};
use rondo_domain::instant::Instant;
use rondo_domain::jiff::civil::Time;
use rondo_domain::task::{ChangeEvent, Status, TaskFields};
use rondo_domain::zone::Zone;
use rondo_guest::http::{Request, Response};
use rondo_guest::page::parameters;
use rondo_guest::{Refusal, body, clock};
use serde_json::Value;

use crate::answer::{Answer, replayed, task_response};
use crate::idempotency::{self, Key};
use crate::store::{Outcome, Store};

/// `POST /api/{user_id}/tasks`.
pub fn answer(request: &Request, user: i64) -> Result<Response, Refusal> {
    parameters(request).finish()?;
    let value = body::value(&request.body()?, request, &[body::JSON])?;
    let key = Key::of(request, &value)?;
    let now = clock::now();
    let mut fields = task_body::create(&value, &Zone::utc(), now)?;
    let store = Store::open()?;
    // Creating takes one round trip: `task_create` fills in the user's zone. The user's settings are read first
    // only if a derived value depends on them.
    let needs_zone = !task_body::names_zone(&value);
    let is_calculated = is_calculated_in_zone(&fields);
    let mut settings = Settings::defaults();
    if (needs_zone && is_calculated) || counts_from_day(&fields) {
        settings = store.settings(user)?;
    }
    if needs_zone && is_calculated {
        fields = task_body::in_zone(fields, settings.time_zone, now)?;
    }
    let mut stored = stored(&fields, settings.day_reminder_time, now);
    if needs_zone && !is_calculated {
        stored["time_zone"] = Value::Null;
    }
    let outcome = store.create(user, stored.to_string(), key.as_ref(), &request.cause())?;
    created(user, outcome)
}

/// The argument of the functions that create a task.
pub fn stored(fields: &TaskFields, day_time: Time, now: Instant) -> Value {
    let mut stored = task_body::to_stored(fields, &[], day_time, now);
    let event = ChangeEvent::of(Status::Pending, fields.status);
    stored["completion"] = event.completion().as_str().into();
    stored
}

/// The response to a creation.
pub fn created(user: i64, outcome: Outcome) -> Result<Response, Refusal> {
    let (task, is_replayed) = match outcome {
        Outcome::Done(task) => (task, false),
        Outcome::Replayed(task) => (task, true),
        Outcome::KeyReused => return Err(idempotency::reused()),
        Outcome::Invalid(error) => return Err(Refusal::invalid(vec![error])),
        Outcome::NoUser => return Err(Refusal::unauthenticated()),
        Outcome::Conflict(problem, other) => {
            return Err(Refusal::new(problem).header("location", location(user, &other)));
        }
        Outcome::Stale | Outcome::NotFound => {
            return Err(Refusal::internal("a task was not created"));
        }
    };
    let location = location(user, &task);
    let response = if is_replayed { replayed(201, task) } else { task_response(201, task) };
    Ok(response.header("location", location))
}

/// The path of a task.
pub fn location(user: i64, task: &Answer) -> String {
    format!("/api/{user}/tasks/{}", task.id())
}

/// Whether a derived value depends on the time zone.
fn is_calculated_in_zone(fields: &TaskFields) -> bool {
    fields.recurrence_rule.is_some()
        || fields.reminder_offset.is_some_and(|offset| offset.has_days())
        || fields.due.is_some_and(Due::is_day)
        || fields.start.is_some_and(Due::is_day)
}

/// Whether the reminder counts from the user's time of day for that.
fn counts_from_day(fields: &TaskFields) -> bool {
    fields.reminder_offset.is_some() && fields.due.is_some_and(Due::is_day)
}

/// A stored zone, which was validated when it was written.
pub fn stored_zone(name: &str) -> Result<Zone, Refusal> {
    Zone::parse(name).map_err(|violation| Refusal::internal(format!("stored zone: {violation}")))
}
