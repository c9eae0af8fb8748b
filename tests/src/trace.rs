//! The story of one recurring task, followed in a trace: two requests of one client, completing the task, and
//! whatever comes of it, up to the mail, the webhook and the device.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use rondo_testkit::collector::{Collector, Span};
use rondo_testkit::http::Client;
use rondo_testkit::receiver::Receiver;
use rondo_testkit::smtp::{Mail, SmtpServer};
use rondo_testkit::websocket::WebSocket;
use serde_json::json;

use crate::account;
use crate::story::{self, SOON, from_now};

/// The client's own span.
pub const TRACE_ID: &str = "0af7651916cd43dd8448eb211c80319c";
const CLIENT_SPAN: &str = "b7ad6b7169203331";
/// What nobody but user, receiver and Postgres may read.
const TITLE: &str = "hunter2 is thirsty";

/// Settings of a program whose spans go to `collector`, soon and all of them.
#[must_use]
pub fn settings(collector: &Collector) -> Vec<(&'static str, String)> {
    vec![
        ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint()),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-key=hunter2".to_owned()),
        ("OTEL_BSP_SCHEDULE_DELAY", "50".to_owned()),
    ]
}

/// A header `traceparent` of the client's.
#[must_use]
pub fn traceparent(is_sampled: bool) -> String {
    format!("00-{TRACE_ID}-{CLIENT_SPAN}-{:02x}", u8::from(is_sampled))
}

/// What the story's receiver, mail server and device have got.
pub struct Played {
    /// `traceparent` of each webhook.
    pub webhooks: Vec<String>,
}

/// Creates a task with recurrence and reminder and completes it, both in one trace of the client's, and waits
/// for the successor's frame, the reminder's mail and the webhooks about both.
///
/// # Panics
/// When something does not come.
pub async fn play(http: &str, ws: &str, smtp: &SmtpServer, is_sampled: bool) -> Played {
    let (email, receiver) = ("ada@example.org", Receiver::start().await);
    story::register(http, email).await;
    account::verify(http, smtp, email).await;
    // A verification by link ends older access.
    let user = story::login(http, email).await;
    let webhook = json!({"url": receiver.url(), "events": ["task.completed", "reminder.due"]});
    user.client.post("/api/webhooks", &webhook).await.expect("an answer").expect(201);
    let mut device =
        WebSocket::connect(&format!("{ws}?token={}", user.token)).await.expect("a session");
    assert_eq!(device.next(SOON).await.json()["type"], "welcome");

    let client = user.client.with_header("traceparent", &traceparent(is_sampled));
    let task = json!({"title": TITLE, "due_date": from_now(-3_600), "reminder_offset": "P1D",
                      "recurrence_rule": {"frequency": "daily"}});
    let created = client.post("/api/tasks", &task).await.expect("an answer").expect(201).json();
    let complete = format!("/api/tasks/{}/complete", created["id"]);
    client.post(&complete, &json!({})).await.expect("an answer").expect(200);

    device
        .collect_until("each change", SOON, |frames| {
            let types = frames.iter().filter_map(|frame| frame["event_type"].as_str());
            types.collect::<Vec<_>>() == ["task.created", "task.completed", "task.created"]
        })
        .await;
    let is_reminder = |mail: &Mail| mail.header("Subject").unwrap_or_default().contains(TITLE);
    smtp.await_mail("the reminder's mail", SOON, is_reminder).await;
    let received = receiver.await_received(2, SOON).await;
    device.close().await;
    let traces = received.iter().map(|one| one.header("traceparent").to_owned());
    Played { webhooks: traces.collect() }
}

