//! What reads the topics of a capability, as a member of the group `rondo-<name>`.
//!
//! The member is static: `group.instance.id` is a number that this process has claimed in the database (see
//! `transport::member`). A process that claims the number of one that was killed takes the member over at
//! once, and a member that was away for longer than its session comes back as the same. Kafka would otherwise
//! let them wait until the broker gives up the member that is gone.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext, Rebalance, StreamConsumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Headers as _};
use rdkafka::{
    ClientConfig, ClientContext, Message as _, Statistics, TopicPartitionList, statistics,
};
use rondo_contract::capability::Capability;
use rondo_contract::cloud_event::{CloudEvent, header};
use rondo_telemetry::{Metrics, Outage};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::progress::Progress;
use super::{ERROR_MS, STATISTICS_MS, is_connected};
use crate::pipeline::health::PipelineHealth;
use crate::pipeline::queue::{ConsumerQueue, WINDOW_EVENTS_MAX};
use crate::pipeline::record::Record;

/// A consumer's partitions pause below the first number of free slots and resume above the second.
const PAUSE_SLOTS: usize = WINDOW_EVENTS_MAX / 4;
const RESUME_SLOTS: usize = WINDOW_EVENTS_MAX / 2;
/// Interval at which free slots are checked, in milliseconds.
const SLOT_POLL_MS: u64 = 50;
/// How long the broker waits for a member that is gone before others get its partitions, and how often a
/// member shows itself and learns that they are distributed anew, in milliseconds.
const SESSION_MS: &str = "10000";
const HEARTBEAT_MS: &str = "500";
/// After how many statistics that find it idle a consumer is replaced by one that joins at once. librdkafka
/// waits for 3 s after each attempt that fails, such as while the broker loads the group.
const IDLE_LOOKS_MAX: u32 = 2;
/// How long leaving the group may take, in milliseconds.
const LEAVE_MS_MAX: u64 = 3_000;
/// How long a client may take to close. It has left the group by then, or the broker has ended it.
const CLOSE_LIMIT: Duration = Duration::from_secs(10);
/// How long what waits for a client is handled before it closes.
const SERVE_LIMIT: Duration = Duration::from_millis(100);
/// Interval at which the broker is asked whether the member has left, in milliseconds.
const LEAVE_POLL_MS: u64 = 20;

/// The consumer group of a capability.
#[must_use]
pub fn group_of(capability: &Capability) -> String {
    format!("rondo-{}", capability.name)
}

/// Reads the topics of a capability into its queue.
pub struct Reader {
    pub config: ClientConfig,
    pub queue: ConsumerQueue,
    pub metrics: Metrics,
    pub health: Arc<PipelineHealth>,
    /// The number of this process, while it has one.
    pub member: watch::Receiver<Option<u16>>,
}

/// Why reading ended.
enum End {
    Shutdown,
    /// To be joined again: the broker has ended this member for good, the process has another number, or
    /// an attempt to join has failed.
    Membership,
}

impl Reader {
    /// Reads until `shutdown`. What the client refuses for good is logged, and told as the reason of readiness.
    pub async fn run(mut self, shutdown: CancellationToken) {
        if let Err(error) = self.read_on(&shutdown).await {
            let consumer = self.queue.capability().name;
            tracing::error!(consumer, error = format!("{error:#}"), "consumer stopped");
            let reason = "reads no more from Kafka: see the log, and restart the process";
            self.health.set_blocked(&group_of(self.queue.capability()), reason);
        }
    }

