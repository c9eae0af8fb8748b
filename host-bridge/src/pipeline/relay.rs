//! The relay: moves events from the outbox to the transport, each key in order, and deletes a row
//! only after the transport has taken the event over.
//!
//! It reads by shard of the user and skips what is in flight; it keeps no cursor, because ids commit
//! out of order and `id > last` would lose rows. A shard is relayed by one relay at a time: the
//! shard's advisory lock is held by a connection of the relay's own, which is also the connection
//! that it reads with, so that a lost lock is noticed before the next read.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use rondo_contract::event::EventType;
use rondo_contract::topic::Topic;
use rondo_database::{Dsn, Pool};
use rondo_telemetry::Metrics;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::flow::{Flow, RELAY};
use super::record::{Record, subject};
use super::transport::Transport;

/// Shards of the outbox; the column `shard` is made from the user's id modulo this.
pub const SHARDS: i16 = 64;
/// First of the advisory locks of the shards.
const SHARD_LOCK_BASE: i64 = 0x0072_6f6e_646f_1000;
/// Rows read at once, and rows in flight. There is no reading below a whole read's room: each
/// read passes over all that is in flight, so many small ones would cost more than they bring.
const READ_ROWS_MAX: usize = 2_000;
const IN_FLIGHT_ROWS_MAX: usize = 8_000;
/// Longest pause between two looks at an empty outbox, in milliseconds.
pub const POLL_IDLE_MS_MAX: u64 = 20;
/// Pause after a failure of the database, in milliseconds.
const FAILURE_MS: u64 = 500;
/// How often free shards are looked for, in milliseconds.
const CLAIM_MS: u64 = 2_000;

const READ: &str = include_str!("../../sql/outbox_read.sql");
const REMOVE: &str = include_str!("../../sql/outbox_remove.sql");

/// What a relay works with.
pub struct Relay {
    /// The bridge's login; the relay makes a connection of its own with it.
    pub dsn: Dsn,
    pub pool: Pool,
    pub transport: Transport,
    pub metrics: Metrics,
    pub flow: Arc<Flow>,
    /// Woken by who knows that there is something new; a poll finds it otherwise.
    pub wake: Arc<Notify>,
}

/// The topics that carry an event of this type. A type that is newer than this program goes where its
/// family goes, so that no event is stuck in the outbox.
fn topics(event_type: &str) -> &'static [&'static Topic] {
    match event_type.parse::<EventType>() {
        Ok(event_type) => event_type.topics(),
        Err(_) if event_type.starts_with("task.") => EventType::TaskUpdated.topics(),
        Err(_) => EventType::ReminderScheduled.topics(),
    }
}

impl Relay {
    /// Relays until `shutdown`.
    pub async fn run(self, shutdown: CancellationToken) {
        loop {
            let lost = CancellationToken::new();
            tokio::select! {
                () = shutdown.cancelled() => return,
                result = self.relay(&lost) => {
                    // Whatever was in flight must not be sent after another relay has taken over.
                    lost.cancel();
                    self.transport.purge().await;
                    if let Err(error) = result {
                        tracing::warn!(error = format!("{error:#}"), "the relay was interrupted; starting again");
                        self.flow.stuck(RELAY, "cannot read the outbox: see what the log says of the database");
                    }
                }
            }
            tokio::time::sleep(Duration::from_millis(FAILURE_MS)).await;
        }
    }

    /// Relays until the connection that holds the shards is lost.
    async fn relay(&self, lost: &CancellationToken) -> anyhow::Result<()> {
        let client = super::transport::session(&self.dsn, "rondo relay").await?;
        let read = client.prepare(READ).await?;
        let mut shards: Vec<i16> = Vec::new();
        let mut claimed_at: Option<tokio::time::Instant> = None;
        let mut in_flight: HashSet<i64> = HashSet::new();
        let (done_sender, mut done) = mpsc::unbounded_channel::<i64>();
        let (removed_sender, mut removed) = mpsc::unbounded_channel::<Vec<i64>>();
        let mut removers = JoinSet::new();
        let mut idle_ms = 1;
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
                    let payload: Arc<str> = row.get::<_, String>("payload").into();
                    let topics = topics(&event_type);
                    let record = Record {
                        event_id: row.get("event_id"),
                        event_type,
                        key: row.get("key"),
                        subject: subject(row.get("task_id")),
                        time: row.get("time"),
                        traceparent: row.get("traceparent"),
                        topic: topics[0].name,
                        payload,
                        position: None,
                    };
                    tracing::debug!(
                        event_id = record.event_id,
                        event_type = record.event_type,
                        trace_id = record.trace_id(),
                        "an event is relayed"
                    );
                    in_flight.insert(id);
                    let done = done_sender.clone();
                    let finished = Box::new(move || {
                        let _ = done.send(id);
                    });
                    self.transport.send(record, topics, finished, lost).await?;
                }
            }
            // Without shards another relay has them, and this one stands by.
            self.flow.works(RELAY);
            while let Ok(ids) = removed.try_recv() {
                for id in ids {
                    in_flight.remove(&id);
                }
            }
            let mut finished = Vec::new();
            while let Ok(id) = done.try_recv() {
                finished.push(id);
            }
            if !finished.is_empty() {
                busy = true;
                self.metrics.relayed.inc_by(finished.len() as u64);
                // Beside the reading: a row stays in flight until it is gone.
                removers.spawn(remove(self.pool.clone(), finished, removed_sender.clone()));
            }
            while removers.try_join_next().is_some() {}
            idle_ms = if busy { 1 } else { (idle_ms * 2).min(POLL_IDLE_MS_MAX) };
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(idle_ms)) => {}
                () = self.wake.notified() => {}
                Some(id) = done.recv() => { let _ = done_sender.send(id); }
                () = lost.cancelled() => anyhow::bail!("an event was refused"),
            }
        }
    }
}

/// Takes every shard that no other relay has. Session locks are let go with the connection.
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

/// Deletes rows, trying until it is done: a row that stays would be sent again.
async fn remove(pool: Pool, ids: Vec<i64>, removed: mpsc::UnboundedSender<Vec<i64>>) {
    loop {
        let result = async {
            let client = pool.get().await?;
            client.execute(&client.prepare_cached(REMOVE).await?, &[&ids]).await?;
            anyhow::Ok(())
        };
        match result.await {
            Ok(()) => break,
            Err(error) => {
                tracing::warn!(
                    error = format!("{error:#}"),
                    "relayed events cannot be removed yet"
                );
                tokio::time::sleep(Duration::from_millis(FAILURE_MS)).await;
            }
        }
    }
    let _ = removed.send(ids);
}
