//! `rondo doctor` on separate programs, with what `rondo env` wrote, and on brokers.

use rondo_testkit::kafka::Broker;
use rondo_testkit::process::Program;
use rondo_testkit::wait::eventually;
use rondo_tests::arrangement::Arrangement as _;
use rondo_tests::arrangement::separate::{Listener, Separate};
use rondo_tests::operation::{SOON, audited, create};
use rondo_tests::story;

/// Longer than a token has to be.
const ANOTHER_TOKEN: &str = "hunter2-hunter2-hunter2-hunter2-hunter2";

#[tokio::test(flavor = "multi_thread")]
async fn separate_programs_are_well_until_something_is_taken_from_them() {
    let mut rondo = Separate::start("doctor", Listener::Plain, &[]).await;
    let user = story::register(&rondo.http(), "ada@example.org").await;
    let task_id = create(&user).await;
    audited(&user, task_id, "notification.sent").await;
    eventually("a doctor with nothing to say", SOON, async || {
        let (is_well, printed) = rondo.doctor(&[]).await;
        let is_whole =
            ["topics", "consumers", "event token", "components", "bridge", "logins", "schema"];
        let is_ok = |check: &&str| {
            printed.lines().any(|line| line.starts_with("ok ") && line.contains(check))
        };
        if is_well && is_whole.iter().all(is_ok) { Ok(()) } else { Err(printed) }
    })
    .await;

    let (is_well, printed) = rondo.doctor(&[("EVENT_TOKEN", ANOTHER_TOKEN)]).await;
    assert!(!is_well && !printed.contains("hunter2"), "{printed}");
    for words in ["audit: unavailable: 401", "EVENT_TOKEN and SPIN_VARIABLE_EVENT_TOKEN differ"] {
        assert!(printed.contains(words), "no {words:?} in {printed}");
    }
    let elsewhere = [("COMPONENTS_URL", "http://127.0.0.1:1")];
    let (is_well, printed) = rondo.doctor(&elsewhere).await;
    assert!(!is_well && printed.contains("correct COMPONENTS_URL"), "{printed}");

    // Its members are missed when their sessions are over.
    rondo.kill();
    eventually("that the bridge is missed", SOON, async || {
        let (is_well, printed) = rondo.doctor(&[]).await;
        let is_missed = printed.contains("nobody reads for audit") && !is_well;
        if is_missed { Ok(()) } else { Err(printed) }
    })
    .await;
    rondo.start_again().await;
    rondo.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn topics_that_are_missing_or_too_small_are_named() {
    let broker = Broker::start().await;
    broker.create_topic("task-events", 3).await;
    let mut doctor = Program::built("rondo")
        .argument("doctor")
        .env("KAFKA_BROKERS", broker.bootstrap())
        .env("COMPONENTS_URL", "http://127.0.0.1:1")
        .env("BRIDGE_DATABASE_URL", "postgres://rondo_bridge:hunter2@127.0.0.1:1/rondo")
        .start();
    let status = doctor.exit(SOON).await;
    let printed = doctor.log();
    assert!(status.code() == Some(1) && !printed.contains("hunter2"), "{printed}");
    for words in [
        "task-events has 3 partitions, fewer than 6",
        "reminders is missing",
        "dlq-events is missing",
        "cannot connect to",
        "EVENT_TOKEN: is missing",
    ] {
        assert!(printed.contains(words), "no {words:?} in {printed}");
    }
    broker.stop().await;
}
