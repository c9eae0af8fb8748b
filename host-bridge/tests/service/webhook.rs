//! The sender of webhooks against real receivers that fail as they are told, and against names that
//! resolve to what nobody may be sent to.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use host_bridge::job;
use host_bridge::webhook::{Resolver, WebhookSender, system_resolver};
use rondo_domain::destination::Loopback;
use rondo_telemetry::{Format, Metrics, Program, Readiness};
use rondo_testkit::receiver::{Reaction, Receiver};
use rondo_testkit::wait::eventually;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::seed::Seed;

/// How long anything may take, an attempt that hangs among it.
const SOON: Duration = Duration::from_secs(40);
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A running sender.
struct Running {
    metrics: Metrics,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    fn start(seed: &Seed) -> Self {
        Self::with(seed, Loopback::Allowed, system_resolver())
    }

    fn with(seed: &Seed, loopback: Loopback, resolver: Resolver) -> Self {
        let (metrics, shutdown) = (Metrics::new(Program::Bridge), CancellationToken::new());
        let sender =
            WebhookSender::new(seed.bridge.clone(), loopback, resolver, metrics.clone()).unwrap();
        let part = Readiness::new().part("webhooks");
        let task = tokio::spawn(job::work(sender, part, metrics.clone(), shutdown.clone()));
        Self { metrics, shutdown, task }
    }

    /// The count of an outcome in the metrics.
    fn counted(&self, outcome: &str) -> u64 {
        let name = format!("rondo_webhooks_total{{outcome=\"{outcome}\"}} ");
        let text = self.metrics.encode(Format::Prometheus);
        let value = text.lines().find_map(|line| line.strip_prefix(&name));
        value.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("{text}"))
    }

    async fn stop(self) {
        self.shutdown.cancel();
        self.task.await.unwrap();
    }
}

/// A webhook to this address; gives its id.
async fn webhook(seed: &Seed, url: &str) -> i64 {
    let sql = "INSERT INTO webhooks (user_id, url, events, secret, created_at, active_since)
               VALUES ($1, $2, '{task.created}', $3, now(), now()) RETURNING id";
    seed.session.query_one(sql, &[&seed.user_id, &url, &SECRET]).await.unwrap().get(0)
}

/// Deliveries to be made at once; gives the id of the last.
async fn pending(seed: &Seed, webhook: i64, count: i32) -> i64 {
    let sql = "INSERT INTO webhook_deliveries (webhook_id, event_id, event_type, payload, created_at, next_attempt_at)
               SELECT $1, gen_random_uuid(), 'task.created', '{\"n\": 1}', now(), now()
               FROM generate_series(1, $2) RETURNING id";
    let rows = seed.session.query(sql, &[&webhook, &count]).await.unwrap();
    rows.last().unwrap().get(0)
}

/// A row of a table as JSON, once `is_so` says that it is as awaited.
async fn row(seed: &Seed, table: &str, id: i64, is_so: impl Fn(&Value) -> bool) -> Value {
    eventually(table, SOON, async || {
        let query = format!("SELECT to_jsonb(t) FROM {table} t WHERE id = {id}");
        let row: Value = serde_json::from_str(&seed.text(&query).await).unwrap();
        if is_so(&row) { Ok(row) } else { Err(row) }
    })
    .await
}

async fn with_status(seed: &Seed, id: i64, status: &str) -> Value {
    row(seed, "webhook_deliveries", id, |row| row["status"] == status).await
}

/// A delivery that waits for another attempt, after so many.
async fn put_off(seed: &Seed, id: i64, attempts: i64) -> Value {
    let is_so = |row: &Value| row["attempts"] == attempts && row["leased"] == false;
    row(seed, "webhook_deliveries", id, is_so).await
}

/// Seconds until the next attempt, as it stood when it was put off.
async fn wait_s(seed: &Seed, id: i64) -> f64 {
    let query = format!(
        "SELECT extract(epoch FROM next_attempt_at - last_attempt_at) FROM webhook_deliveries WHERE id = {id}"
    );
    seed.text(&query).await.parse().unwrap()
}