    async fn read_on(&mut self, shutdown: &CancellationToken) -> anyhow::Result<()> {
        let group = group_of(self.queue.capability());
        loop {
            self.health.set_blocked(&group, NOT_ASSIGNED);
            let claimed = tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                claimed = self.member.wait_for(Option::is_some) => claimed.map(|member| *member),
            };
            // The sender goes with the pipeline.
            let Ok(Some(member)) = claimed else { return Ok(()) };
            let consumer = self.join(member)?;
            let end = self.read(&consumer, member, shutdown).await?;
            if let Some((_, reason)) = consumer.client().fatal_error() {
                serve(&consumer).await;
                let consumer = self.queue.capability().name;
                tracing::warn!(
                    consumer,
                    member,
                    reason,
                    "the broker has ended this member of the group; joining again"
                );
            }
            if matches!(end, End::Shutdown) {
                leave(&consumer, member).await;
            }
            // Closing waits for the broker.
            let closed = tokio::task::spawn_blocking(move || drop(consumer));
            match tokio::time::timeout(CLOSE_LIMIT, closed).await {
                Ok(closed) => closed?,
                Err(_) => {
                    let consumer = self.queue.capability().name;
                    tracing::warn!(
                        consumer,
                        member,
                        "a client of Kafka does not close; left behind"
                    );
                }
            }
            if matches!(end, End::Shutdown) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(ERROR_MS)).await;
        }
    }

    fn join(&self, member: u16) -> anyhow::Result<Arc<StreamConsumer<Context>>> {
        let capability = self.queue.capability();
        let mut config = self.config.clone();
        config
            .set("group.id", group_of(capability))
            .set("group.instance.id", instance(member))
            .set("session.timeout.ms", SESSION_MS)
            .set("heartbeat.interval.ms", HEARTBEAT_MS)
            .set("auto.offset.reset", "earliest")
            .set("enable.auto.offset.store", "false")
            .set("enable.auto.commit", "true")
            .set("auto.commit.interval.ms", "500")
            .set("fetch.wait.max.ms", "100")
            .set("queued.max.messages.kbytes", "16384")
            .set("statistics.interval.ms", STATISTICS_MS.to_string())
            .set("partition.assignment.strategy", "cooperative-sticky");
        let context = Context {
            progress: Arc::default(),
            capability,
            group: group_of(capability),
            metrics: self.metrics.clone(),
            health: self.health.clone(),
            membership: Mutex::default(),
            idle_looks: watch::Sender::default(),
        };
        let consumer: StreamConsumer<Context> = config.create_with_context(context)?;
        let names: Vec<&str> = capability.topics.iter().map(|topic| topic.name).collect();
        consumer.subscribe(&names)?;
        Ok(Arc::new(consumer))
    }

    async fn read(
        &mut self,
        consumer: &Arc<StreamConsumer<Context>>,
        member: u16,
        shutdown: &CancellationToken,
    ) -> anyhow::Result<End> {
        let Self { queue, member: claimed, .. } = self;
        let capability = queue.capability();
        let mut paused: Option<TopicPartitionList> = None;
        let mut slot_poll = tokio::time::interval(Duration::from_millis(SLOT_POLL_MS));
        let mut idle_looks = consumer.context().idle_looks.subscribe();
        let mut outage = Outage::new("cannot read from Kafka");
        // A number that is lost for a moment, with the connection to the database, is mostly claimed again.
        let is_another = |claimed: &Option<u16>| claimed.is_some_and(|claimed| claimed != member);
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
                () = shutdown.cancelled() => return Ok(End::Shutdown),
                _ = claimed.wait_for(is_another) => return Ok(End::Membership),
                _ = idle_looks.wait_for(|looks| *looks >= IDLE_LOOKS_MAX) => {
                    return Ok(End::Membership);
                }
                _ = slot_poll.tick() => continue,
                received = consumer.recv() => received,
            };
            let message = match received {
                Ok(message) => {
                    outage.ended();
                    message
                }
                Err(error) => {
                    if consumer.client().fatal_error().is_some() {
                        return Ok(End::Membership);
                    }
                    outage.failed(format_args!("{}: {error}", capability.name));
                    tokio::time::sleep(Duration::from_millis(ERROR_MS)).await;
                    continue;
                }
            };
            let mut known = capability.topics.iter().map(|topic| topic.name);
            let Some(topic) = known.find(|name| *name == message.topic()) else { continue };
            let (partition, offset) = (message.partition(), message.offset());
            let record = record(topic, &message);
            let progress = consumer.context().progress.clone();
            let revoked = progress.begin(topic, partition, offset);
            let storing = Arc::downgrade(consumer);
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
                return Ok(End::Shutdown);
            }
        }
    }
}

/// Handles what still waits for a client that the broker has ended. librdkafka 2.12 never closes such a client
/// while a change of its partitions waits.
async fn serve(consumer: &StreamConsumer<Context>) {
    let all = async {
        loop {
            // What it reads now is read again by the next member.
            let _ = consumer.recv().await;
        }
    };
    let _: Result<(), _> = tokio::time::timeout(SERVE_LIMIT, all).await;
}

