//! From a request to its answer.

use serde_json::{Map, Value, json};

use crate::answer::Answer;
use crate::check;
use crate::error::{Code, Error};
use crate::message::{Headers, Malformed, Message, Request};
use crate::revision::Revision;
use crate::server::{Argument, Client, Input, Outcome, Reference, Server};

/// How long a client may keep what the server offers, in milliseconds.
const OFFER_TTL_MS: u64 = 300_000;
/// The same for the contents of a resource, which change at any time.
const CONTENTS_TTL_MS: u64 = 0;
/// All that is offered depends on the caller's rights.
const CACHE_SCOPE: &str = "private";
/// Maximum number of values of a completion (`CompleteResult`).
const VALUES_MAX: usize = 100;

/// Answers a POST.
pub fn answer(server: &impl Server, headers: Headers<'_>, body: &[u8]) -> Answer {
    let media_type = headers("content-type").unwrap_or_default();
    let media_type = media_type.split(';').next().unwrap_or_default().trim();
    if !media_type.eq_ignore_ascii_case("application/json") {
        let mut answer = Answer::error(
            None,
            &Error::malformed(Code::InvalidRequest, "the body must be application/json"),
            false,
        );
        answer.status = 415;
        return answer;
    }
    let request = match Message::read(body) {
        Ok(Message::Request(request)) => request,
        Ok(Message::Notification | Message::Response) => return Answer::accepted(),
        Err(Malformed { id, error }) => return Answer::error(id.as_ref(), &error, false),
    };
    let client = match check::client(&request, headers) {
        Ok(client) => client,
        Err(error) => return Answer::error(Some(&request.id), &error, true),
    };
    let is_stateless = client.revision.is_stateless();
    match result(server, &client, &request) {
        Ok(done) => {
            let result = if is_stateless { described(server, done.result) } else { done.result };
            Answer::result(&request.id, Value::Object(result), &done.notifications)
        }
        Err(error) => Answer::error(Some(&request.id), &error, is_stateless),
    }
}

/// A result, before what every result has.
struct Done {
    result: Map<String, Value>,
    notifications: Vec<Value>,
}

impl Done {
    fn new(result: Value) -> Result<Self, Error> {
        match result {
            Value::Object(result) => Ok(Self { result, notifications: Vec::new() }),
            _ => Err(Error::internal(500, "a result that is no object")),
        }
    }
}

fn result(server: &impl Server, client: &Client, request: &Request) -> Result<Done, Error> {
    let offer = |name: &str, items: Vec<Value>| {
        if request.optional_text("cursor")?.is_some() {
            return Err(Error::params("params.cursor is none of this server's: it has one page"));
        }
        let mut list = Map::new();
        list.insert(name.to_owned(), items.into());
        Ok(Done { result: cached(client, list, OFFER_TTL_MS), notifications: Vec::new() })
    };
    let is_stateless = client.revision.is_stateless();
    match request.method.as_str() {
        "server/discover" if is_stateless => discover(server, client),
        "initialize" if !is_stateless => initialize(server, request),
        "ping" if !is_stateless => Done::new(json!({})),
        "tools/list" => offer("tools", server.tools(client)),
        "resources/list" => offer("resources", server.resources()),
        "resources/templates/list" => offer("resourceTemplates", server.templates()),
        "prompts/list" => offer("prompts", server.prompts()),
        "tools/call" => {
            let name = request.text("name")?;
            let arguments = request.object("arguments")?;
            outcome(client, server.call(client, name, &arguments, &input(request)?)?)
        }
        "prompts/get" => {
            let name = request.text("name")?;
            let arguments = request.object("arguments")?;
            outcome(client, server.prompt(client, name, &arguments, &input(request)?)?)
        }
        "resources/read" => read(server, client, request.text("uri")?),
        "completion/complete" => complete(server, client, request),
        method => match server.other(method, &request.params).filter(|_| !is_stateless) {
            Some(result) => Done::new(Value::Object(result)),
            None => Err(Error::new(Code::MethodNotFound, format!("no method {method:?}"))),
        },
    }
}

fn input(request: &Request) -> Result<Input, Error> {
    Ok(Input {
        responses: request.object("inputResponses")?,
        state: request.optional_text("requestState")?,
        meta: request.object("_meta")?,
    })
}

