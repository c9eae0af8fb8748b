//! Webhooks on `rondo up`, as users and receivers see them.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac as _};
use rondo_database::Session;
use rondo_testkit::event_schema::assert_event_valid;
use rondo_testkit::http::Client;
use rondo_testkit::receiver::{Reaction, Received, Receiver};
use rondo_testkit::wait::eventually;
use rondo_tests::arrangement::{Arrangement as _, Up, session};
use rondo_tests::story::{self, SOON, User};
use serde_json::{Value, json};
use sha2::Sha256;

/// Maximum difference between a signature's time and now, in seconds, as receivers check it.
const CLOCK_S_MAX: u64 = 300;

async fn up(name: &str) -> Up {
    Up::start(name, &[("WEBHOOK_ALLOW_LOOPBACK", "true".to_owned())]).await
}

async fn subscribe(client: &Client, url: &str, events: &[&str]) -> Value {
    let body = json!({"url": url, "events": events});
    client.post("/api/webhooks", &body).await.expect("an answer").expect(201).json()
}

async fn task(user: &User, title: &str) -> Value {
    let body = json!({"title": title});
    user.client.post("/api/tasks", &body).await.expect("an answer").expect(201).json()
}

/// Whether one of a request's signatures is made with this secret, by the check that the specification
/// prescribes.
fn is_signed_with(received: &Received, secret: &str) -> bool {
    let (id, timestamp) = (received.header("webhook-id"), received.header("webhook-timestamp"));
    let key = STANDARD.decode(secret.strip_prefix("whsec_").expect("the prefix")).expect("base64");
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("any length");
    mac.update(&[id.as_bytes(), b".", timestamp.as_bytes(), b".", &received.body].concat());
    received.header("webhook-signature").split(' ').any(|given| {
        let given = given.strip_prefix("v1,").expect("version 1");
        mac.clone().verify_slice(&STANDARD.decode(given).expect("base64")).is_ok()
    })
}

/// The specification's checks of a receiver, in an implementation of our own.
fn verified(received: &Received, secret: &str) -> Value {
    assert!(is_signed_with(received, secret), "no signature is valid");
    let (id, timestamp) = (received.header("webhook-id"), received.header("webhook-timestamp"));
    let now =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    assert!(now.as_secs().abs_diff(timestamp.parse().expect("seconds")) < CLOCK_S_MAX);
    let event: Value = serde_json::from_slice(&received.body).expect("JSON");
    assert_eq!(event["event_id"], id);
    event
}

async fn deliveries(client: &Client, webhook: &Value) -> Vec<Value> {
    let path = format!("/api/webhooks/{}/deliveries", webhook["id"]);
    let answer = client.get(&path).await.expect("an answer").expect(200).json();
    answer.as_array().cloned().unwrap_or_default()
}

/// The newest delivery of a webhook, once it has a status and a number of finished attempts.
async fn newest(client: &Client, webhook: &Value, status: &str, attempts: i64) -> Value {
    eventually(status, SOON, async || {
        let deliveries = deliveries(client, webhook).await;
        let newest = deliveries.first().filter(|one| {
            let is_put_off = one["last_error"].is_string();
            one["status"] == status
                && one["attempts"] == attempts
                && (status != "pending" || is_put_off)
        });
        newest.cloned().ok_or_else(|| format!("{:?}", deliveries.first()))
    })
    .await
}

