//! Webhooks in the notify component: their life through the API, and the deliveries that a batch of events
//! causes.

use std::time::Duration;

use rondo_testkit::http::Client;
use rondo_testkit::wait::eventually;
use rondo_tests::stage::Stage;
use rondo_tests::story::User;
use rondo_wasm_host::CloudEvent;
use serde_json::{Value, json};

const URL: &str = "https://example.org/hook?token=a";
/// How long a statement may wait for another's lock.
const SOON: Duration = Duration::from_secs(20);

async fn made(client: &Client, events: &[&str]) -> Value {
    let body = json!({"url": URL, "events": events});
    client.post("/api/webhooks", &body).await.expect("an answer").expect(201).json()
}

async fn get(client: &Client, path: &str) -> Value {
    client.get(path).await.expect("an answer").expect(200).json()
}

/// The events of a task's changes, from the outbox.
async fn events_of_a_task(stage: &Stage, user: &User) -> Vec<CloudEvent> {
    let task = json!({"title": "Call Bob"});
    let created = user.client.post("/api/tasks", &task).await.expect("an answer").expect(201);
    let path = format!("/api/tasks/{}/complete", created.json()["id"]);
    user.client.post(&path, &json!({})).await.expect("an answer").expect(200);
    stage.events().await
}

/// Types of a webhook's deliveries, oldest first.
async fn types(client: &Client, id: &Value) -> Vec<String> {
    let list = get(client, &format!("/api/webhooks/{id}/deliveries")).await;
    let mut types: Vec<_> = list
        .as_array()
        .expect("an array")
        .iter()
        .map(|one| one["event_type"].as_str().unwrap_or_default().to_owned())
        .collect();
    // Events of one batch have no order.
    types.sort();
    types
}

