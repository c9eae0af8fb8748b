//! Passes a response body on while the component writes it. What the client has not read yet is kept within the bounds
//! of all unread responses, so that a component seldom waits for a slow client.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};
use http_body::{Body, Frame};
use http_body_util::BodyExt as _;
use rondo_telemetry::{Share, Shares};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use wasmtime_wasi_http::Error;

use crate::progress::Progress;

/// Media type of responses that are passed on part by part (WHATWG HTML, section 9.2). Everything else is buffered.
const EVENT_STREAM: &str = "text/event-stream";
/// What an unread part takes beside its content, in bytes: many small ones must not take more than their share.
const PART_BYTES: usize = 128;

/// Whether a response with these headers is passed on part by part.
pub(crate) fn is_streamed(headers: &HeaderMap) -> bool {
    let media_type = headers.get(CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    let media_type = media_type.split(|byte| *byte == b';').next().unwrap_or_default();
    media_type.trim_ascii().eq_ignore_ascii_case(EVENT_STREAM.as_bytes())
}

/// The client's end of a streamed body.
pub(crate) struct StreamedAnswer(UnboundedReceiver<Part>);

enum Part {
    /// With the room that it takes until it is sent.
    Frame(Frame<Bytes>, Share),
    /// The body is incomplete.
    Broken,
}

/// See [`crate::buffer::Answers::pass_on`].
pub(crate) fn pass_on<B>(
    room_bytes: &Arc<Shares>,
    room_wait: Duration,
    client: Option<Arc<str>>,
    body: B,
    progress: Progress,
) -> (StreamedAnswer, impl Future<Output = ()> + use<B>)
where
    B: Body<Data = Bytes>,
{
    let (parts, unread) = unbounded_channel();
    let room_bytes = room_bytes.clone();
    let passing = async move {
        let whole = pass_all(&parts, &room_bytes, room_wait, client, body, &progress).await;
        if whole.is_none() {
            // The client may have gone.
            let _ = parts.send(Part::Broken);
        }
    };
    (StreamedAnswer(unread), passing)
}

/// None if the body is incomplete, or the client leaves too much unread or has gone.
async fn pass_all<B>(
    parts: &UnboundedSender<Part>,
    room_bytes: &Arc<Shares>,
    room_wait: Duration,
    client: Option<Arc<str>>,
    body: B,
    progress: &Progress,
) -> Option<()>
where
    B: Body<Data = Bytes>,
{
    let mut body = std::pin::pin!(body);
    loop {
        let frame = tokio::select! {
            frame = body.frame() => frame,
            // The body is dropped, so that the component learns of it at its next part.
            () = parts.closed() => return None,
        };
        let Some(frame) = frame else { return (!progress.has_failed()).then_some(()) };
        let frame = frame.ok()?;
        let mut room = room_bytes.of(client.clone());
        let length = PART_BYTES + frame.data_ref().map_or(0, Bytes::len);
        tokio::time::timeout(room_wait, room.grow_in_time(length)).await.ok()?.ok()?;
        parts.send(Part::Frame(frame, room)).ok()?;
    }
}

impl Body for StreamedAnswer {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        self.0.poll_recv(context).map(|part| match part? {
            Part::Frame(frame, _room) => Some(Ok(frame)),
            Part::Broken => Some(Err(Error::HttpResponseIncomplete)),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::pin::pin;

    use futures_util::{FutureExt as _, stream};
    use http_body_util::StreamBody;
    use tokio::sync::mpsc;

    use super::*;

    const WAIT: Duration = Duration::from_millis(10);

    fn parts(count: usize, length: usize) -> impl Body<Data = Bytes, Error = Infallible> {
        let part = Bytes::from(vec![b'x'; length]);
        StreamBody::new(stream::iter((0..count).map(move |_| Ok(Frame::data(part.clone())))))
    }

    #[test]
    fn only_event_streams_are_passed_on() {
        for (media_type, expected) in [
            ("text/event-stream", true),
            ("Text/Event-Stream; charset=utf-8", true),
            ("text/event-streams", false),
            ("text/plain", false),
            ("", false),
        ] {
            let value = HeaderValue::from_static(media_type);
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, value)]);
            assert_eq!(is_streamed(&headers), expected, "{media_type}");
        }
        assert!(!is_streamed(&HeaderMap::new()));
    }

    #[tokio::test]
    async fn a_part_arrives_before_the_next_is_written() {
        let shares = Shares::new(1 << 20, 1 << 20);
        let (component, written) = mpsc::unbounded_channel::<Bytes>();
        let body = stream::unfold(written, async |mut written| {
            Some((Ok::<_, Infallible>(Frame::data(written.recv().await?)), written))
        });
        let (mut answer, passing) =
            pass_on(&shares, WAIT, None, StreamBody::new(body), Progress::default());
        tokio::spawn(passing);
        for part in ["one", "two"] {
            component.send(part.into()).unwrap();
            let frame = answer.frame().await.unwrap().unwrap();
            assert_eq!(frame.into_data().unwrap(), part);
        }
        drop(component);
        assert!(answer.frame().await.is_none());
    }

    #[tokio::test]
    async fn a_failed_call_does_not_end_its_body_properly() {
        let shares = Shares::new(1 << 20, 1 << 20);
        let progress = Progress::default();
        let verdict = progress.verdict();
        let (mut answer, passing) = pass_on(&shares, WAIT, None, parts(1, 3), progress);
        drop(verdict);
        passing.await;
        assert!(answer.frame().await.unwrap().is_ok());
        assert!(answer.frame().await.unwrap().is_err());
    }

    #[tokio::test]
    async fn unread_parts_are_bounded_per_client_and_in_total() {
        let part = 1_000 + PART_BYTES;
        for (client, part_max, whole_max) in [(Some("a"), 3 * part, 1 << 20), (None, 1, 3 * part)] {
            let shares = Shares::new(part_max, whole_max);
            let client = client.map(Arc::from);
            let (mut answer, passing) =
                pass_on(&shares, WAIT, client, parts(9, 1_000), Progress::default());
            passing.await;
            for _ in 0..3 {
                assert!(answer.frame().await.unwrap().is_ok());
            }
            assert!(answer.frame().await.unwrap().is_err());
            let mut all = shares.of(None);
            assert_eq!(all.grow(whole_max), Ok(()), "what was read takes no room");
        }
    }

    #[tokio::test]
    async fn a_client_that_has_gone_frees_the_component() {
        let shares = Shares::new(1 << 20, 1 << 20);
        let body = StreamBody::new(stream::pending::<Result<Frame<Bytes>, Infallible>>());
        let (answer, passing) = pass_on(&shares, WAIT, None, body, Progress::default());
        let mut passing = pin!(passing);
        assert!(passing.as_mut().now_or_never().is_none());
        drop(answer);
        passing.await;
    }
}
