//! Sessions borrowed from a pool, and their return.
//!
//! A session returns to its pool only if it is clean: after a finished statement that leaves no trace (see
//! `postgres/statement.rs`), cleaning and its round trip are unnecessary. After any other statement, the
//! session stays with the guest's connection, which so sees its own effects, and ends with it. If a guest is
//! stopped within a statement, the statement is cancelled and the session ends. Spin instead cleans each
//! session when it is taken from the pool; guests cannot tell the difference.

use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::Object;
use rondo_database::{Dsn, Pool, PoolOptions, SessionOptions};
use rondo_telemetry::{PoolUse, Span};
use tokio_postgres_rustls::MakeRustlsConnect;

/// Maximum number of sessions of one component to one address, unless the host sets another; Spin has 64.
pub const POOL_SESSIONS_MAX: usize = 24;
/// Maximum number of prepared statements that a session keeps.
const PREPARED_STATEMENTS_MAX: usize = 256;
/// How long a request to cancel a statement may take, in seconds.
const CANCEL_S_MAX: u64 = 5;

/// The sessions of one component to one address.
pub struct Database {
    pool: Pool,
    /// For cancel requests, which need a connection of their own.
    tls: MakeRustlsConnect,
    /// Where it is, for traces.
    host: String,
    port: u16,
    namespace: Option<String>,
}

impl Database {
    /// Connects when the first session is requested.
    ///
    /// # Errors
    /// If TLS cannot be set up as the DSN says.
    pub(super) fn new(dsn: &Dsn, application: &str, sessions_max: usize) -> Result<Self, String> {
        let options = PoolOptions {
            connections_max: sessions_max,
            session: SessionOptions {
                application_name: Some(application.to_owned()),
                statement_timeout: None,
            },
        };
        let tls = rondo_database::tls::connector(dsn).map_err(|error| error.to_string())?;
        let pool = rondo_database::pool::open(dsn, &options).map_err(|error| error.to_string())?;
        let namespace = dsn.dbname().map(str::to_owned);
        Ok(Self { pool, tls, host: dsn.host(), port: dsn.port(), namespace })
    }

    pub(super) fn describe(&self, span: &mut Span) {
        span.text("server.address", &*self.host);
        span.number("server.port", self.port.into());
        if let Some(namespace) = &self.namespace {
            span.text("db.namespace", &**namespace);
        }
    }

    pub(super) fn usage(&self) -> PoolUse {
        let status = self.pool.status();
        PoolUse {
            open: status.size,
            idle: status.available,
            waiting: status.waiting,
            connections_max: status.max_size,
        }
    }

    /// Waits for a session, as long as the pool allows.
    pub(super) async fn session(&self) -> Result<Session, deadpool_postgres::PoolError> {
        let client = self.pool.get().await?;
        // Some statements are built at run time, so their number has to be bounded.
        if client.statement_cache.size() >= PREPARED_STATEMENTS_MAX {
            client.statement_cache.clear();
        }
        Ok(Session {
            client: Some(client),
            tls: self.tls.clone(),
            is_dirty: false,
            is_running: false,
        })
    }
}

/// A connection of a component: a session borrowed from the pool for each statement, until a statement leaves
/// state that later ones of this connection have to see.
pub struct Connection {
    pub(super) database: Arc<Database>,
    pub(super) kept: Option<Session>,
}

impl Connection {
    pub(super) fn new(database: Arc<Database>) -> Self {
        Self { database, kept: None }
    }

    /// Whether a session is kept from others between statements.
    pub(super) fn holds_session(&self) -> bool {
        self.kept.is_some()
    }
}

/// A borrowed session.
pub struct Session {
    /// Absent only while this is dropped.
    client: Option<Object>,
    tls: MakeRustlsConnect,
    is_dirty: bool,
    is_running: bool,
}

impl Session {
    pub(super) fn client(&self) -> &Object {
        self.client.as_ref().unwrap_or_else(|| unreachable!("a session is dropped only once"))
    }

    /// Marks the start of a statement. If this is dropped before [`Self::has_ended`], the statement is
    /// cancelled.
    pub(super) fn begins(&mut self, leaves_no_trace: bool) {
        self.is_running = true;
        self.is_dirty |= !leaves_no_trace;
    }

    pub(super) fn has_ended(&mut self) {
        self.is_running = false;
    }

    /// Whether the session has state that nobody else may see.
    pub(super) fn is_dirty(&self) -> bool {
        self.is_dirty
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let Some(client) = self.client.take() else { return };
        if self.is_running {
            // Without a runtime, the program is about to exit and the connection with it.
            if let Ok(runtime) = tokio::runtime::Handle::try_current() {
                runtime.spawn(cancel(client, self.tls.clone()));
                return;
            }
        }
        if self.is_running || self.is_dirty {
            end(client);
        }
    }
}

/// Closes a session; the server rolls back an open transaction.
fn end(client: Object) {
    drop(Object::take(client));
}

/// Cancels the session's statement on the server, then ends the session. The session keeps its place in the
/// pool until then, so that the number of running statements never exceeds the pool's size.
async fn cancel(client: Object, tls: MakeRustlsConnect) {
    let token = client.cancel_token();
    let limit = Duration::from_secs(CANCEL_S_MAX);
    match tokio::time::timeout(limit, token.cancel_query(tls)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "a statement could not be cancelled"),
        Err(_) => tracing::warn!("a statement could not be cancelled in time"),
    }
    end(client);
}
