//! The chat component: conversations of users with an assistant, which is a grammar or, where the operator has set one up
//! and the user agrees, a language model. Both act by the tools of the assistants, as their user.

rondo_guest::generate_service_bindings!("rondo:worlds/chat");

mod answer;
mod model;
mod store;
mod turn;

use rondo_contract::chat_body;
use rondo_contract::query::number;
use rondo_domain::access::{Caller, Scope};
use rondo_guest::bindings::wasi::http::types::{IncomingRequest, ResponseOutparam};
use rondo_guest::http::{self, Method, Request, Response};
use rondo_guest::page::parameters;
use rondo_guest::{Refusal, body, caller};

use crate::store::Store;
use crate::turn::Begun;

struct Component;

impl bindings::exports::wasi::http::incoming_handler::Guest for Component {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        http::serve(request, out, methods, route);
    }
}

bindings::export!(Component with_types_in bindings);

/// Media type of a stream of events (WHATWG HTML, section 9.2).
const EVENT_STREAM: &str = "text/event-stream";

/// The methods of a path.
fn methods(segments: &[&str]) -> Vec<Method> {
    match place(segments) {
        Some((_, [])) => vec![Method::Post],
        Some((_, ["conversations"])) => vec![Method::Get],
        Some((_, ["conversations", _])) => vec![Method::Get, Method::Delete],
        Some(_) => Vec::new(),
        // The paths of the API that tools use.
        None => rondo_assistant::methods(segments),
    }
}

/// The user in a path, if there is one, and what follows `chat`.
fn place<'a>(segments: &'a [&'a str]) -> Option<(Option<&'a str>, &'a [&'a str])> {
    match segments {
        ["api", "chat", rest @ ..] => Some((None, rest)),
        ["api", user, "chat", rest @ ..] => Some((Some(user), rest)),
        _ => None,
    }
}

fn route(request: &Request) -> Result<Response, Refusal> {
    let caller = caller::authenticate(request)?;
    let segments = request.segments();
    let (user, rest) = place(&segments).ok_or_else(Refusal::not_found)?;
    let scope = match request.method {
        Method::Delete => Scope::TasksWrite,
        _ => Scope::TasksRead,
    };
    let user = caller::acting_as(caller, user, scope)?;
    match (request.method, rest) {
        (Method::Post, []) => answer(request, caller),
        (Method::Get, ["conversations"]) => {
            parameters(request).finish()?;
            Ok(Response::json(200, Store::open()?.conversations(user)?))
        }
        (Method::Get, ["conversations", id]) => show(request, user, id),
        (Method::Delete, ["conversations", id]) => {
            parameters(request).finish()?;
            match Store::open()?.delete(user, number(id).unwrap_or(0))? {
                true => Ok(Response::empty(204)),
                false => Err(Refusal::not_found()),
            }
        }
        _ => Err(request.unrouted()),
    }
}

/// `POST …/chat`: a turn, as one JSON document or as events while it happens.
fn answer(request: &Request, caller: Caller) -> Result<Response, Refusal> {
    parameters(request).finish()?;
    let turn = chat_body::parse(&body::value(&request.body()?, request, &[body::JSON])?)?;
    let begun = Begun::new(request, caller, turn)?;
    if !accepts_events(request) {
        let whole = begun.run(&mut |_, _| {})?;
        return Ok(Response::json(200, whole.to_string()));
    }
    Ok(Response::stream(EVENT_STREAM, move |writer| {
        let conversation = begun.conversation();
        let mut send = |name: &str, data: &serde_json::Value| {
            // Without a client the turn goes on: a change is never half made.
            writer.write(format!("event: {name}\ndata: {data}\n\n").as_bytes());
        };
        send("conversation", &conversation);
        match begun.run(&mut send) {
            Ok(whole) => send("done", &whole),
            Err(refusal) => send("problem", &begun.problem(refusal)),
        }
    }))
}

/// Whether the client wants events (RFC 9110, section 12.5.1). Without a word of them it gets JSON.
fn accepts_events(request: &Request) -> bool {
    let accepted = request.header_list("accept").unwrap_or_default();
    accepted.split(',').any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let is_named = parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case(EVENT_STREAM));
        is_named && !parts.any(|part| matches!(part, "q=0" | "q=0.0"))
    })
}

/// `GET …/chat/conversations/{conversation_id}`: its last messages, or the last before a number.
fn show(request: &Request, user: i64, id: &str) -> Result<Response, Refusal> {
    let mut parameters = parameters(request);
    let before = parameters.id("before");
    parameters.finish()?;
    let found = Store::open()?.conversation(user, number(id).unwrap_or(0), before)?;
    let mut conversation = found.ok_or_else(Refusal::not_found)?;
    let key = rondo_assistant::confirmation_key()?;
    let messages = conversation.messages.iter().map(|message| answer::shown(message, user, &key));
    conversation.members["messages"] = messages.collect();
    Ok(Response::json(200, conversation.members.to_string()))
}
