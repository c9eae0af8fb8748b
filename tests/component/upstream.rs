//! Another server, whose answers the test writes byte by byte: what arrives is its signal, and no time.

use std::time::Duration;

use rondo_testkit::certificate::Certificate;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// How long a test waits before it fails.
pub const SECONDS: Duration = Duration::from_secs(20);

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// The server; ends when dropped.
pub struct Upstream {
    /// Such as `http://127.0.0.1:4711`.
    pub origin: String,
    exchanges: mpsc::UnboundedReceiver<Exchange>,
    _serving: JoinSet<()>,
}

/// A request that awaits its answer.
pub struct Exchange {
    /// Request line and headers.
    pub head: String,
    pub body: String,
    stream: Box<dyn Stream>,
}

impl Upstream {
    pub async fn start() -> Self {
        Self::serve(None).await
    }

    /// The same over TLS.
    pub async fn secure(certificate: &Certificate) -> Self {
        Self::serve(Some(certificate.clone())).await
    }

    async fn serve(tls: Option<Certificate>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let scheme = if tls.is_some() { "https" } else { "http" };
        let origin = format!("{scheme}://{}", listener.local_addr().expect("an address"));
        let (sender, exchanges) = mpsc::unbounded_channel();
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (tls, sender) = (tls.clone(), sender.clone());
                connections.spawn(async move {
                    let stream: Box<dyn Stream> = match tls {
                        Some(tls) => match tls.acceptor().accept(stream).await {
                            Ok(stream) => Box::new(stream),
                            Err(_) => return,
                        },
                        None => Box::new(stream),
                    };
                    if let Some(exchange) = Exchange::read(stream).await {
                        let _ = sender.send(exchange);
                    }
                });
            }
        });
        Self { origin, exchanges, _serving: serving }
    }

    /// Waits for the next request.
    pub async fn next(&mut self) -> Exchange {
        let next = tokio::time::timeout(SECONDS, self.exchanges.recv()).await;
        next.expect("a request").expect("the server runs")
    }

    /// Whether there was no further request.
    pub fn is_idle(&mut self) -> bool {
        self.exchanges.try_recv().is_err()
    }
}

impl Exchange {
    /// None if the client says nothing that could be answered.
    async fn read(mut stream: Box<dyn Stream>) -> Option<Self> {
        let mut bytes = Vec::new();
        loop {
            let text = String::from_utf8_lossy(&bytes);
            if let Some((head, body)) = text.split_once("\r\n\r\n")
                && body.len() >= content_length(head)
            {
                let (head, body) = (head.to_owned(), body.to_owned());
                return Some(Self { head, body, stream });
            }
            if stream.read_buf(&mut bytes).await.ok()? == 0 {
                return None;
            }
        }
    }

    /// Sends bytes as they are.
    pub async fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.expect("a reader");
        self.stream.flush().await.expect("a reader");
    }

    /// Answers with 200 and a body.
    pub async fn answer(mut self, body: &str) {
        let length = body.len();
        self.send(&format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{body}")).await;
    }

    /// Waits until the client closes the connection.
    pub async fn closed(mut self) {
        let end = tokio::time::timeout(SECONDS, self.stream.read_to_end(&mut Vec::new())).await;
        // A reset closes it, too.
        let _ = end.expect("the client closes the connection");
    }
}

fn content_length(head: &str) -> usize {
    let lines = head.lines().filter_map(|line| line.split_once(": "));
    let mut lengths = lines.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    lengths.next().map_or(0, |(_, value)| value.parse().expect("a length"))
}
