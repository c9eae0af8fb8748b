//! The story as one trace through host, bridge, broker and live sync.

use rondo_testkit::collector::{Collector, Span};
use rondo_testkit::smtp::SmtpServer;
use rondo_tests::arrangement::Arrangement as _;
use rondo_tests::arrangement::separate::{Listener, Separate};
use rondo_tests::story::SOON;
use rondo_tests::trace;

#[tokio::test(flavor = "multi_thread")]
async fn the_story_is_one_trace_through_separate_programs() {
    let (collector, smtp) = (Collector::start().await, SmtpServer::start().await);
    let allowed = "true".to_owned();
    let own = [
        ("SMTP_URL", smtp.url()),
        // Of the bridge, which sends webhooks, and of the component that takes their URLs.
        ("WEBHOOK_ALLOW_LOOPBACK", allowed.clone()),
        ("SPIN_VARIABLE_WEBHOOK_ALLOW_LOOPBACK", allowed),
    ];
    let settings = [&own[..], &trace::settings(&collector)].concat();
    let separate = Separate::start("trace", Listener::Plain, &settings).await;
    trace::play(&separate.http(), &separate.ws(), &smtp, true).await;
    let spans = trace::collected(&collector).await;
    println!("{}", trace::drawn(&spans));
    trace::assert_whole(&spans);
    let service = |name: &str| &*trace::one(&spans, name, |_| true).service;
    assert_eq!(service("POST /api/tasks"), "rondo-host");
    assert_eq!(service("task_create"), "rondo-host");
    assert_eq!(service("send mail"), "rondo-bridge");
    let of_sync = spans.iter().filter(|span| span.name == "send frame");
    assert!(of_sync.clone().count() == 3 && of_sync.clone().all(|s| s.service == "rondo-sync"));
    // Each record's header names the span by which it was sent, also of what came after the mail.
    let published = separate.published().await;
    for record in published.values().flatten() {
        let header = record.header("traceparent").unwrap_or_default();
        let sent =
            |spans: &[Span]| spans.iter().find(|span| span.span_id == header[36..52]).cloned();
        let sent = collector.await_spans("the span of a record", SOON, sent).await;
        assert_eq!((sent.kind, &*sent.trace_id), ("PRODUCER", &header[3..35]));
    }
    separate.stop().await;
}
