//! `…/reminders`: a user's reminders, both those of tasks and further ones.

use rondo_contract::problem::{FieldError, ProblemCode};
use rondo_contract::query::number;
use rondo_contract::reminder_body::{self, FURTHER_REMINDERS_MAX, Moment, ReminderStatus};
use rondo_domain::Violation;
use rondo_domain::instant::{self, Instant};
use rondo_domain::offset::ReminderOffset;
use rondo_domain::task::Status;
use rondo_guest::database::{int, optional, text, text_list};
use rondo_guest::http::{Request, Response};
use rondo_guest::page::{self, parameters};
use rondo_guest::{Refusal, body, clock};

use crate::change::{ATTEMPTS_MAX, Current, keeps_changing};
use crate::create::stored_zone;
use crate::etag::IfMatch;
use crate::idempotency::{self, Key};
use crate::store::{ForChange, Store, key_parameters};

/// `GET …/reminders`, earliest first.
pub fn list(request: &Request, user: i64) -> Result<Response, Refusal> {
    let mut parameters = parameters(request);
    let statuses = parameters.list("status", ReminderStatus::parse);
    let task = parameters.id("task_id");
    let after = parameters.cursor(parse_cursor);
    let limit = parameters.limit();
    parameters.finish()?;
    let (at, id) = after.unzip();
    let statuses = Some(statuses).filter(|statuses| !statuses.is_empty());
    let values = [
        int(user),
        optional(statuses, |statuses| text_list(statuses.iter().map(|status| status.to_string()))),
        optional(task, int),
        optional(at, text),
        optional(id, int),
        int(limit),
    ];
    let mut row = Store::open()?.0.query_one(include_str!("sql/reminders.sql"), &values)?;
    let last = row.optional_text("last_at")?.zip(row.optional_int("last_id")?);
    let next = last.filter(|_| row.boolean("more").unwrap_or(false));
    let next = next.map(|(at, id)| format!("{at}~{id}"));
    Ok(page::with_next(Response::json(200, row.text("items")?), request, next.as_deref()))
}

fn parse_cursor(cursor: &str) -> Option<(String, i64)> {
    let (at, id) = cursor.split_once('~')?;
    let at = instant::parse(at).map(instant::format).ok()?;
    Some((at, number(id)?))
}

/// `POST …/tasks/{id}/reminders`: a further reminder.
pub fn add(request: &Request, user: i64, task: i64) -> Result<Response, Refusal> {
    parameters(request).finish()?;
    let members = body::object(request)?;
    let moment = reminder_body::parse_further(&members)?;
    let key = Key::of(request, &members)?;
    let condition = IfMatch::of(request);
    let store = Store::open()?;
    for _ in 0..ATTEMPTS_MAX {
        let (answer, current) = match store.task_for_change(user, task, key.as_ref())? {
            ForChange::Task { answer, settings, .. } => {
                let current = Current::read(&answer, settings)?;
                (answer, current)
            }
            ForChange::Replayed(kept) => return Ok(added(kept.task, true)),
            ForChange::KeyReused => return Err(idempotency::reused()),
            ForChange::NotFound => return Err(Refusal::not_found()),
        };
        condition.check(answer.revision)?;
        let (offset, at) = planned(&current, moment)?;
        let [request_name, name, hash] = key_parameters(key.as_ref());
        let values = [
            int(user),
            int(task),
            int(answer.revision),
            optional(offset, |offset| text(offset.to_string())),
            text(instant::format(at)),
            int(FURTHER_REMINDERS_MAX),
            request_name,
            name,
            hash,
            text(request.cause()),
        ];
        let mut row = store.0.query_one(include_str!("sql/reminder_add.sql"), &values)?;
        match row.text("outcome")?.as_str() {
            "added" => return Ok(added(row.text("answer")?, false)),
            "replayed" => return Ok(added(row.text("answer")?, true)),
            "key_reused" => return Err(idempotency::reused()),
            "not_found" => return Err(Refusal::not_found()),
            "too_many" => return Err(Refusal::new(ProblemCode::TooManyReminders)),
            "stale" => {}
            _ => return Err(Refusal::unauthenticated()),
        }
    }
    Err(keeps_changing())
}

fn added(reminder: String, is_replayed: bool) -> Response {
    let response = Response::json(201, reminder);
    if is_replayed { idempotency::mark(response) } else { response }
}

/// When a further reminder of the current task will fire.
fn planned(
    current: &Current,
    moment: Moment,
) -> Result<(Option<ReminderOffset>, Instant), Refusal> {
    let fields = &current.fields;
    if fields.status == Status::Completed {
        return Err(Refusal::new(ProblemCode::TaskCompleted));
    }
    let pointer = match moment {
        Moment::At(_) => "/remind_at",
        Moment::Span(_) => "/offset",
    };
    let day_time = current.settings.day_reminder_time;
    reminder_body::planned(moment, fields.due, &fields.time_zone, day_time, current.now)
        .map_err(|violation| Refusal::invalid(vec![FieldError::of(pointer, violation)]))
}

/// `DELETE …/reminders/{reminder_id}`.
pub fn remove(request: &Request, user: i64, reminder: i64) -> Result<Response, Refusal> {
    parameters(request).finish()?;
    let values = [int(user), int(reminder), text(request.cause())];
    let store = Store::open()?;
    let mut row = store.0.query_one(include_str!("sql/reminder_remove.sql"), &values)?;
    match row.text("outcome")?.as_str() {
        "removed" => Ok(Response::empty(204)),
        _ => Err(Refusal::not_found()),
    }
}

/// `POST …/reminders/{reminder_id}/snooze`.
pub fn snooze(request: &Request, user: i64, reminder: i64) -> Result<Response, Refusal> {
    parameters(request).finish()?;
    let members = body::object(request)?;
    let moment = reminder_body::parse_snooze(&members)?;
    let store = Store::open()?;
    let zone = include_str!("sql/reminder_time_zone.sql");
    let zone = store.0.query_one(zone, &[int(user), int(reminder)])?.optional_text("time_zone")?;
    let zone = stored_zone(&zone.ok_or_else(Refusal::not_found)?)?;
    let now = clock::now();
    let (pointer, until) = match moment {
        Moment::At(until) => ("/until", Some(until)),
        Moment::Span(span) => ("/for", span.after(now, &zone)),
    };
    let until = until
        .filter(|until| *until > now)
        .ok_or_else(|| Refusal::invalid(vec![FieldError::of(pointer, Violation::InThePast)]))?;
    let values = [int(user), int(reminder), text(instant::format(until)), text(request.cause())];
    let mut row = store.0.query_one(include_str!("sql/reminder_snooze.sql"), &values)?;
    match row.text("outcome")?.as_str() {
        "snoozed" => Ok(Response::json(200, row.text("answer")?)),
        "completed" => Err(Refusal::new(ProblemCode::TaskCompleted)),
        _ => Err(Refusal::not_found()),
    }
}
