//! Webhooks, which notify a user's own programs of events. This component manages them and records
//! deliveries; the bridge sends those.

mod form;
mod record;
mod store;

pub use record::record;

use rondo_contract::account_mail;
use rondo_contract::problem::ProblemCode;
use rondo_contract::query::number;
use rondo_contract::webhook::{SECRET_BYTES, SECRET_OVERLAP_S, WEBHOOKS_MAX, secret};
use rondo_domain::destination::Loopback;
use rondo_guest::caller::Login;
use rondo_guest::http::{Method, Request, Response};
use rondo_guest::page::{self, parameters};
use rondo_guest::{Refusal, body, caller, variable};
use serde_json::Value;

use crate::VERIFIED_ONLY_VARIABLE;
use crate::bindings::wasi::random::random::get_random_bytes;
use form::{NewWebhook, WebhookChange};
use store::{Outcome, Store};

/// Variable that says whether a webhook may be on this machine: `true` or `false`.
const ALLOW_LOOPBACK_VARIABLE: &str = "webhook_allow_loopback";

/// The resource of a path.
enum Target {
    All,
    One(i64),
    Secret(i64),
    Test(i64),
    Deliveries(i64),
    Redelivery { webhook: i64, delivery: i64 },
}

/// The methods of a path after `…/webhooks`; none if there is no such path.
pub fn methods(rest: &[&str]) -> Option<&'static [Method]> {
    Some(match rest {
        [] => &[Method::Get, Method::Post],
        [_] => &[Method::Get, Method::Patch, Method::Delete],
        [_, "deliveries"] => &[Method::Get],
        [_, "secret" | "test"] | [_, "deliveries", _, "redeliver"] => &[Method::Post],
        _ => return None,
    })
}

/// Answers `/api/{user_id}/webhooks` and the paths under it; `rest` is the path after that.
pub fn route(request: &Request, user: Option<&str>, rest: &[&str]) -> Result<Response, Refusal> {
    let methods = methods(rest).ok_or_else(Refusal::not_found)?;
    // For reading too, because a URL may contain a secret.
    let login = caller::logged_in_as(request, user)?;
    let user = login.user_id;
    if !methods.contains(&request.method) {
        return Err(request.unrouted());
    }
    let known = |text: &str| number(text).ok_or_else(Refusal::not_found);
    let target = match rest {
        [] => Target::All,
        [id] => Target::One(known(id)?),
        [id, "secret"] => Target::Secret(known(id)?),
        [id, "test"] => Target::Test(known(id)?),
        [id, "deliveries"] => Target::Deliveries(known(id)?),
        [id, _, delivery, ..] => {
            Target::Redelivery { webhook: known(id)?, delivery: known(delivery)? }
        }
        _ => return Err(Refusal::not_found()),
    };
    match (target, &request.method) {
        (Target::All, Method::Get) => list(request, user),
        (Target::All, _) => create(request, login),
        (Target::One(id), Method::Get) => show(request, user, id),
        (Target::One(id), Method::Patch) => change(request, login, id),
        (Target::One(id), _) => delete(request, user, id),
        (Target::Secret(id), _) => renew_secret(request, login, id),
        (Target::Test(id), _) => test(request, login, id),
        (Target::Deliveries(id), _) => deliveries(request, user, id),
        (Target::Redelivery { webhook, delivery }, _) => {
            redeliver(request, login, webhook, delivery)
        }
    }
}

fn list(request: &Request, user: i64) -> Result<Response, Refusal> {
    parameters(request).finish()?;
    Ok(Response::json(200, Store::open()?.webhooks(user)?))
}

/// Creates a webhook, and shows its secret only in this response.
fn create(request: &Request, login: Login) -> Result<Response, Refusal> {
    parameters(request).finish()?;
    let form = NewWebhook::read(&body::object(request)?, loopback()?)?;
    let secret = new_secret()?;
    let notice = notice(&form.url, request)?;
    let outcome = Store::open()?.create(login, &form, &secret, WEBHOOKS_MAX, &notice)?;
    let made = answer(outcome, || {
        Refusal::new(ProblemCode::TooManyWebhooks)
            .detail(format!("A user has at most {WEBHOOKS_MAX} webhooks."))
    })?;
    let answer = with_secret(&made, secret)?;
    let location = format!("{}/{}", request.path().trim_end_matches('/'), answer["id"]);
    Ok(shown_once(201, &answer).header("location", location))
}

