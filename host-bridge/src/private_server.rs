//! Supervises the private Postgres of `rondo up`: starts it first, restarts it when it dies, stops it last.

use std::time::{Duration, Instant};

use rondo_database::{DataFolder, Dsn, PrivateServer, Secrets, ServerError, ServerOptions, server};

/// Pause between two checks of the server's process, in milliseconds.
const POLL_MS: u64 = 200;
/// First and longest delay before a restart, in milliseconds; it doubles.
const RESTART_MS_MIN: u64 = 200;
const RESTART_MS_MAX: u64 = 5_000;
/// Failed restarts in a row before giving up.
const RESTARTS_MAX: u32 = 6;
/// A restart has failed if the server ends within this time, in seconds.
const STABLE_S: u64 = 60;

/// What `/health/ready` says while it doesn't respond.
pub const ADVICE: &str = "the private Postgres does not respond; it is restarted if it has ended, and postgres.log \
                          in the data folder says why";

/// A private server with what a restart needs.
pub struct Supervised<'a> {
    data: &'a DataFolder,
    secrets: &'a Secrets,
    server: PrivateServer,
}

/// Why supervision gave up.
#[derive(Debug, thiserror::Error)]
pub enum SupervisionError {
    #[error("the private Postgres ended and {RESTARTS_MAX} restarts failed")]
    Start(#[source] ServerError),
    #[error(
        "the private Postgres ended {RESTARTS_MAX} times soon after its start: see postgres.log in the data \
         folder"
    )]
    Unstable,
}

impl<'a> Supervised<'a> {
    /// # Errors
    /// See [`server::start`].
    pub async fn start(data: &'a DataFolder, secrets: &'a Secrets) -> Result<Self, ServerError> {
        let server = server::start(data, secrets, &ServerOptions::default()).await?;
        Ok(Self { data, secrets, server })
    }

    /// The superuser's DSN, which restarts keep.
    #[must_use]
    pub fn dsn(&self) -> &Dsn {
        self.server.dsn()
    }

    /// Restarts the server whenever it ends; returns only when giving up.
    pub async fn watch(&mut self) -> SupervisionError {
        // The same port, so that existing connection strings stay valid.
        let options =
            ServerOptions { port: Some(self.server.dsn().port()), ..ServerOptions::default() };
        let mut failures = 0;
        let mut started = Instant::now();
        loop {
            while self.server.is_running() {
                tokio::time::sleep(Duration::from_millis(POLL_MS)).await;
            }
            if started.elapsed() >= Duration::from_secs(STABLE_S) {
                failures = 0;
            }
            tracing::error!("the private Postgres has ended; restarting it");
            let mut last = None;
            loop {
                if failures == RESTARTS_MAX {
                    return last.map_or(SupervisionError::Unstable, SupervisionError::Start);
                }
                let wait_ms = (RESTART_MS_MIN << failures).min(RESTART_MS_MAX);
                tokio::time::sleep(Duration::from_millis(wait_ms)).await;
                failures += 1;
                match server::start(self.data, self.secrets, &options).await {
                    Ok(server) => {
                        self.server = server;
                        started = Instant::now();
                        break;
                    }
                    Err(error) => {
                        let reason = rondo_database::explain(&error);
                        tracing::warn!(error = reason, "Postgres failed to start");
                        last = Some(error);
                    }
                }
            }
        }
    }

    /// Stops the server and disconnects its clients.
    pub async fn stop(self) {
        if let Err(error) = self.server.stop().await {
            let error = rondo_database::explain(&error);
            tracing::warn!(error, "Postgres did not stop cleanly");
        }
    }
}
