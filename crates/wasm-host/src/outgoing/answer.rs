//! The answer's body, within its bounds.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame};
use hyper::body::Incoming;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};
use wasmtime_wasi_http::Error;

use super::outcome::{Attempt, Failure};

/// The connection of one request; ends when dropped.
pub(super) struct Link {
    /// Whether it was cut at its deadline. The body by itself then looks complete.
    is_cut: Arc<AtomicBool>,
    _connection: JoinSet<()>,
}

impl Link {
    /// Keeps a connection until the answer has come as a whole, at most until the deadline. `held` is dropped then.
    pub(super) fn new(
        connection: impl Future + Send + 'static,
        deadline: Instant,
        held: impl Send + 'static,
    ) -> Self {
        let is_cut = Arc::new(AtomicBool::new(false));
        let mut task = JoinSet::new();
        let cut = is_cut.clone();
        task.spawn(async move {
            let _held = held;
            // Dropped after the store, because from then on the body looks complete.
            let connection = pin!(connection);
            if timeout_at(deadline, connection).await.is_err() {
                cut.store(true, Ordering::Release);
            }
        });
        Self { is_cut, _connection: task }
    }

    /// Why nothing more comes.
    pub(super) fn failure(&self) -> Failure {
        if self.is_cut() { Failure::TimedOut } else { Failure::Broken }
    }

    fn is_cut(&self) -> bool {
        self.is_cut.load(Ordering::Acquire)
    }
}

/// A body that ends with an error if it is too long or takes too long.
pub(super) struct Bounded {
    body: Incoming,
    left_bytes: usize,
    link: Link,
    attempt: Attempt,
}

impl Bounded {
    pub(super) fn new(body: Incoming, bytes_max: usize, link: Link, attempt: Attempt) -> Self {
        Self { body, left_bytes: bytes_max, link, attempt }
    }
}

impl Body for Bounded {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let failure = match ready!(Pin::new(&mut self.body).poll_frame(context)) {
            Some(Ok(frame)) => {
                let length = frame.data_ref().map_or(0, Bytes::len);
                match self.left_bytes.checked_sub(length) {
                    Some(left) => {
                        self.left_bytes = left;
                        return Poll::Ready(Some(Ok(frame)));
                    }
                    None => Failure::TooLong,
                }
            }
            None if !self.link.is_cut() => return Poll::Ready(None),
            None | Some(Err(_)) => self.link.failure(),
        };
        self.attempt.has_failed(failure);
        Poll::Ready(Some(Err(failure.into())))
    }
}
