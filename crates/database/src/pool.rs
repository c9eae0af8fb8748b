//! Connections of tokio-postgres: a bounded pool for the Wasm host, and single sessions for work that must
//! hold one (an advisory lock).

use std::{
    ops::{Deref, DerefMut},
    time::Duration,
};

use deadpool_postgres::{
    Hook, HookError, Manager, ManagerConfig, QueueMode, RecyclingMethod, Runtime, Timeouts,
};
pub use deadpool_postgres::{Object, Pool, PoolError};
use tokio_postgres::{Client, Config};
use tokio_util::sync::CancellationToken;

use crate::{
    dsn::Dsn,
    timeout::{bound, connect_timeout},
    tls::{self, TlsError},
};

/// Default maximum number of connections of a pool.
pub const POOL_CONNECTIONS_MAX: usize = 16;
/// How long a caller waits for a free connection of a pool.
pub const POOL_WAIT_SECONDS_MAX: u64 = 5;

/// Options of a pool.
#[derive(Clone, Debug)]
pub struct PoolOptions {
    /// Maximum number of open connections.
    pub connections_max: usize,
    pub session: SessionOptions,
}

/// Options of a session. Absent ones are left to the role's settings.
#[derive(Clone, Debug, Default)]
pub struct SessionOptions {
    /// Appears in `pg_stat_activity`; takes precedence over the DSN's own.
    pub application_name: Option<String>,
    pub statement_timeout: Option<Duration>,
}

impl Default for PoolOptions {
    fn default() -> Self {
        Self { connections_max: POOL_CONNECTIONS_MAX, session: SessionOptions::default() }
    }
}

/// Creates a pool. It connects lazily, so an unreachable server is not an error here.
pub fn open(dsn: &Dsn, options: &PoolOptions) -> Result<Pool, ConnectError> {
    // Fast recycling: no code leaves a transaction open (guards roll back), and callers have to expect a
    // broken connection at any statement anyway.
    let manager = Manager::from_config(
        config(dsn, &options.session),
        tls::connector(dsn)?,
        ManagerConfig { recycling_method: RecyclingMethod::Fast },
    );
    let wait = Duration::from_secs(POOL_WAIT_SECONDS_MAX);
    let mut builder = Pool::builder(manager)
        .max_size(options.connections_max)
        // The most recently used session has its plans and catalogue in the CPU caches.
        .queue_mode(QueueMode::Lifo)
        .timeouts(Timeouts {
            wait: Some(wait),
            create: Some(connect_timeout(dsn.config())),
            recycle: Some(wait),
        })
        .runtime(Runtime::Tokio1);
    if let Some(setting) = statement_timeout(&options.session) {
        builder = builder.post_create(Hook::async_fn(move |client, _| {
            let setting = setting.clone();
            Box::pin(
                async move { client.batch_execute(&setting).await.map_err(HookError::Backend) },
            )
        }));
    }
    builder
        .build()
        .map_err(|_| unreachable!("a runtime is given, which is all that the builder can miss"))
}

/// Connects once.
pub async fn connect(dsn: &Dsn, options: &SessionOptions) -> Result<Session, ConnectError> {
    let connector = tls::connector(dsn)?;
    let limit = connect_timeout(dsn.config());
    let failed = |source| ConnectError::Failed { dsn: dsn.to_string(), source };
    let opening = async {
        let (client, connection) = config(dsn, options).connect(connector).await.map_err(failed)?;
        let ended = CancellationToken::new();
        let end = ended.clone().drop_guard();
        tokio::spawn(async move {
            let _end = end;
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a database session ended");
            }
        });
        if let Some(setting) = statement_timeout(options) {
            client.batch_execute(&setting).await.map_err(failed)?;
        }
        Ok(Session { client, ended })
    };
    tokio::time::timeout(limit, opening).await.unwrap_or_else(|_| {
        Err(ConnectError::Timeout { dsn: dsn.to_string(), seconds: limit.as_secs() })
    })
}

/// One connection; dropping it ends the session and frees its locks.
pub struct Session {
    client: Client,
    ended: CancellationToken,
}

impl Session {
    /// Cancelled when the connection is lost for any reason: work under a session's lock has to stop then.
    pub fn ended(&self) -> CancellationToken {
        self.ended.clone()
    }
}

impl Deref for Session {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl DerefMut for Session {
    fn deref_mut(&mut self) -> &mut Client {
        &mut self.client
    }
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error("cannot connect to {dsn}")]
    Failed { dsn: String, source: tokio_postgres::Error },
    #[error("no connection to {dsn} within {seconds} s")]
    Timeout { dsn: String, seconds: u64 },
    #[error("the connection string has {words}, which the bridge and live sync do not support")]
    Unsupported { words: &'static str },
    #[error(transparent)]
    Tls(#[from] TlsError),
}

impl ConnectError {
    /// The SQLSTATE, if the server answered with one.
    pub fn sql_state(&self) -> Option<&tokio_postgres::error::SqlState> {
        match self {
            Self::Failed { source, .. } => source.code(),
            Self::Timeout { .. } | Self::Unsupported { .. } | Self::Tls(_) => None,
        }
    }
}

fn config(dsn: &Dsn, options: &SessionOptions) -> Config {
    let mut config = dsn.config().clone();
    if let Some(name) = &options.application_name {
        config.application_name(name);
    }
    bound(&mut config);
    config
}

/// A statement instead of a start-up option, because PgBouncer refuses start-up options.
fn statement_timeout(options: &SessionOptions) -> Option<String> {
    options
        .statement_timeout
        .map(|timeout| format!("SET statement_timeout = {}", timeout.as_millis()))
}