async fn due_now(seed: &Seed, id: i64) {
    seed.run(&format!("UPDATE webhook_deliveries SET next_attempt_at = now() WHERE id = {id}"))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent() {
    let (seed, receiver) = (Seed::new().await, Receiver::start().await);
    receiver.react(Reaction::status(200, "thank\u{7} you"));
    let hook = webhook(&seed, &receiver.url()).await;
    let id = pending(&seed, hook, 1).await;
    let sender = Running::start(&seed);
    let delivery = with_status(&seed, id, "delivered").await;
    let [request] = &receiver.received()[..] else { panic!("one request") };
    assert_eq!(request.line, "POST /hook?token=a");
    assert_eq!(request.header("host"), format!("127.0.0.1:{}", receiver.port()));
    assert_eq!(request.header("webhook-id"), delivery["event_id"].as_str().unwrap());
    assert_eq!(request.header("content-type"), "application/json");
    assert!(request.header("user-agent").starts_with("Rondo/"));
    assert_eq!(request.body, br#"{"n": 1}"#);
    let timestamp: i64 = request.header("webhook-timestamp").parse().unwrap();
    let expected = rondo_contract::webhook::signature(
        SECRET,
        request.header("webhook-id"),
        timestamp,
        &request.body,
    );
    assert_eq!(Some(request.header("webhook-signature")), expected.as_deref());
    assert_eq!(
        (&delivery["answer_status"], &delivery["answer"]),
        (&json!(200), &json!("thank  you"))
    );
    assert_eq!((&delivery["attempts"], &delivery["last_error"]), (&json!(1), &Value::Null));
    assert_eq!((sender.counted("delivered"), sender.counted("retried")), (1, 0));
    sender.stop().await;
}

/// With the secret before it too, until its time is over.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_signed_while_a_secret_is_replaced() {
    const BEFORE: &str = "whsec_bm90IGEgc2VjcmV0LCBqdXN0IGFuIGV4YW1wbGUgLi4=";
    let (seed, receiver) = (Seed::new().await, Receiver::start().await);
    let hook = webhook(&seed, &receiver.url()).await;
    let sender = Running::start(&seed);
    for (until, secrets) in [("1 hour", &[SECRET, BEFORE][..]), ("0", &[SECRET][..])] {
        seed.run(&format!(
            "UPDATE webhooks SET previous_secret = '{BEFORE}', previous_secret_until = now() + interval '{until}'"
        ))
        .await;
        let id = pending(&seed, hook, 1).await;
        with_status(&seed, id, "delivered").await;
        let request = receiver.received().pop().unwrap();
        let timestamp: i64 = request.header("webhook-timestamp").parse().unwrap();
        let id = request.header("webhook-id");
        let signatures = secrets.iter().map(|secret| {
            rondo_contract::webhook::signature(secret, id, timestamp, &request.body).unwrap()
        });
        let expected = signatures.collect::<Vec<_>>().join(" ");
        assert_eq!(request.header("webhook-signature"), expected, "{until}");
    }
    sender.stop().await;
}

/// Each of these is a failure, and tried again later with the same id.
#[tokio::test(flavor = "multi_thread")]
async fn what_fails_is_tried_again() {
    let (seed, receiver, elsewhere) =
        (Seed::new().await, Receiver::start().await, Receiver::start().await);
    let hook = webhook(&seed, &receiver.url()).await;
    let id = pending(&seed, hook, 1).await;
    let location = format!("Location: {}", elsewhere.url());
    let reactions = [
        (Reaction::status(500, "oh"), json!(500), "answered with 500", 5.0),
        (
            Reaction::with_header(503, "Retry-After: 600", ""),
            json!(503),
            "answered with 503",
            600.0,
        ),
        (Reaction::with_header(307, &location, ""), json!(307), "answered with 307", 1_800.0),
        (Reaction::Drop, Value::Null, "connection broke", 7_200.0),
        (Reaction::Answer("HTTP/1.1 2".to_owned()), Value::Null, "connection broke", 18_000.0),
        (
            Reaction::Answer("SSH-2.0-none\r\n".to_owned()),
            Value::Null,
            "connection broke",
            36_000.0,
        ),
        (
            Reaction::Answer(format!("HTTP/1.1 200 OK\r\nX: {}", "a".repeat(1 << 20))),
            Value::Null,
            "connection broke",
            50_400.0,
        ),
    ];
    for (reaction, ..) in &reactions {
        receiver.react(reaction.clone());
    }
    let sender = Running::start(&seed);
    for (place, (reaction, status, error, wait)) in (1..).zip(&reactions) {
        let delivery = put_off(&seed, id, place).await;
        assert_eq!(delivery["answer_status"], *status, "{reaction:?}");
        assert!(delivery["last_error"].as_str().unwrap().contains(error), "{delivery}");
        let waits = wait_s(&seed, id).await;
        // The attempt itself takes a moment too, on a busy machine.
        assert!((*wait..wait * 1.2 + 15.0).contains(&waits), "{waits} s after {reaction:?}");
        due_now(&seed, id).await;
    }
    let delivery = with_status(&seed, id, "delivered").await;
    assert_eq!(delivery["attempts"], 8);
    let ids: Vec<_> =
        receiver.received().iter().map(|request| request.header("webhook-id").to_owned()).collect();
    assert_eq!(ids, vec![delivery["event_id"].as_str().unwrap(); 8]);
    assert_eq!(elsewhere.received(), [], "redirects are not followed");
    assert_eq!(row(&seed, "webhooks", hook, |_| true).await["failing_since"], Value::Null);
    assert_eq!((sender.counted("retried"), sender.counted("delivered")), (7, 1));
    sender.stop().await;
}

/// Success is in the head: what becomes of the body after it does not matter.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_breaks_off_or_never_ends_is_no_failure() {
    let (seed, receiver) = (Seed::new().await, Receiver::start().await);
    let half = "HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\nhalf".to_owned();
    let endless = format!("HTTP/1.1 200 OK\r\n\r\n{}", "long ".repeat(1 << 18));
    receiver.react(Reaction::Answer(half));
    receiver.react(Reaction::Answer(endless));
    let hook = webhook(&seed, &receiver.url()).await;
    let sender = Running::start(&seed);
    let first = pending(&seed, hook, 1).await;
    assert_eq!(with_status(&seed, first, "delivered").await["answer"], "half");
    let second = pending(&seed, hook, 1).await;
    let kept = with_status(&seed, second, "delivered").await["answer"].clone();
    assert_eq!(kept.as_str().map(|text| text.trim().len()), Some(499));
    sender.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_hangs_holds_no_other() {
    let (seed, hanging, sound) =
        (Seed::new().await, Receiver::start().await, Receiver::start().await);
    hanging.otherwise(Reaction::Hang);
    let stuck = webhook(&seed, &hanging.url()).await;
    let last_stuck = pending(&seed, stuck, 200).await;
    let other = webhook(&seed, &sound.url()).await;
    let sender = Running::start(&seed);
    hanging.await_received(8, SOON).await;
    pending(&seed, other, 200).await;
    // Long before the first of those that hang gives up.
    let within = Duration::from_secs(12);
    eventually("every other delivery", within, async || {
        let sql = format!("SELECT count(*) FROM webhook_deliveries WHERE webhook_id = {other} AND status <> 'delivered'");
        match seed.text(&sql).await.as_str() {
            "0" => Ok(()),
            left => Err(left.to_owned()),
        }
    })
    .await;
    assert_eq!(hanging.received().len(), 8, "no more places than its own");
    // Known to fail, it has one place.
    row(&seed, "webhooks", stuck, |row| row["failing_since"].is_string()).await;
    let sql = format!(
        "SELECT last_error FROM webhook_deliveries WHERE webhook_id = {stuck} AND last_error IS NOT NULL LIMIT 1"
    );
    assert_eq!(seed.text(&sql).await, "no response within 15 s");
    hanging.await_received(9, SOON).await;
    let under_way =
        format!("SELECT count(*) FROM webhook_deliveries WHERE webhook_id = {stuck} AND leased");
    eventually("the first ones to end", SOON, async || {
        match seed.text(&under_way).await.as_str() {
            "1" => Ok(()),
            others => Err(others.to_owned()),
        }
    })
    .await;
    assert_eq!(with_status(&seed, last_stuck, "pending").await["attempts"], 0);
    seed.run("DELETE FROM webhooks").await;
    sender.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gone_disables_at_once_and_tells_the_owner() {
    let (seed, receiver) = (Seed::new().await, Receiver::start().await);
    seed.run("UPDATE users SET email_verified_at = now()").await;
    receiver.react(Reaction::status(410, "moved out"));
    let hook = webhook(&seed, &receiver.url()).await;
    let first = pending(&seed, hook, 1).await;
    let later = pending(&seed, hook, 1).await;
    let wait = format!(
        "UPDATE webhook_deliveries SET next_attempt_at = now() + interval '1 hour' WHERE id = {later}"
    );
    seed.run(&wait).await;
    let sender = Running::start(&seed);
    let disabled = row(&seed, "webhooks", hook, |row| row["disabled_at"].is_string()).await;
    assert_eq!(disabled["disabled_reason"], "gone");
    assert_eq!(with_status(&seed, first, "failed").await["answer_status"], 410);
    with_status(&seed, later, "cancelled").await;
    let mail =
        seed.text("SELECT email || ' ' || purpose || ' ' || body_text FROM account_mails").await;
    assert!(mail.starts_with("ada@example.org webhook_disabled Hello,"), "{mail}");
    assert!(
        mail.contains("127.0.0.1") && mail.contains("410") && !mail.contains("token"),
        "{mail}"
    );
    sender.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn long_failure_disables_but_a_short_one_does_not() {
    let (seed, receiver) = (Seed::new().await, Receiver::start().await);
    seed.run("UPDATE users SET email_verified_at = now()").await;
    receiver.otherwise(Reaction::status(500, ""));
    let hook = webhook(&seed, &receiver.url()).await;
    let sender = Running::start(&seed);
    // The last attempt of a delivery, while the webhook has failed for a moment, and for six days.
    let first = pending_last(&seed, hook).await;
    with_status(&seed, first, "failed").await;
    let after = row(&seed, "webhooks", hook, |row| row["failing_since"].is_string()).await;
    assert_eq!(after["disabled_at"], Value::Null);
    seed.run("UPDATE webhooks SET failing_since = now() - interval '6 days'").await;
    // One with attempts left changes nothing yet.
    let early = pending(&seed, hook, 1).await;
    put_off(&seed, early, 1).await;
    assert_eq!(row(&seed, "webhooks", hook, |_| true).await["disabled_at"], Value::Null);
    let last = pending_last(&seed, hook).await;
    with_status(&seed, last, "failed").await;
    let disabled = row(&seed, "webhooks", hook, |row| row["disabled_at"].is_string()).await;
    assert_eq!(disabled["disabled_reason"], "failing");
    with_status(&seed, early, "cancelled").await;
    assert_eq!(seed.text("SELECT count(*) FROM account_mails").await, "1");
    sender.stop().await;
}

/// A delivery that has one attempt left.
async fn pending_last(seed: &Seed, webhook: i64) -> i64 {
    let sql = "INSERT INTO webhook_deliveries (webhook_id, event_id, event_type, payload, attempts, tries,
                                               created_at, next_attempt_at)
               VALUES ($1, gen_random_uuid(), 'task.created', '{}', 9, 9, now(), now()) RETURNING id";
    seed.session.query_one(sql, &[&webhook]).await.unwrap().get(0)
}

/// Who has not shown that the address is theirs is told nothing.
#[tokio::test(flavor = "multi_thread")]
async fn an_unverified_address_gets_no_mail() {
    let (seed, receiver) = (Seed::new().await, Receiver::start().await);
    receiver.react(Reaction::status(410, ""));
    let hook = webhook(&seed, &receiver.url()).await;
    pending(&seed, hook, 1).await;
    let sender = Running::start(&seed);
    row(&seed, "webhooks", hook, |row| row["disabled_at"].is_string()).await;
    assert_eq!(seed.text("SELECT count(*) FROM account_mails").await, "0");
    sender.stop().await;
}

/// A resolver that gives each look its own answer, the last one for ever, and counts the looks.
fn resolver(answers: &'static [&'static [&'static str]]) -> (Resolver, Arc<AtomicUsize>) {
    let looks = Arc::new(AtomicUsize::new(0));
    let counted = looks.clone();
    let resolver: Resolver = Arc::new(move |_, port| {
        let look = counted.fetch_add(1, Ordering::SeqCst).min(answers.len() - 1);
        let address = |text: &&str| SocketAddr::new(text.parse().unwrap(), port);
        let found = answers[look].iter().map(address).collect();
        Box::pin(async move { Ok(found) })
    });
    (resolver, looks)
}

/// The name is resolved once for each attempt: what was vetted is what is connected to, and what the
/// name resolves to a moment later is vetted anew.
#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_resolves_to_something_else_gains_nothing() {
    let (seed, receiver) = (Seed::new().await, Receiver::start().await);
    let (resolver, looks) = resolver(&[
        &["127.0.0.1"],
        &["169.254.169.254"],
        &["10.0.0.1", "::ffff:10.0.0.1"],
        &["fd00::1", "127.0.0.1"],
    ]);
    let hook = webhook(&seed, &format!("http://hook.localhost:{}/", receiver.port())).await;
    let sender = Running::with(&seed, Loopback::Allowed, resolver);
    let first = pending(&seed, hook, 1).await;
    with_status(&seed, first, "delivered").await;
    assert_eq!((looks.load(Ordering::SeqCst), receiver.received().len()), (1, 1));

    let second = pending(&seed, hook, 1).await;
    for attempt in 1..=2 {
        let delivery = put_off(&seed, second, attempt).await;
        assert_eq!(delivery["last_error"], "the host has no public address");
        assert_eq!(receiver.received().len(), 1);
        due_now(&seed, second).await;
    }
    with_status(&seed, second, "delivered").await;
    assert_eq!((looks.load(Ordering::SeqCst), receiver.received().len()), (4, 2));
    sender.stop().await;
}

/// Loopback is only for who says so: neither for another name that resolves to it, nor once the
/// setting is taken back.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_inside_is_reached() {
    let (seed, receiver) = (Seed::new().await, Receiver::start().await);
    let port = receiver.port();
    let check = async |url: String, loopback: Loopback, resolver: Resolver, expected: &str| {
        let hook = webhook(&seed, &url).await;
        let id = pending(&seed, hook, 1).await;
        let sender = Running::with(&seed, loopback, resolver);
        assert_eq!(put_off(&seed, id, 1).await["last_error"], expected, "{url}");
        sender.stop().await;
        seed.run("DELETE FROM webhooks").await;
    };
    let local = || resolver(&[&["127.0.0.1", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1"]]).0;
    let other = format!("https://rebound.example:{port}/");
    check(other.clone(), Loopback::Allowed, local(), "the host has no public address").await;
    check(other.clone(), Loopback::Refused, local(), "the host has no public address").await;
    check(other, Loopback::Allowed, resolver(&[&[]]).0, "the host name could not be resolved")
        .await;
    const FORBIDDEN: &str = "the URL is not allowed";
    check(receiver.url(), Loopback::Refused, local(), FORBIDDEN).await;
    for url in ["http://rebound.example", "https://10.0.0.1", "https://169.254.169.254/latest"] {
        check(url.to_owned(), Loopback::Allowed, local(), FORBIDDEN).await;
    }
    assert_eq!(receiver.received(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_tls_nothing_is_said() {
    let seed = Seed::new().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://127.0.0.1:{}/", listener.local_addr().unwrap().port());
    let hook = webhook(&seed, &url).await;
    let id = pending(&seed, hook, 1).await;
    let sender = Running::start(&seed);
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut hello = [0; 1];
    tokio::io::AsyncReadExt::read_exact(&mut stream, &mut hello).await.unwrap();
    assert_eq!(hello, [22], "a TLS handshake (RFC 8446, section 5.1)");
    drop((stream, listener));
    assert_eq!(put_off(&seed, id, 1).await["last_error"], "the TLS handshake failed");
    sender.stop().await;
}
