//! Requests of a component to other servers: only to those that are listed, within bounds, and without a database
//! session.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use rondo_telemetry::Metrics;
use rondo_telemetry::metric::{Format, Program};
use rondo_testkit::certificate::Certificate;
use rondo_testkit::database::TestDatabase;
use rondo_testkit::folder::Folder;
use rondo_testkit::http::Response;
use rondo_tests::probe::{Probe, STATEMENT_SEPARATOR};
use rondo_wasm_host::app::{CallLimits, Options};
use rondo_wasm_host::outgoing::OutgoingOptions;
use socket2::{Domain, Socket, Type};

use crate::upstream::{SECONDS, Upstream};

/// A limit that is exceeded by waiting for what never comes.
const SHORT: Duration = Duration::from_millis(200);

fn options(outgoing: OutgoingOptions) -> Options {
    Options { outgoing, ..Options::default() }
}

async fn post(probe: &Probe, path: &str, body: &str) -> Response {
    let request = probe.client.request(http::Method::POST, path);
    request.body(body.to_owned()).send().await.expect("an answer")
}

/// What the component reports about its request.
async fn ask(probe: &Probe, path: &str, url: &str) -> String {
    post(probe, path, url).await.expect(200).text()
}

/// Runs a request of a client's beside what the other server does.
macro_rules! beside {
    ($asking:expr, $serving:expr) => {
        tokio::join!($asking, async { $serving })
    };
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listed_server_is_asked() {
    let mut upstream = Upstream::start().await;
    let probe = Probe::asking(&upstream.origin, Options::default()).await;
    let url = format!("{}/v1/x?y=z#ignored", upstream.origin);
    let (told, head) = beside!(ask(&probe, "/ask", &url), {
        let exchange = upstream.next().await;
        assert_eq!(exchange.body, "question");
        let head = exchange.head.clone();
        exchange.answer("answer").await;
        head
    });
    assert_eq!(told, "200 answer");
    let mut lines: Vec<_> = head.lines().map(str::to_ascii_lowercase).collect();
    assert_eq!(lines.remove(0), "post /v1/x?y=z http/1.1");
    lines.sort();
    let host = upstream.origin.replace("http://", "host: ");
    assert_eq!(
        lines,
        ["connection: close", "content-length: 8", "content-type: text/plain", &*host]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn other_servers_are_refused() {
    let mut upstream = Upstream::start().await;
    let mut other = Upstream::start().await;
    let probe = Probe::asking(&upstream.origin, Options::default()).await;
    let address = upstream.origin.replace("http://", "");
    let port = address.split_once(':').expect("a port").1;
    for url in [
        other.origin.clone(),
        format!("https://{address}"),
        format!("http://localhost:{port}"),
        format!("http://x@{address}"),
        format!("ftp://{address}"),
        format!("http://{address}.example"),
        "http://127.0.0.1".to_owned(),
        address.clone(),
        String::new(),
    ] {
        assert_eq!(ask(&probe, "/ask", &url).await, "Refused", "{url}");
    }
    // A component that lists none.
    assert_eq!(ask(&probe, "/few/ask", &upstream.origin).await, "Refused");
    assert!(upstream.is_idle() && other.is_idle());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_not_followed() {
    let mut upstream = Upstream::start().await;
    let probe = Probe::asking(&upstream.origin, Options::default()).await;
    let origin = upstream.origin.clone();
    let place = format!("{origin}/elsewhere");
    let (told, ()) = beside!(ask(&probe, "/ask", &origin), {
        let mut exchange = upstream.next().await;
        let head = format!("HTTP/1.1 307 Moved\r\nlocation: {place}\r\ncontent-length: 0\r\n\r\n");
        exchange.send(&head).await;
    });
    assert_eq!(told, format!("307{place} "));
    assert!(upstream.is_idle());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_a_trusted_certificate_gets_no_request() {
    let certificate = Certificate::of("127.0.0.1");
    let mut upstream = Upstream::secure(&certificate).await;
    let folder = Folder::new("authorities");
    let authorities = folder.path().join("authority.pem");
    std::fs::write(&authorities, &certificate.authority).expect("the folder is our own");
    let trusting =
        options(OutgoingOptions { authorities: Some(authorities), ..OutgoingOptions::default() });

    let probe = Probe::asking(&upstream.origin, Options::default()).await;
    assert_eq!(ask(&probe, "/ask", &upstream.origin).await, "Tls");
    assert!(upstream.is_idle());

    let origin = upstream.origin.clone();
    let probe = Probe::asking(&origin, trusting.clone()).await;
    let (told, ()) = beside!(ask(&probe, "/ask", &origin), {
        upstream.next().await.answer("answer").await;
    });
    assert_eq!(told, "200 answer");

    // Of another authority, for another name.
    let mut other = Upstream::secure(&Certificate::of("127.0.0.1")).await;
    let probe = Probe::asking(&other.origin, trusting).await;
    assert_eq!(ask(&probe, "/ask", &other.origin).await, "Tls");
    let name = upstream.origin.replace("127.0.0.1", "localhost");
    let probe = Probe::asking(&name, Options::default()).await;
    assert_eq!(ask(&probe, "/ask", &name).await, "Tls");
    assert!(upstream.is_idle() && other.is_idle());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ninth_request_waits_and_is_given_up() {
    let mut upstream = Upstream::start().await;
    for (wait_max, is_given_up) in [(SHORT, true), (SECONDS, false)] {
        let limits = OutgoingOptions { wait_max, ..OutgoingOptions::default() };
        let probe = Probe::asking(&upstream.origin, options(limits)).await;
        let mut asking = Vec::new();
        for _ in 0..8 {
            let (client, url) = (probe.client.clone(), upstream.origin.clone());
            asking.push(tokio::spawn(async move {
                let request = client.request(http::Method::POST, "/ask").body(url);
                request.send().await.expect("an answer").expect(200).text()
            }));
        }
        let mut exchanges = Vec::new();
        for _ in 0..8 {
            exchanges.push(upstream.next().await);
        }
        let origin = upstream.origin.clone();
        if is_given_up {
            assert_eq!(ask(&probe, "/ask", &origin).await, "Busy");
            assert!(upstream.is_idle());
        } else {
            let (told, ()) = beside!(ask(&probe, "/ask", &origin), {
                exchanges.pop().expect("eight").answer("early").await;
                upstream.next().await.answer("late").await;
            });
            assert_eq!(told, "200 late");
        }
        for exchange in exchanges {
            exchange.answer("early").await;
        }
        for told in asking {
            assert_eq!(told.await.expect("no panic"), "200 early");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_has_its_time_and_length() {
    let mut upstream = Upstream::start().await;
    let limits =
        OutgoingOptions { request_max: SHORT, body_bytes_max: 10, ..OutgoingOptions::default() };
    let probe = Probe::asking(&upstream.origin, options(limits)).await;
    let origin = upstream.origin.clone();
    for (sent, expected) in [
        ("", "TimedOut"),
        ("HTTP/1.1 200 OK\r\n", "TimedOut"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\none", "one|TimedOut"),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n", "one|TimedOut"),
        // Its end would be that of the connection.
        ("HTTP/1.1 200 OK\r\n\r\none", "one|TimedOut"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\nelevenbytes", "|TooLong"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\ntenletters", "tenletters|end"),
        ("no HTTP\r\n\r\n", "Broken"),
    ] {
        let (told, exchange) = beside!(ask(&probe, "/ask/parts", &origin), {
            let mut exchange = upstream.next().await;
            exchange.send(sent).await;
            exchange
        });
        assert_eq!(told, expected, "{sent:?}");
        exchange.closed().await;
    }
    let (told, ()) = beside!(ask(&probe, "/ask/parts", &origin), {
        let mut exchange = upstream.next().await;
        exchange.send("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\none").await;
    });
    assert_eq!(told, "one|Broken", "a server that leaves");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_cannot_be_reached_is_given_up() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let address = listener.local_addr().expect("an address");
    let limits = OutgoingOptions { connect_max: SHORT, ..OutgoingOptions::default() };
    // Accepted by the system, but nobody speaks TLS there.
    let silent = format!("https://{address}");
    let probe = Probe::asking(&silent, options(limits)).await;
    assert_eq!(ask(&probe, "/ask", &silent).await, "Unreachable");
    // Bound, so that nobody else listens there.
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).expect("a port");
    let address = socket.local_addr().expect("an address").as_socket().expect("an address");
    let nobody = format!("http://{address}");
    let probe = Probe::asking(&nobody, Options::default()).await;
    assert_eq!(ask(&probe, "/ask", &nobody).await, "Unreachable");
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_for_a_server_is_not_the_components_own_time() {
    let mut upstream = Upstream::start().await;
    let call = CallLimits { own: SHORT, ..CallLimits::default() };
    let probe = Probe::asking(&upstream.origin, Options { call, ..Options::default() }).await;
    let origin = upstream.origin.clone();
    let (told, ()) = beside!(ask(&probe, "/ask", &origin), {
        let exchange = upstream.next().await;
        // It begins later and is stopped at the limit, which the first has then exceeded.
        probe.client.get("/wait").await.expect("an answer").expect(504);
        exchange.answer("late").await;
    });
    assert_eq!(told, "200 late");
    // Computing is, also while an answer is awaited.
    let (stopped, exchange) = beside!(post(&probe, "/ask/loop", &origin), {
        let mut exchange = upstream.next().await;
        exchange.send("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\none").await;
        exchange
    });
    assert_eq!(stopped.expect(504).json()["code"], "deadline");
    exchange.closed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_ends_in_all() {
    let mut upstream = Upstream::start().await;
    let call = CallLimits { whole: SHORT, ..CallLimits::default() };
    let probe = Probe::asking(&upstream.origin, Options { call, ..Options::default() }).await;
    let origin = upstream.origin.clone();
    let (stopped, exchange) = beside!(post(&probe, "/ask", &origin), upstream.next().await);
    assert_eq!(stopped.expect(504).json()["code"], "deadline");
    exchange.closed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_session_waits_for_a_server() {
    let database = TestDatabase::empty().await;
    let dsn = database.admin();
    let granted = format!("{}:{}", dsn.host(), dsn.port());
    let mut upstream = Upstream::start().await;
    let origin = upstream.origin.clone();
    let only_one = Options { sessions_max: 1, ..Options::default() };
    let probe = Probe::with_origin(&dsn.expose_url(), &granted, &origin, only_one).await;
    let (told, ()) = beside!(ask(&probe, "/ask/database", &origin), {
        let exchange = upstream.next().await;
        assert_eq!(probe.sql(&["SELECT 'free'::text"]).await, ["1x1 free"]);
        exchange.answer("answer").await;
    });
    assert_eq!(told, "200 answer");
    // A session in a transaction cannot be given back. It is refused until the component releases it.
    let (told, ()) =
        beside!(ask(&probe, "/ask/held", &origin), upstream.next().await.answer("answer").await);
    assert_eq!(told, "Refused, 200 answer, open");
    let (told, ()) = beside!(ask(&probe, "/ask/within", &origin), {
        let mut first = upstream.next().await;
        first.send("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n").await;
        // The component asks again after its statements.
        upstream.next().await.answer("second").await;
        first.send("first").await;
    });
    assert_eq!(told, "false, open, 200 second, 200 first");
    let idle = ["BEGIN", "SELECT 'still'::text"].join(STATEMENT_SEPARATOR);
    assert!(post(&probe, "/sql", &idle).await.expect(200).text().ends_with("1x1 still"));
}

#[tokio::test(flavor = "multi_thread")]
async fn outcomes_are_counted() {
    let mut upstream = Upstream::start().await;
    let probe = Probe::asking(&upstream.origin, Options::default()).await;
    let metrics = Metrics::new(Program::Host);
    probe.app.watch(&metrics);
    let origin = upstream.origin.clone();
    let (_, ()) = beside!(ask(&probe, "/ask", &origin), upstream.next().await.answer("x").await);
    for _ in 0..2 {
        ask(&probe, "/ask", "http://secret.example/path").await;
    }
    let text = metrics.encode(Format::Prometheus);
    for (outcome, count) in [("answered", 1), ("refused", 2), ("timed_out", 0)] {
        let line = format!(
            "rondo_outgoing_requests_total{{component=\"probe\",outcome=\"{outcome}\"}} {count}"
        );
        assert!(text.lines().any(|known| known == line), "{line} in {text}");
    }
    assert!(!text.contains("secret"));
}
