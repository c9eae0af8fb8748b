//! Two years of a recurring task, with a real Kafka broker.

use rondo_contract::topic::TOPICS;
use rondo_testkit::clock::Clock;
use rondo_testkit::kafka::Broker;
use rondo_testkit::published::assert_published_valid;
use rondo_testkit::smtp::SmtpServer;
use rondo_tests::arrangement::Up;
use rondo_tests::two_years::{self, BEGINNING};

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(target_os = "linux"), ignore = "preloads libfaketime, for Linux")]
async fn two_years_of_a_recurring_task_with_kafka() {
    let clock = Clock::at(BEGINNING.parse().expect("a moment")).await;
    let (broker, smtp) = (Broker::start().await, SmtpServer::start().await);
    // The broker's clock is today's: it would soon drop what was published two years ago.
    for topic in TOPICS {
        broker.create_topic(topic.name, topic.partitions.into()).await;
    }
    let mut settings = two_years::settings(&clock, &smtp);
    settings.push(("KAFKA_BROKERS", broker.bootstrap()));
    let mut up = Up::start("kafka-two-years", &settings).await;
    two_years::play(&up, &clock, &smtp).await;
    assert_published_valid(&broker).await;
    up.stop().await;
}
