//! Clients that send a byte a second, and clients that never read: they delay nobody else, and are
//! disconnected.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use http::Method;
use rondo_testkit::http::Client;
use rondo_testkit::process::open_files_raised;
use rondo_testkit::wait::eventually;
use rondo_tests::arrangement::Up;
use rondo_tests::story::{self, User};
use rondo_wasm_host::app::INSTANCE_WAIT_S_MAX;
use serde_json::json;
use socket2::{Domain, Socket, Type};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

/// Clients that send a byte a second, half of them within the head and half within the body.
const SLOW: usize = 2_000;
/// Clients that read nothing of a long response.
const DEAF: usize = 200;
/// Tasks in the long response, and characters of each one's description.
const TASKS: usize = 200;
const DESCRIPTION: usize = 2_000;
/// Further open files that the test needs.
const FILES_BESIDE: usize = 300;
/// Time limit for disconnecting all of them: heads and bodies after 15 s, unread responses after 30 s.
const CUT: Duration = Duration::from_secs(60);
/// Pause between two requests of another client.
const PAUSE: Duration = Duration::from_millis(50);

#[tokio::test(flavor = "multi_thread")]
async fn slow_clients_delay_nobody_else() {
    let slow = SLOW.min(open_files_raised().saturating_sub(DEAF + FILES_BESIDE));
    let mut up = Up::start("stall", &[("TRUSTED_PROXIES", "127.0.0.1".to_owned())]).await;
    let address: SocketAddr = up.http().trim_start_matches("http://").parse().expect("an address");
    let [hog, other] = [
        story::register(&up.http(), "hog@example.org").await,
        story::register(&up.http(), "other@example.org").await,
    ];
    let description = "d".repeat(DESCRIPTION);
    for _ in 0..TASKS {
        let task = json!({"title": "Water the plants", "description": description});
        hog.client.post("/api/tasks", &task).await.expect("an answer").expect(201);
    }
    let mut alone = Vec::new();
    for _ in 0..100 {
        alone.push(served(&other).await);
    }

    let mut deaf = Vec::new();
    for number in 0..DEAF {
        deaf.push(deaf_client(address, &hog, number).await);
    }
    let mut hogs = Vec::new();
    for number in 0..slow {
        hogs.push(slow_client(address, number).await);
    }
    in_flight(&up, slow / 4).await;

    // Another client sends requests until all of them are disconnected.
    let is_over = Arc::new(AtomicBool::new(false));
    let asking = tokio::spawn({
        let is_over = is_over.clone();
        async move {
            let mut beside = Vec::new();
            let mut pace = tokio::time::interval(PAUSE);
            while !is_over.load(Ordering::Relaxed) {
                pace.tick().await;
                beside.push(served(&other).await);
            }
            beside
        }
    });
    let mut second = tokio::time::interval(Duration::from_secs(1));
    let begun = Instant::now();
    while !(hogs.is_empty() && deaf.is_empty()) {
        second.tick().await;
        // Data for a closed connection is answered by a reset.
        for hogs in [&mut hogs, &mut deaf] {
            hogs.retain(|hog: &TcpStream| {
                let failed = hog
                    .try_write(b"x")
                    .is_err_and(|error| error.kind() != std::io::ErrorKind::WouldBlock);
                !failed
            });
        }
        assert!(begun.elapsed() < CUT, "{} slow and {} deaf are left", hogs.len(), deaf.len());
    }
    is_over.store(true, Ordering::Relaxed);
    let beside = asking.await.expect("everything was answered in time");
    assert!(beside.len() > 100, "only {} requests", beside.len());
    println!("95th percentile: {:?} alone, {:?} beside the hogs", p95(alone), p95(beside));
    up.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_without_a_token_take_no_room() {
    /// Together more than one address may hold.
    const UPLOADS: usize = 12;
    const BODY_BYTES: usize = 900_000;
    let mut up = Up::start("upload", &[("TRUSTED_PROXIES", "127.0.0.1".to_owned())]).await;
    let address = up.http().trim_start_matches("http://").to_owned();
    let user = story::register(&up.http(), "ada@example.org").await;
    let mut body = json!({"title": "t"}).to_string();
    body.push_str(&" ".repeat(BODY_BYTES));
    let mut uploads = Vec::new();
    for _ in 0..UPLOADS {
        let mut stream = TcpStream::connect(&address).await.expect("a connection");
        let head = format!(
            "POST /api/tasks HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 203.0.113.50\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len() + 1
        );
        stream.write_all(head.as_bytes()).await.expect("a reader");
        stream.write_all(body.as_bytes()).await.expect("a reader");
        uploads.push(stream);
    }
    in_flight(&up, UPLOADS).await;
    let post = async |client: &Client| {
        let client = client.with_header("x-forwarded-for", "203.0.113.50");
        let request = client.request(Method::POST, "/api/tasks");
        let request = request.header("content-type", "application/json");
        request.body(body.clone()).send().await.expect("an answer")
    };
    post(&user.client).await.expect(201);
    // The order of the checks is the same as for small bodies.
    post(&Client::new(up.http())).await.expect(401);
    drop(uploads);
    up.stop().await;
}

/// Waits until more than `wanted` requests are in flight.
async fn in_flight(up: &Up, wanted: usize) {
    let operator = Client::new(up.http());
    eventually("the slow ones to be at work", CUT, async || {
        let metrics = operator.get("/metrics").await.expect("an answer").text();
        let line = "rondo_http_requests_in_flight ";
        let found = metrics.lines().find_map(|found| found.strip_prefix(line));
        let found: usize = found.and_then(|number| number.parse().ok()).unwrap_or(0);
        if found > wanted { Ok(()) } else { Err(found) }
    })
    .await;
}

/// Sends one request that reads and one that writes, and returns their duration. Without a free instance, a
/// request would be refused after its wait.
async fn served(user: &User) -> Duration {
    let begun = Instant::now();
    user.client.get("/api/tags").await.expect("an answer").expect(200);
    let task = json!({"title": "t"});
    user.client.post("/api/tasks", &task).await.expect("an answer").expect(201);
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(INSTANCE_WAIT_S_MAX), "held up for {took:?}");
    took
}

fn p95(mut taken: Vec<Duration>) -> Duration {
    taken.sort_unstable();
    taken[taken.len() * 95 / 100]
}

/// A client that requests a long list and reads nothing; each from an address of its own.
async fn deaf_client(address: SocketAddr, user: &User, number: usize) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    // As little as a distant client accepts without reading; on loopback it would be megabytes.
    socket.set_recv_buffer_size(4 << 10).expect("a size");
    socket.set_tcp_mss(1_400).expect("a size");
    socket.connect(&address.into()).expect("a connection");
    socket.set_nonblocking(true).expect("a socket");
    let mut stream = TcpStream::from_std(socket.into()).expect("a connection");
    let request = format!(
        "GET /api/tasks?limit=500 HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 203.0.113.{number}\r\n\
         Authorization: Bearer {}\r\n\r\n",
        user.token
    );
    stream.write_all(request.as_bytes()).await.expect("a reader");
    stream
}

/// A client that has begun a request and continues with a byte a second.
async fn slow_client(address: SocketAddr, number: usize) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    let begin = if number.is_multiple_of(2) {
        format!(
            "POST /api/auth/login HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 198.51.100.{}\r\n\
             Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{{",
            number % 256
        )
    } else {
        "GET /api/tasks HTTP/1.1\r\nHost: x\r\nX-Slow: ".to_owned()
    };
    stream.write_all(begin.as_bytes()).await.expect("a reader");
    stream
}
