//! Sessions on loan from a pool, and what becomes of them afterwards.
//!
//! A session goes back to its pool only as it came: a finished statement that leaves no trace (see
//! `postgres/statement.rs`) needs no cleaning, and so no round trip. After any other the session stays
//! with the connection that the guest holds, which so sees what it did, and ends with it. A session
//! whose guest was cut off in the middle of a statement is cancelled and ends, too. Spin cleans each
//! session when it is taken from the pool instead; guests cannot tell the difference.

use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::Object;
use rondo_database::{Dsn, Pool, PoolOptions, SessionOptions};
use tokio_postgres_rustls::MakeRustlsConnect;

/// Most sessions of one component with one address; Spin has 64.
pub const POOL_SESSIONS_MAX: usize = 24;
/// Most prepared statements that a session keeps.
const PREPARED_STATEMENTS_MAX: usize = 256;
/// How long asking the server to cancel a statement may take, in seconds.
const CANCEL_S_MAX: u64 = 5;

/// The sessions of one component with one address.
pub struct Database {
    pool: Pool,
    /// For asking to cancel a statement, which takes a connection of its own.
    tls: MakeRustlsConnect,
}

impl Database {
    /// Connects when the first session is asked for.
    ///
    /// # Errors
    /// When TLS cannot be set up as the DSN says.
    pub(super) fn new(dsn: &Dsn, application: &str) -> Result<Self, String> {
        let options = PoolOptions {
            connections_max: POOL_SESSIONS_MAX,
            session: SessionOptions {
                application_name: Some(application.to_owned()),
                statement_timeout: None,
            },
        };
        let tls = rondo_database::tls::connector(dsn).map_err(|error| error.to_string())?;
        let pool = rondo_database::pool::open(dsn, &options).map_err(|error| error.to_string())?;
        Ok(Self { pool, tls })
    }

    /// Waits for a session, as long as the pool allows.
    pub(super) async fn session(&self) -> Result<Session, deadpool_postgres::PoolError> {
        let client = self.pool.get().await?;
        // More statements than a component has in its sources are made as it goes.
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

/// A connection as a component holds it: a session of the pool, borrowed for each statement, until
/// one leaves something in it that later statements of this connection have to see.
pub struct Connection {
    pub(super) database: Arc<Database>,
    pub(super) kept: Option<Session>,
}

impl Connection {
    pub(super) fn new(database: Arc<Database>) -> Self {
        Self { database, kept: None }
    }
}

/// A session on loan.
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

    /// Marks that a statement begins. When this is dropped before [`Self::has_ended`], the statement
    /// is cancelled.
    pub(super) fn begins(&mut self, leaves_no_trace: bool) {
        self.is_running = true;
        self.is_dirty |= !leaves_no_trace;
    }

    pub(super) fn has_ended(&mut self) {
        self.is_running = false;
    }

    /// Whether the session has something that no one else may see.
    pub(super) fn is_dirty(&self) -> bool {
        self.is_dirty
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let Some(client) = self.client.take() else { return };
        if self.is_running {
            // Without a runtime the program is at its end, and so is the connection.
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

/// Closes a session; the server rolls back what is open.
fn end(client: Object) {
    drop(Object::take(client));
}

/// Has the server stop what a session runs, then ends the session. It keeps its place in the pool
/// until then, so that there are never more statements at work than the pool has places.
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
