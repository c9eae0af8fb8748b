//! The broker itself: starts, survives a kill -9 with its data, and guards its secure listener.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rondo_testkit::kafka::{Broker, SecureListener};

async fn produce(config: &ClientConfig, topic: &str, value: &str) {
    let producer: FutureProducer = config.create().unwrap();
    let record = FutureRecord::to(topic).key("7").payload(value);
    producer.send(record, Duration::from_secs(20)).await.unwrap();
}

#[tokio::test]
async fn records_outlive_a_kill() {
    let broker = Broker::builder().killable().start().await;
    broker.create_topic("facts", 2).await;
    broker.publish("facts", "7", &[("ce_id", "1")], "before").await;
    broker.kill();
    broker.restart().await;
    broker.publish("facts", "7", &[], "after").await;

    let records = broker.records("facts").await;
    let values: Vec<_> = records.iter().map(|record| record.value.as_str()).collect();
    assert_eq!(values, ["before", "after"]);
    assert_eq!(records[0].key.as_deref(), Some("7"));
    assert_eq!(records[0].header("ce_id"), Some("1"));
    assert_eq!((records[0].partition, records[0].offset), (records[1].partition, 0));
    broker.stop().await;
}

#[tokio::test]
async fn the_secure_listener_requires_a_password_and_has_its_certificate() {
    let broker = Broker::builder().secure().start().await;
    let listener = broker.secure_listener();
    let config = |listener: &SecureListener| {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &listener.bootstrap)
            .set("security.protocol", "SASL_SSL")
            .set("sasl.mechanism", "SCRAM-SHA-512")
            .set("sasl.username", &listener.username)
            .set("sasl.password", &listener.password)
            .set("ssl.ca.location", listener.ca.display().to_string());
        config
    };
    broker.create_topic("facts", 1).await;
    produce(&config(listener), "facts", "secret").await;
    assert_eq!(broker.records("facts").await[0].value, "secret");

    let wrong = SecureListener { password: "wrong".to_owned(), ..listener.clone() };
    let consumer: BaseConsumer = config(&wrong).create().unwrap();
    let refused = tokio::task::spawn_blocking(move || {
        consumer.fetch_metadata(None, Duration::from_secs(3)).map(|_| ())
    });
    refused.await.unwrap().unwrap_err();
}