/// Makes delayed deliveries due.
async fn make_due(session: &Session) {
    let sql = "UPDATE webhook_deliveries SET next_attempt_at = now() WHERE status = 'pending' AND NOT leased";
    session.execute(sql, &[]).await.expect("deliveries that are due");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_receives_events() {
    let mut up = up("webhook").await;
    let (receiver, session) = (Receiver::start().await, session(&up.postgres()).await);
    let user = story::register(&up.http(), "ada@example.org").await;
    let webhook = subscribe(
        &user.client,
        &receiver.url(),
        &["task.created", "task.completed", "reminder.due"],
    )
    .await;
    let secret = webhook["secret"].as_str().expect("a secret").to_owned();

    // Only subscribed types, and only events of its own user.
    let other = story::register(&up.http(), "bob@example.org").await;
    task(&other, "not told").await;
    let created = task(&user, "Water the plants").await;
    let path = format!("/api/tasks/{}", created["id"]);
    let update = json!({"title": "Water all the plants"});
    user.client.patch(&path, &update).await.expect("an answer").expect(200);
    user.client.post(&format!("{path}/complete"), &json!({})).await.expect("an answer").expect(200);
    let reminding =
        json!({"title": "Call Bob", "due_date": story::from_now(600), "reminder_offset": "PT1H"});
    user.client.post("/api/tasks", &reminding).await.expect("an answer").expect(201);
    let received = receiver.await_received(4, SOON).await;
    let events: Vec<Value> = received.iter().map(|one| verified(one, &secret)).collect();
    for event in &events {
        assert_event_valid(event);
        assert_eq!(event["user_id"], user.id);
    }
    let mut types: Vec<_> =
        events.iter().filter_map(|event| event["event_type"].as_str()).collect();
    types.sort_unstable();
    assert_eq!(types, ["reminder.due", "task.completed", "task.created", "task.created"]);

    // A failed delivery is retried later with the same id.
    receiver.react(Reaction::status(500, "not now"));
    task(&user, "Once more").await;
    let failed = newest(&user.client, &webhook, "pending", 1).await;
    assert_eq!((&failed["answer_status"], &failed["answer"]), (&json!(500), &json!("not now")));
    assert_eq!(failed["last_error"], "answered with 500");
    assert!(failed["next_attempt_at"].is_string(), "{failed}");
    let shown =
        user.client.get(&format!("/api/webhooks/{}", webhook["id"])).await.expect("an answer");
    assert!(shown.json()["failing_since"].is_string(), "{}", shown.text());
    make_due(&session).await;
    let delivered = newest(&user.client, &webhook, "delivered", 2).await;
    let received = receiver.received();
    assert_eq!(received.len(), 6);
    for attempt in &received[4..] {
        assert_eq!(verified(attempt, &secret)["event_id"], delivered["event_id"]);
    }

    // Redelivered at its owner's request; nothing else is sent twice.
    let again = format!("/api/webhooks/{}/deliveries/{}/redeliver", webhook["id"], delivered["id"]);
    user.client.post(&again, &json!({})).await.expect("an answer").expect(202);
    newest(&user.client, &webhook, "delivered", 3).await;
    let received = receiver.received();
    assert_eq!((received.len(), &received[6].body), (7, &received[5].body));

    // A test delivery.
    let test = format!("/api/webhooks/{}/test", webhook["id"]);
    user.client.post(&test, &json!({})).await.expect("an answer").expect(202);
    let event = verified(&receiver.await_received(8, SOON).await[7], &secret);
    assert_eq!(
        (&event["event_type"], &event["webhook_id"]),
        (&json!("webhook.test"), &webhook["id"])
    );
    newest(&user.client, &webhook, "delivered", 1).await;

    // The secret is never shown again.
    for path in ["/api/webhooks".to_owned(), format!("/api/webhooks/{}/deliveries", webhook["id"])]
    {
        let answer = user.client.get(&path).await.expect("an answer").expect(200);
        assert!(!answer.text().contains(&secret) && !answer.text().contains("whsec_"));
    }
    let metrics = Client::new(up.http()).get("/metrics").await.expect("an answer").text();
    assert!(metrics.contains("rondo_webhooks_total{outcome=\"delivered\"} 7"), "{metrics}");
    up.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_or_deleted_webhook_receives_nothing() {
    let mut up = up("webhook-off").await;
    let (gone, off, on) =
        (Receiver::start().await, Receiver::start().await, Receiver::start().await);
    let user = story::register(&up.http(), "ada@example.org").await;
    let client = &user.client;
    gone.react(Reaction::status(410, ""));
    let leaving = subscribe(client, &gone.url(), &["task.created"]).await;
    let stopped = subscribe(client, &off.url(), &["task.created"]).await;
    let deleted = subscribe(client, &off.url(), &["task.created"]).await;
    let path = |webhook: &Value| format!("/api/webhooks/{}", webhook["id"]);
    client.patch(&path(&stopped), &json!({"enabled": false})).await.expect("an answer").expect(200);
    client.delete(&path(&deleted)).await.expect("an answer").expect(204);
    let told = subscribe(client, &on.url(), &["task.created"]).await;

    task(&user, "one").await;
    newest(client, &told, "delivered", 1).await;
    let disabled = eventually("the webhook that is gone to be disabled", SOON, async || {
        let webhook = client.get(&path(&leaving)).await.expect("an answer").expect(200).json();
        if webhook["enabled"] == false { Ok(webhook) } else { Err(webhook.to_string()) }
    })
    .await;
    assert_eq!(disabled["disabled_reason"], "gone");
    task(&user, "two").await;
    on.await_received(2, SOON).await;
    assert_eq!((gone.received().len(), off.received().len()), (1, 0));

    // Its owner can still test it, and enable it.
    client
        .post(&format!("{}/test", path(&leaving)), &json!({}))
        .await
        .expect("an answer")
        .expect(202);
    newest(client, &leaving, "delivered", 1).await;
    client.patch(&path(&leaving), &json!({"enabled": true})).await.expect("an answer").expect(200);
    task(&user, "three").await;
    let received = gone.await_received(3, SOON).await;
    let event: Value = serde_json::from_slice(&received[2].body).expect("JSON");
    assert_eq!(event["task_data"]["title"], "three");
    up.stop().await;
}

/// While a receiver changes to another secret, it may know the new one or the previous one.
#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_replaced_with_an_overlap() {
    let mut up = up("webhook-secret").await;
    let (receiver, session) = (Receiver::start().await, session(&up.postgres()).await);
    let user = story::register(&up.http(), "ada@example.org").await;
    let webhook = subscribe(&user.client, &receiver.url(), &["task.created"]).await;
    let path = format!("/api/webhooks/{}", webhook["id"]);
    let renew = async || {
        let renewed = user.client.post(&format!("{path}/secret"), &json!({})).await;
        let renewed = renewed.expect("an answer").expect(200);
        assert_eq!(renewed.header("cache-control"), Some("no-store"));
        renewed.json()["secret"].as_str().expect("a secret").to_owned()
    };
    let told = async |count: usize| {
        task(&user, "one more").await;
        receiver.await_received(count, SOON).await.pop().expect("a request")
    };
    let signed = |received: &Received, secrets: [&str; 3]| -> (usize, [bool; 3]) {
        let count = received.header("webhook-signature").split(' ').count();
        (count, secrets.map(|secret| is_signed_with(received, secret)))
    };
    let first = webhook["secret"].as_str().expect("a secret").to_owned();
    let second = renew().await;
    assert_ne!(first, second);
    assert_eq!(signed(&told(1).await, [&first, &second, &second]), (2, [true, true, true]));
    // A leaked first secret does not survive another renewal.
    let third = renew().await;
    assert_eq!(signed(&told(2).await, [&first, &second, &third]), (2, [false, true, true]));
    let shown = user.client.get(&path).await.expect("an answer").expect(200);
    assert!(!shown.text().contains("whsec_"), "{}", shown.text());
    let left = "SELECT extract(epoch FROM previous_secret_until - now())::bigint FROM webhooks";
    let left: i64 = session.query_one(left, &[]).await.expect("a moment").get(0);
    assert!((86_000..=86_400).contains(&left), "{left} s");
    let over = "UPDATE webhooks SET previous_secret_until = now()";
    session.execute(over, &[]).await.expect("the end of the overlap");
    assert_eq!(signed(&told(3).await, [&first, &second, &third]), (1, [false, false, true]));
    up.stop().await;
}

/// Without the setting, a webhook cannot lead to this machine.
#[tokio::test(flavor = "multi_thread")]
async fn webhooks_cannot_lead_to_internal_addresses() {
    let mut up = Up::start("webhook-inside", &[]).await;
    let user = story::register(&up.http(), "ada@example.org").await;
    for url in [
        up.http(),
        up.http().replace("127.0.0.1", "localhost"),
        "https://localhost/".to_owned(),
        "https://10.0.0.1/".to_owned(),
        "https://169.254.169.254/latest".to_owned(),
        "https://[::ffff:127.0.0.1]/".to_owned(),
        "https://user:password@example.org/".to_owned(),
        "https://example.org/#a".to_owned(),
        "http://example.org/".to_owned(),
    ] {
        let body = json!({"url": url, "events": ["task.created"]});
        let answer = user.client.post("/api/webhooks", &body).await.expect("an answer").expect(422);
        assert_eq!(answer.json()["errors"][0]["pointer"], "/url", "{url}");
    }
    let body = json!({"url": "https://example.org", "events": ["task.created", "task.eaten"]});
    let answer = user.client.post("/api/webhooks", &body).await.expect("an answer").expect(422);
    assert_eq!(answer.json()["errors"][0]["pointer"], "/events/1");
    up.stop().await;
}

/// kill -9 during a delivery: the lease expires, and the delivery is repeated with the same id.
#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_outlives_a_kill() {
    let mut up = up("webhook-kill").await;
    let receiver = Receiver::start().await;
    let user = story::register(&up.http(), "ada@example.org").await;
    let webhook = subscribe(&user.client, &receiver.url(), &["task.created"]).await;
    receiver.react(Reaction::Hang);
    task(&user, "one").await;
    receiver.await_received(1, SOON).await;
    up.kill();
    up.start_again().await;
    let session = session(&up.postgres()).await;
    let lease =
        "UPDATE webhook_deliveries SET next_attempt_at = now() WHERE status = 'pending' AND leased";
    assert_eq!(session.execute(lease, &[]).await.expect("the end of a lease"), 1);
    let received = receiver.await_received(2, Duration::from_secs(60)).await;
    let secret = webhook["secret"].as_str().expect("a secret");
    assert_eq!(verified(&received[0], secret), verified(&received[1], secret));
    newest(&user.client, &webhook, "delivered", 2).await;
    up.stop().await;
}
