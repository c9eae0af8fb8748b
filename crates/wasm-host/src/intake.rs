//! Buffers request bodies before a component runs: a slow client holds no instance.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use rondo_telemetry::{Share, Shares};
use wasmtime_wasi_http::Error;

/// Maximum length of a request body that a component can read, in bytes; more than the 1 MiB above which
/// components themselves refuse a body.
pub const REQUEST_BODY_BYTES_MAX: usize = (1 << 20) + (64 << 10);
/// How much of a too long body is read and discarded, in bytes: a client that is still sending when its
/// connection closes does not see the response.
const DISCARDED_BYTES_MAX: usize = 16 << 20;
/// How long a client may take to send a body, in seconds.
const BODY_READ_S_MAX: u64 = 15;
/// Maximum size of one client's buffered bodies, in bytes.
const CLIENT_BODIES_BYTES_MAX: usize = 8 << 20;
/// Maximum size of all buffered bodies, in bytes.
const BODIES_BYTES_MAX: usize = 64 << 20;

/// The bodies being read, within their bounds.
pub(crate) struct Intake {
    room_bytes: Arc<Shares>,
    read_limit: Duration,
}

/// Why a body was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The client did not send it in time.
    Slow,
    /// The same client, or all together, have too many bodies in progress.
    NoRoom,
    /// The body was shorter than announced.
    BrokenOff,
}

impl Intake {
    pub(crate) fn new() -> Self {
        Self {
            room_bytes: Shares::new(CLIENT_BODIES_BYTES_MAX, BODIES_BYTES_MAX),
            read_limit: Duration::from_secs(BODY_READ_S_MAX),
        }
    }

    /// Reads a body to its end, and keeps at most `kept_max` bytes.
    pub(crate) async fn read<B>(
        &self,
        client: Option<Arc<str>>,
        body: B,
        kept_max: usize,
    ) -> Result<WholeBody, Refused>
    where
        B: Body<Data = Bytes>,
    {
        if body.is_end_stream() {
            return Ok(WholeBody::default());
        }
        let reading = self.read_all(client, body, kept_max.min(REQUEST_BODY_BYTES_MAX));
        let whole = tokio::time::timeout(self.read_limit, reading).await;
        whole.unwrap_or(Err(Refused::Slow))
    }

    async fn read_all<B>(
        &self,
        client: Option<Arc<str>>,
        body: B,
        kept_max: usize,
    ) -> Result<WholeBody, Refused>
    where
        B: Body<Data = Bytes>,
    {
        let mut body = std::pin::pin!(body);
        let mut whole = WholeBody::default();
        let mut room = self.room_bytes.of(client);
        let mut more = BytesMut::new();
        let mut length = 0;
        while let Some(frame) = body.frame().await {
            let Ok(mut data) = frame.map_err(|_| Refused::BrokenOff)?.into_data() else { continue };
            // Keeps enough that a component with a bound of its own notices that it is exceeded.
            let kept = data.len().min(kept_max.saturating_sub(length));
            length += data.len();
            data.truncate(kept);
            whole.is_cut = length > kept_max;
            room.grow(kept).map_err(|_| Refused::NoRoom)?;
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
        whole.room = Some(room);
        Ok(whole)
    }
}

/// A complete body. If it was too long it ends with an error, so that no component mistakes the kept part for
/// the whole.
#[derive(Default)]
pub(crate) struct WholeBody {
    data: Option<Bytes>,
    is_cut: bool,
    room: Option<Share>,
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
            let body =
                intake.read(None, chunks(length, count), REQUEST_BODY_BYTES_MAX).await.unwrap();
            assert_eq!(read_back(body).await, (kept, is_cut), "{count} of {length}");
        }
        let body = intake.read(None, chunks(KIB, 1088), 64 * KIB).await.unwrap();
        assert_eq!(read_back(body).await, (64 * KIB, true), "kept in part");
    }

    #[tokio::test]
    async fn room_is_bounded_and_given_back() {
        let intake = Intake::new();
        let read = async |client: &str| {
            let client = Some(Arc::from(client));
            intake.read(client, chunks(1 << 20, 1), REQUEST_BODY_BYTES_MAX).await
        };
        let mut held = Vec::new();
        let mut count = 0;
        for client in 0..BODIES_BYTES_MAX / CLIENT_BODIES_BYTES_MAX {
            let client = client.to_string();
            let refused = loop {
                match read(&client).await {
                    Ok(body) => held.push(body),
                    Err(refused) => break refused,
                }
            };
            count += 8;
            assert_eq!((held.len(), refused), (count, Refused::NoRoom), "{client}");
        }
        assert_eq!(read("another").await.err(), Some(Refused::NoRoom));
        held.pop();
        assert!(read("another").await.is_ok());
        held.clear();
        assert!(read("0").await.is_ok());
    }

    #[tokio::test]
    async fn a_slow_client_is_disconnected() {
        let body = StreamBody::new(stream::pending::<Result<Frame<Bytes>, Infallible>>());
        let intake = Intake { read_limit: Duration::from_millis(10), ..Intake::new() };
        assert_eq!(
            intake.read(None, body, REQUEST_BODY_BYTES_MAX).await.err(),
            Some(Refused::Slow)
        );
    }
}
