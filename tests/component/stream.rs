//! Streamed responses: they arrive part by part, and end properly only if the component did.

use std::time::Duration;

use rondo_tests::probe::Probe;
use rondo_wasm_host::app::{CallLimits, Options};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::upstream::{SECONDS, Upstream};

/// The end of a chunked body.
const END: &str = "0\r\n\r\n";

/// A client that reads a response as it comes.
struct Reader {
    stream: TcpStream,
    read: String,
}

impl Reader {
    async fn post(probe: &Probe, path: &str, body: &str) -> Self {
        let mut stream = TcpStream::connect(probe.address).await.expect("a connection");
        let length = body.len();
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).await.expect("a reader");
        Self { stream, read: String::new() }
    }

    /// Reads up to a text, which has not been read before.
    async fn until(&mut self, text: &str) {
        assert!(!self.read.contains(text), "too early: {}", self.read);
        while !self.read.contains(text) {
            assert!(self.more().await, "{text:?} is missing: {}", self.read);
        }
    }

    /// Reads to the end of the connection.
    async fn end(mut self) -> String {
        while self.more().await {}
        self.read
    }

    async fn more(&mut self) -> bool {
        let mut bytes = [0; 4096];
        let read = tokio::time::timeout(SECONDS, self.stream.read(&mut bytes)).await;
        // A broken connection may also be reset.
        let count = read.expect("in time").unwrap_or(0);
        self.read.push_str(&String::from_utf8_lossy(&bytes[..count]));
        count > 0
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_arrives_before_the_component_has_ended() {
    let mut upstream = Upstream::start().await;
    let probe = Probe::asking(&upstream.origin, Options::default()).await;
    let mut reader = Reader::post(&probe, "/stream/ask", &upstream.origin).await;
    reader.until("data: one\n\n").await;
    // Only now is there more to write.
    upstream.next().await.answer("two").await;
    let read = reader.end().await;
    assert!(read.contains("data: 200 two\n\n") && read.ends_with(END), "{read}");
    let head = read.split("\r\n\r\n").next().unwrap_or_default().to_ascii_lowercase();
    for line in [
        "http/1.1 200 ok",
        "content-type: text/event-stream",
        "transfer-encoding: chunked",
        "cache-control: no-store",
        "x-content-type-options: nosniff",
        "content-security-policy: default-src 'none'; frame-ancestors 'none'",
    ] {
        assert!(head.lines().any(|known| known == line), "{line} in {head}");
    }
    assert!(head.contains("\r\nx-request-id: "), "{head}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_that_fails_breaks_the_connection() {
    let call = CallLimits { own: Duration::from_millis(200), ..CallLimits::default() };
    let options = Options { call, ..Options::default() };
    let probe = Probe::asking("http://127.0.0.1:1", options).await;
    for path in ["/stream/trap", "/stream/loop"] {
        let read = Reader::post(&probe, path, "").await.end().await;
        assert!(read.contains("data: one\n\n"), "{path}: {read}");
        assert!(!read.ends_with(END), "{path} ends properly: {read}");
    }
    // Other media types are still complete or replaced.
    let read = Reader::post(&probe, "/stream/other", "").await.end().await;
    assert!(read.starts_with("HTTP/1.1 500 "), "{read}");
    assert!(!read.contains("one"), "{read}");
    probe.client.get("/hello").await.expect("an answer").expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_goes_on_without_its_client() {
    let mut upstream = Upstream::start().await;
    let probe = Probe::asking(&upstream.origin, Options::default()).await;
    let mut reader = Reader::post(&probe, "/stream/ask", &upstream.origin).await;
    reader.until("data: one\n\n").await;
    let exchange = upstream.next().await;
    drop(reader);
    exchange.answer("two").await;
    // It writes until it learns that the client has gone, and only then asks.
    let mut reader = Reader::post(&probe, "/stream/leave", &upstream.origin).await;
    reader.until("data: one\n\n").await;
    assert!(upstream.is_idle());
    drop(reader);
    upstream.next().await.answer("three").await;
}
