//! Buffers whole response bodies before sending them: a client that reads slowly holds no instance, and if a
//! component fails part-way, the host responds instead.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use rondo_telemetry::{Share, Shares};
use wasmtime_wasi_http::Error;

use crate::postgres::ROW_SET_BYTES_MAX;
use crate::progress::Progress;
use crate::stream::{self, StreamedAnswer};

/// Maximum length of a response body, in bytes: that of the row set that most are made from.
pub const ANSWER_BYTES_MAX: usize = ROW_SET_BYTES_MAX;
/// Maximum size of one client's unread responses, in bytes.
const CLIENT_ANSWERS_BYTES_MAX: usize = ANSWER_BYTES_MAX;
/// Maximum size of all unread responses, in bytes.
const ANSWERS_BYTES_MAX: usize = 256 << 20;
/// How long a response waits for room among the others, in seconds.
const ROOM_WAIT_S_MAX: u64 = 5;

/// The unread responses, within their bounds.
pub(crate) struct Answers {
    room_bytes: Arc<Shares>,
    room_wait: Duration,
}

/// Why there is no complete response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Broken {
    /// The component failed part-way.
    Component,
    /// It is longer than [`ANSWER_BYTES_MAX`].
    TooLong,
    /// The same client, or all together, have too much left to read.
    NoRoom,
}

impl Answers {
    pub(crate) fn new() -> Self {
        Self {
            room_bytes: Shares::new(CLIENT_ANSWERS_BYTES_MAX, ANSWERS_BYTES_MAX),
            room_wait: Duration::from_secs(ROOM_WAIT_S_MAX),
        }
    }

    /// Reads a component's body to its end.
    pub(crate) async fn take<B>(
        &self,
        client: Option<Arc<str>>,
        body: B,
        progress: &Progress,
    ) -> Result<WholeAnswer, Broken>
    where
        B: Body<Data = Bytes>,
    {
        let mut body = std::pin::pin!(body);
        let mut whole = WholeAnswer {
            frames: VecDeque::with_capacity(1),
            length: 0,
            has_trailers: false,
            room: self.room_bytes.of(client),
        };
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| Broken::Component)?;
            let length = frame.data_ref().map_or(0, Bytes::len);
            whole.length += length;
            whole.has_trailers |= frame.is_trailers();
            if whole.length > ANSWER_BYTES_MAX {
                return Err(Broken::TooLong);
            }
            let room = tokio::time::timeout(self.room_wait, whole.room.grow_in_time(length));
            if !matches!(room.await, Ok(Ok(()))) {
                return Err(Broken::NoRoom);
            }
            whole.frames.push_back(frame);
        }
        if progress.has_failed() {
            return Err(Broken::Component);
        }
        Ok(whole)
    }

    /// Passes a component's body on while it is written. The second result does the work; it ends with the body, or
    /// when the client has gone.
    pub(crate) fn pass_on<B>(
        &self,
        client: Option<Arc<str>>,
        body: B,
        progress: Progress,
    ) -> (StreamedAnswer, impl Future<Output = ()> + use<B>)
    where
        B: Body<Data = Bytes>,
    {
        stream::pass_on(&self.room_bytes, self.room_wait, client, body, progress)
    }
}

/// A complete body. Parts that have been sent no longer take room.
pub(crate) struct WholeAnswer {
    frames: VecDeque<Frame<Bytes>>,
    /// Bytes still to be sent.
    length: usize,
    has_trailers: bool,
    room: Share,
}

impl Body for WholeAnswer {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let Some(frame) = self.frames.pop_front() else { return Poll::Ready(None) };
        let length = frame.data_ref().map_or(0, Bytes::len);
        self.length -= length;
        self.room.shrink(length);
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.frames.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        if self.has_trailers {
            SizeHint::default()
        } else {
            SizeHint::with_exact(self.length as u64)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures_util::stream;
    use http_body_util::StreamBody;

    use super::*;

    const MIB: usize = 1 << 20;

    fn mebibytes(count: usize) -> impl Body<Data = Bytes, Error = Infallible> {
        let chunk = Bytes::from(vec![b'x'; MIB]);
        StreamBody::new(stream::iter((0..count).map(move |_| Ok(Frame::data(chunk.clone())))))
    }

    async fn take(answers: &Answers, client: &str, count: usize) -> Result<WholeAnswer, Broken> {
        answers.take(Some(client.into()), mebibytes(count), &Progress::default()).await
    }

    fn answers() -> Answers {
        Answers { room_wait: Duration::from_millis(10), ..Answers::new() }
    }

    #[tokio::test]
    async fn a_response_is_complete_or_refused() {
        let answers = answers();
        let whole = take(&answers, "a", ANSWER_BYTES_MAX / MIB).await.unwrap();
        assert_eq!(whole.size_hint().exact(), Some(ANSWER_BYTES_MAX as u64));
        let read = whole.collect().await.unwrap().to_bytes();
        assert_eq!(read.len(), ANSWER_BYTES_MAX);
        let too_long = take(&answers, "a", ANSWER_BYTES_MAX / MIB + 1).await;
        assert_eq!(too_long.err(), Some(Broken::TooLong));
        let failed = Progress::default();
        drop(failed.verdict());
        let broken = answers.take(None, mebibytes(1), &failed).await;
        assert_eq!(broken.err(), Some(Broken::Component));
        let good = Progress::default();
        good.verdict().good();
        assert!(answers.take(None, mebibytes(1), &good).await.is_ok());
    }

    #[tokio::test]
    async fn unread_responses_are_bounded_per_client_and_in_total() {
        let answers = answers();
        let count = ANSWERS_BYTES_MAX / CLIENT_ANSWERS_BYTES_MAX;
        let mut held = Vec::new();
        for client in 0..count {
            held.push(take(&answers, &client.to_string(), 32).await.unwrap());
            let more = take(&answers, &client.to_string(), 1).await;
            assert_eq!(more.err(), Some(Broken::NoRoom), "the same client");
        }
        assert_eq!(take(&answers, "another", 1).await.err(), Some(Broken::NoRoom));
        // A sent part makes room, and so does a dropped response.
        let mut first = std::pin::pin!(held.swap_remove(0));
        let _ = first.frame().await;
        assert!(take(&answers, "another", 1).await.is_ok());
        held.clear();
        assert!(take(&answers, "another", 32).await.is_ok());
    }
}
