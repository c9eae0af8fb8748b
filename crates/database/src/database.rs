//! The database of a native service: an sqlx pool whose statements have a time limit.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgConnectOptions, PgPool, PgPoolOptions, PgRow, PgSslMode};
use sqlx::query::{Query, QueryAs};
use sqlx::{ConnectOptions as _, Connection as _, FromRow, PgConnection, Postgres};
use tokio::time::timeout;
use tokio_postgres::config::{ChannelBinding, Host, SslNegotiation, TargetSessionAttrs};

use crate::dsn::{Dsn, TlsMode, encode};
use crate::pool::{ConnectError, POOL_WAIT_SECONDS_MAX};
use crate::timeout::connect_timeout;
use crate::tls;

/// Maximum duration of a statement, in seconds: above the `statement_timeout` of every service's role, so
/// that it ends only statements whose connection is dead.
const STATEMENT_SECONDS_MAX: u64 = 65;
/// How long a returned connection may take to answer a ping, in seconds.
const PING_SECONDS_MAX: u64 = 5;

/// A pool of connections; clones share it. It connects on first use.
#[derive(Clone, Debug)]
pub struct Database {
    pool: PgPool,
    /// How long connecting may take.
    connect_limit: Duration,
    /// Number of callers that wait for a connection.
    waiting: Arc<AtomicUsize>,
}

/// The state of a [`Database`]'s pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DatabaseUse {
    pub open: usize,
    pub idle: usize,
    pub waiting: usize,
    pub connections_max: usize,
}

impl Database {
    /// `application` appears in `pg_stat_activity`.
    ///
    /// # Errors
    /// If the authorities of the connection string cannot be read, or it has a word that sqlx does not
    /// support.
    pub fn open(dsn: &Dsn, application: &str, connections_max: u32) -> Result<Self, ConnectError> {
        let options = connect_options(dsn, application)?;
        let wait = Duration::from_secs(POOL_WAIT_SECONDS_MAX);
        let connect_limit = connect_timeout(dsn.config());
        let pool = PgPoolOptions::new()
            .max_connections(connections_max)
            // Includes connecting.
            .acquire_timeout(wait.max(connect_limit))
            .idle_timeout(None)
            .max_lifetime(None)
            // A connection is tested when it is returned; one that breaks later fails its statement.
            .test_before_acquire(false)
            .after_release(|connection, _| {
                Box::pin(async move {
                    let ping = connection.ping();
                    match timeout(Duration::from_secs(PING_SECONDS_MAX), ping).await {
                        Ok(pinged) => pinged.map(|()| true),
                        Err(_) => Err(timed_out()),
                    }
                })
            })
            .connect_lazy_with(options);
        Ok(Self { pool, connect_limit, waiting: Arc::default() })
    }

    /// The only row of a query.
    ///
    /// # Errors
    /// If there is no connection, the server refuses, or there is no row.
    pub async fn one<Row>(
        &self,
        query: QueryAs<'_, Postgres, Row, PgArguments>,
    ) -> Result<Row, sqlx::Error>
    where
        Row: for<'row> FromRow<'row, PgRow> + Send + Unpin,
    {
        let mut connection = self.acquire().await?;
        self.bounded(query.fetch_one(&mut *connection)).await
    }

    /// All rows of a query.
    ///
    /// # Errors
    /// If there is no connection, or the server refuses.
    pub async fn all<Row>(
        &self,
        query: QueryAs<'_, Postgres, Row, PgArguments>,
    ) -> Result<Vec<Row>, sqlx::Error>
    where
        Row: for<'row> FromRow<'row, PgRow> + Send + Unpin,
    {
        let mut connection = self.acquire().await?;
        self.bounded(query.fetch_all(&mut *connection)).await
    }

    /// Runs a statement and ignores its rows.
    ///
    /// # Errors
    /// If there is no connection, or the server refuses.
    pub async fn execute(
        &self,
        query: Query<'_, Postgres, PgArguments>,
    ) -> Result<(), sqlx::Error> {
        let mut connection = self.acquire().await?;
        self.bounded(query.execute(&mut *connection)).await.map(drop)
    }

    /// Whether the server responds. A server that refuses a connection is reported at once; the pool would
    /// wait for it.
    ///
    /// # Errors
    /// Why it does not.
    pub async fn check(&self) -> Result<(), sqlx::Error> {
        let is_full = self.pool.size() >= self.pool.options().get_max_connections();
        let pooled = match self.pool.try_acquire() {
            None if is_full => Some(self.acquire().await?),
            idle => idle,
        };
        if let Some(mut connection) = pooled {
            match self.bounded(connection.ping()).await {
                // Of a server that has ended since.
                Err(error) if is_disconnected(&error) => {}
                checked => return checked,
            }
        }
        let checking = async {
            let options = self.pool.connect_options();
            let mut connection = PgConnection::connect_with(&options).await?;
            connection.ping().await?;
            connection.close().await
        };
        timeout(self.connect_limit, checking).await.unwrap_or_else(|_| Err(timed_out()))
    }

    #[must_use]
    pub fn usage(&self) -> DatabaseUse {
        let connections_max = self.pool.options().get_max_connections();
        DatabaseUse {
            open: self.pool.size() as usize,
            idle: self.pool.num_idle(),
            waiting: self.waiting.load(Ordering::Relaxed),
            connections_max: connections_max as usize,
        }
    }

