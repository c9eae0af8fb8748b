//! `POST …/quick-add`: creates a task from one line of text, or shows the task that it would create.

use rondo_contract::quick_add_body;
use rondo_guest::http::{Request, Response};
use rondo_guest::page::parameters;
use rondo_guest::{Refusal, body, clock};

use crate::create::{created, stored};
use crate::idempotency::Key;
use crate::store::Store;

pub fn answer(request: &Request, user: i64) -> Result<Response, Refusal> {
    let mut parameters = parameters(request);
    let is_preview = parameters.boolean("preview").unwrap_or(false);
    parameters.finish()?;
    let members = body::object(request)?;
    let mut line = quick_add_body::parse(&members)?;
    let key = Key::of(request, &members)?;
    let store = Store::open()?;
    let mut settings = store.settings(user)?;
    if let Some(zone) = &line.time_zone {
        settings.time_zone = zone.clone();
    }
    if line.may_name_list() {
        line.lists = store.list_names(user)?;
    }
    let now = clock::now();
    let found = line.read(&settings.time_zone, now)?;
    let planned = line.plan(&found, &settings, now)?;
    if is_preview {
        return Ok(Response::json(200, line.preview(&found, &planned).to_string()));
    }
    let task = stored(&planned.task, settings.day_reminder_time, now).to_string();
    let traceparent = request.cause();
    created(user, store.quick_add(user, task, &planned.further, key.as_ref(), &traceparent)?)
}
