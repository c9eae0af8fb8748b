//! What an application provides.

use serde_json::{Map, Value};

use crate::error::Error;
use crate::revision::Revision;

/// The client of a request.
#[derive(Debug, Clone, PartialEq)]
pub struct Client {
    pub revision: Revision,
    /// The name that it gives itself. Only requests of a stateless revision have it.
    pub name: Option<String>,
    /// What it can do, by name; empty if the request does not say.
    pub capabilities: Map<String, Value>,
}

impl Client {
    /// Whether the client shows its user a form. The capability without members means that.
    #[must_use]
    pub fn shows_forms(&self) -> bool {
        let elicitation = self.capabilities.get("elicitation").and_then(Value::as_object);
        elicitation.is_some_and(|modes| modes.is_empty() || modes.contains_key("form"))
    }
}

/// What a client sends with `tools/call`, `prompts/get` or `resources/read`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Input {
    /// The answers to what an earlier attempt asked for.
    pub responses: Map<String, Value>,
    /// What that attempt wanted to have back. Whoever sends it may have made it up.
    pub state: Option<String>,
    /// `_meta`, for what only some requests have.
    pub meta: Map<String, Value>,
}

/// The end of a request that may need something of the client first.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    Complete(Complete),
    /// Asks the client. Only a stateless revision can say so.
    InputRequired {
        /// By a name of the server's choice.
        requests: Map<String, Value>,
        state: Option<String>,
    },
}

/// A result, and what the client is notified of before it.
#[derive(Debug, Clone, PartialEq)]
pub struct Complete {
    pub result: Map<String, Value>,
    pub notifications: Vec<Value>,
}

impl From<Map<String, Value>> for Outcome {
    fn from(result: Map<String, Value>) -> Self {
        Self::Complete(Complete { result, notifications: Vec::new() })
    }
}

/// What a completion is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    Prompt(String),
    /// A resource or a template, by its URI.
    Resource(String),
}

/// The argument to complete, and what was typed of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Argument {
    pub name: String,
    pub value: String,
}

/// Name and version of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Implementation {
    pub name: &'static str,
    pub title: &'static str,
    pub version: &'static str,
}

/// A server of one request. Items of lists have the form of the protocol.
pub trait Server {
    fn implementation(&self) -> Implementation;
    /// What a model should know before it uses the server.
    fn instructions(&self) -> Option<&str>;
    /// The capabilities, by name.
    fn capabilities(&self, revision: Revision) -> Value;
    fn tools(&self, client: &Client) -> Vec<Value>;

    /// Calls a tool.
    ///
    /// # Errors
    /// If there is no such tool. What the model can mend is a result with `isError`.
    fn call(
        &self,
        client: &Client,
        name: &str,
        arguments: &Map<String, Value>,
        input: &Input,
    ) -> Result<Outcome, Error>;

    fn resources(&self) -> Vec<Value>;
    fn templates(&self) -> Vec<Value>;

    /// Reads a resource: its contents, or none if there is no such resource.
    ///
    /// # Errors
    /// If it cannot be read.
    fn read(&self, client: &Client, uri: &str) -> Result<Option<Vec<Value>>, Error>;

    fn prompts(&self) -> Vec<Value>;

    /// # Errors
    /// If there is no such prompt, or an argument is wrong.
    fn prompt(
        &self,
        client: &Client,
        name: &str,
        arguments: &Map<String, Value>,
        input: &Input,
    ) -> Result<Outcome, Error>;

    /// Values that an argument can have, best first.
    ///
    /// # Errors
    /// If there is no such argument.
    fn complete(
        &self,
        client: &Client,
        reference: &Reference,
        argument: &Argument,
    ) -> Result<Vec<String>, Error>;

    /// Any other method of a revision before 2026-07-28; none if the server has no such method.
    fn other(&self, method: &str, params: &Map<String, Value>) -> Option<Map<String, Value>>;
}
