//! Response bodies that do not look complete when their component broke off.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use wasmtime_wasi_http::Error;
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;

/// Longest body of a response, in bytes.
pub const RESPONSE_BODY_BYTES_MAX: usize = 64 << 20;

/// How a component's call goes, as far as its response body has to know: a component that traps or
/// runs out of time drops its body, which alone looks as if it had ended it.
#[derive(Default)]
pub(crate) struct Progress {
    has_failed: Arc<AtomicBool>,
}

/// Notes a failure when it is dropped, unless told that all went well. Must go before the store does,
/// and with it the body's other end.
pub(crate) struct Verdict {
    has_failed: Arc<AtomicBool>,
    is_good: bool,
}

impl Progress {
    pub(crate) fn verdict(&self) -> Verdict {
        Verdict { has_failed: self.has_failed.clone(), is_good: false }
    }

    /// The body, cut off with an error when the component fails.
    ///
    /// Waits for its first part, so that head and body are sent as one; most bodies have no more. And
    /// so that a failure before that part is not too late for an answer of its own.
    pub(crate) async fn watch(&self, body: HyperOutgoingBody) -> Result<WatchedBody, Error> {
        let has_failed = self.has_failed.clone();
        let mut watched =
            WatchedBody { body, has_failed, length: 0, first: None, has_ended: false };
        match watched.frame().await {
            Some(first) => watched.first = Some(first?),
            None => watched.has_ended = true,
        }
        Ok(watched)
    }
}

impl Verdict {
    pub(crate) fn good(mut self) {
        self.is_good = true;
    }
}

impl Drop for Verdict {
    fn drop(&mut self) {
        if !self.is_good {
            self.has_failed.store(true, Ordering::Release);
        }
    }
}

/// A body of a component.
pub(crate) struct WatchedBody {
    body: HyperOutgoingBody,
    has_failed: Arc<AtomicBool>,
    length: usize,
    /// A part that is here already.
    first: Option<Frame<Bytes>>,
    has_ended: bool,
}

impl Body for WatchedBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(first)));
        }
        let polled = Pin::new(&mut self.body).poll_frame(context);
        match &polled {
            Poll::Ready(None) if self.has_failed.load(Ordering::Acquire) => {
                return Poll::Ready(Some(Err(Error::HttpResponseIncomplete)));
            }
            Poll::Ready(Some(Ok(frame))) => {
                self.length += frame.data_ref().map_or(0, Bytes::len);
                if self.length > RESPONSE_BODY_BYTES_MAX {
                    return Poll::Ready(Some(Err(Error::HttpResponseBodySize(None))));
                }
            }
            _ => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.has_ended
    }

    fn size_hint(&self) -> SizeHint {
        if self.has_ended { SizeHint::with_exact(0) } else { SizeHint::default() }
    }
}
