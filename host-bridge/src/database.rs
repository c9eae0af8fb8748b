//! The bridge's database: its connections, and the check of the schema.

use rondo_database::database::DatabaseUse;
use rondo_database::{Database, Dsn, Pool, PoolOptions, SessionOptions, migration};
use rondo_telemetry::{Metrics, PoolUse};

/// Connections of the bridge, beside those of the relay and the one of the transport's claim.
const CONNECTIONS_MAX: u32 = 8;
/// Connections of the relay's pool.
const RELAY_CONNECTIONS_MAX: usize = 4;

/// The database, as the bridge's role.
///
/// # Errors
/// When the authorities that the connection string names cannot be read.
pub fn open(dsn: &Dsn) -> anyhow::Result<Database> {
    Ok(Database::open(dsn, "rondo bridge", CONNECTIONS_MAX)?)
}

/// The relay's pool, which deletes what was relayed.
///
/// # Errors
/// As [`open`].
pub(crate) fn relay_pool(dsn: &Dsn) -> anyhow::Result<Pool> {
    let options =
        PoolOptions { connections_max: RELAY_CONNECTIONS_MAX, session: session("rondo relay") };
    Ok(rondo_database::pool::open(dsn, &options)?)
}

/// Publishes the use of the relay's pool.
pub(crate) fn watch_relay(metrics: &Metrics, pool: &Pool) {
    let pool = pool.clone();
    metrics.watch_pool("relay", move || {
        let status = pool.status();
        PoolUse {
            open: status.size,
            idle: status.available,
            waiting: status.waiting,
            connections_max: status.max_size,
        }
    });
}

/// Publishes the use of the bridge's connections.
pub(crate) fn watch(metrics: &Metrics, database: &Database) {
    let database = database.clone();
    metrics.watch_pool("bridge", move || {
        let DatabaseUse { open, idle, waiting, connections_max } = database.usage();
        PoolUse { open, idle, waiting, connections_max }
    });
}

/// A dedicated connection, whose session locks end with it.
pub(crate) async fn connect(
    dsn: &Dsn,
    application: &str,
) -> anyhow::Result<rondo_database::Session> {
    Ok(rondo_database::pool::connect(dsn, &session(application)).await?)
}

/// Refuses a database whose schema differs from this program's.
pub(crate) async fn check_schema(dsn: &Dsn, application: &str) -> anyhow::Result<()> {
    let session = connect(dsn, application).await?;
    Ok(migration::check(&session, migration::embedded()).await?)
}

pub(crate) fn session(application: &str) -> SessionOptions {
    SessionOptions { application_name: Some(application.to_owned()), statement_timeout: None }
}
