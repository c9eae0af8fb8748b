//! The Kafka transport: an idempotent producer for the relay and a consumer group for each capability.

mod progress;
pub mod reader;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{
    BaseRecord, DeliveryResult, Producer as _, ProducerContext, PurgeConfig, ThreadedProducer,
};
use rdkafka::{ClientConfig, ClientContext, Statistics};
use rondo_contract::cloud_event::header;
use rondo_contract::topic::{TOPICS, Topic};
use rondo_telemetry::Span;
use tokio_util::sync::CancellationToken;

use crate::pipeline::health::{KAFKA, PipelineHealth};
use crate::pipeline::queue::{Ack, AckCounter};
use crate::pipeline::record::Record;
use crate::pipeline::trace;

/// Interval of a client's statistics, in milliseconds: readiness is as old.
const STATISTICS_MS: u64 = 500;
/// How long an administrative request may take, in seconds.
const ADMIN_S_MAX: u64 = 15;
/// Pause before a topic that was just created is looked for again, in milliseconds.
const NEW_TOPIC_MS: u64 = 20;
/// How long the producer gathers a batch, in milliseconds, and how many events it buffers.
const LINGER_MS: &str = "1";
const QUEUE_EVENTS_MAX: &str = "50000";
/// Pause of the producer while its buffer is full, and of any client after an error, in milliseconds.
const QUEUE_FULL_MS: u64 = 2;
const ERROR_MS: u64 = 200;

/// Creates missing topics.
///
/// # Errors
/// When the brokers cannot be reached or refuse.
pub async fn prepare_topics(config: &ClientConfig) -> anyhow::Result<()> {
    let admin: AdminClient<DefaultClientContext> = config.create()?;
    let retentions: Vec<String> = TOPICS
        .iter()
        .map(|topic| (u64::from(topic.retention_days) * 86_400_000).to_string())
        .collect();
    let wanted: Vec<NewTopic<'_>> = TOPICS
        .iter()
        .zip(&retentions)
        .map(|(topic, retention_ms)| {
            // -1: as many replicas as the cluster's default says.
            NewTopic::new(topic.name, topic.partitions.into(), TopicReplication::Fixed(-1))
                .set("retention.ms", retention_ms)
        })
        .collect();
    let options = AdminOptions::new()
        .operation_timeout(Some(Duration::from_secs(ADMIN_S_MAX)))
        .request_timeout(Some(Duration::from_secs(ADMIN_S_MAX)));
    let results =
        admin.create_topics(&wanted, &options).await.context("cannot reach KAFKA_BROKERS")?;
    for result in results {
        match result {
            Ok(topic) => tracing::info!(topic, "topic created"),
            Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((topic, code)) => anyhow::bail!("cannot create topic {topic}: {code}"),
        }
    }
    Ok(())
}

/// Whether a client is connected to a broker that has partitions: neither the first address that it was
/// given, nor the connection for its group alone.
fn is_connected(statistics: &Statistics) -> bool {
    let mut brokers = statistics.brokers.values();
    brokers.any(|broker| broker.state == "UP" && broker.nodeid >= 0 && broker.source != "logical")
}

/// The relay's producer.
pub struct Publisher {
    producer: ThreadedProducer<Reports>,
}

/// How many partitions a topic has; 0 if the brokers don't know it.
async fn partitions(
    producer: &ThreadedProducer<Reports>,
    topic: &'static Topic,
) -> anyhow::Result<usize> {
    let producer = producer.clone();
    let ask = move || {
        let limit = Duration::from_secs(ADMIN_S_MAX);
        producer.client().fetch_metadata(Some(topic.name), limit)
    };
    let metadata = tokio::task::spawn_blocking(ask).await??;
    Ok(metadata.topics().first().map_or(0, |found| found.partitions().len()))
}

/// One event in flight to its topics.
struct Publication {
    acks: Arc<AckCounter>,
    event_id: String,
    lost: CancellationToken,
    /// One for each topic, if they are recorded; they end with the last acknowledgement.
    spans: Vec<Span>,
}

/// Receives delivery reports, on the producer's own thread.
struct Reports {
    health: Arc<PipelineHealth>,
}

