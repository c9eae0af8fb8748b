//! The Kafka source: each instance reads all partitions of task-updates.
//!
//! No group shares the partitions, and no offset is stored: an instance starts at the end, and sessions get
//! earlier changes from the database. Anything that may be a gap ends a run and so interrupts the hub: an
//! offset that is not the next, an offset that no longer exists, a change of the number of partitions. An
//! unavailable broker causes no gap; reading continues from the same offset.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rdkafka::consumer::{Consumer, StreamConsumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Headers as _};
use rdkafka::{Message, Offset, TopicPartitionList};
use rondo_contract::cloud_event::header;
use rondo_contract::topic::TASK_UPDATES;
use rondo_kafka::KafkaSettings;
use rondo_telemetry::{Metrics, Outage, span};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::hub::Hub;

/// Time limit for metadata and offsets, in milliseconds.
const METADATA_MS_MAX: u64 = 5_000;
/// The feed's name in the metrics.
const CONSUMER: &str = "sync";
/// Interval between checks of the partitions and their ends, in seconds. A user whose key has moved to a new
/// partition misses live events for that long, and gets them by resuming.
const PARTITION_CHECK_S: u64 = 15;
/// Time to the next check while the broker is away, in milliseconds.
const AWAY_CHECK_MS: u64 = 200;
/// Delays between runs, in milliseconds, doubling from the first to the last.
const BACKOFF_MS_MIN: u64 = 100;
const BACKOFF_MS_MAX: u64 = 500;
/// Maximum size of messages fetched but not yet published, in KiB.
const FETCHED_KIB_MAX: u32 = 4 * 1024;

/// Called when events begin to flow, and with the reason when they do not; never twice with the same.
pub type Report = dyn Fn(Result<(), String>) + Send + Sync;

/// Follows the topic and publishes to the hub until `shutdown`. Reports its lag in `metrics` as the consumer
/// `sync`.
pub async fn run(
    settings: &KafkaSettings,
    hub: &Arc<Hub>,
    metrics: &Metrics,
    report: &Report,
    shutdown: &CancellationToken,
) {
    let report = &Changes { report, last: Mutex::new(None) };
    let mut backoff_ms = BACKOFF_MS_MIN;
    let mut outage = Outage::new("the feed of live events is interrupted");
    while !shutdown.is_cancelled() {
        let mut followed = false;
        let ended = tokio::select! {
            () = shutdown.cancelled() => break,
            ended = follow(settings, hub, metrics, report, &mut followed, &mut outage) => ended,
        };
        hub.interrupt();
        let Err(error) = ended;
        if followed {
            backoff_ms = BACKOFF_MS_MIN;
        }
        outage.failed(&error);
        report.tell(Err(error.to_string()));
        tokio::select! {
            () = shutdown.cancelled() => break,
            () = tokio::time::sleep(Duration::from_millis(backoff_ms)) => {}
        }
        backoff_ms = (backoff_ms * 2).min(BACKOFF_MS_MAX);
    }
}

/// Reports only changes.
struct Changes<'a> {
    report: &'a Report,
    last: Mutex<Option<Result<(), String>>>,
}

impl Changes<'_> {
    fn tell(&self, state: Result<(), String>) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.as_ref() != Some(&state) {
            *last = Some(state.clone());
            (self.report)(state);
        }
    }
}

