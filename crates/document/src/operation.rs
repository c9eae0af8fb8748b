//! One operation of the HTTP API in OpenAPI's form.

use std::collections::BTreeMap;

use rondo_contract::problem::{MEDIA_TYPE, ProblemCode};
use rondo_domain::access::Scope;
use serde_json::{Map, Value, json};

/// Name of the bearer token in the document.
pub const BEARER: &str = "bearer";
/// Media types of a merge patch (RFC 7396).
const MERGE_PATCH: [&str; 2] = ["application/merge-patch+json", "application/json"];

/// Who may call an operation.
#[derive(Clone, Copy)]
pub enum Access {
    /// Everyone.
    Open,
    /// Any valid token.
    Token,
    /// A login: no API token, and no provider's token with fewer scopes than a session.
    Login,
    /// A token with this scope; if the path names a user, the token must be theirs.
    Scope(Scope),
}

/// An operation under construction.
#[derive(Clone)]
pub struct Operation {
    pub method: &'static str,
    pub path: &'static str,
    pub id: &'static str,
    tag: &'static str,
    summary: &'static str,
    description: String,
    access: Access,
    parameters: Vec<Value>,
    body: Option<Value>,
    answers: BTreeMap<u16, Value>,
    problems: Vec<ProblemCode>,
}

impl Operation {
    /// An operation for callers with `access`; `id` is its `operationId`.
    pub fn new(
        tag: &'static str,
        access: Access,
        method: &'static str,
        path: &'static str,
        id: &'static str,
        summary: &'static str,
    ) -> Self {
        Self {
            method,
            path,
            id,
            tag,
            summary,
            description: String::new(),
            access,
            parameters: Vec::new(),
            body: None,
            answers: BTreeMap::new(),
            problems: vec![ProblemCode::TooManyRequests, ProblemCode::Unavailable],
        }
    }

    pub fn describe(mut self, description: impl Into<String>) -> Self {
        self.description = description.into();
        self
    }

    pub fn parameter(mut self, parameter: Value) -> Self {
        self.parameters.push(parameter);
        self
    }

    /// Adds a parameter before the existing ones.
    pub fn parameter_first(mut self, parameter: Value) -> Self {
        self.parameters.insert(0, parameter);
        self
    }

    pub fn parameters(mut self, parameters: impl IntoIterator<Item = Value>) -> Self {
        self.parameters.extend(parameters);
        self
    }

    /// A required JSON body.
    pub fn body(mut self, schema: Value) -> Self {
        self.body = Some(json!({
            "required": true,
            "content": {"application/json": {"schema": schema}},
        }));
        self.with_body_problems()
    }

    /// No body, or an object without members, which some clients always send.
    pub fn no_body(mut self) -> Self {
        let nothing = json!({"type": "object", "additionalProperties": false});
        self.body = Some(json!({
            "description": "Optional. If present, an object without members.",
            "required": false,
            "content": {"application/json": {"schema": nothing}},
        }));
        self.with_body_problems()
    }

    /// A merge patch (RFC 7396).
    pub fn merge_patch(mut self, schema: Value) -> Self {
        let content: Map<String, Value> = MERGE_PATCH
            .iter()
            .map(|media_type| ((*media_type).to_owned(), json!({"schema": schema})))
            .collect();
        self.body = Some(json!({"required": true, "content": content}));
        self.with_body_problems()
    }

    fn with_body_problems(self) -> Self {
        self.problems(&[
            ProblemCode::MalformedJson,
            ProblemCode::BodyTooLarge,
            ProblemCode::UnsupportedMediaType,
        ])
    }

    /// A response with a JSON body.
    pub fn answers(self, status: u16, description: &str, schema: Value) -> Self {
        self.answers_with(status, description, Some(("application/json", schema)), &[])
    }

    /// A response without a body.
    pub fn answers_empty(self, status: u16, description: &str) -> Self {
        self.answers_with(status, description, None, &[])
    }

    /// A response with headers, by their names in the document's components.
    pub fn answers_with(
        mut self,
        status: u16,
        description: &str,
        content: Option<(&str, Value)>,
        headers: &[&str],
    ) -> Self {
        let mut answer = json!({"description": description});
        if let Some((media_type, schema)) = content {
            answer["content"] = json!({media_type: {"schema": schema}});
        }
        answer["headers"] = ["X-Request-Id"]
            .iter()
            .chain(headers)
            .map(|name| ((*name).to_owned(), header(name)))
            .collect::<Map<_, _>>()
            .into();
        self.answers.insert(status, answer);
        self
    }

