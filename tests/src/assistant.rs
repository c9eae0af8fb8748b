//! A client of the Model Context Protocol, of either generation, that says exactly what a test wants.

use http::Method;
use rondo_testkit::http::{Client, Response};
use serde_json::{Value, json};

use crate::story::User;

/// The revision without sessions.
pub const STATELESS: &str = "2026-07-28";
/// A revision with `initialize`.
pub const INITIALIZED: &str = "2025-11-25";
/// The path of the server.
pub const PATH: &str = "/mcp";

/// An assistant of one user.
pub struct Assistant {
    pub http: Client,
    /// What its `_meta` says that it can do; none for one that needs `initialize`.
    capabilities: Option<Value>,
}

impl Assistant {
    /// An assistant that shows forms.
    ///
    /// # Panics
    /// If no token can be made.
    pub async fn of(user: &User, scopes: &[&str]) -> Self {
        Self::with(&api_token(user, scopes).await, user, Some(json!({ "elicitation": {} })))
    }

    /// An assistant with these capabilities.
    #[must_use]
    pub fn with(token: &str, user: &User, capabilities: Option<Value>) -> Self {
        let http = Client::of_twin(user.client.base()).with_token(token);
        Self { http: http.with_header("user-agent", "old-client/1.0"), capabilities }
    }

    /// Sends a request with the headers that belong to it.
    ///
    /// # Panics
    /// If there is no response.
    pub async fn send(&self, method: &str, params: Value) -> Response {
        let mut params = params;
        let mut request = self.http.request(Method::POST, PATH);
        if let Some(capabilities) = &self.capabilities {
            params["_meta"] = json!({
                "io.modelcontextprotocol/protocolVersion": STATELESS,
                "io.modelcontextprotocol/clientInfo": { "name": "test-client", "version": "1.0" },
                "io.modelcontextprotocol/clientCapabilities": capabilities,
            });
            request =
                request.header("mcp-protocol-version", STATELESS).header("mcp-method", method);
            if let Some(name) = params["name"].as_str().or(params["uri"].as_str()) {
                request = request.header("mcp-name", name);
            }
        } else {
            request = request.header("mcp-protocol-version", INITIALIZED);
        }
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        request.json(&body).send().await.expect("an answer")
    }

    /// The result of a request.
    ///
    /// # Panics
    /// If it is an error.
    pub async fn result(&self, method: &str, params: Value) -> Value {
        let answer = self.send(method, params).await.expect(200).json();
        assert!(answer.get("result").is_some(), "{method}: {answer}");
        answer["result"].clone()
    }

    /// The result of a call of a tool.
    ///
    /// # Panics
    /// If it is an error of the protocol.
    pub async fn call(&self, tool: &str, arguments: Value) -> Value {
        self.result("tools/call", json!({ "name": tool, "arguments": arguments })).await
    }

    /// What a tool answers if all is well.
    ///
    /// # Panics
    /// If it is not.
    pub async fn done(&self, tool: &str, arguments: Value) -> Value {
        let result = self.call(tool, arguments).await;
        assert_eq!(result["isError"], false, "{tool}: {result}");
        result["structuredContent"].clone()
    }

    /// What a tool says that a model can mend.
    ///
    /// # Panics
    /// If it has done something.
    pub async fn refused(&self, tool: &str, arguments: Value) -> String {
        let result = self.call(tool, arguments).await;
        assert_eq!(result["isError"], true, "{tool}: {result}");
        result["content"][0]["text"].as_str().expect("a text").to_owned()
    }

    /// Calls a tool that asks first, and agrees.
    ///
    /// # Panics
    /// If it does not ask.
    pub async fn agreed(&self, tool: &str, arguments: Value) -> Value {
        let asked = self.call(tool, arguments.clone()).await;
        assert_eq!(asked["resultType"], "input_required", "{tool}: {asked}");
        let answer =
            json!({ "confirmation": { "action": "accept", "content": { "confirm": true } } });
        let again = json!({
            "name": tool, "arguments": arguments, "requestState": asked["requestState"],
            "inputResponses": answer,
        });
        let done = self.result("tools/call", again).await;
        assert_eq!(done["isError"], false, "{tool}: {done}");
        done["structuredContent"].clone()
    }
}

/// A personal token.
///
/// # Panics
/// If none can be made.
pub async fn api_token(user: &User, scopes: &[&str]) -> String {
    let body = json!({ "name": "assistant", "scopes": scopes });
    let made = user.client.post("/api/auth/tokens", &body).await.expect("an answer");
    made.expect(201).json()["token"].as_str().expect("a token").to_owned()
}
