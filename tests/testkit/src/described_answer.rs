//! Checks every response of the HTTP API that a test sees against the OpenAPI document: status, headers,
//! body.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use http::{HeaderMap, Method};
use jsonschema::Validator;
use serde_json::{Value, json};

use crate::process::root;
use crate::response::Response;

/// The committed document, which is also the served one.
const DOCUMENT: &str = "docs/openapi.json";
const PROBLEM: &str = "application/problem+json";

/// Checks a response. Requests for unknown paths or methods are not checked here.
///
/// # Panics
/// If the operation has no such response.
pub fn assert_described(method: &Method, path_and_query: &str, answer: &Response) {
    let path = path_and_query.split('?').next().unwrap_or_default();
    let Some(operations) = document().operations_of(path) else { return };
    let method = method.as_str();
    let faults = match operations.get(if method == "HEAD" { "GET" } else { method }) {
        Some(operation) => operation.faults_of(answer, method != "HEAD"),
        // The front answers a preflight for every path alike (Fetch standard, "CORS-preflight fetch").
        None if answer.header("access-control-allow-methods").is_some() => return,
        None if method == "OPTIONS" && answer.status == 204 => wrong_methods(operations, answer),
        // Only a caller with a token learns that a method does not exist.
        None if matches!(answer.status.as_u16(), 401 | 403 | 429 | 503) => return,
        None => method_not_allowed(operations, answer),
    };
    assert!(
        faults.is_empty(),
        "an answer that the document does not have: {method} {path_and_query} → {}\n{faults:#?}\n{}",
        answer.status,
        answer.text()
    );
}

struct Document {
    /// Operations by method for each path, as segments; `{…}` matches any segment.
    paths: Vec<(Vec<String>, BTreeMap<String, Operation>)>,
}

struct Operation {
    answers: BTreeMap<u16, Answer>,
}

struct Answer {
    /// Name, whether it is required, and schema.
    headers: Vec<(String, bool, Validator)>,
    /// Media type and schema; none for a response without a body.
    /// By media type.
    bodies: Vec<(String, Validator)>,
}

fn document() -> &'static Document {
    static DOCUMENT_READ: OnceLock<Document> = OnceLock::new();
    DOCUMENT_READ.get_or_init(|| {
        let text = std::fs::read_to_string(root().join(DOCUMENT)).expect(DOCUMENT);
        Document::read(&serde_json::from_str(&text).expect(DOCUMENT))
    })
}

impl Document {
    fn read(document: &Value) -> Self {
        let operations = |operations: &Value| {
            let operations = operations.as_object().expect("operations").iter();
            operations
                .map(|(method, operation)| {
                    (method.to_uppercase(), Operation::read(document, operation))
                })
                .collect()
        };
        let paths = document["paths"].as_object().expect("paths").iter();
        let mut paths: Vec<(Vec<String>, _)> = paths
            .map(|(path, of_path)| {
                (path.split('/').map(str::to_owned).collect(), operations(of_path))
            })
            .collect();
        // Literal segments take precedence over parameters.
        paths.sort_by_key(|(path, _)| path.iter().filter(|segment| is_any(segment)).count());
        Self { paths }
    }

    fn operations_of(&self, path: &str) -> Option<&BTreeMap<String, Operation>> {
        let segments: Vec<_> = path.split('/').collect();
        let is_like = |known: &[String]| {
            known.len() == segments.len()
                && known.iter().zip(&segments).all(|(known, segment)| {
                    known == segment || (is_any(known) && !segment.is_empty())
                })
        };
        self.paths.iter().find(|(known, _)| is_like(known)).map(|(_, operations)| operations)
    }
}

fn is_any(segment: &str) -> bool {
    segment.starts_with('{')
}

impl Operation {
    fn read(document: &Value, operation: &Value) -> Self {
        let answers = operation["responses"].as_object().expect("responses").iter();
        let answers = answers.map(|(status, answer)| {
            let answer = Answer::read(document, resolved(document, answer));
            (status.parse().expect("a status"), answer)
        });
        Self { answers: answers.collect() }
    }

    /// Ignores the body if only the head was requested.
    fn faults_of(&self, answer: &Response, is_whole: bool) -> Vec<String> {
        match self.answers.get(&answer.status.as_u16()) {
            Some(described) => described.faults_of(answer, is_whole),
            None => vec![format!("only {:?} are described", self.answers.keys())],
        }
    }
}

