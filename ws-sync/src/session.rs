//! One device's WebSocket, from its first frame to its close.
//!
//! Every wait of a session also ends when the hub closes its queue, its token expires, or the peer takes too
//! long, so no session outlives these reasons.

use std::ops::ControlFlow;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket};
use futures_util::SinkExt;
use rondo_contract::frame::{ClientFrame, ServerFrame};
use rondo_telemetry::span::Kind;
use rondo_telemetry::{LineLimit, Span};
use serde_json::value::RawValue;
use tokio::time::{Instant, sleep_until, timeout};

use crate::catch_up::{CatchUp, Change, Changed, Step};
use crate::close::CloseReason;
use crate::credential::Credential;
use crate::hub::Registration;
use crate::queue::{Frame, SessionQueue};
use crate::service::SyncService;
use crate::store::StoreError;

/// Interval between protocol pings, in seconds.
pub const PING_S: u64 = 25;
/// Silence after which the peer counts as gone, in seconds: two unanswered pings.
pub const PEER_SILENCE_S_MAX: u64 = 60;
/// Time limit for the peer to accept a write, in seconds.
pub const WRITE_S_MAX: u64 = 30;
/// Time limit for the peer's half of the closing handshake, in milliseconds.
pub const CLOSE_MS_MAX: u64 = 2_000;
/// Maximum length of a client's message, in bytes; a token fits. A longer one gets an error, and one above
/// [`CLIENT_MESSAGE_BYTES_CUT`] ends the connection.
pub const CLIENT_MESSAGE_BYTES_MAX: usize = 8 * 1024;
pub const CLIENT_MESSAGE_BYTES_CUT: usize = 64 * 1024;
/// Frames written before the session checks its clock and its peer again.
const FRAMES_PER_FLUSH_MAX: usize = 64;

/// After an outage, all devices connect at once.
static LINES: LineLimit = LineLimit::new();

/// The parameters of a client's handshake.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Handshake {
    pub token: Option<String>,
    pub since: Since,
}

/// The client's revision.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Since {
    /// The client wants only future changes.
    #[default]
    Now,
    Revision(i64),
    /// Not a revision.
    Malformed,
}

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Closed(CloseReason),
    /// The peer has closed it, or is gone.
    Left,
}

/// Runs a session to its end, closing handshake included.
pub async fn run(mut socket: WebSocket, handshake: Handshake, service: &SyncService) -> End {
    // Boxed, so that the states of an opening session take no memory in an idle one.
    let opened = Box::pin(open(&mut socket, handshake, service)).await;
    let (end, registration) = match opened {
        Ok(mut session) => (session.live(&mut socket, service).await, Some(session.registration)),
        Err(end) => (end, None),
    };
    if let End::Closed(reason) = end {
        let closing = Box::pin(close(&mut socket, reason));
        // If this cannot be delivered in time, it is not worth waiting for.
        let _ = timeout(Duration::from_millis(CLOSE_MS_MAX), closing).await;
    }
    drop(registration);
    end
}

struct Session {
    credential: Credential,
    registration: Registration,
    /// When the peer last sent something.
    heard_at: Instant,
    ping_at: Instant,
}

/// Authenticates, registers, sends the welcome and catches up.
async fn open(
    socket: &mut WebSocket,
    handshake: Handshake,
    service: &SyncService,
) -> Result<Session, End> {
    let token = handshake.token.unwrap_or_default();
    let credential = verify(&token, service)
        .await
        .map_err(|_| End::Closed(CloseReason::GoingAway))?
        .ok_or(End::Closed(CloseReason::Unauthenticated))?;
    let since = match handshake.since {
        Since::Now => None,
        Since::Revision(revision) => Some(revision),
        Since::Malformed => return Err(End::Closed(CloseReason::ResetRequired)),
    };
    // Before anything is read, so that no change is missed between the pages and the live frames.
    let registration = service.hub().register(credential.user_id).map_err(End::Closed)?;
    let queue = registration.queue().clone();
    let reading = read_missed(socket, since, credential.user_id, &queue, service);
    tokio::select! {
        () = sleep_until(credential.expires_at) => {
            return Err(End::Closed(CloseReason::Unauthenticated));
        }
        read = reading => read?,
    }
    let now = Instant::now();
    let ping_at = now + Duration::from_secs(PING_S);
    Ok(Session { credential, registration, heard_at: now, ping_at })
}

