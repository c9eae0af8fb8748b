//! Requests by unauthorised callers, to every route of the served OpenAPI document: each is refused as
//! documented, and leaves nothing in the database.

use rondo_testkit::http::{Client, Response};
use rondo_tests::arrangement::Up;
use rondo_tests::described::{Owner, Trace, operations};
use rondo_tests::forgery::{SECRET, forged, good};
use rondo_tests::story;

const SCOPES: [&str; 3] = ["tasks:read", "tasks:write", "audit:read"];

#[tokio::test(flavor = "multi_thread")]
async fn every_route_refuses_unauthorised_callers() {
    let mut up = Up::start("guard-route", &[("JWT_SECRET", SECRET.to_owned())]).await;
    let url = up.http();
    let owner = Owner::register(&url, "owner@example.org").await;
    let other = story::register(&url, "other@example.org").await;
    let nobody = Client::new(&url);
    let trace = Trace::of(&up).await;
    let before = trace.tables().await;
    for operation in operations(&url).await {
        let Some(scopes) = &operation.scopes else { continue };
        let path = owner.path(&operation, owner.user.id);
        let asked = async |client: &Client, path: &str| {
            operation.ask(client, path).send().await.expect("an answer")
        };
        let what = format!("{} {path}", operation.method);

        let answer = asked(&nobody, &path).await;
        refused(&answer, 401, "unauthenticated", &format!("{what} without a token"));
        for (name, token) in forged(owner.user.id) {
            let answer = asked(&nobody.with_token(&token), &path).await;
            refused(&answer, 401, "unauthenticated", &format!("{what} with a token {name}"));
        }
        for scope in scopes {
            let others: Vec<_> = SCOPES.into_iter().filter(|other| other != scope).collect();
            let token = good(owner.user.id, &others.join(" "));
            let answer = asked(&nobody.with_token(&token), &path).await;
            refused(&answer, 403, "missing_scope", &format!("{what} without {scope}"));
        }
        if operation.needs_login {
            let token = good(owner.user.id, "tasks:read tasks:write");
            let answer = asked(&nobody.with_token(&token), &path).await;
            refused(&answer, 403, "forbidden", &format!("{what} without a login"));
        }
        if operation.path.contains("{user_id}") {
            let answer = asked(&other.client, &path).await;
            refused(&answer, 403, "forbidden", &format!("{what} by another user"));
        }
        if operation.names_resource() {
            let path = owner.path(&operation, other.id);
            let answer = asked(&other.client, &path).await;
            refused(&answer, 404, "not_found", &format!("{what} by another user, as its own"));
        }
        if operation.query.iter().any(|(name, _)| name == "user_id") {
            let path = format!("{path}?user_id={}", owner.user.id);
            let answer = asked(&other.client, &path).await;
            refused(&answer, 403, "forbidden", &format!("{what} about another user"));
        }
    }
    trace.assert_unchanged(&before).await;
    up.stop().await;
}

#[track_caller]
fn refused(answer: &Response, status: u16, code: &str, what: &str) {
    assert_eq!(answer.status.as_u16(), status, "{what}: {}", answer.text());
    assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{what}");
    let problem = answer.json();
    assert_eq!(problem["code"], code, "{what}: {problem}");
    assert_eq!(problem["status"], status, "{what}");
    assert_eq!(problem["request_id"].as_str(), answer.header("x-request-id"), "{what}");
    let challenge = (status == 401).then_some("Bearer");
    assert_eq!(answer.header("www-authenticate"), challenge, "{what}");
}