impl Answer {
    fn read(document: &Value, answer: &Value) -> Self {
        let headers = answer["headers"].as_object().into_iter().flatten().map(|(name, header)| {
            let header = resolved(document, header);
            let is_required = header["required"] == true;
            (name.clone(), is_required, validator(document, &header["schema"]))
        });
        let bodies = answer["content"].as_object().into_iter().flatten();
        let bodies = bodies.map(|(media_type, content)| {
            (media_type.clone(), validator(document, &content["schema"]))
        });
        Self { headers: headers.collect(), bodies: bodies.collect() }
    }

    fn faults_of(&self, answer: &Response, is_whole: bool) -> Vec<String> {
        let mut faults = Vec::new();
        for (name, is_required, schema) in &self.headers {
            match answer.header(name) {
                Some(value) => faults.extend(
                    schema.iter_errors(&header_value(value)).map(|e| format!("{name}: {e}")),
                ),
                None if *is_required => faults.push(format!("{name} is missing")),
                None => {}
            }
        }
        let sent = media_type_of(&answer.headers);
        match self.bodies.iter().find(|(media_type, _)| *media_type == sent) {
            _ if !is_whole && answer.body.is_empty() => {}
            None if self.bodies.is_empty() && answer.body.is_empty() => {}
            None if self.bodies.is_empty() => faults.push("has a body".to_owned()),
            None => {
                let known: Vec<_> = self.bodies.iter().map(|(media_type, _)| media_type).collect();
                faults.push(format!("content-type is {sent}, not one of {known:?}"));
            }
            Some((media_type, schema)) => {
                let body = if media_type.ends_with("json") {
                    serde_json::from_slice(&answer.body)
                } else {
                    Ok(answer.text().into())
                };
                match body {
                    Ok(body) => faults.extend(
                        schema.iter_errors(&body).map(|e| format!("{}: {e}", e.instance_path())),
                    ),
                    Err(error) => faults.push(format!("no JSON: {error}")),
                }
                let is_same_request =
                    |body: &Value| body["request_id"].as_str() == answer.header("x-request-id");
                if media_type == PROBLEM && !is_same_request(&answer.json()) {
                    faults.push("request_id is not the header's".to_owned());
                }
            }
        }
        faults
    }
}

/// 405 belongs to no operation; it lists the existing ones.
fn method_not_allowed(operations: &BTreeMap<String, Operation>, answer: &Response) -> Vec<String> {
    let mut faults = wrong_methods(operations, answer);
    if answer.status != 405 {
        faults.push("the path has no such method".to_owned());
    }
    faults
}

/// Faults of `Allow`: it has the methods of the document, `HEAD` where `GET` is, and `OPTIONS`.
fn wrong_methods(operations: &BTreeMap<String, Operation>, answer: &Response) -> Vec<String> {
    let head = operations.contains_key("GET").then_some("HEAD");
    let known = operations.keys().map(String::as_str).chain(head).chain(["OPTIONS"]);
    let known: BTreeSet<&str> = known.collect();
    let allow = answer.header("allow").unwrap_or_default();
    let allowed: BTreeSet<&str> = allow.split(',').map(str::trim).collect();
    let missing = known.difference(&allowed).map(|method| format!("Allow has no {method}"));
    let unknown = allowed.difference(&known);
    missing
        .chain(unknown.map(|method| format!("Allow has {method:?}, which the document has not")))
        .collect()
}

/// A number if the text is one.
fn header_value(text: &str) -> Value {
    text.parse::<u64>().map_or_else(|_| text.into(), Value::from)
}

fn media_type_of(headers: &HeaderMap) -> String {
    let value = headers.get(http::header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = value.unwrap_or_default().split(';').next().unwrap_or_default();
    media_type.trim().to_owned()
}

fn resolved<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    match value["$ref"].as_str() {
        Some(reference) => {
            document.pointer(&reference[1..]).expect("a reference that leads somewhere")
        }
        None => value,
    }
}

