//! The bridge as a member of its consumer groups: it comes back as the same one, gives its place up when it
//! stops, and is ready only while it has one.

use std::time::Duration;

use rondo_testkit::http::Client;
use rondo_testkit::wait::eventually;
use rondo_tests::arrangement::Arrangement as _;
use rondo_tests::arrangement::separate::{Listener, Part, Separate};
use rondo_tests::operation::{audited, create};
use rondo_tests::story;

/// How long anything may take, on a busy machine.
const SOON: Duration = Duration::from_secs(30);
/// The group and the topics of the audit log's consumer.
const GROUP: &str = "rondo-audit";
const TOPICS: [&str; 2] = ["task-events", "reminders"];
/// What the member id of the bridge with the lowest number begins with.
const FIRST: &str = "rondo-0-";

/// Waits until the group has exactly one member for each of these beginnings.
async fn members(separate: &Separate, wanted: &[&str]) {
    eventually("members", SOON, async || {
        let mut found = separate.broker.members(GROUP).await;
        found.sort();
        let agrees = found.len() == wanted.len()
            && found.iter().zip(wanted).all(|(found, wanted)| found.starts_with(wanted));
        if agrees { Ok(()) } else { Err(format!("{found:?}")) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bridge_takes_the_place_of_one_that_was_killed_and_gives_it_up_when_it_stops() {
    let mut separate = Separate::start("member", Listener::Plain, &[]).await;
    let user = story::register(&separate.http(), "ada@example.org").await;
    members(&separate, &[FIRST]).await;
    let mut second = separate.another_bridge().await;
    members(&separate, &[FIRST, "rondo-1-"]).await;

    separate.take_away(Part::Bridge);
    separate.bring_back(Part::Bridge).await;
    separate.bridge_ready().await;
    // The one that was killed is not waited for: its place is taken.
    let found = separate.broker.members(GROUP).await;
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found.iter().any(|member| member.starts_with(FIRST)), "{found:?}");
    let task = create(&user).await;
    audited(&user, task, "task.created").await;

    let status = second.terminate(SOON).await;
    assert!(status.success(), "{status}\n{}", second.log());
    // It left before its process ended.
    let found = separate.broker.members(GROUP).await;
    assert!(matches!(&*found, [only] if only.starts_with(FIRST)), "{found:?}");
    let task = create(&user).await;
    audited(&user, task, "task.created").await;
    separate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bridge_whose_place_is_taken_says_so_and_takes_it_back() {
    let mut separate = Separate::start("fenced", Listener::Plain, &[]).await;
    let user = story::register(&separate.http(), "ada@example.org").await;
    members(&separate, &[FIRST]).await;
    let foreign = separate.broker.join(GROUP, Some("rondo-0"), &TOPICS);
    eventually("a line about it", SOON, async || {
        let log = separate.bridge_log();
        let is_told = log.contains("the broker has ended this member of the group");
        if is_told { Ok(()) } else { Err(log) }
    })
    .await;
    let task = create(&user).await;
    audited(&user, task, "task.created").await;
    separate.bridge_ready().await;
    eventually("the other's end", SOON, async || {
        if foreign.has_ended() { Ok(()) } else { Err("it goes on") }
    })
    .await;
    drop(foreign);
    separate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bridge_is_not_ready_before_it_has_its_partitions() {
    let mut separate = Separate::start("unassigned", Listener::Plain, &[]).await;
    let user = story::register(&separate.http(), "ada@example.org").await;
    separate.take_away(Part::Bridge);
    // It joins when the broker has given up the bridge, and then lets no other in.
    let foreign = separate.broker.join(GROUP, None, &TOPICS);
    members(&separate, &["rdkafka-"]).await;
    separate.bring_back(Part::Bridge).await;
    let [bridge, _] = separate.operations();
    let bridge = Client::new(bridge);
    eventually("the reason", SOON, async || {
        let answer = bridge.get("/health/ready").await.map_err(|error| error.to_string())?;
        let reason = answer.json()["parts"]["events"]["reason"].as_str().map(str::to_owned);
        // The others have theirs.
        match reason.as_deref() {
            Some("rondo-audit: waits for its partitions of Kafka") if answer.status == 503 => {
                Ok(())
            }
            _ => Err(answer.text()),
        }
    })
    .await;
    let task = create(&user).await;
    drop(foreign);
    separate.bridge_ready().await;
    audited(&user, task, "task.created").await;
    separate.stop().await;
}
