//! Reading what a client has missed, and who a provider's token stands for.

use rondo_contract::token::ProviderClaims;
use rondo_contract::token::check::ProviderRecord;
use rondo_database::migration::{self, MigrationError};
use rondo_database::pool::PoolError;
use rondo_database::{Dsn, Pool, PoolOptions, SessionOptions, pool};
use rondo_domain::email;
use rondo_telemetry::PoolUse;
use tokio::sync::Semaphore;
use tokio_postgres::types::ToSql;

use crate::catch_up::{Change, Page, PageRequest};

/// Connections to Postgres. After an interruption all devices come back at once, and take turns.
pub const STORE_CONNECTIONS_MAX: usize = 8;

/// `$1` user, `$2` after, `$3` until or null, `$4` limit.
const CATCH_UP_SQL: &str = include_str!("sql/catch_up.sql");
/// `$1` issuer, `$2` key id or null, `$3` subject.
const PROVIDER_TOKEN_SQL: &str = include_str!("sql/provider_token.sql");
/// `$1` issuer, `$2` subject, `$3` e-mail, `$4` e-mail in lower case, `$5` name.
const IDENTITY_USER_SQL: &str = include_str!("sql/identity_user.sql");

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
    #[error("a key of the provider cannot be read: {0}")]
    Key(#[from] serde_json::Error),
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

    /// Looks up a provider's token.
    ///
    /// # Errors
    /// When Postgres cannot be reached or refuses.
    pub async fn provider_token(
        &self,
        issuer: &str,
        key_id: Option<&str>,
        subject: &str,
    ) -> Result<ProviderRecord, StoreError> {
        let _turn = self.turns.acquire().await;
        let client = self.pool.get().await?;
        let statement = client.prepare_cached(PROVIDER_TOKEN_SQL).await?;
        let row = client.query_one(&statement, &[&issuer, &key_id, &subject]).await?;
        Ok(ProviderRecord {
            keys: serde_json::from_str(row.try_get("keys")?)?,
            user_id: row.try_get("user_id")?,
            granted_scopes: row.try_get::<_, Option<_>>("granted_scopes")?.unwrap_or_default(),
        })
    }

    /// The user that a provider's subject is, made at first sight.
    ///
    /// # Errors
    /// When Postgres cannot be reached or refuses.
    pub async fn identity_user(
        &self,
        issuer: &str,
        claims: &ProviderClaims,
    ) -> Result<i64, StoreError> {
        let _turn = self.turns.acquire().await;
        let client = self.pool.get().await?;
        let statement = client.prepare_cached(IDENTITY_USER_SQL).await?;
        let email_key = claims.email.as_deref().map(email::key);
        let ProviderClaims { subject, email, name, .. } = claims;
        let parameters: [&(dyn ToSql + Sync); 5] = [&issuer, subject, email, &email_key, name];
        Ok(client.query_one(&statement, &parameters).await?.try_get("user_id")?)
    }

    /// What tells how the pool is used.
    pub(crate) fn pool_use(&self) -> impl Fn() -> PoolUse + Send + Sync + use<> {
        let pool = self.pool.clone();
        move || {
            let status = pool.status();
            PoolUse {
                open: status.size,
                idle: status.available,
                waiting: status.waiting,
                connections_max: status.max_size,
            }
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
