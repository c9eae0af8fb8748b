//! `POST /api/{user_id}/recurrence/preview`: the slots of a rule before it is saved.

use rondo_contract::preview_body;
use rondo_domain::access::Scope;
use rondo_domain::zone::Zone;
use rondo_guest::http::{Method, Request, Response};
use rondo_guest::page::parameters;
use rondo_guest::{Refusal, body, caller, clock};

use crate::store::Store;

pub fn answer(request: &Request, user: Option<&str>) -> Result<Response, Refusal> {
    let user = caller::acting(request, user, Scope::TasksRead)?;
    if request.method != Method::Post {
        return Err(request.unrouted());
    }
    parameters(request).finish()?;
    let preview = preview_body::parse(&body::object(request)?)?;
    let zone = match preview.time_zone.clone() {
        Some(zone) => zone,
        None => {
            let name = Store::open()?.user_time_zone(user)?.ok_or_else(Refusal::unauthenticated)?;
            Zone::parse(&name).map_err(|_| Refusal::internal(format!("stored time zone {name}")))?
        }
    };
    Ok(Response::json(200, preview.answer(zone, clock::now())?.to_string()))
}
