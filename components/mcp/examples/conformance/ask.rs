//! Tools that ask the client, and keep what they know in the state that it sends back.

use rondo_contract::confirmation::{Confirmation, ConfirmationKey};
use rondo_contract::token::HmacKey;
use rondo_mcp::{Client, Error, Input, Outcome};
use serde_json::{Map, Value, json};

use crate::{needs, text};

pub const TOOLS: [&str; 9] = [
    "test_missing_capability",
    "test_input_required_result_elicitation",
    "test_input_required_result_sampling",
    "test_input_required_result_list_roots",
    "test_input_required_result_request_state",
    "test_input_required_result_multiple_inputs",
    "test_input_required_result_multi_round",
    "test_input_required_result_tampered_state",
    "test_input_required_result_capabilities",
];

/// Until when states are valid: the suite takes less than that.
const EXPIRES_AT_S: i64 = i64::MAX;

/// What a tool of this kind answers; none for another name.
pub fn call(client: &Client, name: &str, input: &Input) -> Option<Result<Outcome, Error>> {
    let answered = |name: &str| input.responses.get(name);
    Some(Ok(match name.strip_prefix("test_")? {
        "missing_capability" => return Some(needs(client, "sampling").map(|()| text("Success"))),
        "input_required_result_elicitation" => match field(answered("user_name"), "name") {
            Some(name) => text(&format!("Hello, {name}!")),
            None => ask([("user_name", form("What is your name?", "name", "string"))], None),
        },
        "input_required_result_sampling" => match answered("capital_question") {
            Some(answer) => text(&format!("Sampling result: {}", answer["content"])),
            None => ask([("capital_question", sample("What is the capital of France?"))], None),
        },
        "input_required_result_list_roots" => match answered("client_roots") {
            Some(answer) => text(&format!("Roots: {}", answer["roots"])),
            None => ask([("client_roots", roots())], None),
        },
        "input_required_result_request_state" => match (answered("confirm"), &input.state) {
            (Some(_), Some(state)) if is_ours("state", state) => text("state-ok"),
            _ => ask([("confirm", form("Please confirm", "ok", "boolean"))], Some("state")),
        },
        "input_required_result_multiple_inputs" => {
            let names = ["user_name", "greeting", "client_roots"];
            let is_whole = names.iter().all(|name| answered(name).is_some());
            match &input.state {
                Some(state) if is_whole && is_ours("inputs", state) => text("all there"),
                _ => ask(
                    [
                        ("user_name", form("What is your name?", "name", "string")),
                        ("greeting", sample("Generate a greeting")),
                        ("client_roots", roots()),
                    ],
                    Some("inputs"),
                ),
            }
        }
        "input_required_result_multi_round" => match &input.state {
            Some(state) if is_ours("round 1", state) && answered("step1").is_some() => {
                let color = form("Step 2: What is your favorite color?", "color", "string");
                ask([("step2", color)], Some("round 2"))
            }
            Some(state) if is_ours("round 2", state) && answered("step2").is_some() => {
                text("both steps are done")
            }
            _ => {
                let name = form("Step 1: What is your name?", "name", "string");
                ask([("step1", name)], Some("round 1"))
            }
        },
        "input_required_result_tampered_state" => match &input.state {
            Some(state) if !is_ours("tampered", state) => {
                return Some(Err(Error::params("requestState is not one of this server's")));
            }
            Some(_) if answered("confirm").is_some() => text("integrity-ok"),
            _ => ask([("confirm", form("Please confirm", "ok", "boolean"))], Some("tampered")),
        },
        "input_required_result_capabilities" => {
            if !input.responses.is_empty() {
                return Some(Ok(text("capabilities-ok")));
            }
            let all = [
                ("elicitation", "elicit_input", form("Elicitation input", "value", "string")),
                ("sampling", "sample_input", sample("Sample request")),
            ];
            let able = all.into_iter().filter(|(need, ..)| client.capabilities.contains_key(*need));
            let requests: Vec<_> = able.map(|(_, name, request)| (name, request)).collect();
            if requests.is_empty() {
                return Some(Ok(text("this client can do nothing")));
            }
            ask(requests, Some("capabilities"))
        }
        _ => return None,
    }))
}

/// A prompt that needs to know something first.
pub fn prompt(input: &Input) -> Outcome {
    match field(input.responses.get("user_context"), "context") {
        Some(context) => {
            let content = json!({ "type": "text", "text": format!("With context: {context}") });
            let messages = json!([{ "role": "user", "content": content }]);
            Map::from_iter([("messages".to_owned(), messages)]).into()
        }
        None => ask([("user_context", form("What context?", "context", "string"))], None),
    }
}

/// A field of a form that was accepted, if it has the type that was asked for.
fn field<'a>(response: Option<&'a Value>, name: &str) -> Option<&'a str> {
    response.filter(|response| response["action"] == "accept")?["content"][name].as_str()
}

fn ask<'a>(requests: impl IntoIterator<Item = (&'a str, Value)>, state: Option<&str>) -> Outcome {
    let requests = requests.into_iter().map(|(name, request)| (name.to_owned(), request));
    Outcome::InputRequired { requests: requests.collect(), state: state.map(signed) }
}

fn form(message: &str, name: &str, of: &str) -> Value {
    let schema =
        json!({ "type": "object", "properties": { name: { "type": of } }, "required": [name] });
    let params = json!({ "mode": "form", "message": message, "requestedSchema": schema });
    json!({ "method": "elicitation/create", "params": params })
}

fn sample(question: &str) -> Value {
    let content = json!({ "type": "text", "text": question });
    let params = json!({ "messages": [{ "role": "user", "content": content }], "maxTokens": 100 });
    json!({ "method": "sampling/createMessage", "params": params })
}

fn roots() -> Value {
    json!({ "method": "roots/list", "params": {} })
}

fn signed(state: &str) -> String {
    with_key(state, |confirmation, key| confirmation.sign(key, EXPIRES_AT_S))
}

fn is_ours(state: &str, token: &str) -> bool {
    with_key(state, |confirmation, key| confirmation.is_signed(token, key, 0))
}

fn with_key<T>(state: &str, then: impl Fn(&Confirmation<'_>, &ConfirmationKey) -> T) -> T {
    let secret = HmacKey::new(b"no secret: the suite has nothing to protect");
    let key = secret.and_then(|secret| ConfirmationKey::derived(&secret));
    let key = key.unwrap_or_else(|error| unreachable!("{error}"));
    let arguments = Value::Null;
    let confirmation =
        Confirmation { user_id: 0, tool: "conformance", arguments: &arguments, effect: state };
    then(&confirmation, &key)
}