    /// Another form of a response that the operation has, which the client asks for by `Accept`.
    pub fn or_as(mut self, status: u16, media_type: &str, schema: Value) -> Self {
        if let Some(answer) = self.answers.get_mut(&status) {
            answer["content"][media_type] = json!({"schema": schema});
        }
        self
    }

    /// Adds a header to a response that the operation has.
    pub fn header(mut self, status: u16, name: &str) -> Self {
        if let Some(answer) = self.answers.get_mut(&status) {
            answer["headers"][name] = header(name);
        }
        self
    }

    /// Problems beyond those that follow from access, body and parameters.
    pub fn problems(mut self, problems: &[ProblemCode]) -> Self {
        self.problems.extend(problems);
        self
    }

    /// The operation in the document's form. Its problems are references to `problems`.
    pub fn render(mut self, own_path: bool, problems: &mut Map<String, Value>) -> Value {
        // Every route refuses unknown parameters and values.
        self.problems.push(ProblemCode::InvalidRequest);
        match self.access {
            Access::Open => {}
            Access::Token => self.problems.push(ProblemCode::Unauthenticated),
            Access::Login => {
                self.problems.extend([ProblemCode::Unauthenticated, ProblemCode::Forbidden]);
            }
            Access::Scope(_) => {
                self.problems.extend([
                    ProblemCode::Unauthenticated,
                    ProblemCode::Forbidden,
                    ProblemCode::MissingScope,
                ]);
            }
        }
        let mut responses = problem_responses(&self.problems, problems);
        let answers = self.answers.iter();
        responses.extend(answers.map(|(status, answer)| (status.to_string(), answer.clone())));
        let mut operation = json!({
            "operationId": if own_path { format!("{}Own", self.id) } else { self.id.to_owned() },
            "tags": [self.tag],
            "summary": self.summary,
            "responses": responses,
        });
        if !self.description.is_empty() {
            operation["description"] = self.description.into();
        }
        let parameters: Vec<Value> = self
            .parameters
            .into_iter()
            .filter(|parameter| !(own_path && parameter["$ref"] == USER_ID))
            .collect();
        if !parameters.is_empty() {
            operation["parameters"] = parameters.into();
        }
        if let Some(body) = self.body {
            operation["requestBody"] = body;
        }
        operation["security"] = match self.access {
            Access::Open => json!([]),
            Access::Token | Access::Login => json!([{BEARER: []}]),
            Access::Scope(scope) => json!([{BEARER: [scope.as_str()]}]),
        };
        operation
    }
}

/// A reference to a header.
fn header(name: &str) -> Value {
    json!({"$ref": format!("#/components/headers/{name}")})
}

/// Reference to the parameter `user_id`.
pub const USER_ID: &str = "#/components/parameters/user_id";

/// Responses by status, as references. Each lists its possible codes, with an example of each.
fn problem_responses(
    problems: &[ProblemCode],
    known: &mut Map<String, Value>,
) -> Map<String, Value> {
    let mut by_status: BTreeMap<u16, Vec<ProblemCode>> = BTreeMap::new();
    for problem in problems {
        let codes = by_status.entry(problem.status()).or_default();
        if !codes.contains(problem) {
            codes.push(*problem);
        }
    }
    by_status
        .into_iter()
        .map(|(status, mut codes)| {
            codes.sort_by_key(|code| code.as_str());
            let words: Vec<_> = codes.iter().map(|code| code.as_str()).collect();
            let names: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
            let examples: Map<String, Value> = codes
                .iter()
                .map(|code| (code.as_str().to_owned(), json!({"value": example(*code)})))
                .collect();
            let mut headers = vec!["X-Request-Id"];
            match status {
                401 => headers.push("WWW-Authenticate"),
                429 => headers.extend(["Retry-After", "RateLimit", "RateLimit-Policy"]),
                503 => headers.push("Retry-After"),
                _ => {}
            }
            let headers: Map<String, Value> = headers
                .into_iter()
                .map(|name| {
                    (name.to_owned(), json!({"$ref": format!("#/components/headers/{name}")}))
                })
                .collect();
            let response = json!({
                "description": names.join(" or "),
                "headers": headers,
                "content": {MEDIA_TYPE: {
                    "schema": {"$ref": "#/components/schemas/Problem"},
                    "examples": examples,
                }},
            });
            let name = words.join(".");
            let reference = json!({"$ref": format!("#/components/responses/{name}")});
            known.insert(name, response);
            (status.to_string(), reference)
        })
        .collect()
}

fn example(code: ProblemCode) -> Value {
    let problem = rondo_contract::problem::Problem::new(code).with_request_id("c4f1e0a2");
    let mut example = json!(problem);
    if code == ProblemCode::InvalidRequest {
        example["errors"] =
            json!([{"pointer": "/title", "code": "required", "detail": "must be given"}]);
    }
    example
}