fn discover(server: &impl Server, client: &Client) -> Result<Done, Error> {
    let mut result = Map::new();
    let versions: Vec<Value> =
        Revision::OFFERED.iter().map(|revision| revision.as_str().into()).collect();
    result.insert("supportedVersions".to_owned(), versions.into());
    result.insert("capabilities".to_owned(), server.capabilities(client.revision));
    if let Some(instructions) = server.instructions() {
        result.insert("instructions".to_owned(), instructions.into());
    }
    Ok(Done { result: cached(client, result, OFFER_TTL_MS), notifications: Vec::new() })
}

/// The revision that the client asks for, or the newest of its kind.
fn initialize(server: &impl Server, request: &Request) -> Result<Done, Error> {
    let asked = Revision::parse(request.text("protocolVersion")?);
    let is_ours =
        |revision: &Revision| !revision.is_stateless() && Revision::OFFERED.contains(revision);
    let revision = asked.filter(is_ours).unwrap_or(Revision::INITIALIZED_MAX);
    let mut result = json!({
        "protocolVersion": revision.as_str(),
        "capabilities": server.capabilities(revision),
        "serverInfo": server_info(server),
    });
    if let Some(instructions) = server.instructions() {
        result["instructions"] = instructions.into();
    }
    Done::new(result)
}

fn outcome(client: &Client, outcome: Outcome) -> Result<Done, Error> {
    match outcome {
        Outcome::Complete(complete) => {
            Ok(Done { result: complete.result, notifications: complete.notifications })
        }
        Outcome::InputRequired { requests, state } if client.revision.is_stateless() => {
            let mut result = json!({ "resultType": "input_required" });
            if !requests.is_empty() {
                result["inputRequests"] = requests.into();
            }
            if let Some(state) = state {
                result["requestState"] = state.into();
            }
            Done::new(result)
        }
        Outcome::InputRequired { .. } => {
            Err(Error::internal(500, "this needs a client of revision 2026-07-28"))
        }
    }
}

fn read(server: &impl Server, client: &Client, uri: &str) -> Result<Done, Error> {
    let Some(contents) = server.read(client, uri)? else {
        let code = if client.revision.is_stateless() {
            Code::InvalidParams
        } else {
            Code::ResourceNotFound
        };
        return Err(Error::new(code, "no such resource").with(json!({ "uri": uri })));
    };
    let result = Map::from_iter([("contents".to_owned(), contents.into())]);
    Ok(Done { result: cached(client, result, CONTENTS_TTL_MS), notifications: Vec::new() })
}

fn complete(server: &impl Server, client: &Client, request: &Request) -> Result<Done, Error> {
    let member = |of: &Map<String, Value>, parameter: &str, name: &str| {
        let value = of.get(name).and_then(Value::as_str).map(str::to_owned);
        value.ok_or_else(|| Error::params(format!("params.{parameter}.{name} must be a string")))
    };
    let reference = request.object("ref")?;
    let reference = match member(&reference, "ref", "type")?.as_str() {
        "ref/prompt" => Reference::Prompt(member(&reference, "ref", "name")?),
        "ref/resource" => Reference::Resource(member(&reference, "ref", "uri")?),
        _ => return Err(Error::params("params.ref.type must be ref/prompt or ref/resource")),
    };
    let argument = request.object("argument")?;
    let argument = Argument {
        name: member(&argument, "argument", "name")?,
        value: member(&argument, "argument", "value")?,
    };
    let mut values = server.complete(client, &reference, &argument)?;
    let total = values.len();
    values.truncate(VALUES_MAX);
    let completion = json!({ "values": values, "total": total, "hasMore": total > VALUES_MAX });
    Done::new(json!({ "completion": completion }))
}

/// Says how long a result may be kept, which only a stateless revision knows.
fn cached(client: &Client, mut result: Map<String, Value>, ttl_ms: u64) -> Map<String, Value> {
    if client.revision.is_stateless() {
        result.insert("ttlMs".to_owned(), ttl_ms.into());
        result.insert("cacheScope".to_owned(), CACHE_SCOPE.into());
    }
    result
}

/// What every result of a stateless revision has.
fn described(server: &impl Server, mut result: Map<String, Value>) -> Map<String, Value> {
    result.entry("resultType").or_insert_with(|| "complete".into());
    let meta = result.entry("_meta").or_insert_with(|| json!({}));
    if let Value::Object(meta) = meta {
        meta.insert("io.modelcontextprotocol/serverInfo".to_owned(), server_info(server));
    }
    result
}

fn server_info(server: &impl Server) -> Value {
    let own = server.implementation();
    json!({ "name": own.name, "title": own.title, "version": own.version })
}
