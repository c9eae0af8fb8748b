//! Reading what a client has missed.

use rondo_database::migration::{self, MigrationError};
use rondo_database::pool::PoolError;
use rondo_database::{Dsn, Pool, PoolOptions, SessionOptions, pool};
use rondo_telemetry::PoolUse;
use tokio::sync::Semaphore;

use crate::catch_up::{Change, Page, PageRequest};

/// Connections to Postgres. After an interruption all devices come back at once, and take turns.
pub const STORE_CONNECTIONS_MAX: usize = 8;

/// `$1` user, `$2` after, `$3` until or null, `$4` limit.
const CATCH_UP_SQL: &str = include_str!("sql/catch_up.sql");

/// The database, as the role `rondo_sync` may see it.
#[derive(Debug)]
pub struct Store {
    pool: Pool,
    /// Sessions queue here in order, however long, rather than in the pool, which gives up on them.
    turns: Semaphore,
}

/// Why nothing could be read. The client is asked to resume.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("no connection to Postgres: {0}")]
    Connection(#[from] PoolError),
    #[error("Postgres refused to read changes: {0}")]
    Query(#[from] tokio_postgres::Error),
    /// The schema is not the one of this program; waiting does not help.
    #[error(transparent)]
    Schema(MigrationError),
}

impl Store {
    /// A store that connects when it is first used.
    ///
    /// # Errors
    /// When TLS cannot be set up as `dsn` says.
    pub fn open(dsn: &Dsn) -> Result<Self, rondo_database::ConnectError> {
        let options = PoolOptions {
            connections_max: STORE_CONNECTIONS_MAX,
            session: SessionOptions {
                application_name: Some("rondo-sync".to_owned()),
                ..SessionOptions::default()
            },
        };
        Ok(Self { pool: pool::open(dsn, &options)?, turns: Semaphore::new(STORE_CONNECTIONS_MAX) })
    }

    /// Reads one page of a user's changes.
    ///
    /// # Errors
    /// When Postgres cannot be reached or refuses.
    pub async fn page(&self, user_id: i64, request: PageRequest) -> Result<Page, StoreError> {
        // The semaphore is never closed.
        let _turn = self.turns.acquire().await;
        let client = self.pool.get().await?;
        let statement = client.prepare_cached(CATCH_UP_SQL).await?;
        let PageRequest { after, until, changes_max } = request;
        let rows = client.query(&statement, &[&user_id, &after, &until, &changes_max]).await?;
        let mut page = Page::default();
        page.changes.reserve_exact(rows.len());
        for row in rows {
            page.current = row.try_get("current")?;
            page.horizon = row.try_get("horizon")?;
            if let Some(revision) = row.try_get("revision")? {
                let (task_id, task) = (row.try_get("task_id")?, row.try_get("task")?);
                page.changes.push(Change { revision, task_id, task });
            }
        }
        Ok(page)
    }

    /// How the pool is used now.
    #[must_use]
    pub fn pool_use(&self) -> PoolUse {
        let status = self.pool.status();
        PoolUse {
            open: status.size,
            idle: status.available,
            waiting: status.waiting,
            connections_max: status.max_size,
        }
    }

    /// Whether Postgres answers.
    ///
    /// # Errors
    /// Why it does not.
    pub async fn check(&self) -> Result<(), StoreError> {
        Ok(self.pool.get().await?.batch_execute("SELECT").await?)
    }

    /// Whether the database has the schema of this program.
    ///
    /// # Errors
    /// [`StoreError::Schema`] when it has another; otherwise why that cannot be told.
    pub async fn check_schema(&self) -> Result<(), StoreError> {
        let client = self.pool.get().await?;
        migration::check(&client, migration::embedded()).await.map_err(|error| match error {
            MigrationError::Query(error) => StoreError::Query(error),
            other => StoreError::Schema(other),
        })
    }
}