/// The spans of the story's trace, once those of mail, webhooks and frames are there; each has its parent in
/// it, and no secret.
///
/// # Panics
/// When they do not come, or are not so.
pub async fn collected(collector: &Collector) -> Vec<Span> {
    let is_whole = |spans: &[Span]| {
        let of_trace = spans.iter().filter(|span| span.trace_id == TRACE_ID);
        let spans: Vec<Span> = of_trace.cloned().collect();
        let known = |id: &str| id == CLIENT_SPAN || spans.iter().any(|span| span.span_id == id);
        let count = |name: &str| spans.iter().filter(|span| span.name == name).count();
        let is_whole = count("send mail") == 1
            && count("POST {webhook}") == 2
            && count("send frame") == 3
            // The audit has everything there is: creations, completion, reminders and mail.
            && count("process reminders") >= 3
            && spans.iter().all(|span| known(&span.parent_id));
        is_whole.then_some(spans)
    };
    let spans = collector.await_spans("the whole trace", SOON, is_whole).await;
    for span in &spans {
        assert!(span.begin_ns <= span.end_ns && !span.is_failed, "{span:?}");
        let text = format!("{span:?}");
        assert!(!text.contains("hunter2") && !text.contains("example.org"), "{text}");
    }
    for request in collector.requests() {
        assert_eq!(request.header("x-key"), "hunter2");
    }
    spans
}

/// Names of a span and of what is above it, up to the client, as `service: name`. An event that was handled
/// with others goes on below its consumer, else below the component; this is the same here.
#[must_use]
pub fn path<'a>(spans: &'a [Span], end: &'a Span) -> Vec<&'a str> {
    let mut names = Vec::new();
    let mut at = Some(end);
    while let Some(span) = at {
        let is_event = |span: &Span| span.name.starts_with("process ");
        let above = spans.iter().find(|above| above.span_id == span.parent_id);
        let is_of_call = ["component ", "POST"].iter().any(|name| span.name.starts_with(name));
        let is_within = is_of_call && ancestors(spans, span).any(is_event);
        if !is_within || names.is_empty() {
            names.insert(0, &*span.name);
        }
        at = above;
    }
    names
}

fn ancestors<'a>(spans: &'a [Span], span: &'a Span) -> impl Iterator<Item = &'a Span> {
    let above = move |span: &&'a Span| spans.iter().find(|above| above.span_id == span.parent_id);
    let above_end = above(&span);
    std::iter::successors(above_end, above)
}

/// The one span of this name, if `is_it`.
///
/// # Panics
/// When there is none or another.
#[must_use]
pub fn one<'a>(spans: &'a [Span], name: &str, is_it: impl Fn(&Span) -> bool) -> &'a Span {
    let mut found = spans.iter().filter(|span| span.name == name && is_it(span));
    match (found.next(), found.next()) {
        (Some(span), None) => span,
        (first, second) => panic!("not one {name}: {first:?}, {second:?} in\n{}", drawn(spans)),
    }
}

/// Whether a component's call is below a request or a consumer's work, and has a statement below it.
///
/// # Panics
/// When that is not so.
pub fn assert_component(spans: &[Span], component: &str, statement: &str) {
    let name = format!("component {component}");
    let calls: Vec<_> = spans.iter().filter(|span| span.name == name).collect();
    let statements = spans.iter().filter(|span| span.name == statement);
    let mut parents = statements.map(|span| &span.parent_id);
    let is_below = parents.any(|parent| calls.iter().any(|call| call.span_id == *parent));
    assert!(is_below, "no {statement} below {name} in\n{}", drawn(spans));
}

/// The trace as a tree: when each span began, how long it took, and in which program.
#[must_use]
pub fn drawn(spans: &[Span]) -> String {
    let begun = spans.iter().map(|span| span.begin_ns).min().unwrap_or_default();
    let mut below: BTreeMap<&str, Vec<&Span>> = BTreeMap::new();
    let is_known = |id: &str| spans.iter().any(|span| span.span_id == id);
    for span in spans {
        let parent = if is_known(&span.parent_id) { &*span.parent_id } else { "" };
        below.entry(parent).or_default().push(span);
    }
    for level in below.values_mut() {
        level.sort_by_key(|span| span.begin_ns);
    }
    let mut text = String::new();
    draw(&below, "", "", begun, &mut text);
    text
}

