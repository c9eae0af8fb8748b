//! Malformed bodies and parameters, sent to every route of the served OpenAPI document: each is refused with
//! a problem that says why, and leaves nothing in the database.

use rondo_testkit::http::{Client, Response};
use rondo_tests::arrangement::Up;
use rondo_tests::described::{Operation, Owner, Trace, operations};
use serde_json::{Value, json};

/// Largest body, see the contract.
const BODY_BYTES_MAX: usize = 1024 * 1024;
/// Maximum accepted nesting.
const DEPTH_MAX: usize = 32;
/// Longer than any meaningful parameter, shorter than a server's limit for a header.
const OVERLONG_CHARS: usize = 4_000;

/// Bodies that every route refuses: description, media type, body, status.
fn bad_bodies() -> Vec<(&'static str, &'static str, Vec<u8>, u16)> {
    const JSON: &str = "application/json";
    let text = |text: &str| text.as_bytes().to_vec();
    let nested = |depth: usize| {
        format!(r#"{{"title":{}1{}}}"#, "[".repeat(depth - 1), "]".repeat(depth - 1)).into_bytes()
    };
    let long = format!(r#"{{"title":"{}"}}"#, "a".repeat(BODY_BYTES_MAX));
    vec![
        ("nothing", JSON, Vec::new(), 400),
        ("no JSON", JSON, text("{title}"), 400),
        ("half a body", JSON, text(r#"{"title":"a"#), 400),
        ("more than a body", JSON, text(r#"{"title":"a"} {}"#), 400),
        ("no UTF-8", JSON, b"{\"title\":\"\xff\"}".to_vec(), 400),
        ("a lone surrogate", JSON, text(r#"{"title":"\ud800"}"#), 400),
        ("too deep", JSON, nested(DEPTH_MAX + 1), 400),
        ("very deep", JSON, nested(100_000), 400),
        ("too large", JSON, long.into_bytes(), 413),
        ("another media type", "text/plain", text(r#"{"title":"a"}"#), 415),
        ("no media type", "", text(r#"{"title":"a"}"#), 415),
        ("a list", JSON, text("[]"), 422),
        ("null", JSON, text("null"), 422),
        ("a number", JSON, text("7"), 422),
        ("an unknown member", JSON, text(r#"{"no_such_member":1}"#), 422),
        ("a member called nothing", JSON, text(r#"{"":1}"#), 422),
        ("a member of NUL", JSON, text(r#"{"\u0000":1}"#), 422),
        ("a member twice, deep inside", JSON, text(r#"{"a":[{"b":{"c":1,"c":1}}]}"#), 400),
        ("a byte order mark and no more", JSON, text("\u{feff}"), 400),
        ("two byte order marks", JSON, text("\u{feff}\u{feff}{}"), 400),
        ("a byte order mark and a list", JSON, text("\u{feff}[]"), 422),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_bodies_are_refused() {
    let mut up = Up::start("guard-body", &[]).await;
    let url = up.http();
    let owner = Owner::admin(&up, "owner@example.org").await;
    let trace = Trace::of(&up).await;
    let before = trace.tables().await;
    for operation in operations(&url).await.iter().filter(|operation| operation.has_body) {
        let path = owner.path(operation, owner.user.id);
        let what = |what: &str| format!("{} {path} with {what}", operation.method);
        for (name, media_type, body, status) in bad_bodies() {
            let answer = send(&owner.user.client, operation, &path, media_type, body).await;
            refused(&answer, status, &what(name));
        }
        for coding in ["gzip", "br", "identity, deflate", "x"] {
            let request = operation.ask(&owner.user.client, &path);
            let answer = request.header("content-encoding", coding).send().await;
            refused(&answer.expect("an answer"), 415, &what(coding));
        }
        for (name, body) in bad_members(operation) {
            let body = body.into_bytes();
            let answer = send(&owner.user.client, operation, &path, "application/json", body).await;
            let status = answer.status.as_u16();
            assert!(matches!(status, 400 | 422), "{}: {status} {}", what(&name), answer.text());
            refused(&answer, status, &what(&name));
        }
    }
    trace.assert_unchanged(&before).await;
    up.stop().await;
}

/// Each member of a valid body, with values that it cannot have.
fn bad_members(operation: &Operation) -> Vec<(String, String)> {
    const HUGE: &str = "1e400";
    let good = operation.body();
    let mut bodies = Vec::new();
    for (name, value) in good.as_object().into_iter().flatten() {
        let mut with = |kind: &str, replacement: &str| {
            let members: Vec<String> = good
                .as_object()
                .into_iter()
                .flatten()
                .map(|(member, value)| {
                    let value = value.to_string();
                    let value = if member == name { replacement } else { value.as_str() };
                    format!("{}:{value}", Value::from(member.as_str()))
                })
                .collect();
            bodies.push((format!("{kind} as {name}"), format!("{{{}}}", members.join(","))));
        };
        with("a huge number", HUGE);
        with("a large number", "123456789012345678901234567890");
        with("a tree", r#"{"a":{"b":[1,2,{"c":null}]}}"#);
        with("NUL", r#""a\u0000b""#);
        if !value.is_array() {
            with("a list", "[1]");
        }
        let twice = good.to_string();
        let twice = twice.trim_end_matches('}');
        bodies.push((format!("{name} twice"), format!("{twice},\"{name}\":{value}}}")));
    }
    bodies
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_parameters_are_refused() {
    let mut up = Up::start("guard-query", &[]).await;
    let url = up.http();
    let owner = Owner::admin(&up, "owner@example.org").await;
    let trace = Trace::of(&up).await;
    let before = trace.tables().await;
    for operation in &operations(&url).await {
        let path = owner.path(operation, owner.user.id);
        let client = &owner.user.client;
        let ask = async |query: String| {
            let target = format!("{path}?{query}");
            let answer = operation.ask(client, &target).send().await.expect("an answer");
            (answer, format!("{} {target}", operation.method))
        };
        let (answer, what) = ask("no_such_parameter=1".to_owned()).await;
        names(&answer, "?no_such_parameter", &what);
        for (name, schema) in &operation.query {
            for value in bad_values(name, schema) {
                let (answer, what) = ask(format!("{name}={value}")).await;
                names(&answer, &format!("?{name}"), &what);
            }
            if schema["type"] != "array" {
                let (answer, what) = ask(format!("{name}=1&{name}=1")).await;
                names(&answer, &format!("?{name}"), &what);
            }
        }
    }
    trace.assert_unchanged(&before).await;
    up.stop().await;
}

/// Values that a parameter cannot have; text parameters accept nearly anything.
fn bad_values(name: &str, schema: &Value) -> Vec<String> {
    let overlong = "a".repeat(OVERLONG_CHARS);
    let mut values = vec!["%00".to_owned()];
    let is_closed = schema.get("enum").is_some()
        || schema["items"].get("enum").is_some()
        || schema["format"] == "date-time"
        || matches!(schema["type"].as_str(), Some("integer" | "boolean"));
    if is_closed || matches!(name, "cursor" | "due_date_start" | "due_date_end") {
        values.extend(["".to_owned(), "%20".to_owned(), "x".to_owned(), overlong.clone()]);
        values.extend(["%ff".to_owned(), "%F0%9F%8E%89".to_owned(), "'%22%5C%25_".to_owned()]);
    }
    if schema["type"] == "integer" {
        values.extend(["-1", "1.0", "1e3", "+1", "0x1", "99999999999999999999", "١"].map(encoded));
    }
    if schema.get("maxLength").is_some() || schema["items"].get("maxLength").is_some() {
        values.push(overlong);
    }
    values
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

async fn send(
    client: &Client,
    operation: &Operation,
    path: &str,
    media_type: &str,
    body: Vec<u8>,
) -> Response {
    let mut request = client.request(operation.method.clone(), path);
    if !media_type.is_empty() {
        request = request.header("content-type", media_type);
    }
    request.body(body).send().await.expect("an answer")
}

#[track_caller]
fn refused(answer: &Response, status: u16, what: &str) {
    assert_eq!(answer.status.as_u16(), status, "{what}: {}", answer.text());
    assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{what}");
    let problem = answer.json();
    assert_eq!(problem["status"], status, "{what}");
    let text = answer.text().to_lowercase();
    for inside in ["select ", "insert ", "/src/", ".rs:", "panicked", "postgres"] {
        assert!(!text.contains(inside), "{what}: {text}");
    }
}

/// Asserts that a refusal names the parameter.
#[track_caller]
fn names(answer: &Response, pointer: &str, what: &str) {
    refused(answer, 422, what);
    let problem = answer.json();
    let errors = problem["errors"].as_array().map_or(&[][..], Vec::as_slice);
    let is_named = errors.iter().any(|error| error["pointer"] == json!(pointer));
    assert!(is_named, "{what}: {problem}");
}
