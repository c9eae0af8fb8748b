//! The transports that carry events from the relay to the consumers: `local`, in this process, and
//! `kafka`.
//!
//! The database records its transport, and advisory locks enforce it: `local` excludes every other
//! process, and switching needs an empty outbox.

pub mod kafka;
pub mod local;
pub mod member;

use rondo_contract::topic::Topic;
use rondo_database::Dsn;
use rondo_database::Session;
use tokio_util::sync::CancellationToken;

use super::queue::Ack;
use super::record::Record;

/// Key of the advisory lock that `local` holds exclusively and bridges on `kafka` share.
const TRANSPORT_LOCK: i64 = 0x0072_6f6e_646f_0003;
const CURRENT: &str = include_str!("../../sql/transport_current.sql");
const SET: &str = include_str!("../../sql/transport_set.sql");
const DRAINED: &str = include_str!("../../sql/transport_drained.sql");

/// A transport for events.
pub enum Transport {
    Local(local::Local),
    Kafka(kafka::Publisher),
}

impl Transport {
    /// Sends an event to its topics, in the order of the calls within a key, and calls `ack` once the
    /// transport has it. A permanent refusal cancels `lost`: no later event may overtake it.
    pub(super) async fn send(
        &self,
        record: Record,
        topics: &[&'static Topic],
        ack: Ack,
        lost: &CancellationToken,
    ) -> anyhow::Result<()> {
        match self {
            Self::Local(local) => local.send(&record, topics, ack).await,
            Self::Kafka(kafka) => kafka.send(&record, topics, ack, lost).await,
        }
    }

    /// Drops what is in flight and not acknowledged.
    pub(super) async fn purge(&self) {
        if let Self::Kafka(kafka) = self {
            kafka.purge().await;
        }
    }
}

/// A dedicated connection as the bridge's role, for session locks.
pub(super) async fn session(dsn: &Dsn, application: &str) -> anyhow::Result<Session> {
    crate::database::connect(dsn, application).await
}

/// Claims the database for a transport, for as long as the returned session lives.
///
/// # Errors
/// When another process holds the claim, or events of the other transport are left; it says which.
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

/// Waits until the outbox is empty, then records the new transport. The old one has to run meanwhile;
/// its next start is refused.
///
/// # Errors
/// When the database fails.
pub async fn switch(dsn: &Dsn, name: &str) -> anyhow::Result<()> {
    const POLL_MS: u64 = 200;
    let client = session(dsn, "rondo transport").await?;
    while !client.query_one(DRAINED, &[]).await?.get::<_, bool>(0) {
        tokio::time::sleep(std::time::Duration::from_millis(POLL_MS)).await;
    }
    client.execute(SET, &[&name]).await?;
    Ok(())
}