/// Leaves the group, so that others get the partitions at once. A static member that only closes keeps them
/// until its session has expired. Returns when the broker no longer has the member: a client that closes does not
/// wait for that.
async fn leave(consumer: &Arc<StreamConsumer<Context>>, member: u16) {
    consumer.unsubscribe();
    let left = async {
        let gone = gone(consumer, member);
        tokio::pin!(gone);
        loop {
            tokio::select! {
                // Revocation happens in here.
                _ = consumer.recv() => {}
                () = &mut gone => return,
            }
        }
    };
    let limit = Duration::from_millis(LEAVE_MS_MAX);
    if tokio::time::timeout(limit, left).await.is_err() {
        let consumer = consumer.context().capability.name;
        tracing::warn!(consumer, "could not leave the group; its partitions wait for a successor");
    }
}

/// Asks the broker until the group has no member of this number.
async fn gone(consumer: &Arc<StreamConsumer<Context>>, member: u16) {
    // The broker puts its own part of an id behind the number.
    let own: Arc<str> = format!("{}-", instance(member)).into();
    loop {
        let (asking, own) = (consumer.clone(), own.clone());
        let is_gone = tokio::task::spawn_blocking(move || {
            let limit = Duration::from_millis(LEAVE_MS_MAX);
            let found = asking.fetch_group_list(Some(&asking.context().group), limit)?;
            let mut members = found.groups().iter().flat_map(|group| group.members());
            Ok::<_, KafkaError>(members.all(|member| !member.id().starts_with(&*own)))
        });
        if matches!(is_gone.await, Ok(Ok(true))) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(LEAVE_POLL_MS)).await;
    }
}

/// The static member of a process's number, as `group.instance.id`.
fn instance(member: u16) -> String {
    format!("rondo-{member}")
}

const NOT_ASSIGNED: &str = "waits for its partitions of Kafka";
const NOT_CONNECTED: &str = "no broker of KAFKA_BROKERS answers for Kafka";

struct Context {
    progress: Arc<Progress>,
    capability: &'static Capability,
    group: String,
    metrics: Metrics,
    health: Arc<PipelineHealth>,
    membership: Mutex<Membership>,
    /// Statistics in a row that found it neither a member nor about to be one, with its coordinator connected.
    idle_looks: watch::Sender<u32>,
}

#[derive(Default)]
struct Membership {
    is_assigned: bool,
    is_connected: bool,
}

impl Context {
    fn note(&self, change: impl FnOnce(&mut Membership)) {
        let mut membership = self.membership.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut membership);
        match *membership {
            Membership { is_connected: false, .. } => {
                self.health.set_blocked(&self.group, NOT_CONNECTED);
            }
            Membership { is_assigned: false, .. } => {
                self.health.set_blocked(&self.group, NOT_ASSIGNED);
            }
            _ => self.health.set_ready(&self.group),
        }
    }
}

impl ClientContext for Context {
    /// Reports lag and connection, every [`STATISTICS_MS`].
    fn stats(&self, statistics: Statistics) {
        let partitions = statistics.topics.values().flat_map(|topic| topic.partitions.values());
        let lag = partitions.map(lag).sum();
        self.metrics.consumer_lag(self.capability.name, lag);
        self.note(|membership| membership.is_connected = is_connected(&statistics));
        if let Some(group) = statistics.cgrp {
            let is_idle = group.join_state == "init" && group.state == "up";
            self.idle_looks.send_modify(|looks| *looks = if is_idle { *looks + 1 } else { 0 });
        }
    }
}

/// Unacknowledged events of a partition; 0 for one that another process reads.
fn lag(partition: &statistics::Partition) -> i64 {
    if partition.fetch_state != "active" || partition.hi_offset < 0 {
        return 0;
    }
    // A negative offset means none; a group without one begins at the first event.
    let stored = partition.stored_offset.max(partition.committed_offset);
    let next = if stored >= 0 { stored } else { partition.lo_offset.max(0) };
    (partition.hi_offset - next).max(0)
}

impl ConsumerContext for Context {
    fn pre_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Revoke(partitions) = rebalance {
            // Deliveries in flight finish, but no longer move these offsets.
            for element in partitions.elements() {
                self.progress.revoke(element.topic(), element.partition());
            }
            if consumer.assignment_lost() {
                self.note(|membership| membership.is_assigned = false);
            }
        }
    }

    fn post_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        // None at all are an assignment too: there are more bridges than partitions.
        if let Rebalance::Assign(_) = rebalance {
            self.note(|membership| {
                *membership = Membership { is_assigned: true, is_connected: true };
            });
        }
    }
}

fn record(topic: &str, message: &BorrowedMessage<'_>) -> Record {
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
