//! Webhooks: where a user's own programs are told of events. This component keeps them and records
//! what is to be delivered; the bridge sends it.

mod form;
mod record;
mod store;

pub use record::record;

use rondo_contract::problem::ProblemCode;
use rondo_contract::webhook::{SECRET_BYTES, WEBHOOKS_MAX, secret};
use rondo_domain::access::Scope;
use rondo_domain::destination::Loopback;
use rondo_guest::http::{Method, Request, Response};
use rondo_guest::page::{self, Parameters};
use rondo_guest::{Refusal, body, caller, variable};
use serde_json::Value;

use crate::bindings::wasi::random::random::get_random_bytes;
use form::{NewWebhook, WebhookChange};
use store::Store;

/// Variable with whether a webhook may be on this machine: `true` or `false`.
const ALLOW_LOOPBACK_VARIABLE: &str = "webhook_allow_loopback";

/// What a path is about.
enum Target {
    All,
    One(i64),
    Test(i64),
    Deliveries(i64),
    Redelivery { webhook: i64, delivery: i64 },
}

/// The methods of a path that read, and those that write.
type ByScope = (&'static [Method], &'static [Method]);

/// The methods of what is behind `…/webhooks` in a path; none when there is no such path.
pub fn methods(rest: &[&str]) -> Option<ByScope> {
    Some(match rest {
        [] => (&[Method::Get], &[Method::Post]),
        [_] => (&[Method::Get], &[Method::Patch, Method::Delete]),
        [_, "deliveries"] => (&[Method::Get], &[]),
        [_, "test"] | [_, "deliveries", _, "redeliver"] => (&[], &[Method::Post]),
        _ => return None,
    })
}

/// Answers `/api/{user_id}/webhooks` and what is under it; `rest` is the path behind that.
pub fn route(request: &Request, user: Option<&str>, rest: &[&str]) -> Result<Response, Refusal> {
    let (reading, writing) = methods(rest).ok_or_else(Refusal::not_found)?;
    let is_reading = reading.contains(&request.method);
    let scope = if is_reading || writing.is_empty() { Scope::TasksRead } else { Scope::TasksWrite };
    let user = caller::acting(request, user, scope)?;
    if !is_reading && !writing.contains(&request.method) {
        return Err(request.unrouted());
    }
    let known = |text: &str| caller::number(text).ok_or_else(Refusal::not_found);
    let target = match rest {
        [] => Target::All,
        [id] => Target::One(known(id)?),
        [id, "test"] => Target::Test(known(id)?),
        [id, "deliveries"] => Target::Deliveries(known(id)?),
        [id, _, delivery, ..] => {
            Target::Redelivery { webhook: known(id)?, delivery: known(delivery)? }
        }
        _ => return Err(Refusal::not_found()),
    };
    match (target, &request.method) {
        (Target::All, Method::Get) => list(request, user),
        (Target::All, _) => create(request, user),
        (Target::One(id), Method::Get) => show(request, user, id),
        (Target::One(id), Method::Patch) => change(request, user, id),
        (Target::One(id), _) => delete(request, user, id),
        (Target::Test(id), _) => test(request, user, id),
        (Target::Deliveries(id), _) => deliveries(request, user, id),
        (Target::Redelivery { webhook, delivery }, _) => {
            redeliver(request, user, webhook, delivery)
        }
    }
}

fn list(request: &Request, user: i64) -> Result<Response, Refusal> {
    Parameters::of(request).finish()?;
    Ok(Response::json(200, Store::open()?.webhooks(user)?))
}

/// Makes a webhook and shows its secret, this once.
fn create(request: &Request, user: i64) -> Result<Response, Refusal> {
    Parameters::of(request).finish()?;
    let form = NewWebhook::read(body::object(request)?, loopback()?).map_err(Refusal::invalid)?;
    let random: [u8; SECRET_BYTES] = get_random_bytes(SECRET_BYTES as u64)
        .try_into()
        .map_err(|_| Refusal::internal("too few random bytes"))?;
    let secret = secret(&random);
    let made = Store::open()?.create(user, &form, &secret, WEBHOOKS_MAX)?.ok_or_else(|| {
        Refusal::new(ProblemCode::TooManyWebhooks)
            .detail(format!("A user has at most {WEBHOOKS_MAX} webhooks."))
    })?;
    let mut answer: Value =
        serde_json::from_str(&made).map_err(|error| Refusal::internal(error.to_string()))?;
    let location = format!("{}/{}", request.path().trim_end_matches('/'), answer["id"]);
    answer["secret"] = secret.into();
    Ok(Response::json(201, answer.to_string())
        .header("location", location)
        .header("cache-control", "no-store"))
}

fn show(request: &Request, user: i64, id: i64) -> Result<Response, Refusal> {
    Parameters::of(request).finish()?;
    let webhook = Store::open()?.webhook(user, id)?.ok_or_else(Refusal::not_found)?;
    Ok(Response::json(200, webhook))
}

fn change(request: &Request, user: i64, id: i64) -> Result<Response, Refusal> {
    Parameters::of(request).finish()?;
    let patch = body::value(&request.body()?, request, &[body::JSON, body::MERGE_PATCH])?;
    let change = WebhookChange::read(patch, loopback()?).map_err(Refusal::invalid)?;
    let changed = Store::open()?.change(user, id, &change)?.ok_or_else(Refusal::not_found)?;
    Ok(Response::json(200, changed))
}

fn delete(request: &Request, user: i64, id: i64) -> Result<Response, Refusal> {
    Parameters::of(request).finish()?;
    if Store::open()?.delete(user, id)? {
        Ok(Response::empty(204))
    } else {
        Err(Refusal::not_found())
    }
}

fn test(request: &Request, user: i64, id: i64) -> Result<Response, Refusal> {
    Parameters::of(request).finish()?;
    body::nothing(&request.body()?, request)?;
    let delivery = Store::open()?.test(user, id, &request.trace.traceparent())?;
    Ok(Response::json(202, delivery.ok_or_else(Refusal::not_found)?))
}

fn deliveries(request: &Request, user: i64, id: i64) -> Result<Response, Refusal> {
    let mut parameters = Parameters::of(request);
    let (limit, cursor) = (parameters.limit(), parameters.cursor());
    parameters.finish()?;
    let page =
        Store::open()?.deliveries(user, id, cursor, limit)?.ok_or_else(Refusal::not_found)?;
    let next = page.next.map(|id| id.to_string());
    Ok(page::with_next(Response::json(200, page.items), request, next.as_deref()))
}

fn redeliver(
    request: &Request,
    user: i64,
    webhook: i64,
    delivery: i64,
) -> Result<Response, Refusal> {
    Parameters::of(request).finish()?;
    body::nothing(&request.body()?, request)?;
    let delivery = Store::open()?.redeliver(user, webhook, delivery)?;
    Ok(Response::json(202, delivery.ok_or_else(Refusal::not_found)?))
}

fn loopback() -> Result<Loopback, Refusal> {
    let is_allowed = variable::get(ALLOW_LOOPBACK_VARIABLE)? == "true";
    Ok(if is_allowed { Loopback::Allowed } else { Loopback::Refused })
}
