//! The binary `rondo`: the event pipeline, the clock that fires reminders, the mailer, webhooks, retention,
//! and the commands that run them.

pub mod account;
pub mod backend;
pub mod bridge;
pub mod client;
pub mod clock;
pub mod command;
pub mod cors;
pub mod digest;
pub mod dlq;
pub mod edge;
pub mod environment;
pub mod front;
pub mod health;
pub mod host;
pub mod installation;
pub mod job;
pub mod jwks;
pub mod mail_transport;
pub mod mailer;
pub mod operations;
pub mod option;
pub mod pipeline;
pub mod private_server;
pub mod rate_limit;
pub mod refusal;
pub mod retention;
pub mod route_class;
pub mod up;
pub mod webhook;

use rondo_database::{Dsn, Pool, PoolOptions, SessionOptions, migration};
use rondo_telemetry::{Metrics, PoolUse};

/// Connections of the bridge's pool; the relay and the transport's claim have their own.
const POOL_CONNECTIONS_MAX: usize = 12;

/// A pool of the bridge's role.
///
/// # Errors
/// When the certificate that the connection string names cannot be read.
pub fn pool(dsn: &Dsn) -> anyhow::Result<Pool> {
    let options =
        PoolOptions { connections_max: POOL_CONNECTIONS_MAX, session: session("rondo bridge") };
    Ok(rondo_database::pool::open(dsn, &options)?)
}

/// Publishes the use of the bridge's pool.
pub(crate) fn watch_pool(metrics: &Metrics, pool: &Pool) {
    let pool = pool.clone();
    metrics.watch_pool("bridge", move || {
        let status = pool.status();
        PoolUse {
            open: status.size,
            idle: status.available,
            waiting: status.waiting,
            connections_max: status.max_size,
        }
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

fn session(application: &str) -> SessionOptions {
    SessionOptions { application_name: Some(application.to_owned()), statement_timeout: None }
}
