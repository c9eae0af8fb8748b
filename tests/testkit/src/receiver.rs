//! A webhook receiver on loopback: an HTTP/1.1 server that records its requests and responds on demand.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::wait::eventually;

/// Maximum length of a request, in bytes.
const REQUEST_BYTES_MAX: usize = 4 << 20;

/// The receiver's reaction to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reaction {
    /// Sends exactly these bytes, and closes the connection.
    Answer(String),
    /// Sends nothing and keeps the connection.
    Hang,
    /// Closes the connection without a response.
    Drop,
}

impl Reaction {
    /// A response with this status and body.
    #[must_use]
    pub fn status(status: u16, body: &str) -> Self {
        Self::with_header(status, "X-Test: 1", body)
    }

    /// The same with an additional header.
    #[must_use]
    pub fn with_header(status: u16, header: &str, body: &str) -> Self {
        let length = body.len();
        Self::Answer(format!(
            "HTTP/1.1 {status} Told\r\n{header}\r\nContent-Length: {length}\r\n\r\n{body}"
        ))
    }
}

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// Method and target, such as `POST /hook`.
    pub line: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Received {
    /// A header's value.
    ///
    /// # Panics
    /// If there is none, or more than one.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        let mut found = self.headers.iter().filter(|(known, _)| known == name);
        match (found.next(), found.next()) {
            (Some((_, value)), None) => value,
            _ => panic!("not one {name} in {:?}", self.headers),
        }
    }
}

#[derive(Default)]
struct State {
    received: Vec<Received>,
    reactions: VecDeque<Reaction>,
    otherwise: Option<Reaction>,
}

/// A running receiver; it ends when dropped.
pub struct Receiver {
    port: u16,
    state: Arc<Mutex<State>>,
    _serving: JoinSet<()>,
}

impl Receiver {
    /// Starts a receiver that answers everything with 204.
    ///
    /// # Panics
    /// If there is no free port.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("a bound port").port();
        let state = Arc::new(Mutex::new(State::default()));
        let mut serving = JoinSet::new();
        serving.spawn(serve(listener, state.clone()));
        Self { port, state, _serving: serving }
    }

    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook?token=a", self.port)
    }

    /// Queues a reaction to one of the next requests.
    pub fn react(&self, reaction: Reaction) {
        lock(&self.state).reactions.push_back(reaction);
    }

    /// Sets the reaction to requests without a queued one.
    pub fn otherwise(&self, reaction: Reaction) {
        lock(&self.state).otherwise = Some(reaction);
    }

    /// The requests so far.
    #[must_use]
    pub fn received(&self) -> Vec<Received> {
        lock(&self.state).received.clone()
    }

    /// Waits until `count` requests have come, and returns all of them.
    ///
    /// # Panics
    /// If they do not come in time.
    pub async fn await_received(&self, count: usize, within: Duration) -> Vec<Received> {
        eventually(&format!("{count} requests"), within, async || {
            let received = self.received();
            if received.len() >= count { Ok(received) } else { Err(received.len()) }
        })
        .await
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(listener: TcpListener, state: Arc<Mutex<State>>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let state = state.clone();
        connections.spawn(async move {
            let _ = handle(stream, &state).await;
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn handle(mut stream: TcpStream, state: &Mutex<State>) -> io::Result<()> {
    let received = read(&mut stream).await?;
    let reaction = {
        let mut state = lock(state);
        state.received.push(received);
        let next = state.reactions.pop_front();
        next.or_else(|| state.otherwise.clone()).unwrap_or_else(|| Reaction::status(204, ""))
    };
    match reaction {
        Reaction::Answer(answer) => {
            stream.write_all(answer.as_bytes()).await?;
            stream.shutdown().await
        }
        Reaction::Drop => Ok(()),
        Reaction::Hang => {
            // Until the client gives up.
            stream.read_to_end(&mut Vec::new()).await.map(|_| ())
        }
    }
}

async fn read(stream: &mut TcpStream) -> io::Result<Received> {
    let malformed = || io::Error::from(io::ErrorKind::InvalidData);
    let mut bytes = Vec::new();
    let head_end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(&mut bytes).await? == 0 || bytes.len() > REQUEST_BYTES_MAX {
            return Err(malformed());
        }
    };
    let head = String::from_utf8(bytes[..head_end].to_vec()).map_err(|_| malformed())?;
    let mut lines = head.split("\r\n");
    let line = lines.next().unwrap_or_default().trim_end_matches(" HTTP/1.1").to_owned();
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length: usize = length.and_then(|(_, value)| value.parse().ok()).ok_or_else(malformed)?;
    let mut body = bytes.split_off(head_end + 4);
    while body.len() < length.min(REQUEST_BYTES_MAX) {
        if stream.read_buf(&mut body).await? == 0 {
            return Err(malformed());
        }
    }
    Ok(Received { line, headers, body })
}