/// Sends the welcome and, in pages, the missed changes.
async fn read_missed(
    socket: &mut WebSocket,
    since: Option<i64>,
    user_id: i64,
    queue: &SessionQueue,
    service: &SyncService,
) -> Result<(), End> {
    let mut catch_up = CatchUp::new(since);
    loop {
        let page = tokio::select! {
            reason = queue.closed() => return Err(End::Closed(reason)),
            page = service.store().page(user_id, catch_up.request()) => page,
        };
        let page = page.map_err(|error| {
            if let Some(suppressed) = LINES.line() {
                tracing::warn!(user_id, %error, suppressed, "a session cannot be opened");
            }
            End::Closed(CloseReason::GoingAway)
        })?;
        let Step { start, more } = catch_up.step(&page).map_err(End::Closed)?;
        let mut texts = Vec::with_capacity(page.changes.len() + 1);
        if let Some(start) = start {
            queue.skip_to(start.until);
            texts.push(encode(&ServerFrame::Welcome { revision: start.welcome }));
        }
        texts.extend(page.changes.into_iter().map(snapshot));
        write(socket, queue, texts).await?;
        if !more {
            return Ok(());
        }
    }
}

impl Session {
    /// Handles live frames, client frames and the clock, until one of them ends the session.
    async fn live(&mut self, socket: &mut WebSocket, service: &SyncService) -> End {
        let queue = self.registration.queue().clone();
        let mut due = std::pin::pin!(sleep_until(self.next_at()));
        loop {
            let step = tokio::select! {
                () = &mut due => self.tick(socket, &queue).await,
                frame = queue.next() => match frame {
                    Ok(frame) => flush_live(socket, &queue, frame).await,
                    Err(reason) => Err(End::Closed(reason)),
                },
                message = socket.recv() => match message {
                    Some(Ok(message)) => {
                        self.heard_at = Instant::now();
                        match self.answer(message, service).await {
                            ControlFlow::Break(end) => Err(end),
                            ControlFlow::Continue(Some(frame)) => {
                                write(socket, &queue, [encode(&frame)]).await
                            }
                            ControlFlow::Continue(None) => Ok(()),
                        }
                    }
                    Some(Err(_)) | None => Err(End::Left),
                },
            };
            if let Err(end) = step {
                return end;
            }
            let next_at = self.next_at();
            if due.deadline() != next_at {
                due.as_mut().reset(next_at);
            }
        }
    }

    fn next_at(&self) -> Instant {
        self.ping_at.min(self.credential.next_at())
    }

    /// Pings, warns, or ends the session, if it is time.
    async fn tick(&mut self, socket: &mut WebSocket, queue: &SessionQueue) -> Result<(), End> {
        let now = Instant::now();
        if now >= self.credential.expires_at {
            return Err(End::Closed(CloseReason::Unauthenticated));
        }
        if self.credential.warn_at.is_some_and(|at| now >= at) {
            self.credential.warn_at = None;
            write(socket, queue, [encode(&ServerFrame::TokenExpiring)]).await?;
        }
        if now >= self.ping_at {
            if now.duration_since(self.heard_at) > Duration::from_secs(PEER_SILENCE_S_MAX) {
                return Err(End::Left);
            }
            self.ping_at = now + Duration::from_secs(PING_S);
            guarded(queue, socket.send(Message::Ping(axum::body::Bytes::new()))).await?;
        }
        Ok(())
    }

    /// The response to a client's message, if any.
    async fn answer(
        &mut self,
        message: Message,
        service: &SyncService,
    ) -> ControlFlow<End, Option<ServerFrame>> {
        let text = match &message {
            Message::Text(text) => text.as_str(),
            Message::Binary(_) => return refuse("invalid_frame"),
            // Pings are answered by the protocol layer with the next write.
            Message::Ping(_) | Message::Pong(_) => return ControlFlow::Continue(None),
            Message::Close(_) => return ControlFlow::Break(End::Left),
        };
        if text.len() > CLIENT_MESSAGE_BYTES_MAX {
            return refuse("frame_too_large");
        }
        match serde_json::from_str(text) {
            Ok(ClientFrame::Ping) => ControlFlow::Continue(Some(ServerFrame::Pong)),
            // Boxed, so that it takes no memory in an idle session.
            Ok(ClientFrame::Auth { token }) => match Box::pin(verify(&token, service)).await {
                Ok(Some(renewed)) if renewed.user_id == self.credential.user_id => {
                    self.credential = renewed;
                    ControlFlow::Continue(None)
                }
                // Another user's token gets the same answer as an invalid one.
                Ok(_) => refuse("invalid_token"),
                Err(_) => refuse("unavailable"),
            },
            Err(_) => refuse("invalid_frame"),
        }
    }
}

