//! A WebSocket client for tests.

use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// What the server sent next.
#[derive(Debug, Clone, PartialEq)]
pub enum Frame {
    Json(Value),
    /// The connection has ended; 1006 without a close frame (RFC 6455, section 7.1.5).
    Closed {
        code: u16,
        reason: String,
    },
}

impl Frame {
    /// # Panics
    /// If the connection has ended.
    #[must_use]
    #[track_caller]
    pub fn json(self) -> Value {
        match self {
            Self::Json(value) => value,
            Self::Closed { code, reason } => panic!("closed with {code} {reason:?}"),
        }
    }
}

/// An open connection.
#[derive(Debug)]
pub struct WebSocket {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// The subprotocol that the server chose.
    pub protocol: Option<String>,
    /// Pings that the server has sent; they are answered while frames are read.
    pub pings: usize,
}

impl WebSocket {
    /// Connects to `ws://…`.
    ///
    /// # Errors
    /// If the handshake fails.
    pub async fn connect(url: &str) -> Result<Self, String> {
        Self::connect_with_protocols(url, &[]).await
    }

    /// Connects, offering subprotocols.
    ///
    /// # Errors
    /// If the handshake fails.
    pub async fn connect_with_protocols(url: &str, protocols: &[&str]) -> Result<Self, String> {
        let mut request = url.into_client_request().map_err(|error| error.to_string())?;
        if !protocols.is_empty() {
            let offered = protocols.join(", ").parse().map_err(|_| "no subprotocols".to_owned())?;
            request.headers_mut().insert("sec-websocket-protocol", offered);
        }
        let (stream, response) = connect_async(request).await.map_err(|error| error.to_string())?;
        let chosen = response.headers().get("sec-websocket-protocol");
        let protocol = chosen.and_then(|value| value.to_str().ok()).map(str::to_owned);
        Ok(Self { stream, protocol, pings: 0 })
    }

    /// # Errors
    /// If the connection has ended.
    pub async fn send(&mut self, frame: &Value) -> Result<(), String> {
        self.send_text(&frame.to_string()).await
    }

    /// # Errors
    /// If the connection has ended.
    pub async fn send_text(&mut self, text: &str) -> Result<(), String> {
        self.stream.send(Message::text(text)).await.map_err(|error| error.to_string())
    }

    /// The next frame; pings and pongs do not count.
    ///
    /// # Panics
    /// If none comes in time, or it is not JSON.
    pub async fn next(&mut self, within: Duration) -> Frame {
        self.next_before(Instant::now() + within).await.unwrap_or_else(|| {
            panic!("no WebSocket frame within {:.1} s", within.as_secs_f64());
        })
    }

    /// Reads until `is_last` accepts the frames so far, and returns them all.
    ///
    /// # Panics
    /// If that takes too long, or the connection ends first; the message has the frames.
    pub async fn collect_until(
        &mut self,
        what: &str,
        within: Duration,
        mut is_last: impl FnMut(&[Value]) -> bool,
    ) -> Vec<Value> {
        let deadline = Instant::now() + within;
        let mut frames = Vec::new();
        loop {
            match self.next_before(deadline).await {
                Some(Frame::Json(frame)) => frames.push(frame),
                Some(closed) => panic!("{closed:?} before {what}; frames so far: {frames:#?}"),
                None => panic!("{what} did not come in time; frames so far: {frames:#?}"),
            }
            if is_last(&frames) {
                return frames;
            }
        }
    }

    /// Whether nothing arrives for this long.
    pub async fn is_silent(&mut self, during: Duration) -> bool {
        self.next_before(Instant::now() + during).await.is_none()
    }

    /// Closes the connection with a closing handshake.
    pub async fn close(mut self) {
        let _ = self.stream.close(None).await;
    }

    /// The next frame, if one comes in time.
    pub async fn next_within(&mut self, within: Duration) -> Option<Frame> {
        self.next_before(Instant::now() + within).await
    }

    async fn next_before(&mut self, deadline: Instant) -> Option<Frame> {
        let mut reason = None;
        loop {
            let message =
                tokio::time::timeout_at(deadline.into(), self.stream.next()).await.ok()?;
            match message {
                Some(Ok(Message::Text(text))) => {
                    let value = serde_json::from_str(&text);
                    return Some(Frame::Json(value.unwrap_or_else(|_| panic!("no JSON: {text}"))));
                }
                Some(Ok(Message::Ping(_))) => {
                    self.pings += 1;
                    // The library queues the response; this sends it.
                    let _ = self.stream.flush().await;
                }
                Some(Ok(Message::Close(frame))) => {
                    reason = frame.map(|frame| (u16::from(frame.code), frame.reason.to_string()));
                }
                Some(Ok(Message::Binary(_))) => panic!("a binary frame"),
                Some(Ok(_)) => {}
                Some(Err(Error::Capacity(error))) => panic!("{error}"),
                Some(Err(_)) | None => {
                    let (code, reason) = reason.unwrap_or((1006, String::new()));
                    return Some(Frame::Closed { code, reason });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;
    use tokio_tungstenite::accept_async;
    use tokio_tungstenite::tungstenite::protocol::CloseFrame;

    use super::*;

    const SECONDS: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn frames_and_the_close_code_are_read() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("ws://{}/ws", listener.local_addr().unwrap());
        let server = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let mut socket = accept_async(stream).await.unwrap();
            socket.send(Message::text(r#"{"n":1}"#)).await.unwrap();
            socket.send(Message::Ping(bytes::Bytes::new())).await.unwrap();
            socket.send(Message::text(r#"{"n":2}"#)).await.unwrap();
            let heard = [socket.next().await, socket.next().await];
            let close = CloseFrame { code: 4408.into(), reason: "slow".into() };
            socket.close(Some(close)).await.unwrap();
            while socket.next().await.is_some() {}
            heard
        });
        let mut socket = WebSocket::connect(&url).await.unwrap();
        let frames = socket.collect_until("two", SECONDS, |frames| frames.len() == 2).await;
        assert_eq!(frames[1]["n"], 2);
        assert_eq!(socket.pings, 1);
        assert!(socket.is_silent(Duration::from_millis(5)).await);
        socket.send(&serde_json::json!({"type": "ping"})).await.unwrap();
        let closed = Frame::Closed { code: 4408, reason: "slow".into() };
        assert_eq!(socket.next(SECONDS).await, closed);
        let [pong, text] = server.await.unwrap().map(|message| message.unwrap().unwrap());
        assert!(pong.is_pong() && text.is_text(), "{pong:?} {text:?}");
    }

    #[tokio::test]
    async fn a_lost_connection_is_1006() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("ws://{}/ws", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            drop(accept_async(stream).await.unwrap());
        });
        let mut socket = WebSocket::connect(&url).await.unwrap();
        let closed = Frame::Closed { code: 1006, reason: String::new() };
        assert_eq!(socket.next(SECONDS).await, closed);
    }
}
