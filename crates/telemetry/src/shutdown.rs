//! Shutdown: after SIGTERM or SIGINT nothing new is accepted, and work in flight may finish in time.

use std::{future::Future, io, time::Duration};

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// How long work in flight may take after the signal; less than the 30 s after which Kubernetes kills.
pub const DRAIN_SECONDS_MAX: u64 = 20;
/// Exit status after a second signal, as shells report an interrupt.
const EXIT_INTERRUPTED: i32 = 130;

/// Tells all tasks to stop; clones share one state.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    token: CancellationToken,
}

impl Shutdown {
    /// A shutdown that only [`Shutdown::trigger`] starts.
    pub fn new() -> Self {
        Self::default()
    }

    /// A shutdown that SIGTERM or SIGINT starts. A second signal ends the process at once, because its sender
    /// does not want to wait.
    pub fn on_signal() -> io::Result<Self> {
        let shutdown = Self::new();
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let token = shutdown.token.clone();
        tokio::spawn(async move {
            for is_second in [false, true] {
                let name = tokio::select! {
                    _ = terminate.recv() => "SIGTERM",
                    _ = interrupt.recv() => "SIGINT",
                };
                if is_second {
                    tracing::warn!(signal = name, "a second signal: ending without finishing");
                    std::process::exit(EXIT_INTERRUPTED);
                }
                tracing::info!(signal = name, "stopping");
                token.cancel();
            }
        });
        Ok(shutdown)
    }

    /// A token for a running task to await beside its work.
    pub fn token(&self) -> CancellationToken {
        self.token.clone()
    }

    pub fn trigger(&self) {
        self.token.cancel();
    }

    pub fn is_triggered(&self) -> bool {
        self.token.is_cancelled()
    }

    /// Completes when it is time to stop.
    pub async fn triggered(&self) {
        self.token.cancelled().await;
    }

    /// Runs `work` to its end, for at most [`DRAIN_SECONDS_MAX`] after the signal.
    pub async fn drain<T>(&self, work: impl Future<Output = T>) -> Result<T, DrainError> {
        self.drain_within(Duration::from_secs(DRAIN_SECONDS_MAX), work).await
    }

    /// [`Shutdown::drain`] with another time limit.
    pub async fn drain_within<T>(
        &self,
        bound: Duration,
        work: impl Future<Output = T>,
    ) -> Result<T, DrainError> {
        let overdue = async {
            self.token.cancelled().await;
            tokio::time::sleep(bound).await;
        };
        tokio::select! {
            biased;
            done = work => Ok(done),
            () = overdue => Err(DrainError { seconds: bound.as_secs() }),
        }
    }
}

/// Work in flight did not finish in time.
#[derive(Debug, thiserror::Error)]
#[error("not everything was finished within {seconds} s of the signal")]
pub struct DrainError {
    pub seconds: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_ends_by_itself_or_at_the_bound_after_the_signal() {
        let shutdown = Shutdown::new();
        assert_eq!(shutdown.drain(async { 7 }).await.unwrap(), 7);
        let token = shutdown.token();
        let patient = shutdown.drain(async move { token.cancelled().await });
        shutdown.trigger();
        patient.await.unwrap();
        let bound = Duration::from_millis(10);
        shutdown.drain_within(bound, std::future::pending::<()>()).await.unwrap_err();
        shutdown.triggered().await;
        assert!(shutdown.is_triggered());
    }

    #[tokio::test]
    async fn a_signal_triggers_it() {
        let shutdown = Shutdown::on_signal().unwrap();
        assert!(!shutdown.is_triggered());
        let me = std::process::id().to_string();
        assert!(
            std::process::Command::new("kill").args(["-TERM", &me]).status().unwrap().success()
        );
        shutdown.triggered().await;
    }
}
