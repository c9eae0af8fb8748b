//! kill -9 under load with a real Kafka broker.

use rondo_testkit::kafka::Broker;
use rondo_testkit::published::assert_published_valid;
use rondo_tests::arrangement::Up;
use rondo_tests::kill;

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_or_done_twice_when_rondo_is_killed_with_kafka() {
    let broker = Broker::start().await;
    let settings = [("KAFKA_BROKERS", broker.bootstrap()), ("RATE_LIMITS", "off".to_owned())];
    let mut up = Up::start("kafka-kill", &settings).await;
    kill::survive(&mut up).await;
    assert_published_valid(&broker).await;
    up.stop().await;
}
