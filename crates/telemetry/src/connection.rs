//! Accepted connections: how many there may be, and how long a client may read nothing.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, Sleep, sleep};

use crate::share::{Share, Shares};

/// Maximum number of connections of a process, WebSockets included.
pub const CONNECTIONS_MAX: usize = 50_000;
/// Maximum number of connections of one address: several thousand people behind one seldom have as many.
pub const ADDRESS_CONNECTIONS_MAX: usize = 1_000;
/// Maximum number of connections of an operators' listener.
pub const OPERATORS_CONNECTIONS_MAX: usize = 64;
/// How long a client may leave data for it unread, in seconds.
pub const STALLED_WRITE_S_MAX: u64 = 30;
/// Open files reserved for other connections: Postgres, Kafka, SMTP and webhook receivers.
const FILES_RESERVED: usize = 1_024;
/// Pause after the system refused a connection because no file was free, in milliseconds.
const ACCEPT_PAUSE_MS: u64 = 50;

/// The client that a peer's connections count towards; none for a peer that stands for many clients, such as
/// a proxy.
pub type HolderOf = dyn Fn(IpAddr) -> Option<Arc<str>> + Send + Sync;

/// Accepts a listener's connections within bounds.
pub struct Gate {
    listener: TcpListener,
    connections: Arc<Shares>,
    holder_of: Box<HolderOf>,
}

/// The number of connections for a process that may have this many open files.
pub fn connections_max(open_files_max: usize) -> usize {
    let free = open_files_max.saturating_sub(FILES_RESERVED);
    CONNECTIONS_MAX.min(free.max(open_files_max / 2))
}

impl Gate {
    /// A gate for public listeners.
    pub fn new(
        listener: TcpListener,
        connections_max: usize,
        holder_of: impl Fn(IpAddr) -> Option<Arc<str>> + Send + Sync + 'static,
    ) -> Self {
        let connections = Shares::new(ADDRESS_CONNECTIONS_MAX, connections_max);
        Self { listener, connections, holder_of: Box::new(holder_of) }
    }

    /// A gate for operators and Rondo's own programs, without a bound per address.
    pub fn inner(listener: TcpListener, connections_max: usize) -> Self {
        Self::new(listener, connections_max, |_| None)
    }

    /// Accepts the next connection. One beyond the bound of its address is closed at once. If there are too
    /// many in all, further ones wait to be accepted.
    pub async fn accept(&self) -> (Connection, SocketAddr) {
        loop {
            self.connections.room().await;
            let (stream, peer) = match self.listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    sleep(Duration::from_millis(ACCEPT_PAUSE_MS)).await;
                    continue;
                }
            };
            let mut share = self.connections.of((self.holder_of)(peer.ip()));
            match share.grow(1) {
                Ok(()) => {
                    // Frames and responses are written as a whole, so there is nothing to wait for.
                    let _ = stream.set_nodelay(true);
                    return (Connection::new(stream, share), peer);
                }
                Err(_) => tracing::debug!(%peer, "one connection too many of an address"),
            }
        }
    }
}

/// A connection whose peer must not leave data unread for long.
pub struct Connection {
    stream: TcpStream,
    /// Set while the peer reads nothing.
    stalled: Option<Pin<Box<Sleep>>>,
    stalled_max: Duration,
    _share: Share,
}

impl Connection {
    fn new(stream: TcpStream, share: Share) -> Self {
        let stalled_max = Duration::from_secs(STALLED_WRITE_S_MAX);
        Self { stream, stalled: None, stalled_max, _share: share }
    }

    /// The result of a write; a write that waits for too long has failed.
    fn watch<T>(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let until = Instant::now() + self.stalled_max;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
        ready!(stalled.as_mut().poll(context));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client reads nothing")))
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.watch(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.watch(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::time::timeout;

    use super::*;
    use crate::listener::listen;

    const DEADLINE: Duration = Duration::from_secs(10);

    async fn connect(gate: &Gate) -> TcpStream {
        TcpStream::connect(gate.listener.local_addr().unwrap()).await.unwrap()
    }

    /// Whether the peer has closed the connection; a waiting peer has not.
    async fn is_closed(stream: &mut TcpStream) -> bool {
        matches!(timeout(DEADLINE, stream.read(&mut [0])).await, Ok(Ok(0) | Err(_)))
    }

    #[tokio::test]
    async fn an_address_has_a_limit_that_does_not_affect_others() {
        let listener = listen("127.0.0.1:0").await.unwrap();
        // Loopback is all of 127.0.0.0/8, so the test has several addresses.
        let gate = Gate {
            listener,
            connections: Shares::new(2, 100),
            holder_of: Box::new(|peer| Some(peer.to_string().into())),
        };
        let mut clients = Vec::new();
        for _ in 0..3 {
            clients.push(connect(&gate).await);
        }
        let first = gate.accept().await;
        let _second = gate.accept().await;
        // The third connection is closed before the next one, from another address, is accepted.
        let other = tokio::net::TcpSocket::new_v4().unwrap();
        other.bind("127.0.0.2:0".parse().unwrap()).unwrap();
        let _other = other.connect(gate.listener.local_addr().unwrap()).await.unwrap();
        let (_accepted, peer) = timeout(DEADLINE, gate.accept()).await.unwrap();
        assert_eq!(peer.ip().to_string(), "127.0.0.2");
        assert!(is_closed(&mut clients[2]).await);
        drop(first);
        let _again = connect(&gate).await;
        timeout(DEADLINE, gate.accept()).await.unwrap();
    }

    #[tokio::test]
    async fn at_the_total_limit_the_next_connection_waits() {
        let gate = Gate::inner(listen("127.0.0.1:0").await.unwrap(), 1);
        let (_first, _second) = (connect(&gate).await, connect(&gate).await);
        let held = gate.accept().await;
        let mut next = std::pin::pin!(gate.accept());
        assert!(timeout(Duration::from_millis(50), next.as_mut()).await.is_err());
        drop(held);
        timeout(DEADLINE, next).await.unwrap();
    }

    #[tokio::test]
    async fn a_peer_that_reads_nothing_is_disconnected_and_a_slow_reader_is_not() {
        let gate = Gate::inner(listen("127.0.0.1:0").await.unwrap(), 10);
        let mut reader = connect(&gate).await;
        let (mut connection, _) = gate.accept().await;
        connection.stalled_max = Duration::from_millis(200);
        let whole = vec![b'x'; 32 << 20];
        let reading = async {
            let mut read = 0;
            while read < whole.len() {
                // Slowly, but steadily.
                tokio::task::yield_now().await;
                read += reader.read(&mut [0; 1 << 16]).await.unwrap();
            }
            reader
        };
        let (written, _reader) = tokio::join!(connection.write_all(&whole), reading);
        written.unwrap();
        // The peer stops reading.
        let stalled = timeout(DEADLINE, connection.write_all(&whole)).await.expect("given up");
        assert_eq!(stalled.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    #[test]
    fn connections_leave_files_for_the_rest() {
        for (open_files_max, expected) in
            [(256, 128), (1_024, 512), (4_096, 3_072), (1 << 20, CONNECTIONS_MAX)]
        {
            assert_eq!(connections_max(open_files_max), expected);
        }
    }
}
