//! Every route, link and event entry point answers for a user without data, for ids that do not exist, and
//! for a deleted user. The Wasm host refuses a query that returns no row, which never returns on Spin 4.0;
//! these tests provoke each such query.

use http::Method;
use rondo_contract::link_token::{Link, Purpose};
use rondo_contract::token::HmacKey;
use rondo_domain::access::Scope;
use rondo_testkit::http::{Client, Response};
use rondo_tests::described::{Operation, operations};
use rondo_tests::forgery::{claims, signed};
use rondo_tests::stage::{SECRET, Stage};
use rondo_wasm_host::CloudEvent;
use serde_json::{Value, json};

/// An id that does not exist.
const NOTHING: i64 = 987_654_321;

#[tokio::test(flavor = "multi_thread")]
async fn every_route_answers_a_user_who_has_nothing() {
    let stage = Stage::new().await;
    let user = stage.user("nothing@example.org").await;
    // The lists in each order, and statements that only a filter reaches.
    for order in ["created_at", "updated_at", "due_date", "priority", "title", "position"] {
        for query in [
            "sort_order=asc",
            "sort_order=desc",
            "search=anything+at+all",
            "offset=7",
            "count=true",
        ] {
            let path = format!("/api/tasks?sort_by={order}&{query}");
            let answer = user.client.get(&path).await.expect("an answer").expect(200);
            assert_eq!(answer.json(), json!([]), "{path}");
        }
    }
    let mut operations = operations(user.client.base()).await;
    // Requests that create something come after those that only read.
    operations.sort_by_key(|operation| operation.method != Method::GET);
    for operation in operations {
        let answer = asked(&operation, &user.client, user.id).await;
        let (status, what) = (answer.status.as_u16(), shown(&operation, &answer));
        if operation.names_resource() {
            assert_eq!(status, 404, "{what}");
        } else if operation.scopes.is_some() && operation.method == Method::GET {
            assert_eq!(status, 200, "{what}");
            if let Value::Array(items) = answer.json() {
                // Who asks has a session.
                let expected = usize::from(operation.path == "/api/auth/sessions");
                assert_eq!(items.len(), expected, "{what}");
            }
        } else {
            assert!(status < 500, "{what}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_empty_after_its_only_task_is_completed() {
    let stage = Stage::new().await;
    let user = stage.user("one@example.org").await;
    let made = user.client.post("/api/tasks", &json!({"title": "only"})).await;
    let id = made.expect("an answer").expect(201).json()["id"].clone();
    let done = user.client.post(&format!("/api/tasks/{id}/complete"), &json!({})).await;
    done.expect("an answer").expect(200);
    let pending = user.client.get("/api/tasks?status=pending").await.expect("an answer");
    assert_eq!(pending.expect(200).json(), json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_answers_a_user_who_is_gone() {
    let stage = Stage::new().await;
    let scopes: Vec<_> = Scope::ALL.iter().map(|scope| scope.as_str()).collect();
    let scopes = scopes.join(" ");
    let token = signed(r#"{"alg":"HS256"}"#, &claims(NOTHING, &scopes, 600), SECRET.as_bytes());
    let client = stage.client().with_token(&token);
    for operation in operations(client.base()).await {
        let answer = asked(&operation, &client, NOTHING).await;
        assert!(answer.status.as_u16() < 500, "{}", shown(&operation, &answer));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_credentials_are_refused() {
    let stage = Stage::new().await;
    let user = stage.user("somebody@example.org").await;
    let anybody = stage.client();
    let unknown = "A".repeat(43);
    for (email, password) in
        [("somebody@example.org", "not the password"), ("nobody@example.org", "not the password")]
    {
        let login = json!({"email": email, "password": password});
        anybody.post("/api/auth/login", &login).await.expect("an answer").expect(401);
    }
    let refresh = json!({"refresh_token": unknown});
    anybody.post("/api/auth/refresh", &refresh).await.expect("an answer").expect(401);
    anybody.post("/api/auth/logout", &refresh).await.expect("an answer").expect(204);
    let forgot = json!({"email": "nobody@example.org"});
    anybody.post("/api/auth/password/forgot", &forgot).await.expect("an answer").expect(202);
    let stranger = anybody.with_token(&format!("rondo_{unknown}"));
    for path in
        ["/api/tasks", "/api/auth/me", "/api/audit/logs", "/api/webhooks", "/api/notifications"]
    {
        stranger.get(path).await.expect("an answer").expect(401);
    }
    user.client.get("/api/health/ready").await.expect("an answer").expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_link_answers_after_its_subject_is_deleted() {
    let stage = Stage::new().await;
    let user = stage.user("linked@example.org").await;
    let key = HmacKey::new(SECRET.as_bytes()).expect("a key");
    for &purpose in Purpose::ALL {
        for user_id in [user.id, NOTHING] {
            let link =
                Link { purpose, user_id, subject_id: NOTHING, firing: 1, expires_at_s: i64::MAX };
            let path = link.url("", &key);
            for method in [Method::GET, Method::POST] {
                let client = stage.client();
                let answer = client.request(method.clone(), &path).send().await.expect("an answer");
                // A deleted user gets no more mail, so unsubscribing succeeds.
                let expected = if purpose == Purpose::Unsubscribe { 200 } else { 404 };
                assert_eq!(answer.status, expected, "{method} {purpose}: {}", answer.text());
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_event_route_accepts_events_about_deleted_rows() {
    let stage = Stage::new().await;
    for (capability, event_type) in [
        ("recurrence", "task.completed"),
        ("recurrence", "task.deleted"),
        ("notify", "task.created"),
        ("notify", "reminder.due"),
        ("notify", "digest.due"),
        ("audit", "task.created"),
    ] {
        let event = event(event_type);
        // The second time there is nothing to record either.
        for _ in 0..2 {
            stage.deliver(capability, &event).await;
        }
    }
}

/// An event about a user, a task and a reminder that do not exist.
fn event(event_type: &str) -> CloudEvent {
    const ID: &str = "6f1c1f0e-7a52-4c3e-9d67-0d6d1a3c9e12";
    let data = json!({
        "event_id": ID, "schema_version": "1.0", "event_type": event_type,
        "timestamp": "2031-01-01T00:00:00Z", "task_id": NOTHING, "user_id": NOTHING, "revision": 3,
        "task_data": {}, "reminder_id": NOTHING, "firing": 1, "remind_at": "2031-01-01T00:00:00Z",
        "due_date": null, "day": "2031-01-01",
    });
    CloudEvent {
        id: ID.to_owned(),
        event_type: event_type.to_owned(),
        subject: None,
        time: "2031-01-01T00:00:00Z".to_owned(),
        traceparent: None,
        topic: "task-events".to_owned(),
        data: data.to_string(),
    }
}

/// Sends a request for something that the user with this id does not have.
async fn asked(operation: &Operation, client: &Client, user_id: i64) -> Response {
    let mut path =
        operation.path.replace("{user_id}", &user_id.to_string()).replace("{name}", "no");
    while let Some((before, rest)) = path.split_once('{') {
        let after = rest.split_once('}').map_or("", |(_, after)| after);
        path = format!("{before}{NOTHING}{after}");
    }
    operation.ask(client, &path).send().await.expect("an answer")
}

fn shown(operation: &Operation, answer: &Response) -> String {
    format!("{} {}: {} {}", operation.method, operation.path, answer.status, answer.text())
}