async fn verify(token: &str, service: &SyncService) -> Result<Option<Credential>, StoreError> {
    let verified = Credential::verify(token, service.keys(), service.store()).await;
    verified.inspect_err(|error| {
        if let Some(suppressed) = LINES.line() {
            tracing::warn!(%error, suppressed, "a token cannot be looked up");
        }
    })
}

fn refuse(code: &'static str) -> ControlFlow<End, Option<ServerFrame>> {
    ControlFlow::Continue(Some(ServerFrame::Error { code }))
}

/// Sends a live frame and those queued behind it; small ones as one write.
async fn flush_live(socket: &mut WebSocket, queue: &SessionQueue, first: Frame) -> Result<(), End> {
    // They end when all is written.
    let mut spans = Vec::new();
    let mut next = Some(first);
    for _ in 0..FRAMES_PER_FLUSH_MAX {
        let Some(frame) = next.take() else { break };
        spans.extend(sending(&frame));
        guarded(queue, socket.feed(Message::Text(frame.text))).await?;
        next = queue.take().map_err(End::Closed)?;
    }
    if let Some(frame) = next {
        spans.extend(sending(&frame));
        guarded(queue, socket.feed(Message::Text(frame.text))).await?;
    }
    guarded(queue, socket.flush()).await
}

/// The span of a live frame on its way to one device.
fn sending(frame: &Frame) -> Option<Span> {
    let trace = *frame.trace.as_deref()?;
    let mut span = Span::begin(Kind::Producer, trace, || "send frame".to_owned())?;
    span.text("network.protocol.name", "websocket");
    span.number("rondo.revision", frame.revision);
    Some(span)
}

async fn write(
    socket: &mut WebSocket,
    queue: &SessionQueue,
    texts: impl IntoIterator<Item = Utf8Bytes>,
) -> Result<(), End> {
    for text in texts {
        guarded(queue, socket.feed(Message::Text(text))).await?;
    }
    guarded(queue, socket.flush()).await
}

/// A write that also ends when the session has to end, or when the peer does not read.
async fn guarded(
    queue: &SessionQueue,
    writing: impl Future<Output = Result<(), axum::Error>>,
) -> Result<(), End> {
    let limit = Duration::from_secs(WRITE_S_MAX);
    tokio::select! {
        biased;
        written = timeout(limit, writing) => match written {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(End::Left),
            Err(_) => Err(End::Closed(CloseReason::TooSlow)),
        },
        reason = queue.closed() => Err(End::Closed(reason)),
    }
}

/// Sends the close reason, then waits for the peer's close: unread input would otherwise reset the
/// connection, and the close frame could be lost.
async fn close(socket: &mut WebSocket, reason: CloseReason) {
    let frame = CloseFrame { code: reason.code(), reason: Utf8Bytes::from_static(reason.as_str()) };
    if socket.send(Message::Close(Some(frame))).await.is_ok() {
        while let Some(Ok(_)) = socket.recv().await {}
    }
}

fn snapshot(Change { revision, of, state }: Change) -> Utf8Bytes {
    // Postgres built it, so it is JSON.
    let state = state.and_then(|text| RawValue::from_string(text).ok());
    encode(&match of {
        Changed::Task(task_id) => ServerFrame::TaskSnapshot { revision, task_id, task: state },
        Changed::List(list_id) => ServerFrame::ListSnapshot { revision, list_id, list: state },
    })
}

fn encode(frame: &ServerFrame) -> Utf8Bytes {
    // Only a map with non-text keys or a failing writer could cause an error.
    serde_json::to_string(frame).unwrap_or_default().into()
}
