//! `/health/ready`: whether requests and events flow, and if not, which part is blocked.

use std::sync::Arc;
use std::time::Duration;

use rondo_database::Database;
use rondo_telemetry::{Part, Readiness, Report};

/// Timeout of the database's health check, in seconds.
const DATABASE_S_MAX: u64 = 2;

/// Interval at which the database is checked while readiness is awaited, in milliseconds.
const POLL_MS: u64 = 500;
/// The reason while the database doesn't respond.
pub const ADVICE: &str = "Postgres does not respond: check that it runs, and see the log";

/// Readiness of a process with a database; clones share it.
#[derive(Clone)]
pub struct Health {
    readiness: Readiness,
    database: Database,
    part: Arc<Part>,
    advice: &'static str,
}

impl Health {
    /// `advice` is the reason while the database doesn't respond, such as [`ADVICE`].
    #[must_use]
    pub fn new(readiness: Readiness, database: Database, advice: &'static str) -> Self {
        let part = Arc::new(readiness.part("database"));
        Self { readiness, database, part, advice }
    }

    /// Checks the database and reports all parts.
    pub async fn report(&self) -> Report {
        let asked =
            tokio::time::timeout(Duration::from_secs(DATABASE_S_MAX), self.database.check()).await;
        let reason = match asked {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some("timed out".to_owned()),
        };
        match reason {
            None => self.part.ready(),
            Some(error) => {
                tracing::debug!(error, "the database does not respond");
                self.part.not_ready(self.advice);
            }
        }
        self.readiness.report()
    }

    /// Waits until every part is ready.
    pub async fn ready(&self) {
        while !self.report().await.is_ready() {
            // The other parts report changes; the database has to be polled.
            let look = Duration::from_millis(POLL_MS);
            let _ = tokio::time::timeout(look, self.readiness.ready()).await;
        }
    }
}
