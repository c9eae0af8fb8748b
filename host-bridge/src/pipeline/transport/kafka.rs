//! The Kafka transport: an idempotent producer for the relay and a consumer group for each capability.
//! Offsets are stored only up to the last contiguous acknowledged event.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext, Rebalance, StreamConsumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, Headers as _, OwnedHeaders};
use rdkafka::producer::{
    BaseRecord, DeliveryResult, Producer as _, ProducerContext, PurgeConfig, ThreadedProducer,
};
use rdkafka::{ClientConfig, ClientContext, Message as _, Statistics, TopicPartitionList};
use rondo_contract::capability::Capability;
use rondo_contract::cloud_event::{CloudEvent, header};
use rondo_contract::topic::{TOPICS, Topic};
use rondo_telemetry::{Metrics, Outage, Span};
use tokio_util::sync::CancellationToken;

use crate::pipeline::health::{KAFKA, PipelineHealth};
use crate::pipeline::queue::{Ack, AckCounter, ConsumerQueue, Revoked, WINDOW_EVENTS_MAX};
use crate::pipeline::record::Record;
use crate::pipeline::trace;

/// Interval of the client's statistics, in milliseconds.
const STATISTICS_MS: u64 = 3_000;
/// How long an administrative request may take, in seconds.
const ADMIN_S_MAX: u64 = 15;
/// A consumer's partitions pause below the first number of free slots and resume above the second.
const PAUSE_SLOTS: usize = WINDOW_EVENTS_MAX / 4;
const RESUME_SLOTS: usize = WINDOW_EVENTS_MAX / 2;
/// Interval at which free slots are checked, in milliseconds.
const SLOT_POLL_MS: u64 = 50;
/// How long the producer gathers a batch, in milliseconds, and how many events it buffers.
const LINGER_MS: &str = "1";
const QUEUE_EVENTS_MAX: &str = "50000";
/// Pause of the producer while its buffer is full, and of a consumer after an error, in milliseconds.
const QUEUE_FULL_MS: u64 = 2;
const ERROR_MS: u64 = 500;

/// Creates missing topics and checks the partitions of the others.
///
/// # Errors
/// When the brokers cannot be reached, refuse, or a topic has fewer partitions than it needs.
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
    tokio::task::spawn_blocking(move || check_topics(&admin)).await?
}

fn check_topics(admin: &AdminClient<DefaultClientContext>) -> anyhow::Result<()> {
    for topic in TOPICS {
        let metadata =
            admin.inner().fetch_metadata(Some(topic.name), Duration::from_secs(ADMIN_S_MAX))?;
        let found = metadata.topics().first().map_or(0, |found| found.partitions().len());
        anyhow::ensure!(
            found == 0 || found >= usize::from(topic.partitions),
            "topic {} has {found} partitions but needs {}",
            topic.name,
            topic.partitions
        );
    }
    Ok(())
}

/// The consumer group of a capability.
#[must_use]
pub fn group_of(capability: &Capability) -> String {
    format!("rondo-{}", capability.name)
}

