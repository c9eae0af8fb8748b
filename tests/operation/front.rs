//! The front of `rondo up` and `rondo host` as the public sees it: what it reveals, the headers of every
//! response, allowed origins, and refusals.

use std::io::Read as _;
use std::time::Duration;

use flate2::read::GzDecoder;
use http::Method;
use rondo_testkit::http::{Client, Response};
use rondo_testkit::process::Program;
use rondo_testkit::websocket::{Frame, WebSocket};
use rondo_tests::arrangement::START;
use rondo_tests::operation::Running;
use rondo_tests::{metric, story};
use serde_json::json;

const SOON: Duration = Duration::from_secs(30);
const APP: &str = "https://app.example.org";
const STRANGER: &str = "https://evil.example.org";

async fn get(client: &Client, path: &str) -> Response {
    client.get(path).await.expect("an answer")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_public_sees_neither_metrics_nor_reasons() {
    let settings = [("OPERATIONS_LISTEN", "127.0.0.1:0".to_owned())];
    let rondo = Running::start_at("0.0.0.0:0", "front-public", &settings).await;
    get(&rondo.http, "/metrics").await.expect(404);
    get(&rondo.http, "/health").await.expect(200);
    assert_eq!(get(&rondo.http, "/health/ready").await.expect(200).text(), r#"{"status":"ready"}"#);
    let endpoints = rondo.endpoints();
    let operators = Client::new(endpoints["operations"].as_str().expect("an address"));
    assert!(get(&operators, "/metrics").await.expect(200).text().contains("rondo_outbox_rows "));
    let ready = get(&operators, "/health/ready").await.expect(200);
    assert_eq!(ready.json()["parts"]["database"]["status"], "ready");
    get(&operators, "/health").await.expect(200);
    get(&operators, "/api/docs").await.expect(404);
    rondo.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn responses_have_security_headers_and_refusals_are_counted() {
    let settings = [
        ("PUBLIC_URL", "https://tasks.example.org".to_owned()),
        ("RATE_LIMITS", "address=40,user=20".to_owned()),
        ("TRUSTED_PROXIES", "127.0.0.1".to_owned()),
    ];
    let mut rondo = Running::start("front", &settings).await;
    let user = story::register(rondo.http.base(), "ada@example.org").await;
    let from = |client: &Client, address: &str| client.with_header("x-forwarded-for", address);
    let somebody = from(&rondo.http, "198.51.100.1");

    for (path, status) in [
        ("/", 200),
        ("/api/docs", 200),
        ("/api/auth/verify", 200),
        ("/api/auth/password/reset", 200),
        ("/links/complete?token=forged", 403),
        ("/links/snooze?token=forged", 403),
        ("/links/unsubscribe?token=forged", 403),
    ] {
        let page = get(&somebody, path).await.expect(status);
        guarded(&page, path);
        assert!(
            page.header("content-type").is_some_and(|of| of.starts_with("text/html")),
            "{path}"
        );
        let policy = page.header("content-security-policy").unwrap_or_default();
        // The web client loads its own files, and nothing else.
        let default = if path == "/" { "default-src 'self'" } else { "default-src 'none'" };
        assert!(policy.contains(default), "{path}: {policy}");
        assert!(policy.contains("frame-ancestors 'none'"), "{path}: {policy}");
        assert!(!policy.contains("unsafe-inline"), "{path}: {policy}");
    }
    for path in ["/api/docs", "/api/openapi.json", "/api/asyncapi.json", "/api/docs/page.js"] {
        let document = get(&somebody, path).await.expect(200);
        assert_eq!(document.header("cache-control"), Some("public, max-age=300"), "{path}");
        guarded(&document, path);
    }
    let task = user.client.post("/api/tasks", &json!({"title": "Water the plants"})).await;
    let task = task.expect("an answer").expect(201);
    let path = format!("/api/tasks/{}", task.json()["id"]);
    let unchanged = user.client.request(Method::GET, &path);
    let unchanged = unchanged.header("if-none-match", task.header("etag").expect("a revision"));
    let unchanged = unchanged.send().await.expect("an answer").expect(304);
    for (answer, path) in [
        (task, "/api/tasks"),
        (unchanged, &*path),
        (get(&user.client, "/api/auth/me").await.expect(200), "/api/auth/me"),
        (get(&somebody, "/api/tasks").await.expect(401), "/api/tasks"),
        (get(&somebody, "/nowhere").await.expect(404), "/nowhere"),
        (get(&somebody, "/health").await.expect(200), "/health"),
    ] {
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
        guarded(&answer, path);
    }
    // A request forwarded by a proxy is not an operator's, although the proxy is on loopback.
    get(&somebody, "/metrics").await.expect(404);
    assert_eq!(get(&somebody, "/health/ready").await.expect(200).text(), r#"{"status":"ready"}"#);

    // Each kind of refusal has its own metric, and a log line with the client.
    get(&from(&rondo.http, "203.0.113.1").with_token("made-up"), "/api/tasks").await.expect(401);
    let login = json!({"email": "ada@example.org", "password": "a wrong one"});
    for status in [401, 401, 401, 401, 401, 429] {
        let client = from(&rondo.http, "203.0.113.2");
        client.post("/api/auth/login", &login).await.expect("an answer").expect(status);
    }
    until_429(&from(&rondo.http, "203.0.113.3"), "/nowhere").await;
    until_429(&from(&user.client, "203.0.113.4"), "/api/tags").await;
    let url = format!("{}/ws?token=made-up", rondo.http.base().replace("http://", "ws://"));
    let mut socket = WebSocket::connect(&url).await.expect("a handshake");
    assert!(matches!(socket.next(SOON).await, Frame::Closed { code: 4401, .. }));
    rondo.measured("rondo_refusals_total{status=\"4401\",reason=\"unauthenticated\"} 1").await;
    let figures = get(&rondo.http, "/metrics").await.expect(200).text();
    for (status, reason, client) in [
        (401, "no_token", "198.51.100.1"),
        (401, "invalid_token", "203.0.113.1"),
        (401, "invalid_credentials", "203.0.113.2"),
        (429, "throttled", "203.0.113.2"),
        (429, "rate_address", "203.0.113.3"),
        (429, "rate_user", "203.0.113.4"),
    ] {
        let begin = format!("rondo_refusals_total{{status=\"{status}\",reason=\"{reason}\"}} ");
        let count = figures.lines().find_map(|line| line.strip_prefix(&begin));
        assert_ne!(count.unwrap_or("0"), "0", "{reason}\n{figures}");
        let is_line = |line: &str| {
            let words = [format!("\"reason\":\"{reason}\""), format!("\"client\":\"{client}\"")];
            words.iter().all(|word| line.contains(word)) && line.contains("\"level\":\"info\"")
        };
        rondo.process.line(reason, SOON, is_line).await;
    }
    rondo.stop().await;
}

async fn until_429(client: &Client, path: &str) {
    for _ in 0..400 {
        if get(client, path).await.status == 429 {
            return;
        }
    }
    panic!("{path} is never refused");
}

fn guarded(answer: &Response, what: &str) {
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("strict-transport-security", "max-age=31536000"),
    ] {
        assert_eq!(answer.header(name), Some(value), "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_are_compressed_for_clients_that_accept_gzip() {
    let rondo = Running::start("front-documents", &[]).await;
    for path in [
        "/api/docs",
        "/api/docs/page.css",
        "/api/docs/page.js",
        "/api/docs/swagger-ui.css",
        "/api/docs/swagger-ui-bundle.js",
        "/api/openapi.json",
        "/api/asyncapi.json",
    ] {
        let plain = get(&rondo.http, path).await.expect(200);
        assert_eq!(plain.header("content-encoding"), None, "{path}");
        for (accepted, encoding) in [
            ("gzip, br", Some("gzip")),
            ("br, GZIP;q=0.5", Some("gzip")),
            ("gzip;q=0", None),
            ("identity", None),
        ] {
            let what = format!("{path} for {accepted}");
            // Not checked against the API's document, which describes the content before compression.
            let client =
                Client::of_twin(rondo.http.base()).with_header("accept-encoding", accepted);
            let answer = get(&client, path).await.expect(200);
            assert_eq!(answer.header("vary"), Some("accept-encoding"), "{what}");
            assert_eq!(answer.header("content-encoding"), encoding, "{what}");
            let mut content = Vec::new();
            match encoding {
                Some(_) => {
                    GzDecoder::new(&answer.body[..]).read_to_end(&mut content).expect("gzip")
                }
                None => (&answer.body[..]).read_to_end(&mut content).expect("bytes"),
            };
            assert!(content == plain.body, "{what}: another content");
        }
    }
    rondo.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn web_clients_of_allowed_origins_may_call() {
    let settings = [("CORS_ORIGINS", format!("{APP}, http://127.0.0.1:8080"))];
    let rondo = Running::start("front-cors", &settings).await;
    let user = story::register(rondo.http.base(), "ada@example.org").await;
    called_from_elsewhere(&rondo.http).await;
    let answer = user.client.with_header("origin", APP).get("/api/tasks?count=true").await;
    let answer = answer.expect("an answer").expect(200);
    assert_eq!(answer.header("access-control-allow-origin"), Some(APP));
    let exposed = answer.header("access-control-expose-headers").expect("what may be read");
    for name in ["ETag", "Link", "Location", "X-Total-Count", "X-Request-Id", "Undo-Token"] {
        assert!(exposed.split(", ").any(|other| other == name), "{name} in {exposed}");
    }
    // Without a proxy, HTTPS is unknown.
    assert_eq!(answer.header("strict-transport-security"), None);
    rondo.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rondo_host_has_the_same_front_and_names_a_forgotten_proxy_once() {
    let mut host = Program::built("rondo")
        .arguments(["host", "--listen", "127.0.0.1:0"])
        .env("CORS_ORIGINS", APP)
        .env("COMPONENT_CONNECTIONS", "7")
        .env("SPIN_VARIABLE_PUBLIC_URL", "https://tasks.example.org")
        .env("SPIN_VARIABLE_DATABASE_HOST", "127.0.0.1:1");
    for secret in ["JWT_SECRET", "LINK_SECRET", "EVENT_TOKEN"] {
        let variable = format!("SPIN_VARIABLE_{secret}");
        host = host.env(&variable, "a secret of this test of 32 bytes");
    }
    for role in ["TASK_API", "RECURRENCE", "NOTIFY", "AUDIT", "AUTH", "MCP", "CHAT"] {
        let variable = format!("SPIN_VARIABLE_{role}_DATABASE_URL");
        host = host.env(&variable, "postgres://rondo@127.0.0.1:1/rondo");
    }
    let mut in_text = host.clone().env("RONDO_LOG_FORMAT", "text").start();
    let line = in_text.line("limits as text", START, |line| line.contains(" limits ")).await;
    assert!(
        line.contains(" INFO ") && line.contains("open_files=") && !line.contains('\u{1b}'),
        "{line}"
    );
    in_text.terminate(SOON).await;
    let mut host = host.start();
    let line = host.line("its address", START, |line| line.starts_with("Components at ")).await;
    let http = Client::new(line.trim_start_matches("Components at "));
    called_from_elsewhere(&http).await;
    guarded(&get(&http, "/api/openapi.json").await.expect(200), "the document");
    get(&http.with_token("made-up"), "/api/tasks").await.expect(401);
    host.line("a refusal", SOON, |line| line.contains("\"reason\":\"invalid_token\"")).await;

    let metrics = get(&http, "/metrics").await.expect(200).text();
    metric::assert_complete("host", &metrics);
    let line = "rondo_database_connections_max{pool=\"task-api\"} 7\n";
    assert!(metrics.contains(line), "{metrics}");
    get(&http, "/health").await.expect(200);
    for (path, status) in [("/metrics", 404), ("/health", 404), ("/health/ready", 404)] {
        get(&http.with_header("forwarded", "for=198.51.100.2"), path).await.expect(status);
    }

    let forwarded = http.with_header("x-forwarded-for", "198.51.100.1");
    for _ in 0..3 {
        get(&forwarded, "/api/docs").await.expect(200);
    }
    get(&http.with_token("another"), "/api/audit/logs").await.expect(401);
    let is_warning = |line: &str| line.contains("\"setting\":\"SPIN_VARIABLE_TRUSTED_PROXIES\"");
    let warning = host.line("the warning", SOON, is_warning).await;
    assert!(
        warning.contains("\"peer\":\"127.0.0.1\"") && warning.contains("\"warn\""),
        "{warning}"
    );
    host.terminate(SOON).await;
    let log = host.log();
    assert_eq!(log.lines().filter(|line| is_warning(line)).count(), 1, "{log}");
}

/// What scripts of an allowed origin and of another one can do.
async fn called_from_elsewhere(http: &Client) {
    // A preflight comes from the browser and is no operation of the document.
    let browser = Client::of_twin(http.base());
    let preflight = async |origin: &str| {
        let request = browser.request(Method::OPTIONS, "/api/tasks/1");
        let request = request.header("origin", origin);
        let request = request.header("access-control-request-method", "PATCH");
        request.header("access-control-request-headers", "authorization").send().await
    };
    let answer = preflight(APP).await.expect("an answer").expect(204);
    assert_eq!(answer.header("access-control-allow-origin"), Some(APP));
    assert_eq!(answer.header("access-control-max-age"), Some("86400"));
    assert_eq!(answer.header("access-control-allow-credentials"), None);
    assert!(answer.header("vary").is_some_and(|vary| vary.contains("Origin")));
    let methods = answer.header("access-control-allow-methods").expect("methods");
    assert!(methods.split(", ").any(|method| method == "PATCH"), "{methods}");
    let sent = answer.header("access-control-allow-headers").expect("headers");
    for name in ["Authorization", "Content-Type", "If-Match", "If-None-Match", "Idempotency-Key"] {
        assert!(sent.split(", ").any(|other| other == name), "{name} in {sent}");
    }
    let answer = preflight(STRANGER).await.expect("an answer");
    assert_eq!(answer.header("access-control-allow-origin"), None);
    // A refusal is readable, too.
    let refused = get(&http.with_header("origin", APP), "/api/tasks").await.expect(401);
    assert_eq!(refused.header("access-control-allow-origin"), Some(APP));
    let refused = get(&http.with_header("origin", STRANGER), "/api/tasks").await.expect(401);
    assert_eq!(refused.header("access-control-allow-origin"), None);
    assert_eq!(refused.header("vary"), Some("Origin"));
}