    async fn acquire(&self) -> Result<PoolConnection<Postgres>, sqlx::Error> {
        if let Some(connection) = self.pool.try_acquire() {
            return Ok(connection);
        }
        let _waiting = Waiting::new(&self.waiting);
        self.pool.acquire().await
    }

    /// Ends a statement whose connection is dead. When a connection breaks, the idle ones are closed too: the
    /// server was most likely restarted, and each would fail a statement of its own.
    ///
    /// # Errors
    /// As `statement`.
    async fn bounded<T>(
        &self,
        statement: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, sqlx::Error> {
        let limit = Duration::from_secs(STATEMENT_SECONDS_MAX);
        let result = timeout(limit, statement).await.unwrap_or_else(|_| Err(timed_out()));
        if result.as_ref().is_err_and(is_disconnected) {
            while let Some(idle) = self.pool.try_acquire() {
                drop(idle.detach());
            }
        }
        result
    }
}

/// Counts a waiting caller.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Whether the connection is gone, rather than the statement refused. Class 57P: the server ends.
fn is_disconnected(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) => true,
        sqlx::Error::Database(error) => error.code().is_some_and(|code| code.starts_with("57P")),
        _ => false,
    }
}

fn timed_out() -> sqlx::Error {
    sqlx::Error::Io(io::ErrorKind::TimedOut.into())
}

/// The connection options for sqlx. Unlike tokio-postgres, it supports one host and no keepalives, which the
/// time limits of [`Database`] replace, and it trusts the connection string's authorities in addition to
/// Mozilla's.
fn connect_options(dsn: &Dsn, application: &str) -> Result<PgConnectOptions, ConnectError> {
    let config = dsn.config();
    let unsupported = |words: &'static str| ConnectError::Unsupported { words };
    let host = match (config.get_hosts(), config.get_hostaddrs()) {
        ([host], []) => host.clone(),
        ([], [address]) => Host::Tcp(address.to_string()),
        _ => return Err(unsupported("several hosts, or a host beside hostaddr")),
    };
    if config.get_channel_binding() == ChannelBinding::Require {
        return Err(unsupported("channel_binding=require"));
    }
    if config.get_target_session_attrs() != TargetSessionAttrs::Any {
        return Err(unsupported("target_session_attrs"));
    }
    if config.get_ssl_negotiation() == SslNegotiation::Direct {
        return Err(unsupported("sslnegotiation=direct"));
    }
    // Each connection reads the authorities again; here a mistake in them is reported at once.
    tls::connector(dsn)?;
    // Only a URL passes the options unchanged.
    let options = config.get_options().map(encode).unwrap_or_default();
    let mut target: PgConnectOptions = format!("postgres://u:p@localhost/?options={options}")
        .parse()
        .map_err(|_| unsupported("options"))?;
    target = match &host {
        Host::Tcp(name) => target.host(name),
        Host::Unix(folder) => target.socket(folder),
    };
    target = target.port(dsn.port()).application_name(application).ssl_mode(match dsn.tls_mode() {
        TlsMode::Disable => PgSslMode::Disable,
        TlsMode::Prefer => PgSslMode::Prefer,
        TlsMode::Require | TlsMode::VerifyFull => PgSslMode::VerifyFull,
    });
    if let Some(user) = dsn.user() {
        target = target.username(user);
    }
    let password = config.get_password().map(String::from_utf8_lossy).unwrap_or_default();
    target = target.password(&password);
    if let Some(dbname) = dsn.dbname() {
        target = target.database(dbname);
    }
    if let Some(authorities) = tls::authorities(dsn) {
        target = target.ssl_root_cert(authorities);
    }
    // Rondo logs failures and slow statements itself.
    Ok(target.disable_statement_logging())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(dsn: &str) -> Result<PgConnectOptions, String> {
        let dsn = Dsn::parse(dsn).unwrap();
        connect_options(&dsn, "an application").map_err(|error| error.to_string())
    }

    #[test]
    fn a_connection_string_means_the_same_to_sqlx() {
        let tcp = options("postgres://u:p%40@db.example:7/d?sslmode=require&options=-c%20role%3Dx%20-c%20a%3Db%5C%20c")
            .unwrap();
        assert_eq!((tcp.get_host(), tcp.get_port()), ("db.example", 7));
        assert_eq!((tcp.get_username(), tcp.get_database()), ("u", Some("d")));
        assert_eq!(tcp.get_options(), Some("-c role=x -c a=b\\ c"));
        assert_eq!(tcp.get_application_name(), Some("an application"));
        assert!(matches!(tcp.get_ssl_mode(), PgSslMode::VerifyFull));
        let socket = options("host=/tmp user=u sslmode=disable").unwrap();
        assert_eq!(socket.get_socket().unwrap().to_str(), Some("/tmp"));
        assert!(matches!(socket.get_ssl_mode(), PgSslMode::Disable));
        let prefer = options("hostaddr=127.0.0.1 user=u").unwrap();
        assert_eq!((prefer.get_host(), prefer.get_database()), ("127.0.0.1", Some("u")));
        assert!(matches!(prefer.get_ssl_mode(), PgSslMode::Prefer));
    }

    #[test]
    fn words_that_sqlx_would_ignore_are_refused() {
        for words in [
            "host=a,b",
            "host=a hostaddr=10.0.0.1",
            "host=a channel_binding=require",
            "host=a target_session_attrs=read-write",
            "host=a sslmode=require sslrootcert=/nowhere.pem",
        ] {
            assert!(options(&format!("user=u {words}")).is_err(), "{words}");
        }
    }
}
