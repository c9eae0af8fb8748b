//! The private Postgres of `rondo up`: started first, watched, started again when it dies, stopped
//! last.

use std::time::{Duration, Instant};

use rondo_database::{DataFolder, Dsn, PrivateServer, Secrets, ServerError, ServerOptions, server};

/// Pause between two looks at the server's process, in milliseconds.
const POLL_MS: u64 = 200;
/// First and longest wait before it is started again, in milliseconds; it doubles.
const RESTART_MS_MIN: u64 = 200;
const RESTART_MS_MAX: u64 = 5_000;
/// Starts in a row that may come to nothing before it is given up.
const RESTARTS_MAX: u32 = 6;
/// A start came to nothing if the server ended again within so many seconds.
const STABLE_S: u64 = 60;

/// What `/health/ready` says while it does not answer.
pub const ADVICE: &str = "the private Postgres does not answer; when it has ended it is started again, and \
                          postgres.log in the data folder says why it ended";

/// A private server and what it takes to start it again.
pub struct Supervised<'a> {
    data: &'a DataFolder,
    secrets: &'a Secrets,
    server: PrivateServer,
}

/// Why the server is given up.
#[derive(Debug, thiserror::Error)]
pub enum SupervisionError {
    #[error("the private Postgres ended and could not be started again in {RESTARTS_MAX} attempts")]
    Start(#[source] ServerError),
    #[error(
        "the private Postgres has ended {RESTARTS_MAX} times, each soon after its start: see postgres.log in the \
         data folder"
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

    /// The superuser's. It stays the same when the server is started again.
    #[must_use]
    pub fn dsn(&self) -> &Dsn {
        self.server.dsn()
    }

    /// Starts the server again whenever it has ended. Completes only when it is given up.
    pub async fn watch(&mut self) -> SupervisionError {
        // Whoever is connected, and every connection string made at the start, goes on with the port.
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
            tracing::error!("the private Postgres has ended; starting it again");
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
                        tracing::warn!(error = reason, "Postgres does not start yet");
                        last = Some(error);
                    }
                }
            }
        }
    }

    /// Disconnects everyone and stops it.
    pub async fn stop(self) {
        if let Err(error) = self.server.stop().await {
            let error = rondo_database::explain(&error);
            tracing::warn!(error, "Postgres did not stop cleanly");
        }
    }
}
