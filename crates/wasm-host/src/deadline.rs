//! How long a call may take. The time in which it waits for another server counts for less: it holds an instance, but
//! no database session.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// How long an instance may take over one call, in seconds, without its waits for other servers.
pub const CALL_S_MAX: u64 = 15;
/// How long it may take in all, in seconds.
pub const CALL_WITH_WAITS_S_MAX: u64 = 180;
/// Why a call ended without a result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The component could not try anything, for example because its database was unavailable.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// It trapped by its own fault.
    #[error("the component trapped: {0}")]
    Trap(String),
    /// It was stopped after [`CALL_S_MAX`] seconds of its own, or [`CALL_WITH_WAITS_S_MAX`] in all.
    #[error("the component took too long")]
    Deadline,
}

/// How long a call may take.
#[derive(Debug, Clone, Copy)]
pub struct CallLimits {
    /// Without the time in which it waits while a request to another server is under way.
    pub own: Duration,
    /// In all.
    pub whole: Duration,
}

impl Default for CallLimits {
    fn default() -> Self {
        Self {
            own: Duration::from_secs(CALL_S_MAX),
            whole: Duration::from_secs(CALL_WITH_WAITS_S_MAX),
        }
    }
}

/// The requests of a call to other servers that are under way.
#[derive(Clone, Default)]
pub(crate) struct Flights(Arc<AtomicUsize>);

/// One of them; it ends when dropped.
pub(crate) struct Flight(Flights);

impl Flights {
    pub(crate) fn begin(&self) -> Flight {
        self.0.fetch_add(1, Ordering::AcqRel);
        Flight(self.clone())
    }

    pub(crate) fn are_under_way(&self) -> bool {
        self.0.load(Ordering::Acquire) > 0
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl CallLimits {
    /// Ends a call that takes too long, whether it waits or computes.
    ///
    /// # Errors
    /// [`CallError::Deadline`], or [`CallError::Trap`] if the call fails.
    pub(crate) async fn bound<T>(
        self,
        flights: &Flights,
        call: impl Future<Output = wasmtime::Result<T>>,
    ) -> Result<T, CallError> {
        let begun = Instant::now();
        let end = begun + self.whole;
        let mut own_end = (begun + self.own).min(end);
        // Between two polls, a call that computes is about to continue, and any other waits.
        let mut waits_since: Option<Instant> = None;
        let mut call = pin!(call);
        let mut timer = pin!(sleep_until(own_end));
        std::future::poll_fn(|context| {
            if let Some(since) = waits_since.take() {
                own_end = (own_end + since.elapsed()).min(end);
            }
            if let Poll::Ready(result) = call.as_mut().poll(context) {
                return Poll::Ready(result.map_err(|error| CallError::Trap(format!("{error:#}"))));
            }
            let mut until = own_end;
            if flights.are_under_way() {
                let now = Instant::now();
                if now >= own_end {
                    return Poll::Ready(Err(CallError::Deadline));
                }
                waits_since = Some(now);
                until = end;
            }
            if timer.deadline() != until {
                timer.as_mut().reset(until);
            }
            // A call that always has something to do must not use up the timer's turn.
            let timer = pin!(tokio::task::unconstrained(timer.as_mut()));
            timer.poll(context).map(|()| Err(CallError::Deadline))
        })
        .await
    }
}
