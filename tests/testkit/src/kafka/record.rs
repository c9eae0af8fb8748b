//! The records of a topic.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Headers, Message};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

/// One record of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub partition: i32,
    pub offset: i64,
    pub key: Option<String>,
    pub headers: Vec<(String, String)>,
    pub value: String,
}

impl Record {
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }
}

/// Reads a topic from its beginning to its current end; `timeout` applies to each response.
///
/// # Panics
/// If there is no such topic, or no response.
pub(super) fn read_topic(config: &ClientConfig, topic: &str, timeout: Duration) -> Vec<Record> {
    let mut config = config.clone();
    // A group's id is required, although nothing is ever committed for it.
    config.set("group.id", "testkit-reader").set("enable.partition.eof", "true");
    config.set("enable.auto.commit", "false");
    let consumer: BaseConsumer = config.create().expect("a consumer");
    let metadata = consumer.fetch_metadata(Some(topic), timeout).expect("an answer");
    let found = metadata.topics().first().filter(|found| found.error().is_none());
    let partitions = found.unwrap_or_else(|| panic!("there is no topic {topic}")).partitions();
    let mut assignment = TopicPartitionList::new();
    for partition in partitions {
        assignment
            .add_partition_offset(topic, partition.id(), Offset::Beginning)
            .expect("a valid offset");
    }
    consumer.assign(&assignment).expect("an assignment");
    let mut records = Vec::new();
    let mut partitions_left = partitions.len();
    while partitions_left > 0 {
        match consumer.poll(timeout) {
            Some(Ok(message)) => records.push(record(&message)),
            Some(Err(rdkafka::error::KafkaError::PartitionEOF(_))) => partitions_left -= 1,
            Some(Err(error)) => panic!("{topic} cannot be read: {error}"),
            None => panic!("{topic}: no answer in time"),
        }
    }
    records.sort_by_key(|record| (record.partition, record.offset));
    records
}

fn record(message: &impl Message) -> Record {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let headers = message.headers().map(|headers| {
        let pairs = headers
            .iter()
            .map(|header| (header.key.to_owned(), header.value.map(text).unwrap_or_default()));
        pairs.collect()
    });
    Record {
        partition: message.partition(),
        offset: message.offset(),
        key: message.key().map(text),
        headers: headers.unwrap_or_default(),
        value: message.payload().map(text).unwrap_or_default(),
    }
}
