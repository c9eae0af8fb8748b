//! The HTTP API within this component: the same routes, without the way through the network.

use rondo_contract::actor::Actor;
use rondo_contract::preview_body;
use rondo_domain::access::{Caller, Scope};
use rondo_guest::http::{Method, Request, Response};
use rondo_guest::{Refusal, body, caller, clock};
use rondo_tool::{Api, Call, Reply, Verb};
use serde_json::Value;

/// The API, as the caller of a request.
pub struct LocalApi<'a> {
    pub request: &'a Request,
    pub caller: Caller,
    pub actor: Actor,
}

impl Api for LocalApi<'_> {
    fn send(&self, call: &Call) -> Reply {
        let method = match call.verb {
            Verb::Get => Method::Get,
            Verb::Post => Method::Post,
            Verb::Patch => Method::Patch,
            Verb::Delete => Method::Delete,
        };
        let mut headers = vec![("content-type", body::JSON.to_owned())];
        if let Some(revision) = call.revision {
            headers.push(("if-match", format!("\"{revision}\"")));
        }
        let body = call.body.as_ref().map(|body| body.to_string().into_bytes());
        let target = format!("/api/{}", call.target);
        let part = self.request.part(method, target, &headers, body.unwrap_or_default());
        let part = part.of_actor(self.actor.clone());
        match self.route(&part) {
            Ok(response) => reply(&response),
            Err(refusal) => {
                if let Some(cause) = refusal.cause() {
                    self.request.log_error(cause);
                }
                let (status, problem) = refusal.into_json(&self.request.request_id);
                Reply { status, body: parsed(problem.as_bytes()), ..Reply::default() }
            }
        }
    }
}

/// The methods of the paths that tools use.
#[must_use]
pub fn methods(segments: &[&str]) -> Vec<Method> {
    rondo_task::methods(segments)
}

impl LocalApi<'_> {
    fn route(&self, part: &Request) -> Result<Response, Refusal> {
        match part.segments()[..] {
            ["api", "recurrence", "preview"] => self.preview(part),
            ["api", "audit", ..] | ["api", "tasks", _, "history"] => {
                rondo_history::route_of(part, self.caller)
            }
            _ => rondo_task::route_of(part, self.caller),
        }
    }

    fn preview(&self, part: &Request) -> Result<Response, Refusal> {
        let user = caller::acting_as(self.caller, None, Scope::TasksRead)?;
        let preview = preview_body::parse(&body::object(part)?)?;
        let zone = match preview.time_zone.clone() {
            Some(zone) => zone,
            None => rondo_task::settings(user)?.time_zone,
        };
        Ok(Response::json(200, preview.answer(zone, clock::now())?.to_string()))
    }
}

fn reply(response: &Response) -> Reply {
    let next = response.added("link").and_then(|link| {
        let query = link.split_once('?')?.1.split('>').next()?;
        let cursor = query.split('&').find_map(|pair| pair.strip_prefix("cursor="))?;
        rondo_guest::http::decoded(cursor)
    });
    Reply {
        status: response.status,
        body: parsed(response.body()),
        undo: response.added("undo-token").map(str::to_owned),
        next,
        total: response.added("x-total-count").and_then(|total| total.parse().ok()),
    }
}

/// A body that is JSON or empty.
fn parsed(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_default()
}
