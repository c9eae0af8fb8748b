//! The story on `rondo up` with a real Kafka broker.

use rondo_testkit::kafka;
use rondo_testkit::published::assert_published_valid;
use rondo_testkit::smtp::SmtpServer;
use rondo_tests::arrangement::Up;
use rondo_tests::story;

#[tokio::test(flavor = "multi_thread")]
async fn the_story_comes_true_with_kafka() {
    let broker = kafka::Broker::start().await;
    let smtp = SmtpServer::start().await;
    let settings = [("SMTP_URL", smtp.url()), ("KAFKA_BROKERS", broker.bootstrap())];
    let mut up = Up::start("kafka-story", &settings).await;
    story::play(&up.http(), &up.ws(), &smtp, "ada@example.org").await;
    assert_published_valid(&broker).await;
    up.stop().await;
}
