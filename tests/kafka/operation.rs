//! `rondo up` with Kafka as its operator sees it, with the broker up and down.

use rondo_testkit::kafka::Broker;
use rondo_tests::operation::{Running, audited, create};
use rondo_tests::story;

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_away_is_told_and_nothing_is_lost() {
    let broker = Broker::builder().killable().start().await;
    let settings = [("KAFKA_BROKERS", broker.bootstrap())];
    let rondo = Running::start("kafka-operation", &settings).await;
    let user = story::register(rondo.http.base(), "ada@example.org").await;
    let first = create(&user).await;
    audited(&user, first, "notification.sent").await;
    for consumer in ["audit", "notify", "recurrence", "sync"] {
        rondo.measured(&format!("rondo_consumer_lag{{consumer=\"{consumer}\"}} 0")).await;
    }

    broker.kill();
    rondo.not_ready("events", |reason| reason.contains("Kafka")).await;
    // Requests are answered; their events wait in the outbox.
    let second = create(&user).await;
    rondo.measured("rondo_outbox_rows 3").await;
    broker.restart().await;
    rondo.ready().await;
    audited(&user, second, "task.created").await;
    rondo.measured("rondo_outbox_rows 0").await;
    rondo.stop().await;
}
