//! What `/health/ready` says: whether requests and events flow, and if not, which part is why.

use std::sync::Arc;
use std::time::Duration;

use rondo_database::Pool;
use rondo_telemetry::{Part, Readiness, Report};

/// How long the database may take over the question whether it is there, in seconds.
const DATABASE_S_MAX: u64 = 2;

/// How often the database is asked while everything is waited for, in milliseconds.
const POLL_MS: u64 = 500;
/// What is said while it does not answer.
pub const ADVICE: &str = "Postgres does not answer: see whether it runs, and what the log says";

/// Readiness of a process that has a database; a clone is another handle on the same.
#[derive(Clone)]
pub struct Health {
    readiness: Readiness,
    pool: Pool,
    database: Arc<Part>,
    advice: &'static str,
}

impl Health {
    /// `advice` is said while the database does not answer, such as [`ADVICE`].
    #[must_use]
    pub fn new(readiness: Readiness, pool: Pool, advice: &'static str) -> Self {
        let database = Arc::new(readiness.part("database"));
        Self { readiness, pool, database, advice }
    }

    /// Asks the database and reports all parts.
    pub async fn report(&self) -> Report {
        let asked = tokio::time::timeout(Duration::from_secs(DATABASE_S_MAX), self.ask()).await;
        let reason = match asked {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(format!("{error:#}")),
            Err(_) => Some("no answer in time".to_owned()),
        };
        match reason {
            None => self.database.ready(),
            Some(error) => {
                tracing::debug!(error, "the database does not answer");
                self.database.not_ready(self.advice);
            }
        }
        self.readiness.report()
    }

    async fn ask(&self) -> anyhow::Result<()> {
        self.pool.get().await?.simple_query("SELECT").await?;
        Ok(())
    }

    /// Waits until every part is ready.
    pub async fn ready(&self) {
        while !self.report().await.is_ready() {
            // The other parts tell of themselves; the database has to be asked.
            let look = Duration::from_millis(POLL_MS);
            let _ = tokio::time::timeout(look, self.readiness.ready()).await;
        }
    }
}
