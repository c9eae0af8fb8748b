//! The relay: moves events from the outbox to the transport, in order within a key, and deletes a row
//! only after the transport has acknowledged it.
//!
//! It polls by shard of the user id and skips rows in flight. It keeps no cursor: ids commit out of
//! order, so `id > last` would lose rows. One relay owns a shard at a time: a dedicated connection holds
//! the shard's advisory lock and also polls, so that a lost lock fails the next poll.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use rondo_contract::cloud_event::{CloudEvent, task_subject};
use rondo_contract::event::EventType;
use rondo_contract::topic::Topic;
use rondo_database::{Dsn, Pool};
use rondo_telemetry::{Metrics, Outage};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::health::{PipelineHealth, RELAY};
use super::record::Record;
use super::transport::Transport;

/// Shards of the outbox; the column `shard` is a hash of the user id modulo this.
pub const SHARDS: i16 = 64;
/// Key of the first shard's advisory lock.
const SHARD_LOCK_BASE: i64 = 0x0072_6f6e_646f_1000;
/// Rows of one poll, and rows in flight. The relay polls only when a full batch fits in flight: a poll
/// skips every row in flight, so many small polls would cost more than they bring.
const READ_ROWS_MAX: usize = 2_000;
const IN_FLIGHT_ROWS_MAX: usize = 8_000;
/// Longest pause between two polls of an empty outbox, in milliseconds.
pub const POLL_IDLE_MS_MAX: u64 = 20;
/// Pause after a failure of the database, in milliseconds.
const FAILURE_MS: u64 = 200;
/// Interval at which unowned shards are claimed, in milliseconds.
const CLAIM_MS: u64 = 500;

const READ: &str = include_str!("../../sql/outbox_read.sql");
const REMOVE: &str = include_str!("../../sql/outbox_remove.sql");

/// The parts of a relay.
pub struct Relay {
    /// The bridge's login, for the relay's dedicated connection.
    pub dsn: Dsn,
    pub pool: Pool,
    pub transport: Transport,
    pub metrics: Metrics,
    pub health: Arc<PipelineHealth>,
    /// Notified when an event may have been written; otherwise the next poll finds it.
    pub wake: Arc<Notify>,
}

/// The topics of an event type. A type that this program doesn't know takes those of its family, so that
/// no event stays in the outbox.
fn topics(event_type: &str) -> &'static [&'static Topic] {
    match event_type.parse::<EventType>() {
        Ok(event_type) => event_type.topics(),
        Err(_) if event_type.starts_with("task.") || event_type.starts_with("list.") => {
            EventType::TaskUpdated.topics()
        }
        Err(_) => EventType::ReminderScheduled.topics(),
    }
}

impl Relay {
    /// Relays until `shutdown`.
    pub async fn run(self, shutdown: CancellationToken) {
        let mut outage = Outage::new("relay interrupted; restarting");
        loop {
            let lost = CancellationToken::new();
            tokio::select! {
                () = shutdown.cancelled() => return,
                result = self.relay(&lost, &mut outage) => {
                    // Nothing in flight may be sent after another relay has taken over.
                    lost.cancel();
                    self.transport.purge().await;
                    if let Err(error) = result {
                        outage.failed(format_args!("{error:#}"));
                        self.health.set_blocked(RELAY, "cannot read the outbox: see the log");
                    }
                }
            }
            tokio::time::sleep(Duration::from_millis(FAILURE_MS)).await;
        }
    }

