//! The server of one request.

use std::cell::Cell;

use rondo_assistant::{LocalApi, confirmation_key};
use rondo_contract::actor::{Actor, Kind};
use rondo_contract::confirmation::{CONFIRMATION_LIFETIME_S, Confirmation};
use rondo_domain::access::{Caller, Scope};
use rondo_guest::http::Request;
use rondo_guest::{Refusal, clock};
use rondo_mcp::{
    Argument, Client, Error, Implementation, Input, Outcome, Reference, Revision, Server,
};
use rondo_tool::{CONFIRM, Context, Done, INSTRUCTIONS, Stop, TOOLS, Tool};
use serde_json::{Map, Value, json};

use crate::{prompt, resource};

/// The question that the client shows its user, and its one field.
const QUESTION: &str = "confirmation";
const FIELD: &str = "confirm";

/// Acts for the caller of a request.
pub struct Assistant<'a> {
    request: &'a Request,
    caller: Caller,
    /// The scope that a call would have needed.
    denied: Cell<Option<Scope>>,
}

impl<'a> Assistant<'a> {
    pub fn new(request: &'a Request, caller: Caller) -> Self {
        Self { request, caller, denied: Cell::new(None) }
    }

    /// The scope that the token lacks for what was asked.
    pub fn denied(&self) -> Option<Scope> {
        self.denied.get()
    }

    fn api(&self, client: &Client) -> LocalApi<'a> {
        // Before revision 2026-07-28, only `initialize` says the client's name; its HTTP library says another.
        let agent = || {
            let agent = self.request.header("user-agent")?;
            agent.split(['/', ' ']).next().map(str::to_owned)
        };
        let name = client.name.clone().or_else(agent);
        let actor = Actor::new(Kind::Mcp, name.as_deref());
        LocalApi { request: self.request, caller: self.caller, actor }
    }

    fn call_tool(
        &self,
        client: &Client,
        tool: &Tool,
        arguments: &Map<String, Value>,
        input: &Input,
    ) -> Result<Outcome, Error> {
        let mut asked = arguments.clone();
        let given = asked.remove(CONFIRM);
        let token = match client.shows_forms() {
            true => input.state.clone(),
            false => given.and_then(|token| token.as_str().map(str::to_owned)),
        };
        let key = confirmation_key().map_err(|refusal| self.failed(&refusal))?;
        let exact = Value::Object(asked);
        let now_s = clock::now().as_second();
        let choice = Choice::of(&input.responses);
        // A form that came back is an answer only to what it asked, which the token says.
        let agrees = |effect: &str| {
            let shown = self.confirmation(tool, &exact, effect);
            token.as_deref().is_some_and(|token| shown.is_signed(token, &key, now_s))
                && (!client.shows_forms() || choice == Some(Choice::Accepted))
        };
        if client.shows_forms() && token.is_some() && choice == Some(Choice::Declined) {
            let said = "The user did not agree, so nothing has changed.";
            return Ok(failed(said).into());
        }
        let api = self.api(client);
        let context = Context { api: &api, agrees: &agrees, asks_always: false };
        let Value::Object(arguments) = &exact else {
            return Err(Error::internal(500, "arguments that are no object"));
        };
        match tool.call(&context, arguments) {
            Ok(done) => Ok(complete(done).into()),
            Err(Stop::Ask(effect)) => {
                let shown = self.confirmation(tool, &exact, &effect);
                let token = shown.sign(&key, now_s + CONFIRMATION_LIFETIME_S);
                Ok(if client.shows_forms() {
                    question(&effect, token)
                } else {
                    preview(tool, &effect, &token).into()
                })
            }
            Err(Stop::Refused(why)) => Ok(failed(&why).into()),
            Err(Stop::Denied(why)) => Ok(failed(&why).into()),
            Err(Stop::Failed(status)) => {
                Err(Error::internal(status, "The server cannot do that now; try again later."))
            }
        }
    }

    fn confirmation<'b>(
        &self,
        tool: &'b Tool,
        arguments: &'b Value,
        effect: &'b str,
    ) -> Confirmation<'b> {
        Confirmation { user_id: self.caller.user_id, tool: tool.name, arguments, effect }
    }

    fn failed(&self, refusal: &Refusal) -> Error {
        if let Some(cause) = refusal.cause() {
            self.request.log_error(cause);
        }
        Error::internal(500, "The server is not set up for this.")
    }
}