#[tokio::test(flavor = "multi_thread")]
async fn the_life_of_a_webhook() {
    let stage = Stage::new().await;
    let user = stage.user("ada@example.org").await;
    let client = &user.client;
    let body = json!({"url": URL, "events": ["task.created", "task.created", "reminder.due"]});
    let path = format!("/api/{}/webhooks", user.id);
    let answer = client.post(&path, &body).await.expect("an answer").expect(201);
    let mut webhook = answer.json();
    let secret = webhook["secret"].as_str().expect("a secret").to_owned();
    assert!(secret.starts_with("whsec_") && secret.len() == 50, "{secret}");
    assert_eq!(webhook["events"], json!(["task.created", "reminder.due"]));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let id = webhook["id"].clone();
    let location = format!("{path}/{id}");
    assert_eq!(answer.header("location"), Some(location.as_str()));
    assert_eq!((&webhook["enabled"], &webhook["disabled_at"]), (&json!(true), &Value::Null));

    // The secret is shown only once.
    webhook.as_object_mut().expect("an object").remove("secret");
    assert_eq!(get(client, &location).await, webhook);
    assert_eq!(get(client, "/api/webhooks").await, json!([webhook]));

    // The new secret has the same form and is also shown once.
    let renewed = client.post(&format!("{location}/secret"), &json!({})).await;
    let renewed = renewed.expect("an answer").expect(200);
    assert_eq!(renewed.header("cache-control"), Some("no-store"));
    let mut renewed = renewed.json();
    let other = renewed.as_object_mut().expect("an object").remove("secret");
    let other = other.as_ref().and_then(Value::as_str).expect("a secret").to_owned();
    assert!(other.starts_with("whsec_") && other.len() == 50 && other != secret, "{other}");
    assert_eq!(renewed, webhook);
    assert_eq!(get(client, &location).await, webhook);

    let patch = async |body: Value| {
        client.patch(&location, &body).await.expect("an answer").expect(200).json()
    };
    assert_eq!(patch(json!({})).await, webhook);
    let disabled = patch(json!({"enabled": false, "events": ["series.ended"]})).await;
    assert_eq!(disabled["events"], json!(["series.ended"]));
    assert_eq!(
        (&disabled["enabled"], &disabled["disabled_reason"]),
        (&json!(false), &json!("owner"))
    );
    assert!(disabled["disabled_at"].is_string(), "{disabled}");
    assert_eq!(patch(json!({"enabled": false})).await, disabled, "it is disabled already");
    let enabled = patch(json!({"enabled": true, "url": "https://example.com"})).await;
    assert_eq!((&enabled["enabled"], &enabled["disabled_reason"]), (&json!(true), &Value::Null));
    assert_eq!(enabled["url"], "https://example.com");

    // A test is a delivery, whatever the webhook subscribes to.
    let test = format!("{location}/test");
    let delivery = client.post(&test, &json!({})).await.expect("an answer").expect(202).json();
    assert_eq!(
        (&delivery["event_type"], &delivery["status"]),
        (&json!("webhook.test"), &json!("pending"))
    );
    assert_eq!(get(client, &format!("{location}/deliveries")).await, json!([delivery]));
    let again = format!("{location}/deliveries/{}/redeliver", delivery["id"]);
    let again = client.post(&again, &json!({})).await.expect("an answer").expect(202).json();
    assert_eq!((&again["id"], &again["event_id"]), (&delivery["id"], &delivery["event_id"]));

    client.delete(&location).await.expect("an answer").expect(204);
    for gone in [
        client.get(&location).await,
        client.delete(&location).await,
        client.post(&test, &json!({})).await,
        client.post(&format!("{location}/secret"), &json!({})).await,
    ] {
        gone.expect("an answer").expect(404);
    }
    let left = stage.database.session().await;
    let left =
        left.query_one("SELECT count(*) FROM webhook_deliveries", &[]).await.expect("a count");
    assert_eq!(left.get::<_, i64>(0), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_are_limited_and_private_to_their_user() {
    let stage = Stage::new().await;
    let (ada, bob) = (stage.user("ada@example.org").await, stage.user("bob@example.org").await);
    let mut last = Value::Null;
    for _ in 0..10 {
        last = made(&ada.client, &["task.created"]).await;
    }
    let body = json!({"url": URL, "events": ["task.created"]});
    let refused = ada.client.post("/api/webhooks", &body).await.expect("an answer").expect(409);
    assert_eq!(refused.json()["code"], "too_many_webhooks");
    assert_eq!(get(&bob.client, "/api/webhooks").await, json!([]));
    let path = format!("/api/webhooks/{}", last["id"]);
    let client = &bob.client;
    for answer in [
        client.get(&path).await,
        client.patch(&path, &json!({"enabled": false})).await,
        client.delete(&path).await,
        client.post(&format!("{path}/test"), &json!({})).await,
        client.post(&format!("{path}/secret"), &json!({})).await,
        client.get(&format!("{path}/deliveries")).await,
    ] {
        answer.expect("an answer").expect(404);
    }
    let path = format!("/api/{}/webhooks", ada.id);
    client.get(&path).await.expect("an answer").expect(403);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_recorded_once_for_its_subscribers() {
    let stage = Stage::new().await;
    let (ada, bob) = (stage.user("ada@example.org").await, stage.user("bob@example.org").await);
    let before = events_of_a_task(&stage, &ada).await;
    let all = made(&ada.client, &["task.created", "task.completed"]).await["id"].clone();
    let some = made(&ada.client, &["task.completed"]).await["id"].clone();
    let others = made(&bob.client, &["task.created"]).await["id"].clone();
    let disabled = made(&ada.client, &["task.created"]).await["id"].clone();
    let path = format!("/api/webhooks/{disabled}");
    ada.client.patch(&path, &json!({"enabled": false})).await.expect("an answer").expect(200);

    let events = events_of_a_task(&stage, &ada).await;
    assert_eq!(events.len(), 2);
    // Together and one by one, in any order, repeatedly, and the events from before the webhooks.
    for batch in [&events[..], &events[1..], &events[..1], &events[..], &before[..]] {
        let outcomes = stage.outcomes("notify", batch).await.expect("an answer");
        assert!(outcomes.iter().all(|outcome| *outcome == "done"), "{outcomes:?}");
    }
    assert_eq!(types(&ada.client, &all).await, ["task.completed", "task.created"]);
    assert_eq!(types(&ada.client, &some).await, ["task.completed"]);
    assert_eq!(types(&bob.client, &others).await, [""; 0]);
    assert_eq!(types(&ada.client, &disabled).await, [""; 0]);

    // Byte for byte as published.
    let session = stage.database.session().await;
    let sql =
        "SELECT payload, event_id::text FROM webhook_deliveries WHERE event_type = 'task.created'";
    let row = session.query_one(sql, &[]).await.expect("one delivery");
    assert_eq!(
        (row.get::<_, String>(0), row.get::<_, String>(1)),
        (events[0].data.clone(), events[0].id.clone())
    );

    // Events from while it was disabled are not delivered later.
    ada.client.patch(&path, &json!({"enabled": true})).await.expect("an answer").expect(200);
    stage.outcomes("notify", &events).await.expect("an answer");
    assert_eq!(types(&ada.client, &disabled).await, [""; 0]);
    let later = events_of_a_task(&stage, &ada).await;
    stage.outcomes("notify", &later).await.expect("an answer");
    assert_eq!(types(&ada.client, &disabled).await, ["task.created"]);

    // Pages of the history.
    let first = ada.client.get(&format!("/api/webhooks/{all}/deliveries?limit=3")).await;
    let first = first.expect("an answer").expect(200);
    let link = first.header("link").expect("a next page").to_owned();
    let next = link.split_once('>').expect("a link").0.trim_start_matches('<').to_owned();
    let second = ada.client.get(&next).await.expect("an answer").expect(200);
    assert_eq!(
        (first.json().as_array().map(Vec::len), second.json().as_array().map(Vec::len)),
        (Some(3), Some(1))
    );
    assert_eq!(second.header("link"), None);
}

/// A webhook that is deleted while its events are recorded affects no other.
#[tokio::test(flavor = "multi_thread")]
async fn deleting_a_webhook_meanwhile_affects_no_other() {
    let stage = Stage::new().await;
    let ada = stage.user("ada@example.org").await;
    let gone = made(&ada.client, &["task.created"]).await["id"].clone();
    let stays = made(&ada.client, &["task.created"]).await["id"].clone();
    let events = events_of_a_task(&stage, &ada).await;
    let (deleting, watching) = (stage.database.session().await, stage.database.session().await);
    let delete = format!("BEGIN; DELETE FROM webhooks WHERE id = {gone}");
    deleting.batch_execute(&delete).await.expect("a deletion that is not committed");
    let commit = async {
        let waiting = "SELECT count(*) FROM pg_stat_activity
                       WHERE datname = current_database() AND wait_event_type = 'Lock'";
        eventually("the record to wait", SOON, async || {
            match watching.query_one(waiting, &[]).await.expect("a count").get::<_, i64>(0) {
                0 => Err("nobody waits"),
                _ => Ok(()),
            }
        })
        .await;
        deleting.batch_execute("COMMIT").await.expect("the deletion");
    };
    let (outcomes, ()) = tokio::join!(stage.outcomes("notify", &events), commit);
    assert_eq!(outcomes.expect("an answer"), ["done", "done"]);
    assert_eq!(types(&ada.client, &stays).await, ["task.created"]);
}