/// The relay's producer.
pub struct Publisher {
    producer: ThreadedProducer<Reports>,
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
struct Reports;

impl ClientContext for Reports {}

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
    /// # Errors
    /// When the configuration is refused.
    pub fn new(config: &ClientConfig) -> anyhow::Result<Self> {
        let mut config = config.clone();
        config
            .set("enable.idempotence", "true")
            .set("acks", "all")
            // Never gives an event up, so that no later one of its key overtakes it.
            .set("message.timeout.ms", "0")
            .set("linger.ms", LINGER_MS)
            .set("compression.type", "lz4")
            .set("queue.buffering.max.messages", QUEUE_EVENTS_MAX);
        Ok(Self { producer: config.create_with_context(Reports)? })
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

/// Unacknowledged offsets of the assigned partitions.
#[derive(Default)]
struct Progress(Mutex<HashMap<(&'static str, i32), Partition>>);

#[derive(Default)]
struct Partition {
    unacknowledged: BTreeSet<i64>,
    /// Highest offset that was polled.
    polled: i64,
    /// Set when the partition is revoked.
    revoked: Revoked,
}

impl Progress {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<(&'static str, i32), Partition>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, topic: &'static str, partition: i32, offset: i64) -> Revoked {
        let mut partitions = self.lock();
        let partition = partitions.entry((topic, partition)).or_default();
        partition.unacknowledged.insert(offset);
        partition.polled = partition.polled.max(offset);
        partition.revoked.clone()
    }

    /// Drops a revoked partition and the events of it that wait.
    fn revoke(&self, topic: &str, partition: i32) {
        self.lock().retain(|(its_topic, its_partition), state| {
            let is_kept = *its_topic != topic || *its_partition != partition;
            state.revoked.fetch_or(!is_kept, Ordering::AcqRel);
            is_kept
        });
    }

    /// Acknowledges an event and returns the highest offset up to which all are, if that has moved. None
    /// for a revoked partition.
    fn acknowledge(&self, topic: &'static str, partition: i32, offset: i64) -> Option<i64> {
        let mut partitions = self.lock();
        let partition = partitions.get_mut(&(topic, partition))?;
        if !partition.unacknowledged.remove(&offset) {
            return None;
        }
        let upto = partition.unacknowledged.first().map_or(partition.polled, |first| first - 1);
        // Only the first unacknowledged offset holds the stored one back.
        (upto >= offset).then_some(upto)
    }
}

struct Context {
    progress: Arc<Progress>,
    capability: &'static Capability,
    metrics: Metrics,
    health: Arc<PipelineHealth>,
}

impl ClientContext for Context {
    /// Reports lag and broker state, every [`STATISTICS_MS`].
    fn stats(&self, statistics: Statistics) {
        let partitions = statistics.topics.values().flat_map(|topic| topic.partitions.values());
        let lag = partitions.map(lag).sum();
        self.metrics.consumer_lag(self.capability.name, lag);
        if statistics.brokers.values().any(|broker| broker.state == "UP") {
            self.health.set_ready(KAFKA);
        } else {
            self.health.set_blocked(KAFKA, "no broker of KAFKA_BROKERS answers");
        }
    }
}

/// Unacknowledged events of a partition; 0 for one that another process reads.
fn lag(partition: &rdkafka::statistics::Partition) -> i64 {
    if partition.fetch_state != "active" || partition.hi_offset < 0 {
        return 0;
    }
    // A negative offset means none; a group without one begins at the first event.
    let stored = partition.stored_offset.max(partition.committed_offset);
    let next = if stored >= 0 { stored } else { partition.lo_offset.max(0) };
    (partition.hi_offset - next).max(0)
}

impl ConsumerContext for Context {
    fn pre_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Revoke(partitions) = rebalance {
            // Deliveries in flight finish, but no longer move these offsets.
            for element in partitions.elements() {
                self.progress.revoke(element.topic(), element.partition());
            }
        }
    }
}

/// Reads the topics of a capability as the group `rondo-<name>`, until `shutdown`.
///
/// # Errors
/// When the configuration is refused.
pub async fn consume(
    config: &ClientConfig,
    queue: ConsumerQueue,
    metrics: Metrics,
    health: Arc<PipelineHealth>,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let capability = queue.capability();
    let progress = Arc::new(Progress::default());
    let mut config = config.clone();
    config
        .set("group.id", group_of(capability))
        .set("auto.offset.reset", "earliest")
        .set("enable.auto.offset.store", "false")
        .set("enable.auto.commit", "true")
        .set("auto.commit.interval.ms", "500")
        .set("session.timeout.ms", "10000")
        .set("fetch.wait.max.ms", "100")
        .set("queued.max.messages.kbytes", "16384")
        .set("statistics.interval.ms", STATISTICS_MS.to_string())
        .set("partition.assignment.strategy", "cooperative-sticky");
    let context = Context { progress: progress.clone(), capability, metrics, health };
    let consumer: Arc<StreamConsumer<Context>> = Arc::new(config.create_with_context(context)?);
    let names: Vec<&str> = capability.topics.iter().map(|topic| topic.name).collect();
    consumer.subscribe(&names)?;
    let mut paused: Option<TopicPartitionList> = None;
    let mut outage = Outage::new("cannot read from Kafka");
    let mut slot_poll = tokio::time::interval(Duration::from_millis(SLOT_POLL_MS));
    loop {
        match &paused {
            None if queue.free_slots() < PAUSE_SLOTS => {
                let assigned = consumer.assignment()?;
                consumer.pause(&assigned)?;
                paused = Some(assigned);
            }
            Some(partitions) if queue.free_slots() > RESUME_SLOTS => {
                // Revoked partitions cannot resume, and need not.
                let _ = consumer.resume(partitions);
                paused = None;
            }
            _ => {}
        }
        let received = tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            _ = slot_poll.tick() => continue,
            received = consumer.recv() => received,
        };
        let message = match received {
            Ok(message) => {
                outage.ended();
                message
            }
            Err(error) => {
                outage.failed(format_args!("{}: {error}", capability.name));
                tokio::time::sleep(Duration::from_millis(ERROR_MS)).await;
                continue;
            }
        };
        let Some(topic) =
            capability.topics.iter().map(|topic| topic.name).find(|name| *name == message.topic())
        else {
            continue;
        };
        let (partition, offset) = (message.partition(), message.offset());
        let record = record(topic, &message);
        let revoked = progress.begin(topic, partition, offset);
        let (progress, storing) = (progress.clone(), Arc::downgrade(&consumer));
        let ack = Box::new(move || {
            if let Some(upto) = progress.acknowledge(topic, partition, offset)
                && let Some(consumer) = storing.upgrade()
                && let Err(error) = consumer.store_offset(topic, partition, upto)
            {
                // Revoked in between; the partition's new owner reads the event again.
                tracing::debug!(%error, "offset not stored");
            }
        });
        if !queue.push(record, ack, Some(revoked)).await {
            return Ok(());
        }
    }
}

fn record(topic: &str, message: &rdkafka::message::BorrowedMessage<'_>) -> Record {
    let header = |wanted: &str| {
        message.headers()?.iter().find(|header| header.key == wanted).and_then(|header| {
            header.value.and_then(|value| std::str::from_utf8(value).ok()).map(str::to_owned)
        })
    };
    let text =
        |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned();
    let event = CloudEvent {
        id: header(header::ID).unwrap_or_default(),
        event_type: header(header::TYPE).unwrap_or_default(),
        subject: header(header::SUBJECT),
        time: header(header::TIME).unwrap_or_default(),
        traceparent: header(header::TRACEPARENT),
        topic: topic.to_owned(),
        data: text(message.payload()),
    };
    let position = Some((message.partition(), message.offset()));
    Record { event, key: text(message.key()), position }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_is_stored_only_when_all_before_it_are_acknowledged() {
        let progress = Progress::default();
        for offset in 5..9 {
            progress.begin("t", 0, offset);
        }
        assert_eq!(progress.acknowledge("t", 0, 6), None);
        assert_eq!(progress.acknowledge("t", 0, 8), None);
        assert_eq!(progress.acknowledge("t", 0, 5), Some(6));
        assert_eq!(progress.acknowledge("t", 0, 5), None, "acknowledged twice");
        assert_eq!(progress.acknowledge("t", 0, 7), Some(8));
        assert_eq!(progress.acknowledge("t", 1, 7), None, "not assigned");
        let revoked = progress.begin("t", 0, 9);
        progress.revoke("t", 1);
        assert!(!revoked.load(Ordering::Acquire));
        progress.revoke("t", 0);
        assert!(revoked.load(Ordering::Acquire));
        assert_eq!(progress.acknowledge("t", 0, 9), None, "revoked");
    }
}