impl Server for Assistant<'_> {
    fn implementation(&self) -> Implementation {
        Implementation { name: "rondo", title: "Rondo", version: env!("CARGO_PKG_VERSION") }
    }

    fn instructions(&self) -> Option<&str> {
        Some(INSTRUCTIONS)
    }

    fn capabilities(&self, _revision: Revision) -> Value {
        json!({ "tools": {}, "resources": {}, "prompts": {}, "completions": {} })
    }

    /// Those that the token's scopes allow.
    fn tools(&self, _client: &Client) -> Vec<Value> {
        let allowed = TOOLS.iter().filter(|tool| tool.lacks(self.caller.scopes).is_none());
        allowed.map(Tool::to_json).collect()
    }

    fn call(
        &self,
        client: &Client,
        name: &str,
        arguments: &Map<String, Value>,
        input: &Input,
    ) -> Result<Outcome, Error> {
        let tool = rondo_tool::named(name)
            .ok_or_else(|| Error::params(format!("there is no tool {name:?}")))?;
        if let Some(scope) = tool.lacks(self.caller.scopes) {
            self.denied.set(Some(scope));
            return Err(Error::params(format!("{name} needs a token with the scope {scope}")));
        }
        self.call_tool(client, tool, arguments, input)
    }

    fn resources(&self) -> Vec<Value> {
        resource::listed()
    }

    fn templates(&self) -> Vec<Value> {
        resource::templates()
    }

    fn read(&self, client: &Client, uri: &str) -> Result<Option<Vec<Value>>, Error> {
        if !self.caller.scopes.contains(Scope::TasksRead) {
            self.denied.set(Some(Scope::TasksRead));
            let scope = Scope::TasksRead;
            return Err(Error::params(format!("this needs a token with the scope {scope}")));
        }
        resource::read(&self.api(client), uri)
    }

    fn prompts(&self) -> Vec<Value> {
        prompt::listed()
    }

    fn prompt(
        &self,
        _client: &Client,
        name: &str,
        arguments: &Map<String, Value>,
        _input: &Input,
    ) -> Result<Outcome, Error> {
        prompt::get(name, arguments).map(Outcome::from)
    }

    fn complete(
        &self,
        client: &Client,
        reference: &Reference,
        argument: &Argument,
    ) -> Result<Vec<String>, Error> {
        prompt::complete(&self.api(client), reference, argument)
    }

    fn other(&self, _method: &str, _params: &Map<String, Value>) -> Option<Map<String, Value>> {
        None
    }
}

/// What the user chose in a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Choice {
    Accepted,
    Declined,
}

impl Choice {
    fn of(responses: &Map<String, Value>) -> Option<Self> {
        let response = responses.get(QUESTION)?;
        match response["action"].as_str()? {
            "accept" if response["content"][FIELD] == true => Some(Self::Accepted),
            "accept" | "decline" | "cancel" => Some(Self::Declined),
            _ => None,
        }
    }
}

/// Asks the client to ask its user.
fn question(effect: &str, token: String) -> Outcome {
    let form = json!({
        "method": "elicitation/create",
        "params": {
            "mode": "form",
            "message": effect,
            "requestedSchema": {
                "type": "object",
                "properties": { FIELD: { "type": "boolean", "title": "Do this" } },
                "required": [FIELD],
            },
        },
    });
    let requests = Map::from_iter([(QUESTION.to_owned(), form)]);
    Outcome::InputRequired { requests, state: Some(token) }
}

/// Shows what would happen to a model whose client shows no forms.
fn preview(tool: &Tool, effect: &str, token: &str) -> Map<String, Value> {
    let text = format!(
        "Nothing has changed yet. {effect}\nShow this to the user. If they agree, call {} again within {} minutes, \
         with the same arguments and {CONFIRM}: {token:?}.",
        tool.name,
        CONFIRMATION_LIFETIME_S / 60
    );
    complete(Done {
        text,
        data: Map::from_iter([("tasks".to_owned(), json!([])), (CONFIRM.to_owned(), token.into())]),
    })
}

/// A result: words for the model, and the same data twice, because older clients read only text.
fn complete(done: Done) -> Map<String, Value> {
    let data = Value::Object(done.data);
    Map::from_iter([
        (
            "content".to_owned(),
            json!([
                { "type": "text", "text": done.text },
                { "type": "text", "text": data.to_string() },
            ]),
        ),
        ("structuredContent".to_owned(), data),
        ("isError".to_owned(), false.into()),
    ])
}

/// What the model can mend.
fn failed(why: &str) -> Map<String, Value> {
    Map::from_iter([
        ("content".to_owned(), json!([{ "type": "text", "text": why }])),
        ("isError".to_owned(), true.into()),
    ])
}
