//! Components that trap, loop, flood or allocate too much: the Wasm host bounds each of them and serves the
//! others meanwhile.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use http::Method;
use rondo_telemetry::Metrics;
use rondo_telemetry::connection::STALLED_WRITE_S_MAX;
use rondo_telemetry::metric::{Format, Program};
use rondo_testkit::http::HttpError;
use rondo_testkit::wait::eventually;
use rondo_tests::probe::{FEW, Probe, event};
use rondo_wasm_host::app::{INSTANCE_WAIT_S_MAX, REQUEST_INSTANCES_MAX};
use rondo_wasm_host::engine::{CALL_S_MAX, INSTANCES_MAX};
use rondo_wasm_host::{CallError, Disposition};
use socket2::{Domain, Socket, Type};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const SECONDS: Duration = Duration::from_secs(10);
const MIB: usize = 1 << 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_component_that_computes_delays_no_other_and_is_stopped() {
    let probe = Probe::alone().await;
    let (begun, batch) = (Instant::now(), [event("loop")]);
    let calculating = async {
        tokio::join!(
            probe.client.get("/loop"),
            probe.client.get("/loop"),
            probe.client.get("/late/loop"),
            probe.app.consume("probe", &batch),
        )
    };
    let others = async {
        // While all of them run.
        while begun.elapsed() < Duration::from_secs(CALL_S_MAX) / 3 {
            probe.client.get("/hello").await.expect("an answer").expect(200);
            // A delayed request would be answered only after they are stopped.
            assert!(begun.elapsed() < Duration::from_secs(CALL_S_MAX), "held up");
        }
    };
    let ((first, second, late, events), ()) = tokio::join!(calculating, others);
    for answer in [first, second, late] {
        assert_eq!(answer.expect("an answer").expect(504).json()["code"], "deadline");
    }
    assert_eq!(events.err(), Some(CallError::Deadline));
    assert!(begun.elapsed() >= Duration::from_secs(CALL_S_MAX));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_that_fails_harms_only_its_own_call() {
    let probe = Probe::alone().await;
    // Nothing is sent before the response is complete, so no client mistakes a part for the whole or waits
    // for an endless one.
    for path in ["/trap", "/memory", "/late/trap", "/late/drop", "/late/flood"] {
        let answer = probe.client.get(path).await.expect("an answer").expect(500);
        assert_eq!(answer.json()["code"], "internal", "{path}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    }
    assert_eq!(probe.client.get("/late/end").await.expect("an answer").expect(200).text(), "whole");

    let consume = async |what: &str| probe.app.consume("probe", &[event(what)]).await;
    assert!(matches!(consume("trap").await, Err(CallError::Trap(_))));
    assert_eq!(
        consume("unavailable").await.err(),
        Some(CallError::Unavailable("as asked".to_owned()))
    );
    assert!(matches!(consume("any").await.as_deref(), Ok([Disposition::Done])));
    let nobody = probe.app.consume("nobody", &[]).await;
    assert!(matches!(nobody, Err(CallError::Unavailable(_))));
    probe.client.get("/hello").await.expect("an answer").expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_free_instance_the_host_refuses_requests_and_events_continue() {
    let probe = Probe::alone().await;
    // As many requests as may run at once.
    let mut waiting = Vec::new();
    for _ in 0..REQUEST_INSTANCES_MAX {
        waiting.push(ask(probe.address, "/wait").await);
    }
    let metrics = Metrics::new(Program::Host);
    probe.app.watch(&metrics);
    let busy = format!("{{component=\"probe\",state=\"busy\"}} {REQUEST_INSTANCES_MAX}\n");
    eventually("all instances to be busy", SECONDS, async || {
        let text = metrics.encode(Format::Prometheus);
        if text.contains(&busy) { Ok(()) } else { Err(text) }
    })
    .await;
    let batch = [event("any")];
    let (answer, events, delivered) = tokio::join!(
        probe.client.get("/hello"),
        probe.app.consume("probe", &batch),
        probe.client.get("/events/hello"),
    );
    let answer = answer.expect("an answer").expect(503);
    assert_eq!(answer.json()["code"], "overloaded");
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert!(matches!(events.as_deref(), Ok([Disposition::Done])), "{:?}", events.err());
    delivered.expect("an answer").expect(200);

    drop(waiting);
    eventually("an instance to be free", Duration::from_secs(2 * CALL_S_MAX), async || {
        let status = probe.client.get("/hello").await.expect("an answer").status;
        if status == 200 { Ok(()) } else { Err(status) }
    })
    .await;
}

/// A connection whose client has sent a request and reads nothing.
async fn ask(address: SocketAddr, path: &str) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    // As little as a distant client accepts without reading; on loopback it would be megabytes.
    socket.set_recv_buffer_size(4 << 10).expect("a size");
    socket.set_tcp_mss(1_400).expect("a size");
    socket.connect(&address.into()).expect("a connection");
    socket.set_nonblocking(true).expect("a socket");
    let mut stream = TcpStream::from_std(socket.into()).expect("a connection");
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("a reader");
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_with_few_instances_leaves_others_theirs() {
    let probe = Probe::alone().await;
    let only = ask(probe.address, &format!("{FEW}/wait")).await;
    let next = format!("{FEW}/hello");
    // Until the first request has its instance, this one may get it.
    eventually("its instance to be taken", SECONDS, async || {
        let status = probe.client.get(&next).await.expect("an answer").status;
        if status == 503 { Ok(()) } else { Err(status) }
    })
    .await;
    for _ in 0..10 {
        probe.client.get("/hello").await.expect("an answer").expect(200);
    }
    drop(only);
    let free = Duration::from_secs(2 * CALL_S_MAX);
    eventually("its instance to be free", free, async || {
        let status = probe.client.get(&next).await.expect("an answer").status;
        if status == 200 { Ok(()) } else { Err(status) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_reads_nothing_holds_no_instance_and_is_disconnected() {
    let probe = Probe::alone().await;
    let mut hogs = Vec::new();
    for _ in 0..INSTANCES_MAX + 10 {
        hogs.push(ask(probe.address, "/large").await);
    }
    // A delayed request would be refused, or answered only after the components are stopped.
    for _ in 0..50 {
        let begun = Instant::now();
        probe.client.get("/hello").await.expect("an answer").expect(200);
        assert!(begun.elapsed() < Duration::from_secs(INSTANCE_WAIT_S_MAX), "held up");
    }
    // The same component's large response, for a client that reads.
    let whole = probe.client.get("/large").await.expect("an answer").expect(200);
    assert_eq!(whole.body.len(), MIB);
    // Data for a connection that the host has closed is answered by a reset.
    let cut = Duration::from_secs(STALLED_WRITE_S_MAX) + SECONDS;
    let last = hogs.last_mut().expect("a hog");
    eventually("a hog to be cut", cut, async || match last.write_all(b"x").await {
        Err(_) => Ok(()),
        Ok(()) => Err("it is there"),
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_has_a_limit_however_it_is_sent() {
    let probe = Probe::alone().await;
    for (length, status) in
        [(0, 200), (MIB, 200), (MIB + 1, 413), (MIB + 70_000, 413), (5 * MIB, 413), (15 * MIB, 413)]
    {
        let body = vec![b'x'; length];
        let sized = probe.client.request(Method::POST, "/body").body(body).send().await;
        let sized = sized.expect("an answer").expect(status);
        if status == 200 {
            assert_eq!(sized.text(), length.to_string());
        }
        let chunked = post_in_chunks(&probe, length).await;
        assert!(chunked.starts_with(&format!("HTTP/1.1 {status}")), "{length}: {chunked}");
    }
}

/// Sends a body in chunks of at most 64 KiB, and returns the whole response.
async fn post_in_chunks(probe: &Probe, length: usize) -> String {
    let mut stream = TcpStream::connect(probe.address).await.expect("a connection");
    let mut request = b"POST /body HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
                        transfer-encoding: chunked\r\n\r\n"
        .to_vec();
    for chunk in vec![b'x'; length].chunks(64 << 10) {
        request.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        request.extend_from_slice(chunk);
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"0\r\n\r\n");
    stream.write_all(&request).await.expect("a reader");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_has_a_limit() {
    let probe = Probe::alone().await;
    let long = "x".repeat(200_000);
    let request = probe.client.request(Method::GET, "/hello").header("x-long", &long);
    match request.send().await {
        Ok(answer) => assert_eq!(answer.status, 431),
        // The host does not read the rest, so the client may still be sending when it closes.
        Err(error) => assert!(matches!(error, HttpError::Connection(_)), "{error}"),
    }
    let mut request = probe.client.request(Method::GET, "/hello");
    for number in 0..101 {
        request = request.header(&format!("x-{number}"), "y");
    }
    assert_eq!(request.send().await.expect("an answer").status, 431);
}

#[tokio::test(flavor = "multi_thread")]
async fn components_set_caching_and_security_headers_themselves() {
    let probe = Probe::alone().await;
    for (path, status) in [("/hello", 200), ("/nowhere", 404)] {
        let answer = probe.client.get(path).await.expect("an answer").expect(status);
        for (name, value) in [
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{path}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_host_sets_spins_headers() {
    let probe = Probe::alone().await;
    let request = probe.client.request(Method::GET, "/headers").header("x-kept", "1");
    let request = request.header("spin-client-addr", "made up").header("spin-other", "made up");
    let shown = request.send().await.expect("an answer").expect(200).text();
    let lines: Vec<_> = shown.lines().collect();
    assert!(lines.contains(&"x-kept: 1"), "{shown}");
    assert!(lines.contains(&"spin-path-info: /headers"), "{shown}");
    assert!(lines.contains(&"spin-raw-component-route: /..."), "{shown}");
    let url = format!("spin-full-url: {}/headers", probe.client.base());
    assert!(lines.contains(&url.as_str()), "{shown}");
    assert!(shown.contains("spin-client-addr: 127.0.0.1:"), "{shown}");
    assert!(!shown.contains("made up") && !shown.contains("forwarded"), "{shown}");
    for (path, status) in [("/.well-known/spin/health", 200), ("/.well-known/spin/info", 404)] {
        probe.client.get(path).await.expect("an answer").expect(status);
    }
}
