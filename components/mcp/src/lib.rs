//! The mcp component: what assistants can do for a user, by the Model Context Protocol. Stateless: each request has
//! its token, and the tools act as that token's user.

rondo_guest::generate_service_bindings!("rondo:worlds/mcp");

mod access;
mod prompt;
mod resource;
mod server;

use rondo_domain::access::Caller;
use rondo_guest::Refusal;
use rondo_guest::bindings::wasi::http::types::{IncomingRequest, ResponseOutparam};
use rondo_guest::http::{self, Method, Request, Response};
use rondo_guest::page::parameters;
use rondo_mcp::Answer;

use crate::server::Assistant;

struct Component;

impl bindings::exports::wasi::http::incoming_handler::Guest for Component {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        http::serve(request, out, methods, route);
    }
}

bindings::export!(Component with_types_in bindings);

/// The methods of a path. Streams that begin with a GET, and sessions that end with a DELETE, are not served.
fn methods(segments: &[&str]) -> Vec<Method> {
    match segments {
        ["mcp"] => vec![Method::Post],
        [".well-known", "oauth-protected-resource", "mcp"] => vec![Method::Get],
        // The paths of the API that tools use.
        _ => rondo_assistant::methods(segments),
    }
}

fn route(request: &Request) -> Result<Response, Refusal> {
    match (request.method, &request.segments()[..]) {
        (Method::Post, ["mcp"]) => {
            access::check_origin(request)?;
            let caller = access::caller(request)?;
            answer(request, caller)
        }
        (Method::Get, [".well-known", "oauth-protected-resource", "mcp"]) => {
            parameters(request).finish()?;
            access::document()
        }
        _ => Err(request.unrouted()),
    }
}

fn answer(request: &Request, caller: Caller) -> Result<Response, Refusal> {
    let body = request.body()?;
    let headers = |name: &str| request.header(name);
    let assistant = Assistant::new(request, caller);
    let answer = rondo_mcp::answer(&assistant, &headers, &body);
    match assistant.denied() {
        Some(scope) => access::insufficient(answer, scope),
        None => Ok(response(answer)),
    }
}

/// An answer of the protocol as a response.
fn response(answer: Answer) -> Response {
    match answer.media_type {
        Some(media_type) => Response::of(media_type, answer.status, answer.body.into_bytes()),
        None => Response::empty(answer.status),
    }
}
