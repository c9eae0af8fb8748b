//! Traces, as a collector gets them.

use rondo_testkit::collector::Collector;
use rondo_testkit::receiver::Reaction;
use rondo_testkit::smtp::SmtpServer;
use rondo_testkit::wait::eventually;
use rondo_tests::arrangement::Up;
use rondo_tests::operation::Running;
use rondo_tests::story::{self, SOON};
use rondo_tests::trace::{self, TRACE_ID};

fn settings(collector: &Collector, smtp: &SmtpServer) -> Vec<(&'static str, String)> {
    let own = [("SMTP_URL", smtp.url()), ("WEBHOOK_ALLOW_LOOPBACK", "true".to_owned())];
    [&own[..], &trace::settings(collector)].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_story_is_one_trace() {
    let (collector, smtp) = (Collector::start().await, SmtpServer::start().await);
    let mut up = Up::start("trace", &settings(&collector, &smtp)).await;
    let played = trace::play(&up.http(), &up.ws(), &smtp, true).await;
    let spans = trace::collected(&collector).await;
    println!("{}", trace::drawn(&spans));
    trace::assert_whole(&spans);
    assert!(spans.iter().all(|span| span.service == "rondo"));
    for sent in &played.webhooks {
        // The receiver's span is below ours.
        let is_parent = |span: &&rondo_testkit::collector::Span| span.span_id == sent[36..52];
        let above = spans.iter().find(is_parent).expect("a span of ours");
        assert_eq!((&*above.name, &sent[3..35]), ("POST {webhook}", TRACE_ID));
    }
    up.stop().await;
}

/// What a client does not want to be recorded is nowhere, and says so on its way out.
#[tokio::test(flavor = "multi_thread")]
async fn an_unsampled_trace_stays_one() {
    let (collector, smtp) = (Collector::start().await, SmtpServer::start().await);
    let mut up = Up::start("unsampled", &settings(&collector, &smtp)).await;
    let played = trace::play(&up.http(), &up.ws(), &smtp, false).await;
    for sent in &played.webhooks {
        assert!(sent.starts_with(&format!("00-{TRACE_ID}-")) && sent.ends_with("-00"), "{sent}");
    }
    // All spans are out when the program has ended: those of registering are.
    up.stop().await;
    let spans = collector.spans();
    assert!(spans.iter().any(|span| span.name == "POST /api/auth/register"));
    assert!(spans.iter().all(|span| span.trace_id != TRACE_ID), "{}", trace::drawn(&spans));
    assert!(spans.iter().all(|span| !span.name.contains("/health")));
}

/// A trace that begins here is recorded by the ratio; a caller's, as the caller says.
#[tokio::test(flavor = "multi_thread")]
async fn a_ratio_is_for_traces_that_begin_here() {
    let collector = Collector::start().await;
    let ratio = [
        ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio".to_owned()),
        ("OTEL_TRACES_SAMPLER_ARG", "0".to_owned()),
        ("OTEL_SERVICE_NAME", "todo".to_owned()),
        ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test".to_owned()),
    ];
    let settings = [&ratio[..], &trace::settings(&collector)].concat();
    let mut up = Up::start("ratio", &settings).await;
    let user = story::register(&up.http(), "ada@example.org").await;
    let client = user.client.with_header("traceparent", &trace::traceparent(true));
    trace::assert_served(&client, 1).await;
    up.stop().await;
    let spans = collector.spans();
    assert!(spans.iter().any(|span| span.name == "POST /api/tasks"));
    assert!(spans.iter().all(|span| span.trace_id == TRACE_ID && span.service == "todo"));
}

/// A collector that is away, refuses or hangs costs no request, and two lines: when spans are dropped, and
/// when they no longer are.
#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_away_costs_nobody_anything() {
    let collector = Collector::start().await;
    let settings = [
        &trace::settings(&collector)[..],
        &[
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "200".to_owned()),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "64".to_owned()),
            ("RATE_LIMITS", "off".to_owned()),
        ],
    ]
    .concat();
    collector.react(Reaction::Hang);
    let rondo = Running::start("no-collector", &settings).await;
    let user = story::register(rondo.http.base(), "ada@example.org").await;
    const DROPPED: &str = "traces are not exported as they come";
    const AGAIN: &str = "traces are exported again";
    for reaction in [Reaction::Hang, Reaction::Drop, Reaction::status(503, "hunter2")] {
        let before = collector.requests().len();
        collector.react(reaction);
        trace::assert_served(&user.client, 100).await;
        eventually("attempts", SOON, async || {
            let attempts = collector.requests().len() - before;
            if attempts > 1 { Ok(()) } else { Err(attempts) }
        })
        .await;
    }
    collector.react(Reaction::with_header(200, "Connection: close", ""));
    eventually("the word that it is over", SOON, async || {
        trace::assert_served(&user.client, 1).await;
        if rondo.logged(AGAIN).is_empty() { Err(rondo.process.log()) } else { Ok(()) }
    })
    .await;
    let (dropped, again) = (rondo.logged(DROPPED), rondo.logged(AGAIN));
    assert_eq!((dropped.len(), again.len()), (1, 1), "{dropped:?} {again:?}");
    assert_eq!((&dropped[0]["level"], &again[0]["level"]), (&"warn".into(), &"info".into()));
    // Far more than the queue holds came meanwhile.
    assert!(again[0]["spans"].as_u64() > Some(64), "{again:?}");
    let log = rondo.process.log();
    assert!(!log.contains("hunter2"), "{log}");
    rondo.stop().await;
}
