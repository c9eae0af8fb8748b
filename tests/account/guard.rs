//! Refused callers: every protected route refuses forged tokens. Attempts at passwords are limited, and an
//! attacker cannot lock an owner out.

use rondo_testkit::http::{Client, Response};
use rondo_testkit::process::Program;
use rondo_tests::arrangement::{self, Arrangement as _, Up};
use rondo_tests::forgery::{SECRET, claims, forged, signed};
use rondo_tests::story::{self, PASSWORD, SOON};
use serde_json::{Value, json};

/// A protected route of each component, with the status of a successful response.
const ROUTES: [(&str, &str, u16); 7] = [
    ("GET", "/api/tasks", 200),
    ("POST", "/api/tasks", 201),
    ("GET", "/api/notifications", 200),
    ("GET", "/api/audit/logs", 200),
    ("POST", "/api/recurrence/preview", 200),
    ("GET", "/api/auth/me", 200),
    ("GET", "/api/auth/tokens", 200),
];

#[tokio::test(flavor = "multi_thread")]
async fn forged_tokens_open_nothing() {
    let mut up = Up::start("forged", &[("JWT_SECRET", SECRET.to_owned())]).await;
    let user = story::register(&up.http(), "ada@example.org").await;
    let http = Client::new(up.http());
    for (method, path, good) in ROUTES {
        ask(&user.client, method, path).await.expect(good);
        ask(&http, method, path).await.expect(401);
    }
    for (what, token) in forged(user.id) {
        for (method, path, _) in ROUTES {
            let answer = ask(&http.with_token(&token), method, path).await;
            assert_eq!(answer.status.as_u16(), 401, "{what} at {path}: {}", answer.text());
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"), "{what} at {path}");
        }
    }
    let (head, payload) = (r#"{"alg":"HS256"}"#, claims(user.id, "", 60));
    let powerless = signed(head, &payload, SECRET.as_bytes());
    for (method, path, _) in &ROUTES[..5] {
        let answer = ask(&http.with_token(&powerless), method, path).await.expect(403);
        assert_eq!(answer.json()["code"], "missing_scope", "{path}");
    }
    let tasks = user.client.get("/api/tasks").await.expect("an answer").json();
    assert_eq!(tasks.as_array().map(Vec::len), Some(1), "refused requests leave no trace");
    up.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn attempts_at_passwords_are_limited() {
    let trusted = [("TRUSTED_PROXIES", "127.0.0.1".to_owned())];
    let mut up = Up::start("throttle", &trusted).await;
    let email = "victim@example.org";
    story::register(&up.http(), email).await;
    story::register(&up.http(), "other@example.org").await;
    let url = up.http();
    let login = async |address: &str, email: &str, password: &str| {
        let body = json!({"email": email, "password": password});
        from(&url, address).post("/api/auth/login", &body).await.expect("an answer")
    };
    // After five wrong passwords for an account from an address, even the right one is refused unchecked.
    for _ in 0..5 {
        login("198.51.100.1", email, "wrong password").await.expect(401);
    }
    throttled(&login("198.51.100.1", email, PASSWORD).await);
    throttled(&login("198.51.100.1", "VICTIM@example.org", PASSWORD).await);
    // An account that does not exist behaves the same.
    for _ in 0..5 {
        login("198.51.100.1", "nobody@example.org", "wrong password").await.expect(401);
    }
    throttled(&login("198.51.100.1", "nobody@example.org", PASSWORD).await);
    login("198.51.100.1", "other@example.org", PASSWORD).await.expect(200);
    login("203.0.113.7", email, PASSWORD).await.expect(200);

    // An attack from many addresses: each address has one attempt left, and the owner is not locked out.
    for host in 1..=30 {
        login(&format!("192.0.2.{host}"), email, "wrong password").await.expect(401);
    }
    login("192.0.2.100", email, "wrong password").await.expect(401);
    throttled(&login("192.0.2.100", email, "wrong password").await);
    for _ in 0..3 {
        login("203.0.113.7", email, PASSWORD).await.expect(200);
    }

    // The counts survive a restart.
    up.stop().await;
    up.start_again().await;
    throttled(&login("198.51.100.1", email, PASSWORD).await);
    login("203.0.113.7", email, PASSWORD).await.expect(200);
    up.stop().await;
}

/// Rate limits so high that they do not interfere; the limit on registrations stays.
const HIGH: &str = "user=100000,address=100000";

#[tokio::test(flavor = "multi_thread")]
async fn registrations_are_limited() {
    let settings = [("TRUSTED_PROXIES", "127.0.0.1".to_owned()), ("RATE_LIMITS", HIGH.to_owned())];
    let mut up = Up::start("registrations", &settings).await;
    let url = up.http();
    let register = async |address: &str, email: &str| {
        let body = json!({"email": email, "password": PASSWORD});
        from(&url, address).post("/api/auth/register", &body).await.expect("an answer")
    };
    // Ten in all, successful or not, so that probing for taken addresses is limited too.
    for number in 0..5 {
        register("198.51.100.9", &format!("user{number}@example.org")).await.expect(201);
    }
    for number in 0..5 {
        register("198.51.100.9", &format!("user{number}@example.org")).await.expect(409);
    }
    throttled(&register("198.51.100.9", "another@example.org").await);
    throttled(&register("198.51.100.9", "user0@example.org").await);
    // A refused form does not count as an attempt.
    let body = json!({"email": "another@example.org", "password": "short"});
    let guessing = from(&url, "203.0.113.7");
    for _ in 0..11 {
        guessing.post("/api/auth/register", &body).await.expect("an answer").expect(422);
    }
    register("203.0.113.7", "another@example.org").await.expect(201);

    // From many addresses at once: a thousand in an hour.
    let session = arrangement::session(&up.postgres()).await;
    let sql = "UPDATE throttles SET hits = 1000 WHERE key = 'register'";
    assert_eq!(session.execute(sql, &[]).await.expect("a count"), 1);
    throttled(&register("203.0.113.8", "late@example.org").await);
    up.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_invitation_nobody_registers() {
    let mut up = Up::start("invited", &[("REGISTRATION", "invite".to_owned())]).await;
    let url = up.http();
    let http = Client::new(&url);
    let register = async |email: &str, invitation: Value| {
        let body = json!({"email": email, "password": PASSWORD, "invitation": invitation});
        http.post("/api/auth/register", &body).await.expect("an answer")
    };
    let refused = |answer: Response, code: &str| {
        assert_eq!(answer.expect(403).json()["code"], code);
    };
    refused(register("a@example.org", Value::Null).await, "invitation_invalid");
    refused(register("a@example.org", json!("made up")).await, "invitation_invalid");

    // By the operator, for anyone and for one address.
    let any = invite(&up, &[]).await;
    register("root@example.org", json!(any)).await.expect(201);
    refused(register("a@example.org", json!(any)).await, "invitation_invalid");
    let one = invite(&up, &["Friend@example.org"]).await;
    refused(register("a@example.org", json!(one)).await, "invitation_invalid");
    register("friend@Example.org", json!(one)).await.expect(201);

    // By an administrator, and nobody else.
    let root = story::login(&url, "root@example.org").await;
    let path = "/api/auth/invitations";
    let nobody = root.client.post(path, &json!({})).await.expect("an answer").expect(403);
    assert_eq!(nobody.json()["code"], "missing_scope");
    let grant = "SELECT scope_grant('root@example.org', 'admin', true)";
    let session = arrangement::session(&up.postgres()).await;
    session.execute(grant, &[]).await.expect("a grant");
    let root = story::login(&url, "root@example.org").await;
    let made = root.client.post(path, &json!({})).await.expect("an answer").expect(201).json();
    // An expired invitation is refused; of two concurrent uses, one succeeds.
    let expired = root.client.post(path, &json!({"email": null})).await.expect("an answer");
    let expired = expired.expect(201).json();
    let hash = rondo_contract::secret::hash(expired["invitation"].as_str().expect("a token"));
    let sql = "UPDATE invitations SET expires_at = now() WHERE token_hash = $1";
    assert_eq!(session.execute(sql, &[&hash]).await.expect("an invitation"), 1);
    refused(register("a@example.org", expired["invitation"].clone()).await, "invitation_invalid");
    let (one, other) = tokio::join!(
        register("a@example.org", made["invitation"].clone()),
        register("b@example.org", made["invitation"].clone()),
    );
    let mut statuses = [one, other].map(|answer| answer.status.as_u16());
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 403]);
    up.stop().await;

    let mut up = Up::start("closed", &[("REGISTRATION", "off".to_owned())]).await;
    let http = Client::new(up.http());
    let answer = http.post("/api/auth/register", &json!({})).await.expect("an answer");
    refused(answer, "registration_closed");
    up.stop().await;
}

/// What `rondo user invite` prints.
async fn invite(up: &Up, email: &[&str]) -> String {
    let program = Program::built("rondo").arguments(["user", "invite"]).arguments(email.iter());
    let mut process = program.env("DATABASE_URL", up.postgres()).start();
    let token = process.line("an invitation", SOON, |line| line.len() == 43).await;
    assert!(process.exit(SOON).await.success(), "{}", process.log());
    token
}

/// Requests per minute of a user and of an address, below.
const BY_USER: usize = 2;
const BY_ADDRESS: usize = 20;

#[tokio::test(flavor = "multi_thread")]
async fn an_exhausted_client_learns_when_to_retry() {
    let limits = format!("user={BY_USER},address={BY_ADDRESS}");
    let mut up = Up::start("rate", &[("RATE_LIMITS", limits)]).await;
    let [often, seldom] = [
        story::register(&up.http(), "often@example.org").await,
        story::register(&up.http(), "seldom@example.org").await,
    ];
    until_refused(BY_USER, async |_| often.client.get("/api/tags").await).await;
    // Another user is not affected.
    seldom.client.get("/api/tags").await.expect("an answer").expect(200);
    // A client cannot choose its address: no proxy is trusted here.
    until_refused(0, async |asked| {
        let client =
            Client::new(up.http()).with_header("x-forwarded-for", &format!("10.0.0.{asked}"));
        client.get("/api/tags").await
    })
    .await;
    up.stop().await;
}

/// Sends requests until one is refused, after at least `at_least` successful ones.
async fn until_refused<E: std::fmt::Debug>(
    at_least: usize,
    ask: impl AsyncFn(usize) -> Result<Response, E>,
) {
    // More than the bucket holds: on a slow machine it refills meanwhile.
    for asked in 0..10 * BY_ADDRESS {
        let answer = ask(asked).await.expect("an answer");
        let quota = answer.header("ratelimit").expect("a quota");
        assert!(answer.header("ratelimit-policy").is_some_and(|policy| policy.contains(";q=")));
        if answer.status == 429 {
            assert!(asked >= at_least, "refused after {asked}");
            assert!(quota.contains(";r=0"), "{quota}");
            return throttled(&answer);
        }
    }
    panic!("never refused");
}

fn throttled(answer: &Response) {
    assert_eq!(answer.status.as_u16(), 429, "{}", answer.text());
    assert_eq!(answer.json()["code"], "too_many_requests");
    let wait_s: u64 = answer.header("retry-after").and_then(|s| s.parse().ok()).expect("seconds");
    assert!((1..=3600).contains(&wait_s), "{wait_s}");
}

/// A client behind the trusted proxy. The entry before its own address is invented, and so is its header
/// about the peer, which the host sets itself.
fn from(url: &str, address: &str) -> Client {
    Client::new(url)
        .with_header("x-forwarded-for", &format!("10.9.8.7, {address}"))
        .with_header("spin-client-addr", "203.0.113.66:1")
}

async fn ask(client: &Client, method: &str, path: &str) -> Response {
    let answer = match path {
        _ if method == "GET" => client.get(path).await,
        "/api/tasks" => client.post(path, &json!({"title": "t"})).await,
        _ => {
            let rule = json!({"recurrence_rule": {"frequency": "daily"}, "count": 1});
            client.post(path, &rule).await
        }
    };
    answer.expect("an answer")
}