fn validator(document: &Value, schema: &Value) -> Validator {
    let whole = json!({"allOf": [schema], "components": document["components"]});
    jsonschema::options()
        .should_validate_formats(true)
        .build(&whole)
        .unwrap_or_else(|error| panic!("{schema}: {error}"))
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue, StatusCode};

    use super::*;

    fn answer(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> Response {
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        Response {
            status: StatusCode::from_u16(status).unwrap(),
            headers: headers.collect(),
            body: body.to_owned().into(),
        }
    }

    /// Whether the response to `GET path` passes.
    fn passes(
        path: &str,
        status: u16,
        headers: &[(&'static str, &'static str)],
        body: &str,
    ) -> bool {
        let answer = answer(status, headers, body);
        std::panic::catch_unwind(|| assert_described(&Method::GET, path, &answer)).is_ok()
    }

    #[test]
    fn undocumented_responses_are_noticed() {
        const JSON: (&str, &str) = ("content-type", "application/json");
        const ID: (&str, &str) = ("x-request-id", "a");
        let tags = |headers: &[_], body| passes("/api/1/tags", 200, headers, body);
        let good = r##"[{"name": "a", "count": 1, "color": "#000000"}]"##;
        assert!(tags(&[JSON, ID], good));
        assert!(!tags(&[JSON], good), "no X-Request-Id");
        assert!(!tags(&[("content-type", "text/plain"), ID], good), "another media type");
        assert!(!tags(&[JSON, ID], r#"[{"name": "a", "count": 1}]"#), "a member is missing");
        assert!(!tags(&[JSON, ID], r#"[{"name": "a", "count": 1, "color": "red"}]"#), "a pattern");
        assert!(!tags(&[JSON, ID], "[{"), "no JSON");
        assert!(!passes("/api/1/tags", 500, &[JSON, ID], "{}"), "another status");
        assert!(!passes("/api/tasks/1?x=1", 304, &[ID], ""), "no ETag");
        assert!(!passes("/api/tasks/1", 304, &[ID, ("etag", "17")], ""), "an ETag without quotes");
        assert!(!passes("/api/tasks/1", 304, &[ID, ("etag", "\"17\"")], "a"), "a body");
        assert!(passes("/api/tasks/1", 304, &[ID, ("etag", "\"17\"")], ""));
        assert!(passes("/api/unknown/1", 500, &[], ""), "a path that is not described");
    }

    #[test]
    fn head_has_no_body_and_options_names_the_methods() {
        const JSON: (&str, &str) = ("content-type", "application/json");
        const ID: (&str, &str) = ("x-request-id", "a");
        let passes = |method: Method, status: u16, headers: &[_], body: &str| {
            let answer = answer(status, headers, body);
            let check = || assert_described(&method, "/api/auth/me", &answer);
            std::panic::catch_unwind(check).is_ok()
        };
        assert!(passes(Method::HEAD, 200, &[JSON, ID], ""));
        assert!(!passes(Method::HEAD, 200, &[JSON], ""), "no X-Request-Id");
        assert!(!passes(Method::HEAD, 404, &[JSON, ID], ""), "another status");
        assert!(!passes(Method::HEAD, 200, &[JSON, ID], "{}"), "a body");
        let all = ("allow", "GET, HEAD, PATCH, OPTIONS");
        assert!(passes(Method::OPTIONS, 204, &[all, ID], ""));
        assert!(!passes(Method::OPTIONS, 204, &[("allow", "GET, PATCH, OPTIONS")], ""), "no HEAD");
        assert!(!passes(Method::OPTIONS, 204, &[ID], ""), "no Allow");
    }

    #[test]
    fn problems_name_their_request_and_allow_its_methods() {
        const PROBLEM: (&str, &str) = ("content-type", "application/problem+json");
        let body = r#"{"type": "a", "title": "a", "status": 405, "detail": "a", "code": "a", "request_id": "a"}"#;
        let refused = |headers: &[_]| passes("/api/auth/logout", 405, headers, body);
        assert!(refused(&[PROBLEM, ("allow", "POST, OPTIONS")]));
        assert!(!refused(&[PROBLEM]));
        assert!(!refused(&[PROBLEM, ("allow", "POST")]));
        assert!(!refused(&[PROBLEM, ("allow", "POST, PUT, OPTIONS")]));
        let unknown = |headers: &[_]| passes("/api/auth/tokens", 403, headers, body);
        assert!(unknown(&[PROBLEM, ("x-request-id", "a")]));
        assert!(!unknown(&[PROBLEM, ("x-request-id", "b")]));
    }
}
