//! Reads missed changes, and looks up provider tokens.

use rondo_contract::token::ProviderClaims;
use rondo_contract::token::check::ProviderRecord;
use rondo_database::database::DatabaseUse;
use rondo_database::migration::{self, MigrationError};
use rondo_database::{Database, Dsn, SessionOptions, pool};
use rondo_domain::email;
use rondo_telemetry::PoolUse;
use tokio::sync::Semaphore;

use crate::catch_up::{Change, Changed, Page, PageRequest};

/// Maximum number of connections to Postgres. After an interruption all devices come back at once, and take
/// turns.
pub const STORE_CONNECTIONS_MAX: u32 = 8;

/// Shown in `pg_stat_activity`.
const APPLICATION: &str = "rondo-sync";

/// `$1` user, `$2` after, `$3` until or null, `$4` limit.
const CATCH_UP_SQL: &str = include_str!("sql/catch_up.sql");

/// The database, with the rights of the role `rondo_sync`.
#[derive(Debug)]
pub struct Store {
    dsn: Dsn,
    database: Database,
    /// Sessions queue here, in order and for any time, because the pool's queue has a timeout.
    turns: Semaphore,
}

/// A row of a page; the change is null if there is none.
#[derive(sqlx::FromRow)]
struct PageRow {
    current: i64,
    horizon: i64,
    revision: Option<i64>,
    task_id: Option<i64>,
    list_id: Option<i64>,
    state: Option<String>,
}

/// Why a read failed. The client is asked to resume.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("cannot connect to Postgres")]
    Connection(#[from] rondo_database::ConnectError),
    #[error("Postgres failed: {0}")]
    Query(#[from] sqlx::Error),
    #[error("a key of the provider cannot be read: {0}")]
    Key(#[from] serde_json::Error),
    #[error("cannot read the schema's state: {0}")]
    SchemaQuery(tokio_postgres::Error),
    /// The schema is not this program's; waiting does not help.
    #[error(transparent)]
    Schema(MigrationError),
}

impl Store {
    /// A store that connects on first use.
    ///
    /// # Errors
    /// If TLS cannot be set up as `dsn` says.
    pub fn open(dsn: &Dsn) -> Result<Self, rondo_database::ConnectError> {
        let database = Database::open(dsn, APPLICATION, STORE_CONNECTIONS_MAX)?;
        let turns = Semaphore::new(STORE_CONNECTIONS_MAX as usize);
        Ok(Self { dsn: dsn.clone(), database, turns })
    }

    /// Reads one page of a user's changes.
    ///
    /// # Errors
    /// If Postgres cannot be reached or refuses.
    pub async fn page(&self, user_id: i64, request: PageRequest) -> Result<Page, StoreError> {
        // The semaphore is never closed.
        let _turn = self.turns.acquire().await;
        let PageRequest { after, until, changes_max } = request;
        let query =
            sqlx::query_as(CATCH_UP_SQL).bind(user_id).bind(after).bind(until).bind(changes_max);
        let rows: Vec<PageRow> = self.database.all(query).await?;
        let mut page = Page::default();
        page.changes.reserve_exact(rows.len());
        for PageRow { current, horizon, revision, task_id, list_id, state } in rows {
            (page.current, page.horizon) = (current, horizon);
            let of = task_id.map(Changed::Task).or(list_id.map(Changed::List));
            if let (Some(revision), Some(of)) = (revision, of) {
                page.changes.push(Change { revision, of, state });
            }
        }
        Ok(page)
    }

    /// Looks up a provider's token.
    ///
    /// # Errors
    /// If Postgres cannot be reached or refuses.
    pub async fn provider_token(
        &self,
        issuer: &str,
        key_id: Option<&str>,
        subject: &str,
    ) -> Result<ProviderRecord, StoreError> {
        let _turn = self.turns.acquire().await;
        let query = sqlx::query_as(ProviderRecord::SQL).bind(issuer).bind(key_id).bind(subject);
        let (keys, user_id, granted_scopes): (String, Option<i64>, Option<String>) =
            self.database.one(query).await?;
        Ok(ProviderRecord::read(&keys, user_id, granted_scopes)?)
    }

    /// The user of a provider's subject, created if it is new.
    ///
    /// # Errors
    /// If Postgres cannot be reached or refuses.
    pub async fn identity_user(
        &self,
        issuer: &str,
        claims: &ProviderClaims,
    ) -> Result<i64, StoreError> {
        let _turn = self.turns.acquire().await;
        let ProviderClaims { subject, email, name, .. } = claims;
        let query = sqlx::query_as(ProviderClaims::USER_SQL)
            .bind(issuer)
            .bind(subject)
            .bind(email)
            .bind(email.as_deref().map(email::key))
            .bind(name);
        let (user_id,) = self.database.one(query).await?;
        Ok(user_id)
    }

    /// The use of the connections.
    pub(crate) fn pool_use(&self) -> impl Fn() -> PoolUse + Send + Sync + use<> {
        let database = self.database.clone();
        move || {
            let DatabaseUse { open, idle, waiting, connections_max } = database.usage();
            PoolUse { open, idle, waiting, connections_max }
        }
    }

    /// Whether Postgres answers.
    ///
    /// # Errors
    /// Why it does not.
    pub async fn check(&self) -> Result<(), StoreError> {
        Ok(self.database.check().await?)
    }

    /// Whether the database has the schema of this program.
    ///
    /// # Errors
    /// [`StoreError::Schema`] if it has another; otherwise why the schema cannot be read.
    pub async fn check_schema(&self) -> Result<(), StoreError> {
        let application_name = Some(APPLICATION.to_owned());
        let options = SessionOptions { application_name, ..SessionOptions::default() };
        let session = pool::connect(&self.dsn, &options).await?;
        migration::check(&session, migration::embedded()).await.map_err(|error| match error {
            MigrationError::Query(error) => StoreError::SchemaQuery(error),
            other => StoreError::Schema(other),
        })
    }
}