/// Why a run ended.
#[derive(Debug, thiserror::Error)]
enum FeedError {
    #[error("Kafka: {0}")]
    Kafka(#[from] KafkaError),
    #[error("the topic {} is not there; the bridge creates it", TASK_UPDATES.name)]
    NoTopic,
    #[error("the topic has {now} partitions, not {before}")]
    Repartitioned { before: usize, now: usize },
    #[error("offset {expected} of partition {partition} is missing, {found} came instead")]
    Gap { partition: i32, expected: i64, found: i64 },
}

/// One run: takes the end offsets, opens the hub, and publishes from there.
async fn follow(
    settings: &KafkaSettings,
    hub: &Arc<Hub>,
    metrics: &Metrics,
    report: &Changes<'_>,
    followed: &mut bool,
    outage: &mut Outage,
) -> Result<std::convert::Infallible, FeedError> {
    let consumer = Arc::new(consumer(settings)?);
    let ends = blocking(&consumer, end_offsets).await?;
    let mut assignment = TopicPartitionList::new();
    for (partition, end) in &ends {
        assignment.add_partition_offset(TASK_UPDATES.name, *partition, Offset::Offset(*end))?;
    }
    consumer.assign(&assignment)?;
    let partitions = ends.len();
    let mut positions: HashMap<i32, i64> = ends.into_iter().collect();
    hub.open();
    metrics.consumer_lag(CONSUMER, 0);
    report.tell(Ok(()));
    outage.ended();
    tracing::info!(partitions, "following {}", TASK_UPDATES.name);
    let mut check = tokio::time::interval(Duration::from_secs(PARTITION_CHECK_S));
    check.set_missed_tick_behavior(MissedTickBehavior::Delay);
    check.reset();
    loop {
        tokio::select! {
            message = consumer.recv() => match message {
                Ok(message) => {
                    *followed = true;
                    advance(&mut positions, &message)?;
                    publish(hub, &message);
                }
                Err(error) if recovers(&error) => {
                    report.tell(Err(error.to_string()));
                    check.reset_after(Duration::from_millis(AWAY_CHECK_MS));
                }
                Err(error) => return Err(error.into()),
            },
            _ = check.tick() => match blocking(&consumer, end_offsets).await {
                Ok(found) if found.len() == partitions => {
                    report.tell(Ok(()));
                    metrics.consumer_lag(CONSUMER, lag(&found, &positions));
                }
                Ok(found) => {
                    return Err(FeedError::Repartitioned { before: partitions, now: found.len() });
                }
                // Includes an unavailable broker; the consumer itself reports lost messages.
                Err(error) => {
                    report.tell(Err(error.to_string()));
                    check.reset_after(Duration::from_millis(AWAY_CHECK_MS));
                }
            },
        }
    }
}

fn consumer(settings: &KafkaSettings) -> Result<StreamConsumer, KafkaError> {
    settings
        .client_config()
        // No group is joined and no offset stored, but librdkafka requires a name.
        .set("group.id", "rondo-sync")
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("allow.auto.create.topics", "false")
        // A missing offset is a gap and must not be skipped.
        .set("auto.offset.reset", "error")
        // End offsets include all records, so reading must too.
        .set("isolation.level", "read_uncommitted")
        .set("queued.max.messages.kbytes", FETCHED_KIB_MAX.to_string())
        .set("fetch.error.backoff.ms", "100")
        .create()
}

/// Runs calls that block on the broker outside the event loop.
async fn blocking<T: Send + 'static>(
    consumer: &Arc<StreamConsumer>,
    ask: fn(&StreamConsumer) -> Result<T, FeedError>,
) -> Result<T, FeedError> {
    let consumer = consumer.clone();
    match tokio::task::spawn_blocking(move || ask(&consumer)).await {
        Ok(answer) => answer,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

fn partitions_of(consumer: &StreamConsumer) -> Result<Vec<i32>, FeedError> {
    let timeout = Duration::from_millis(METADATA_MS_MAX);
    let metadata = consumer.fetch_metadata(Some(TASK_UPDATES.name), timeout)?;
    let topic = metadata.topics().first().filter(|topic| topic.error().is_none());
    let partitions: Vec<i32> = topic
        .map(|topic| topic.partitions().iter().map(|partition| partition.id()).collect())
        .unwrap_or_default();
    if partitions.is_empty() { Err(FeedError::NoTopic) } else { Ok(partitions) }
}

/// The next offset of each partition. An event that is acknowledged later has at least this one.
fn end_offsets(consumer: &StreamConsumer) -> Result<Vec<(i32, i64)>, FeedError> {
    let timeout = Duration::from_millis(METADATA_MS_MAX);
    let end = |partition| {
        let (_, end) = consumer.fetch_watermarks(TASK_UPDATES.name, partition, timeout)?;
        Ok((partition, end))
    };
    partitions_of(consumer)?.into_iter().map(end).collect()
}

/// The number of unread events.
fn lag(ends: &[(i32, i64)], positions: &HashMap<i32, i64>) -> i64 {
    let behind = |&(partition, end)| positions.get(&partition).map_or(0, |next| end - next);
    ends.iter().map(behind).sum::<i64>().max(0)
}

fn advance(
    positions: &mut HashMap<i32, i64>,
    message: &BorrowedMessage<'_>,
) -> Result<(), FeedError> {
    let (partition, found) = (message.partition(), message.offset());
    let expected = positions.entry(partition).or_insert(found);
    // The producers are idempotent and not transactional, so offsets have no gaps.
    if *expected != found {
        return Err(FeedError::Gap { partition, expected: *expected, found });
    }
    *expected = found + 1;
    Ok(())
}

fn publish(hub: &Hub, message: &BorrowedMessage<'_>) {
    let user_id = message.key_view::<str>().and_then(Result::ok).and_then(|key| key.parse().ok());
    let value = message.payload_view::<str>().and_then(Result::ok);
    match (user_id, value) {
        (Some(user_id), Some(value)) => hub.publish(user_id, value, traceparent(message)),
        // An empty value cannot be parsed, so its user's sessions close and resume.
        (Some(user_id), None) => hub.publish(user_id, "", None),
        (None, _) => tracing::error!(
            partition = message.partition(),
            offset = message.offset(),
            "a message without a user id as its key is passed over"
        ),
    }
}

fn traceparent<'a>(message: &'a BorrowedMessage<'_>) -> Option<&'a str> {
    let headers = message.headers().filter(|_| span::is_exported())?;
    let header = headers.iter().find(|header| header.key == header::TRACEPARENT)?;
    std::str::from_utf8(header.value?).ok()
}

/// Whether the consumer itself continues from its position.
fn recovers(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::AllBrokersDown
                | RDKafkaErrorCode::BrokerTransportFailure
                | RDKafkaErrorCode::Resolve
                | RDKafkaErrorCode::OperationTimedOut
                | RDKafkaErrorCode::RequestTimedOut
                | RDKafkaErrorCode::NotLeaderForPartition
                | RDKafkaErrorCode::LeaderNotAvailable
                | RDKafkaErrorCode::NetworkException
                | RDKafkaErrorCode::CoordinatorNotAvailable
                | RDKafkaErrorCode::CoordinatorLoadInProgress
                | RDKafkaErrorCode::NotCoordinator
        )
    )
}
