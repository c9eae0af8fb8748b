//! The examples of docs/tasks.md: requests, and what their answers have at least.

use http::Method;
use rondo_testkit::process::root;
use rondo_tests::stage::Stage;
use serde_json::Value;

/// A request and its answer, as the page has them.
struct Example {
    method: Method,
    path: String,
    body: Option<Value>,
    status: u16,
    answer: Option<Value>,
}

impl Example {
    /// Request line and body, an empty line, status and body.
    fn parse(text: &str) -> Self {
        let (request, answer) = text.trim().split_once("\n\n").expect("a request and an answer");
        let parts = |text: &str| {
            let (first, body) = text.split_once('\n').unwrap_or((text, ""));
            let body = (!body.is_empty()).then(|| serde_json::from_str(body).expect("JSON"));
            (first.to_owned(), body)
        };
        let ((line, body), (status, answer)) = (parts(request), parts(answer));
        let (method, path) = line.split_once(' ').expect("a method and a path");
        Self {
            method: method.parse().expect("a method"),
            path: path.to_owned(),
            body,
            status: status.parse().expect("a status"),
            answer,
        }
    }
}

/// Whether a value has everything that is expected; lists have as many items.
fn has(found: &Value, expected: &Value) -> bool {
    match (found, expected) {
        (Value::Object(found), Value::Object(expected)) => expected
            .iter()
            .all(|(name, value)| found.get(name).is_some_and(|found| has(found, value))),
        (Value::Array(found), Value::Array(expected)) => {
            found.len() == expected.len()
                && found.iter().zip(expected).all(|(found, expected)| has(found, expected))
        }
        _ => found == expected,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_examples_of_the_page_about_tasks() {
    let page = std::fs::read_to_string(root().join("docs/tasks.md")).expect("the page");
    let blocks =
        page.split("```http\n").skip(1).map(|rest| rest.split("```").next().unwrap_or(rest));
    let examples: Vec<Example> = blocks.map(Example::parse).collect();
    assert!(!examples.is_empty(), "has the page changed its form?");
    let stage = Stage::new().await;
    let user = stage.user("ada@example.org").await;
    // The page has the token of the response before.
    let mut token: Option<String> = None;
    for Example { method, path, mut body, status, answer } in examples {
        if let (Some(body), true) = (&mut body, path.ends_with("/undo")) {
            body["token"] = token.take().expect("a token").into();
        }
        let request = user.client.request(method.clone(), &path);
        let request = match &body {
            Some(body) => request.json(body),
            None => request,
        };
        let found = request.send().await.expect("an answer").expect(status);
        token = found.header("undo-token").map(str::to_owned);
        if let Some(expected) = answer {
            let found = found.json();
            assert!(has(&found, &expected), "{method} {path}: {found:#}");
        }
    }
}
