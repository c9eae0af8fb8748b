//! Request bodies, read before a component gets to work: a slow client holds no instance.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmtime_wasi_http::Error;

/// Most of a request body that a component can read, in bytes; more than the 1 MiB at which
/// components refuse one by themselves.
pub const REQUEST_BODY_BYTES_MAX: usize = (1 << 20) + (64 << 10);
/// How much of a body that is too long is read all the same, in bytes: a client that is still sending
/// when its connection closes does not see the answer.
const DISCARDED_BYTES_MAX: usize = 16 << 20;
/// How long a client may take over its request's body, in seconds.
const BODY_READ_S_MAX: u64 = 15;
/// Most that all bodies together may take, in KiB.
const BODIES_KIB_MAX: usize = 64 << 10;

/// Where bodies are read, with the room that there is for them.
pub(crate) struct Intake {
    room_kib: Arc<Semaphore>,
    read_limit: Duration,
}

/// Why a body was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The client did not send it in time.
    Slow,
    /// There are too many at once.
    NoRoom,
    /// The client did not send what it promised.
    BrokenOff,
}

impl Intake {
    pub(crate) fn new() -> Self {
        Self {
            room_kib: Arc::new(Semaphore::new(BODIES_KIB_MAX)),
            read_limit: Duration::from_secs(BODY_READ_S_MAX),
        }
    }

    /// Reads a body to its end, or as much of it as is kept.
    pub(crate) async fn read<B>(&self, body: B) -> Result<WholeBody, Refused>
    where
        B: Body<Data = Bytes>,
    {
        if body.is_end_stream() {
            return Ok(WholeBody::default());
        }
        let whole = tokio::time::timeout(self.read_limit, self.read_all(body)).await;
        whole.unwrap_or(Err(Refused::Slow))
    }

    async fn read_all<B>(&self, body: B) -> Result<WholeBody, Refused>
    where
        B: Body<Data = Bytes>,
    {
        let mut body = std::pin::pin!(body);
        let mut whole = WholeBody::default();
        let mut more = BytesMut::new();
        let mut length = 0;
        while let Some(frame) = body.frame().await {
            let Ok(mut data) = frame.map_err(|_| Refused::BrokenOff)?.into_data() else { continue };
            // What is kept is so long that a component with a bound of its own sees it passed.
            let kept = data.len().min(REQUEST_BODY_BYTES_MAX.saturating_sub(length));
            length += data.len();
            data.truncate(kept);
            whole.is_cut = length > REQUEST_BODY_BYTES_MAX;
            whole.take_room(&self.room_kib, length.min(REQUEST_BODY_BYTES_MAX))?;
            // Most bodies are one frame, which needs no copy.
            match whole.data.take() {
                None if more.is_empty() => whole.data = Some(data),
                first => {
                    more.extend_from_slice(&first.unwrap_or_default());
                    more.extend_from_slice(&data);
                }
            }
            if length > DISCARDED_BYTES_MAX {
                break;
            }
        }
        if !more.is_empty() {
            whole.data = Some(more.freeze());
        }
        Ok(whole)
    }
}

/// A body that is here. One that was too long ends with an error, so that no component takes what
/// was kept of it for the whole.
#[derive(Default)]
pub(crate) struct WholeBody {
    data: Option<Bytes>,
    is_cut: bool,
    room: Option<OwnedSemaphorePermit>,
}

impl WholeBody {
    /// Takes as much room as `length` bytes need.
    fn take_room(&mut self, room_kib: &Arc<Semaphore>, length: usize) -> Result<(), Refused> {
        let taken = self.room.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let missing = u32::try_from(length.div_ceil(1024) - taken).map_err(|_| Refused::NoRoom)?;
        let room = room_kib.clone().try_acquire_many_owned(missing).map_err(|_| Refused::NoRoom)?;
        match &mut self.room {
            Some(taken) => taken.merge(room),
            none => *none = Some(room),
        }
        Ok(())
    }
}

impl Body for WholeBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if let Some(data) = self.data.take() {
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        self.room = None;
        if std::mem::take(&mut self.is_cut) {
            return Poll::Ready(Some(Err(Error::HttpRequestBodySize(None))));
        }
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        self.data.is_none() && !self.is_cut
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures_util::stream;
    use http_body_util::StreamBody;

    use super::*;

    fn chunks(length: usize, count: usize) -> impl Body<Data = Bytes, Error = Infallible> {
        let chunk = Bytes::from(vec![b'x'; length]);
        StreamBody::new(stream::iter((0..count).map(move |_| Ok(Frame::data(chunk.clone())))))
    }

    async fn read_back(body: WholeBody) -> (usize, bool) {
        let mut body = std::pin::pin!(body);
        let mut length = 0;
        while let Some(frame) = body.frame().await {
            match frame {
                Ok(frame) => length += frame.into_data().unwrap().len(),
                Err(_) => return (length, true),
            }
        }
        (length, false)
    }

    #[tokio::test]
    async fn a_body_comes_whole_or_ends_with_an_error() {
        let intake = Intake::new();
        const KIB: usize = 1024;
        for (length, count, kept, is_cut) in [
            (10, 0, 0, false),
            (10, 1, 10, false),
            (10, 3, 30, false),
            (KIB, 1088, 1088 * KIB, false),
            (KIB, 1089, 1088 * KIB, true),
            (KIB, 40_000, 1088 * KIB, true),
            (1000 * KIB, 3, 1088 * KIB, true),
            (40_000 * KIB, 1, 1088 * KIB, true),
        ] {
            let body = intake.read(chunks(length, count)).await.unwrap();
            assert_eq!(read_back(body).await, (kept, is_cut), "{count} of {length}");
        }
        assert_eq!(intake.room_kib.available_permits(), BODIES_KIB_MAX);
    }

    #[tokio::test]
    async fn room_is_bounded_and_given_back() {
        let intake = Intake::new();
        let mut held = Vec::new();
        let refused = loop {
            match intake.read(chunks(1 << 20, 1)).await {
                Ok(body) => held.push(body),
                Err(refused) => break refused,
            }
        };
        assert_eq!((held.len(), refused), (64, Refused::NoRoom));
        held.pop();
        assert!(intake.read(chunks(1 << 20, 1)).await.is_ok());
    }

    #[tokio::test]
    async fn a_slow_client_is_given_up() {
        let body = StreamBody::new(stream::pending::<Result<Frame<Bytes>, Infallible>>());
        let intake = Intake { read_limit: Duration::from_millis(10), ..Intake::new() };
        assert_eq!(intake.read(body).await.err(), Some(Refused::Slow));
    }
}
