//! What `/health/ready` says: whether requests and events flow, and if not, which part is why.

use std::sync::Arc;
use std::time::Duration;

use rondo_database::Pool;
use rondo_telemetry::{Part, Readiness, Report};

/// How long the database may take over the question whether it is there, in seconds.
const DATABASE_S_MAX: u64 = 2;

/// Readiness of a process that has a database; a clone is another handle on the same.
#[derive(Clone)]
pub struct Health {
    readiness: Readiness,
    pool: Pool,
    database: Arc<Part>,
}

impl Health {
    #[must_use]
    pub fn new(readiness: Readiness, pool: Pool) -> Self {
        let database = Arc::new(readiness.part("database"));
        Self { readiness, pool, database }
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
                self.database.not_ready(
                    "Postgres does not answer: see whether it runs, and what the log says",
                );
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
        self.report().await;
        self.readiness.ready().await;
    }
}
