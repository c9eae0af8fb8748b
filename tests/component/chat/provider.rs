//! A provider of Chat Completions that answers what a test has written, over real HTTP.

use rondo_testkit::receiver::{Reaction, Received, Receiver};
use rondo_tests::stage::Stage;
use rondo_tests::story::User;
use serde_json::{Value, json};

/// The provider's key, which must appear nowhere else.
pub const KEY: &str = "sk-the-key-of-these-tests";
pub const MODEL: &str = "a-model";

/// Components with a model, and a user whose tasks it may read.
pub struct Scene {
    pub stage: Stage,
    pub provider: Receiver,
    pub user: User,
}

impl Scene {
    pub async fn new() -> Self {
        Self::with(&[]).await
    }

    /// The same with other values of these variables.
    pub async fn with(variables: &[(&str, &str)]) -> Self {
        let provider = Receiver::start().await;
        let origin = format!("http://127.0.0.1:{}", provider.port());
        let of_model = [
            ("llm_origin", origin.as_str()),
            ("llm_path", "/v1"),
            ("llm_model", MODEL),
            ("llm_api_key", KEY),
        ];
        let stage = Stage::with(&[&of_model, variables].concat()).await;
        let user = stage.user("ada@example.org").await;
        let shared = json!({ "share_with_model": true });
        user.client.patch("/api/auth/me", &shared).await.expect("an answer").expect(200);
        Self { stage, provider, user }
    }

    /// The bodies of the requests so far.
    pub fn asked(&self) -> Vec<Value> {
        let asked = self.provider.received();
        asked.iter().map(body).collect()
    }
}

pub fn body(request: &Received) -> Value {
    serde_json::from_slice(&request.body).expect("JSON")
}

/// A stream of these parts, as providers send it.
pub fn stream(parts: &[Value]) -> Reaction {
    let parts: String = parts.iter().map(|part| format!("data: {part}\n\n")).collect();
    raw(&format!("{parts}data: [DONE]\n\n"))
}

/// A stream of exactly this text.
pub fn raw(body: &str) -> Reaction {
    Reaction::Answer(format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n{body}"
    ))
}

pub fn delta(delta: Value) -> Value {
    json!({ "choices": [{ "index": 0, "delta": delta }] })
}

/// A part with text.
pub fn text(text: &str) -> Value {
    delta(json!({ "content": text }))
}

/// A part with a whole call.
pub fn call(index: i64, name: &str, arguments: &Value) -> Value {
    delta(json!({ "tool_calls": [{
        "index": index, "id": format!("call_{index}"), "type": "function",
        "function": { "name": name, "arguments": arguments.to_string() },
    }] }))
}
