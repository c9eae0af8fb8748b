//! Host, bridge and live sync as separate processes, with a real Kafka between them.

use std::time::Duration;

use rondo_contract::capability::CAPABILITIES;
use rondo_testkit::http::Client;
use rondo_testkit::published::FOREIGN_SOURCE;
use rondo_testkit::smtp::SmtpServer;
use rondo_testkit::wait::eventually;
use rondo_tests::arrangement::separate::{EVENT_TOKEN, EVENT_TOKEN_PREVIOUS, Listener, Separate};
use rondo_tests::arrangement::{Arrangement as _, session};
use rondo_tests::{kill, metric, story};
use serde_json::{Value, json};

/// How long an effect may take, on a busy machine.
const SOON: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn the_story_comes_true_in_separate_processes_over_tls_with_a_login() {
    let smtp = SmtpServer::start().await;
    let settings = [("SMTP_URL", smtp.url())];
    let separate = Separate::start("separate", Listener::Secure, &settings).await;
    story::play(&separate.http(), &separate.ws(), &smtp, "ada@example.org").await;
    for (program, text) in separate.metrics().await {
        metric::assert_complete(program, &text);
    }

    let published = separate.published().await;
    let types = |topic: &str| -> Vec<String> {
        let records = published[topic].iter();
        let mut types: Vec<_> = records.filter_map(|r| r.header("ce_type")).collect();
        types.sort_unstable();
        types.into_iter().map(str::to_owned).collect()
    };
    assert_eq!(types("task-events"), ["task.completed", "task.created", "task.created"]);
    assert_eq!(types("task-updates"), types("task-events"));
    assert_eq!(types("reminders"), ["notification.sent", "reminder.due", "reminder.scheduled"]);
    assert_eq!(types("dlq-events"), [""; 0]);
    poison_becomes_a_dead_letter(&separate).await;
    separate.stop().await;
}

/// What is no event of ours stops nobody: it is set aside, announced, and can be discarded.
async fn poison_becomes_a_dead_letter(separate: &Separate) {
    let headers =
        [("ce_source", FOREIGN_SOURCE), ("ce_id", "8d4ff3c9-9e1a-4c4e-8d08-6d9b7f6a51a0")];
    separate.broker.publish("task-events", "1", &headers, r#"{"event_type":"task.eaten"}"#).await;
    let letter = eventually("an announced dead letter", SOON, async || {
        let published = separate.published().await;
        let found = published["dlq-events"].iter().find(|letter| letter.value.contains("audit"));
        found.cloned().ok_or("none")
    })
    .await;
    let event: Value = serde_json::from_str(&letter.value).expect("JSON");
    assert_eq!(event["original"]["topic"], "task-events");
    assert_eq!(event["original"]["value"], r#"{"event_type":"task.eaten"}"#);

    let listed = separate.command(&["dlq", "list"]).await;
    let listed: Vec<Value> =
        listed.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let of_audit = listed.iter().find(|letter| letter["consumer"] == "audit");
    let id = of_audit.expect("the audit's letter")["id"].to_string();
    separate.command(&["dlq", "discard", &id]).await;
    let shown = separate.command(&["dlq", "show", &id]).await;
    assert!(shown.contains("discarded"), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn event_routes_take_either_of_two_tokens_and_nothing_else() {
    const ID: &str = "6f1c1f0e-7a52-4c3e-9d67-0d6d1a3c9e11";
    let separate = Separate::start("event-route", Listener::Plain, &[]).await;
    let time = "2031-01-01T00:00:00Z";
    let batch = json!([{
        "specversion": "1.0", "id": ID, "source": "/rondo", "type": "task.created", "time": time,
        "datacontenttype": "application/json", "topic": "task-events",
        "data": {
            "event_id": ID, "schema_version": "1.0", "event_type": "task.created",
            "timestamp": time, "task_id": 1, "user_id": 2, "revision": 3,
            "task_data": {"id": 1, "user_id": 2, "uid": "u", "title": "t", "status": "pending", "tags": [],
                          "time_zone": "UTC", "created_at": time, "updated_at": time, "revision": 3},
        },
    }]);
    let nobody = Client::new(separate.http());
    let user = story::register(&separate.http(), "ada@example.org").await;
    let send = async |client: &Client, capability: &str, body: String| {
        let request = client.request(http::Method::POST, &format!("/events/{capability}"));
        let request = request.header("content-type", "application/cloudevents-batch+json");
        request.body(body).send().await.expect("an answer")
    };
    let postgres = session(&separate.postgres()).await;
    let audited = async || {
        let row = postgres.query_one("SELECT count(*) FROM audit_logs", &[]).await;
        row.expect("a count").get::<_, i64>(0)
    };
    for capability in CAPABILITIES.map(|capability| capability.name) {
        let almost = format!("{}!", &EVENT_TOKEN[..EVENT_TOKEN.len() - 1]);
        for (client, who) in [
            (nobody.clone(), "nobody"),
            (nobody.with_token("wrong"), "a wrong token"),
            (nobody.with_token(&almost), "almost the token"),
            (nobody.with_token(""), "an empty token"),
            (nobody.with_header("authorization", EVENT_TOKEN), "no scheme"),
            (user.client.clone(), "a user's token"),
        ] {
            // What is no batch is not even looked at.
            for body in [batch.to_string(), "no JSON".to_owned()] {
                let answer = send(&client, capability, body).await;
                assert_eq!(answer.status, 401, "{who} at {capability}: {}", answer.text());
                assert!(answer.header("www-authenticate").is_some(), "{who} at {capability}");
            }
        }
    }
    assert_eq!(audited().await, 0, "no work was done");
    for token in [EVENT_TOKEN, EVENT_TOKEN_PREVIOUS] {
        for capability in CAPABILITIES.map(|capability| capability.name) {
            let answer = send(&nobody.with_token(token), capability, batch.to_string()).await;
            let answer = answer.expect(200).json();
            assert_eq!(answer["dispositions"], json!([{"disposition": "done"}]), "{capability}");
        }
    }
    assert_eq!(audited().await, 1, "once, whoever brought it");
    separate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_or_done_twice_when_the_bridge_is_killed() {
    let mut separate = Separate::start("bridge-kill", Listener::Plain, &[]).await;
    kill::survive(&mut separate).await;
    separate.stop().await;
}
