//! All event capabilities: each event is audited once, a malformed event harms no other of its batch, and a
//! capability without its database is unavailable.

use rondo_contract::capability::CAPABILITIES;
use rondo_tests::stage::Stage;
use rondo_tests::story::PASSWORD;
use rondo_wasm_host::{CallError, CloudEvent};
use serde_json::json;

fn event(id: &str, event_type: &str, data: &str) -> CloudEvent {
    CloudEvent {
        id: id.to_owned(),
        event_type: event_type.to_owned(),
        subject: Some("tasks/1".to_owned()),
        time: "2031-01-01T00:00:00Z".to_owned(),
        traceparent: None,
        topic: "task-events".to_owned(),
        data: data.to_owned(),
    }
}

/// An event that makes each capability query its database.
fn valid(event_type: &str) -> CloudEvent {
    const ID: &str = "6f1c1f0e-7a52-4c3e-9d67-0d6d1a3c9e11";
    let data = json!({
        "event_id": ID, "schema_version": "1.0", "event_type": event_type,
        "timestamp": "2031-01-01T00:00:00Z", "task_id": 1, "user_id": 2, "revision": 3,
        "task_data": {}, "reminder_id": 4, "firing": 1, "remind_at": "2031-01-01T00:00:00Z",
        "due_date": null,
    });
    event(ID, event_type, &data.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn audit_records_each_event_once_and_rejects_malformed_ones() {
    let stage = Stage::new().await;
    let good = valid("task.completed");
    let live = CloudEvent { topic: "task-updates".to_owned(), ..good.clone() };
    let batch = [good.clone(), event("no uuid", "task.created", "{}"), live, good];
    for _ in 0..2 {
        let outcomes = stage.outcomes("audit", &batch).await.expect("dispositions");
        assert_eq!(outcomes, ["done", "reject", "done", "done"]);
    }
    let sql = "SELECT count(*), min(user_id), min(task_id), min(action_type) FROM audit_logs";
    let row = stage.database.session().await.query_one(sql, &[]).await.expect("a row");
    assert_eq!((row.get(0), row.get(1), row.get(2)), (1_i64, 2_i64, 1_i64));
    assert_eq!(row.get::<_, &str>(3), "task.completed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_event_is_rejected_and_harms_no_other_of_its_batch() {
    let stage = Stage::new().await;
    for (capability, event_type) in
        [("recurrence", "task.completed"), ("notify", "reminder.due"), ("audit", "task.created")]
    {
        let good = valid(event_type);
        for poison in ["", "{}", "[]", "no JSON", r#"{"event_type":"task.eaten"}"#] {
            let poison = event("8d4ff3c9-9e1a-4c4e-8d08-6d9b7f6a51a0", event_type, poison);
            let outcomes = stage.outcomes(capability, &[poison.clone(), good.clone()]).await;
            let outcomes = outcomes.expect("dispositions");
            assert_eq!(outcomes, ["reject", "done"], "{capability}: {}", poison.data);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_database_a_capability_is_unavailable() {
    let stage = Stage::without_database().await;
    for capability in CAPABILITIES.map(|capability| capability.name) {
        let event_type = if capability == "notify" { "reminder.due" } else { "task.completed" };
        let answer = stage.outcomes(capability, &[valid(event_type)]).await;
        let Err(CallError::Unavailable(reason)) = answer else {
            panic!("{capability}: {answer:?}")
        };
        assert!(!reason.contains("127.0.0.1"), "{capability} reveals the address: {reason}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_database_a_request_learns_when_to_retry() {
    let with = Stage::new().await;
    let user = with.user("ada@example.org").await;
    let without = Stage::without_database().await;
    let client = without.client().with_token(&user.token);
    let login = json!({"email": "ada@example.org", "password": PASSWORD});
    for (path, body) in [
        ("/api/tasks", None),
        ("/api/notifications", None),
        ("/api/audit/logs", None),
        ("/api/auth/me", None),
        ("/api/auth/login", Some(login)),
        ("/api/tasks", Some(json!({"title": "t"}))),
    ] {
        let answer = match body {
            None => client.get(path).await,
            Some(body) => client.post(path, &body).await,
        };
        let answer = answer.expect("an answer");
        assert_eq!(answer.status, 503, "{path}: {}", answer.text());
        assert!(answer.header("retry-after").is_some(), "{path}");
        assert!(
            !answer.text().contains("127.0.0.1"),
            "{path} reveals the address: {}",
            answer.text()
        );
    }
}