fn draw(below: &BTreeMap<&str, Vec<&Span>>, id: &str, indent: &str, begun: u64, text: &mut String) {
    let level = below.get(id).map(Vec::as_slice).unwrap_or_default();
    for (place, span) in level.iter().enumerate() {
        let (branch, deeper) = match (id.is_empty(), place + 1 == level.len()) {
            (true, _) => ("", ""),
            (false, false) => ("├─ ", "│  "),
            (false, true) => ("└─ ", "   "),
        };
        let label = format!("{indent}{branch}{}", span.name);
        let ms = |ns: u64| ns as f64 / 1e6;
        let (at, took) = (ms(span.begin_ns - begun), ms(span.end_ns - span.begin_ns));
        let _ = writeln!(text, "{at:8.1} {took:7.1}  {:13} {label}", span.service);
        draw(below, &span.span_id, &format!("{indent}{deeper}"), begun, text);
    }
}

/// The story's trace is whole: from the request to the mail, the webhooks and the frames, through the
/// successor.
///
/// # Panics
/// When it is not.
pub fn assert_whole(spans: &[Span]) {
    const COMPLETE: [&str; 2] = ["POST /api/tasks/{id}/complete", "component task-api"];
    const SUCCESSOR: [&str; 2] = ["send task-events", "process task-events"];
    const REMINDED: [&str; 2] = ["send reminders", "process reminders"];
    let check = |end: &Span, steps: &[&[&str]]| {
        assert_eq!(path(spans, end), steps.concat(), "\n{}", drawn(spans));
    };
    check(one(spans, "send mail", |_| true), &[&COMPLETE, &SUCCESSOR, &REMINDED, &["send mail"]]);
    let mut webhooks: Vec<_> = spans.iter().filter(|span| span.name == "POST {webhook}").collect();
    webhooks.sort_by_key(|span| path(spans, span).len());
    check(webhooks[0], &[&COMPLETE, &SUCCESSOR, &["POST {webhook}"]]);
    check(webhooks[1], &[&COMPLETE, &SUCCESSOR, &REMINDED, &["POST {webhook}"]]);
    let mut frames: Vec<_> = spans.iter().filter(|span| span.name == "send frame").collect();
    frames.sort_by_key(|span| span.begin_ns);
    let pushed = ["send task-updates", "process task-updates", "send frame"];
    check(frames[0], &[&["POST /api/tasks", "component task-api"], &pushed]);
    check(frames[1], &[&COMPLETE, &pushed]);
    check(frames[2], &[&COMPLETE, &SUCCESSOR, &pushed]);
    assert_component(spans, "task-api", "task_create");
    assert_component(spans, "task-api", "task_change");
    assert_component(spans, "recurrence", "occurrence_create");
    assert_component(spans, "notify", "notification_record");
    assert_component(spans, "audit", "INSERT audit_logs");
    for (name, kind) in [
        ("POST /api/tasks", "SERVER"),
        ("task_create", "CLIENT"),
        ("send mail", "CLIENT"),
        ("occurrence_create", "CLIENT"),
    ] {
        assert_eq!(one(spans, name, |_| true).kind, kind, "{name}");
    }
    let request = &one(spans, "POST /api/tasks", |_| true).attributes;
    assert_eq!(request["http.response.status_code"], "201");
    assert_eq!(request["http.route"], "/api/tasks");
    let statement = &one(spans, "task_create", |_| true).attributes;
    assert_eq!(statement["db.system.name"], "postgresql");
    assert_eq!(statement["db.stored_procedure.name"], "task_create");
}

/// Requests that succeed although no collector is there.
///
/// # Panics
/// When one fails.
pub async fn assert_served(client: &Client, requests: usize) {
    for _ in 0..requests {
        let task = json!({"title": TITLE});
        client.post("/api/tasks", &task).await.expect("an answer").expect(201);
    }
}