    /// Relays until the connection that owns the shards breaks.
    async fn relay(&self, lost: &CancellationToken, outage: &mut Outage) -> anyhow::Result<()> {
        let client = super::transport::session(&self.dsn, "rondo relay").await?;
        let read = client.prepare(READ).await?;
        let mut shards: Vec<i16> = Vec::new();
        let mut claimed_at: Option<tokio::time::Instant> = None;
        let mut in_flight: HashSet<i64> = HashSet::new();
        let (done_sender, mut done) = mpsc::unbounded_channel::<i64>();
        let (removed_sender, mut removed) = mpsc::unbounded_channel::<Vec<i64>>();
        let mut removers = JoinSet::new();
        let mut idle_ms = 1;
        self.metrics.relay_in_flight_max.set(IN_FLIGHT_ROWS_MAX as i64);
        loop {
            if shards.len() < SHARDS as usize
                && claimed_at.is_none_or(|at| at.elapsed() >= Duration::from_millis(CLAIM_MS))
            {
                claim(&client, &mut shards).await?;
                claimed_at = Some(tokio::time::Instant::now());
            }
            let mut busy = false;
            if in_flight.len() + READ_ROWS_MAX <= IN_FLIGHT_ROWS_MAX && !shards.is_empty() {
                let skipped: Vec<i64> = in_flight.iter().copied().collect();
                let limit = READ_ROWS_MAX as i64;
                let rows = client.query(&read, &[&shards, &skipped, &limit]).await?;
                busy = !rows.is_empty();
                for row in rows {
                    let id: i64 = row.get("id");
                    let event_type: String = row.get("event_type");
                    let topics = topics(&event_type);
                    let event = CloudEvent {
                        id: row.get("event_id"),
                        event_type,
                        subject: row.get::<_, Option<i64>>("task_id").map(task_subject),
                        time: row.get("time"),
                        traceparent: row.get("traceparent"),
                        topic: topics[0].name.to_owned(),
                        data: row.get("payload"),
                    };
                    let record = Record { event, key: row.get("key"), position: None };
                    tracing::debug!(
                        event_id = record.event.id,
                        event_type = record.event.event_type,
                        trace_id = record.trace_id(),
                        "event relayed"
                    );
                    in_flight.insert(id);
                    let done = done_sender.clone();
                    let ack = Box::new(move || {
                        let _ = done.send(id);
                    });
                    self.transport.send(record, topics, ack, lost).await?;
                }
            }
            // On Kafka, a relay without shards stands by: another one owns them.
            if shards.len() == SHARDS as usize || matches!(self.transport, Transport::Kafka(_)) {
                self.health.set_ready(RELAY);
            }
            outage.ended();
            while let Ok(ids) = removed.try_recv() {
                for id in ids {
                    in_flight.remove(&id);
                }
            }
            self.metrics.relay_in_flight.set(i64::try_from(in_flight.len()).unwrap_or(i64::MAX));
            let mut acknowledged = Vec::new();
            while let Ok(id) = done.try_recv() {
                acknowledged.push(id);
            }
            if !acknowledged.is_empty() {
                busy = true;
                self.metrics.relayed.inc_by(acknowledged.len() as u64);
                // In parallel to polling; a row counts as in flight until it is deleted.
                removers.spawn(remove(self.pool.clone(), acknowledged, removed_sender.clone()));
            }
            while removers.try_join_next().is_some() {}
            idle_ms = if busy { 1 } else { (idle_ms * 2).min(POLL_IDLE_MS_MAX) };
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(idle_ms)) => {}
                () = self.wake.notified() => {}
                Some(id) = done.recv() => { let _ = done_sender.send(id); }
                () = lost.cancelled() => anyhow::bail!("the transport refused an event"),
            }
        }
    }
}

/// Claims every shard that no other relay owns. The locks end with the connection.
async fn claim(client: &tokio_postgres::Client, shards: &mut Vec<i16>) -> anyhow::Result<()> {
    let free: Vec<i16> = (0..SHARDS).filter(|shard| !shards.contains(shard)).collect();
    let keys: Vec<i64> = free.iter().map(|shard| SHARD_LOCK_BASE + i64::from(*shard)).collect();
    let rows = client
        .query(
            "SELECT key, pg_try_advisory_lock(key) FROM unnest($1::bigint[]) AS x (key)",
            &[&keys],
        )
        .await?;
    for row in rows {
        if row.get(1) {
            let shard = row.get::<_, i64>(0) - SHARD_LOCK_BASE;
            shards.push(i16::try_from(shard)?);
        }
    }
    Ok(())
}

/// Deletes rows, retrying until it succeeds: a row that stays would be sent again.
async fn remove(pool: Pool, ids: Vec<i64>, removed: mpsc::UnboundedSender<Vec<i64>>) {
    let mut outage = Outage::new("cannot delete relayed events; retrying");
    loop {
        let result = async {
            let client = pool.get().await?;
            client.execute(&client.prepare_cached(REMOVE).await?, &[&ids]).await?;
            anyhow::Ok(())
        };
        match result.await {
            Ok(()) => break,
            Err(error) => {
                outage.failed(format_args!("{error:#}"));
                tokio::time::sleep(Duration::from_millis(FAILURE_MS)).await;
            }
        }
    }
    outage.ended();
    let _ = removed.send(ids);
}