/// Replaces a webhook's secret, and shows the new one only in this response.
fn renew_secret(request: &Request, login: Login, id: i64) -> Result<Response, Refusal> {
    parameters(request).finish()?;
    body::nothing(&request.body()?, request)?;
    let secret = new_secret()?;
    let outcome = Store::open()?.renew_secret(login, id, &secret, SECRET_OVERLAP_S)?;
    Ok(shown_once(200, &with_secret(&answer(outcome, Refusal::not_found)?, secret)?))
}

fn new_secret() -> Result<String, Refusal> {
    let random: [u8; SECRET_BYTES] = get_random_bytes(SECRET_BYTES as u64)
        .try_into()
        .map_err(|_| Refusal::internal("too few random bytes"))?;
    Ok(secret(&random))
}

fn with_secret(webhook: &str, secret: String) -> Result<Value, Refusal> {
    let mut webhook: Value =
        serde_json::from_str(webhook).map_err(|error| Refusal::internal(error.to_string()))?;
    webhook["secret"] = secret.into();
    Ok(webhook)
}

fn shown_once(status: u16, webhook: &Value) -> Response {
    Response::json(status, webhook.to_string()).header("cache-control", "no-store")
}

fn show(request: &Request, user: i64, id: i64) -> Result<Response, Refusal> {
    parameters(request).finish()?;
    let webhook = Store::open()?.webhook(user, id)?.ok_or_else(Refusal::not_found)?;
    Ok(Response::json(200, webhook))
}

fn change(request: &Request, login: Login, id: i64) -> Result<Response, Refusal> {
    parameters(request).finish()?;
    let patch = body::value(&request.body()?, request, &[body::JSON, body::MERGE_PATCH])?;
    let change = WebhookChange::read(&patch, loopback()?)?;
    let notice = change.url.as_deref().map(|url| notice(url, request)).transpose()?;
    let outcome = Store::open()?.change(login, id, &change, notice.as_ref())?;
    Ok(Response::json(200, answer(outcome, Refusal::not_found)?))
}

fn delete(request: &Request, user: i64, id: i64) -> Result<Response, Refusal> {
    parameters(request).finish()?;
    if Store::open()?.delete(user, id)? {
        Ok(Response::empty(204))
    } else {
        Err(Refusal::not_found())
    }
}

fn test(request: &Request, login: Login, id: i64) -> Result<Response, Refusal> {
    parameters(request).finish()?;
    body::nothing(&request.body()?, request)?;
    let outcome = Store::open()?.test(login, id, &request.trace.traceparent())?;
    Ok(Response::json(202, answer(outcome, Refusal::not_found)?))
}

fn deliveries(request: &Request, user: i64, id: i64) -> Result<Response, Refusal> {
    let mut parameters = parameters(request);
    let (limit, cursor) = (parameters.limit(), parameters.cursor(number));
    parameters.finish()?;
    let page =
        Store::open()?.deliveries(user, id, cursor, limit)?.ok_or_else(Refusal::not_found)?;
    let next = page.next.map(|id| id.to_string());
    Ok(page::with_next(Response::json(200, page.items), request, next.as_deref()))
}

fn redeliver(
    request: &Request,
    login: Login,
    webhook: i64,
    delivery: i64,
) -> Result<Response, Refusal> {
    parameters(request).finish()?;
    body::nothing(&request.body()?, request)?;
    let outcome = Store::open()?.redeliver(login, webhook, delivery)?;
    Ok(Response::json(202, answer(outcome, Refusal::not_found)?))
}

/// The result, or the refusal: `otherwise`, unless the session has ended.
fn answer(outcome: Outcome, otherwise: impl FnOnce() -> Refusal) -> Result<String, Refusal> {
    match outcome {
        Outcome::Done(json) => Ok(json),
        Outcome::SessionEnded => Err(caller::session_ended()),
        Outcome::Refused => Err(otherwise()),
    }
}

/// The notice of the new destination of a user's data.
fn notice(url: &str, request: &Request) -> Result<Value, Refusal> {
    let verified_only = variable::get(VERIFIED_ONLY_VARIABLE)? == "true";
    let what = format!(
        "what happens to your tasks at Rondo is told to a webhook at {} from now on.",
        account_mail::host(url)
    );
    let mut mail = account_mail::notice("webhook_made", "A new webhook", what, verified_only);
    mail["traceparent"] = request.trace.traceparent().into();
    Ok(mail)
}

fn loopback() -> Result<Loopback, Refusal> {
    let is_allowed = variable::get(ALLOW_LOOPBACK_VARIABLE)? == "true";
    Ok(if is_allowed { Loopback::Allowed } else { Loopback::Refused })
}
