//! The server that the official conformance suite of the Model Context Protocol tests: its tools, resources and
//! prompts, on the same protocol code as the component beside it. `POST /mcp`, without tokens.

rondo_guest::generate_bindings!("rondo:worlds/docs");

mod ask;
mod content;

use rondo_guest::Refusal;
use rondo_guest::bindings::wasi::http::types::{IncomingRequest, ResponseOutparam};
use rondo_guest::http::{self, Method, Request, Response};
use rondo_mcp::{
    Argument, Client, Complete, Error, Implementation, Input, Outcome, Reference, Revision, Server,
};
use serde_json::{Map, Value, json};

struct Component;

impl bindings::exports::wasi::http::incoming_handler::Guest for Component {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        http::serve(request, out, methods, route);
    }
}

bindings::export!(Component with_types_in bindings);

fn methods(segments: &[&str]) -> Vec<Method> {
    if segments == ["mcp"] { vec![Method::Post] } else { Vec::new() }
}

fn route(request: &Request) -> Result<Response, Refusal> {
    if request.segments() != ["mcp"] || request.method != Method::Post {
        return Err(request.unrouted());
    }
    let origin = request.header("origin").unwrap_or_default();
    let is_local = |host: &str| {
        let rest = origin.strip_prefix("http://").and_then(|origin| origin.strip_prefix(host));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
    };
    if !origin.is_empty() && !is_local("localhost") && !is_local("127.0.0.1") {
        return Ok(Response::empty(403));
    }
    let headers = |name: &str| request.header(name);
    let answer = rondo_mcp::answer(&Fixture, &headers, &request.body()?);
    Ok(match answer.media_type {
        Some(media_type) => Response::of(media_type, answer.status, answer.body.into_bytes()),
        None => Response::empty(answer.status),
    })
}

struct Fixture;

/// A result with this content.
pub fn said(content: Value) -> Outcome {
    Map::from_iter([("content".to_owned(), content)]).into()
}

/// A result with this text.
pub fn text(text: &str) -> Outcome {
    said(json!([{ "type": "text", "text": text }]))
}

impl Server for Fixture {
    fn implementation(&self) -> Implementation {
        Implementation { name: "conformance", title: "Fixture", version: "1.0.0" }
    }

    fn instructions(&self) -> Option<&str> {
        None
    }

    fn capabilities(&self, revision: Revision) -> Value {
        let mut capabilities = json!({ "tools": {}, "resources": {}, "prompts": {}, "completions": {}, "logging": {} });
        if !revision.is_stateless() {
            capabilities["resources"]["subscribe"] = true.into();
        }
        capabilities
    }

    fn tools(&self, _client: &Client) -> Vec<Value> {
        let names = content::TOOLS.iter().chain(&ask::TOOLS);
        let tool = |name: &&str| {
            json!({
                "name": name, "description": "For the conformance suite.",
                "inputSchema": { "type": "object" },
            })
        };
        names.map(tool).collect()
    }

    fn call(
        &self,
        client: &Client,
        name: &str,
        _arguments: &Map<String, Value>,
        input: &Input,
    ) -> Result<Outcome, Error> {
        if let Some(outcome) = ask::call(client, name, input) {
            return outcome;
        }
        match name {
            "test_tool_with_progress" | "test_streaming_elicitation" => Ok(progress(input)),
            "test_tool_with_logging" => Ok(logging()),
            "test_logging_tool" => Ok(text("logged nothing, as nobody asked")),
            "test_error_handling" => {
                let mut result = Map::new();
                let text = "This tool intentionally returns an error for testing";
                result.insert("content".to_owned(), json!([{ "type": "text", "text": text }]));
                result.insert("isError".to_owned(), true.into());
                Ok(result.into())
            }
            name => content::call(name)
                .map(said)
                .ok_or_else(|| Error::params(format!("there is no tool {name:?}"))),
        }
    }

    fn resources(&self) -> Vec<Value> {
        content::resources()
    }

    fn templates(&self) -> Vec<Value> {
        vec![json!({
            "uriTemplate": "test://template/{id}/data", "name": "template",
            "mimeType": "application/json",
        })]
    }

    fn read(&self, _client: &Client, uri: &str) -> Result<Option<Vec<Value>>, Error> {
        Ok(content::read(uri).map(|contents| vec![contents]))
    }

    fn prompts(&self) -> Vec<Value> {
        content::prompts()
    }

    fn prompt(
        &self,
        _client: &Client,
        name: &str,
        arguments: &Map<String, Value>,
        input: &Input,
    ) -> Result<Outcome, Error> {
        if name == "test_input_required_result_prompt" {
            return Ok(ask::prompt(input));
        }
        match content::prompt(name, arguments) {
            Some(messages) => Ok(Map::from_iter([("messages".to_owned(), messages)]).into()),
            None => Err(Error::params(format!("there is no prompt {name:?}"))),
        }
    }

    fn complete(
        &self,
        _client: &Client,
        _reference: &Reference,
        _argument: &Argument,
    ) -> Result<Vec<String>, Error> {
        Ok(vec!["paris".to_owned(), "park".to_owned()])
    }

    fn other(&self, method: &str, _params: &Map<String, Value>) -> Option<Map<String, Value>> {
        // Nothing is ever logged or updated, so there is nothing to keep.
        let known = ["logging/setLevel", "resources/subscribe", "resources/unsubscribe"];
        known.contains(&method).then(Map::new)
    }
}

/// Notifications of progress before the result, if the client has named them.
fn progress(input: &Input) -> Outcome {
    let Some(token) = input.meta.get("progressToken") else { return text("done") };
    let at = |progress: u32| {
        let params = json!({ "progressToken": token, "progress": progress, "total": 100 });
        json!({ "jsonrpc": "2.0", "method": "notifications/progress", "params": params })
    };
    let result =
        Map::from_iter([("content".to_owned(), json!([{ "type": "text", "text": "done" }]))]);
    Outcome::Complete(Complete { result, notifications: [0, 50, 100].map(at).into() })
}

fn logging() -> Outcome {
    let entry = |data: &str| {
        let params = json!({ "level": "info", "data": data });
        json!({ "jsonrpc": "2.0", "method": "notifications/message", "params": params })
    };
    let result =
        Map::from_iter([("content".to_owned(), json!([{ "type": "text", "text": "done" }]))]);
    let notifications =
        ["Tool execution started", "Tool processing data", "Tool execution completed"];
    Outcome::Complete(Complete { result, notifications: notifications.map(entry).into() })
}

/// Refuses a client that lacks a capability.
pub fn needs(client: &Client, capability: &str) -> Result<(), Error> {
    if client.capabilities.contains_key(capability) {
        return Ok(());
    }
    Err(Error::needs(capability))
}
