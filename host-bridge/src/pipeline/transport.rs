//! The seam between the relay and what carries events: `local`, to the consumers in this process,
//! and `kafka`.
//!
//! Which of them a database's events travel by is recorded in the database and kept by locks: `local`
//! excludes every other process, and changing over needs an empty outbox.

pub mod kafka;
pub mod local;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rondo_contract::topic::Topic;
use rondo_database::Dsn;
use rondo_database::Session;
use tokio_util::sync::CancellationToken;

use super::consumer::Finished;
use super::record::Record;

/// Key of the advisory lock that `local` holds alone and `kafka` bridges share.
const TRANSPORT_LOCK: i64 = 0x0072_6f6e_646f_0003;
const CURRENT: &str = include_str!("../../sql/transport_current.sql");
const SET: &str = include_str!("../../sql/transport_set.sql");
const DRAINED: &str = include_str!("../../sql/transport_drained.sql");

/// Counts the parts of a hand-over, one for each reader or topic, and calls `finished` after the last.
pub(super) struct Parts {
    left: AtomicUsize,
    finished: Mutex<Option<Finished>>,
}

impl Parts {
    fn new(parts: usize, finished: Finished) -> Arc<Self> {
        Arc::new(Self { left: AtomicUsize::new(parts), finished: Mutex::new(Some(finished)) })
    }

    fn one_finished(&self) {
        if self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            let finished = self.finished.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(finished) = finished {
                finished();
            }
        }
    }
}

/// What carries events.
pub enum Transport {
    Local(local::Local),
    Kafka(kafka::Publisher),
}

impl Transport {
    /// Sends an event to its topics; `finished` is called when the transport has taken it over.
    /// Events of a key are sent in the order of the calls. When the transport refuses one for good,
    /// `lost` is cancelled: nothing may be sent past it.
    pub(super) async fn send(
        &self,
        record: Record,
        topics: &[&'static Topic],
        finished: Finished,
        lost: &CancellationToken,
    ) -> anyhow::Result<()> {
        match self {
            Self::Local(local) => local.send(&record, topics, finished).await,
            Self::Kafka(kafka) => kafka.send(&record, topics, finished, lost).await,
        }
    }

    /// Forgets what is on its way and not yet taken over.
    pub(super) async fn purge(&self) {
        if let Self::Kafka(kafka) = self {
            kafka.purge().await;
        }
    }
}

/// A connection of one's own as the bridge's role, for session locks.
pub(super) async fn session(dsn: &Dsn, application: &str) -> anyhow::Result<Session> {
    crate::connect(dsn, application).await
}

/// Claims the database for a transport. The claim lasts as long as the connection that is returned.
///
/// # Errors
/// When another process has it, or its events still travel by the other transport, naming which.
pub async fn claim(dsn: &Dsn, name: &str) -> anyhow::Result<Session> {
    let client = session(dsn, "rondo transport").await?;
    let lock = if name == "local" { "pg_try_advisory_lock" } else { "pg_try_advisory_lock_shared" };
    let held: bool =
        client.query_one(&format!("SELECT {lock}($1)"), &[&TRANSPORT_LOCK]).await?.get(0);
    let current: Option<String> = client.query_opt(CURRENT, &[]).await?.map(|row| row.get(0));
    anyhow::ensure!(
        held,
        "this database is in use by another rondo on the {} transport: stop it first",
        current.as_deref().unwrap_or("local")
    );
    if let Some(current) = current.filter(|current| current != name) {
        let drained: bool = client.query_one(DRAINED, &[]).await?.get(0);
        anyhow::ensure!(
            drained,
            "events of this database still travel by the {current} transport: let it drain with \
             `rondo transport switch {name}`"
        );
    }
    client.execute(SET, &[&name]).await?;
    Ok(client)
}

/// Waits until no event is left in the outbox, then notes the other transport. The old one has to
/// run meanwhile; it notices nothing, and is refused at its next start.
///
/// # Errors
/// When the database fails.
pub async fn switch(dsn: &Dsn, name: &str) -> anyhow::Result<()> {
    const LOOK_MS: u64 = 200;
    let client = session(dsn, "rondo transport").await?;
    while !client.query_one(DRAINED, &[]).await?.get::<_, bool>(0) {
        tokio::time::sleep(std::time::Duration::from_millis(LOOK_MS)).await;
    }
    client.execute(SET, &[&name]).await?;
    Ok(())
}