impl ClientContext for Reports {
    /// A producer with nothing to send need not be connected.
    fn stats(&self, statistics: Statistics) {
        if statistics.msg_cnt == 0 || is_connected(&statistics) {
            self.health.set_ready(KAFKA);
        } else {
            self.health.set_blocked(KAFKA, "no broker of KAFKA_BROKERS takes events");
        }
    }
}

impl ProducerContext for Reports {
    type DeliveryOpaque = Arc<Publication>;

    fn delivery(&self, result: &DeliveryResult<'_>, publication: Arc<Publication>) {
        match result {
            Ok(_) => publication.acks.ack_one(),
            // Purged because the shards were lost: the row stays and is sent again.
            Err((
                KafkaError::MessageProduction(
                    RDKafkaErrorCode::PurgeQueue | RDKafkaErrorCode::PurgeInflight,
                ),
                _,
            )) => {}
            Err((error, _)) => {
                let event_id = publication.event_id.as_str();
                tracing::error!(event_id, %error, "Kafka refuses an event; later events wait");
                publication.lost.cancel();
            }
        }
    }
}

impl Publisher {
    /// Connects, so that the first event goes out at once.
    ///
    /// # Errors
    /// When the configuration is refused, no broker answers, or a topic has too few partitions.
    pub async fn open(config: &ClientConfig, health: Arc<PipelineHealth>) -> anyhow::Result<Self> {
        let mut config = config.clone();
        config
            .set("enable.idempotence", "true")
            .set("acks", "all")
            // Never gives an event up, so that no later one of its key overtakes it.
            .set("message.timeout.ms", "0")
            .set("linger.ms", LINGER_MS)
            .set("compression.type", "lz4")
            .set("queue.buffering.max.messages", QUEUE_EVENTS_MAX)
            .set("statistics.interval.ms", STATISTICS_MS.to_string());
        let producer: ThreadedProducer<Reports> = config.create_with_context(Reports { health })?;
        let deadline = Instant::now() + Duration::from_secs(ADMIN_S_MAX);
        for topic in &TOPICS {
            let needed = usize::from(topic.partitions);
            // A topic that was just created is not known everywhere at once.
            let found = loop {
                let found = partitions(&producer, topic).await?;
                if found > 0 || Instant::now() >= deadline {
                    break found;
                }
                tokio::time::sleep(Duration::from_millis(NEW_TOPIC_MS)).await;
            };
            anyhow::ensure!(
                found >= needed,
                "topic {} has {found} partitions but needs {needed}",
                topic.name
            );
        }
        Ok(Self { producer })
    }

    pub(super) async fn send(
        &self,
        record: &Record,
        topics: &[&'static Topic],
        ack: Ack,
        lost: &CancellationToken,
    ) -> anyhow::Result<()> {
        let publication = Arc::new(Publication {
            acks: AckCounter::new(topics.len(), ack),
            event_id: record.event.id.clone(),
            lost: lost.clone(),
            spans: trace::sending(record, topics, trace::KAFKA),
        });
        let mut headers = record.headers();
        for (place, topic) in topics.iter().enumerate() {
            if let Some(span) = publication.spans.get(place)
                && let Some(header) =
                    headers.iter_mut().find(|(key, _)| *key == header::TRACEPARENT)
            {
                header.1 = span.traceparent();
            }
            let headers = headers
                .iter()
                .fold(OwnedHeaders::new_with_capacity(headers.len()), |all, (key, value)| {
                    all.insert(Header { key, value: Some(value) })
                });
            let mut message = BaseRecord::with_opaque_to(topic.name, publication.clone())
                .key(&record.key)
                .payload(record.event.data.as_bytes())
                .headers(headers);
            loop {
                match self.producer.send(message) {
                    Ok(()) => break,
                    Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), again)) => {
                        message = again;
                        tokio::select! {
                            () = lost.cancelled() => anyhow::bail!("the shards were lost"),
                            () = tokio::time::sleep(Duration::from_millis(QUEUE_FULL_MS)) => {}
                        }
                    }
                    Err((error, _)) => return Err(error.into()),
                }
            }
        }
        Ok(())
    }

    pub(super) async fn purge(&self) {
        self.producer.purge(PurgeConfig::default().queue().inflight());
        let producer = self.producer.clone();
        let _ = tokio::task::spawn_blocking(move || producer.flush(Duration::from_secs(5))).await;
    }
}
