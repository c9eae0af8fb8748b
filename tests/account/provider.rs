//! Logins through an OpenID provider, and Rondo's own tokens signed with a private key.

use std::time::{SystemTime, UNIX_EPOCH};

use rondo_testkit::http::Client;
use rondo_testkit::smtp::SmtpServer;
use rondo_testkit::wait::eventually;
use rondo_testkit::websocket::{Frame, WebSocket};
use rondo_tests::account;
use rondo_tests::arrangement::Up;
use rondo_tests::forgery::signed;
use rondo_tests::provider::{Key, Provider};
use rondo_tests::story::{self, PASSWORD};
use serde_json::{Value, json};

const AUDIENCE: &str = "rondo-api";

#[tokio::test(flavor = "multi_thread")]
async fn an_openid_provider_can_replace_passwords() {
    let provider = Provider::start().await;
    let (rsa, ec, (ed, _)) = (Key::rsa("r"), Key::p256("e"), Key::ed25519("o"));
    provider.publish(&[&rsa, &ec, &ed]);
    let smtp = SmtpServer::start().await;
    let mut up = Up::start("provider", &environment(&provider, &smtp)).await;
    let http = Client::new(up.http());
    story::register(&up.http(), "here@example.org").await;
    account::verify(&up.http(), &smtp, "here@example.org").await;

    // The same person with each algorithm; the first token creates the user.
    let claims = |subject: &str| {
        json!({"iss": provider.url, "aud": AUDIENCE, "sub": subject, "exp": now_s() + 600,
               "iat": now_s(), "email": format!("{subject}@example.org"), "email_verified": true,
               "name": "A"})
    };
    let mut ids = Vec::new();
    for key in [&rsa, &ec, &ed] {
        let me = accepted(&http, &key.sign(&claims("there"))).await;
        assert_eq!(me["email"], "there@example.org");
        assert_eq!(me["email_verified"], true);
        ids.push(me["id"].clone());
    }
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    let there = http.with_token(&rsa.sign(&claims("there")));
    there.post("/api/tasks", &json!({"title": "t"})).await.expect("an answer").expect(201);
    // It names no scope of Rondo's, so it allows tasks and nothing else.
    there.get("/api/audit/logs").await.expect("an answer").expect(403);
    there.patch("/api/auth/me", &json!({"name": "B"})).await.expect("an answer").expect(403);
    there.get("/api/webhooks").await.expect("an answer").expect(403);
    let mut whole = claims("there");
    whole["scp"] = json!(["tasks:read", "tasks:write", "audit:read"]);
    let whole = http.with_token(&rsa.sign(&whole));
    whole.get("/api/audit/logs").await.expect("an answer").expect(200);
    whole.patch("/api/auth/me", &json!({"name": "B"})).await.expect("an answer").expect(200);
    follows(&up, &ec.sign(&claims("there"))).await;

    // A verified account here is not opened by the same address at the provider.
    let me = accepted(&http, &rsa.sign(&claims("here"))).await;
    assert_eq!((&me["email"], &me["notifications"]["email"]), (&Value::Null, &Value::Bool(false)));
    // Nor by a look-alike address.
    story::register(&up.http(), "kin@kiosk.example").await;
    account::verify(&up.http(), &smtp, "kin@kiosk.example").await;
    let mut alike = claims("alike");
    alike["email"] = json!("KIN@\u{212a}iosk.example");
    let me = accepted(&http, &rsa.sign(&alike)).await;
    assert_eq!(me["email"], Value::Null);
    refused(&http, &rsa, &claims, &ec).await;
    lesser(&http, &rsa, &claims).await;

    // Without the provider its keys stay valid; a withdrawn key is not.
    provider.fail();
    up.stop().await;
    up.start_again().await;
    let http = Client::new(up.http());
    accepted(&http, &rsa.sign(&claims("there"))).await;
    let fresh = Key::rsa("fresh");
    provider.publish(&[&fresh, &ec]);
    up.stop().await;
    up.start_again().await;
    let http = Client::new(up.http());
    let me = accepted(&http, &fresh.sign(&claims("there"))).await;
    assert_eq!(me["id"], ids[0]);
    let old = http.with_token(&rsa.sign(&claims("there")));
    old.get("/api/auth/me").await.expect("an answer").expect(401);
    up.stop().await;
}

/// The settings of an installation with the provider.
fn environment(provider: &Provider, smtp: &SmtpServer) -> [(&'static str, String); 4] {
    [
        ("OIDC_ISSUER", provider.url.clone()),
        ("OIDC_AUDIENCE", AUDIENCE.to_owned()),
        ("OIDC_ALLOW_LOOPBACK", "true".to_owned()),
        ("SMTP_URL", smtp.url()),
    ]
}

/// A user with a verified address at the provider takes it from an account that never verified it. That
/// account keeps no access and gets no further mail.
#[tokio::test(flavor = "multi_thread")]
async fn a_provider_takes_an_address_from_an_unverified_account() {
    let (provider, smtp) = (Provider::start().await, SmtpServer::start().await);
    let key = Key::p256("e");
    provider.publish(&[&key]);
    let mut up = Up::start("squatter", &environment(&provider, &smtp)).await;
    let http = Client::new(up.http());
    let email = "grace@example.org";
    let body = json!({"email": email, "password": PASSWORD});
    let session = http.post("/api/auth/register", &body).await.expect("an answer").expect(201);
    let session = session.json();
    let squatter = http.with_token(session["access_token"].as_str().expect("a token"));
    let body = json!({"name": "t", "scopes": ["tasks:read"]});
    let made = squatter.post("/api/auth/tokens", &body).await.expect("an answer").expect(201);
    let verification = account::mailed_token(&smtp, email, account::VERIFY, 1).await;

    let claims = json!({"iss": provider.url, "aud": AUDIENCE, "sub": "g", "exp": now_s() + 600,
                        "iat": now_s(), "email": "Grace@example.org", "email_verified": true});
    let grace = accepted(&http, &key.sign(&claims)).await;
    assert_eq!(
        (&grace["email"], &grace["email_verified"]),
        (&json!("Grace@example.org"), &json!(true))
    );
    assert_ne!(grace["id"], session["user"]["id"]);

    let api_token = http.with_token(made.json()["token"].as_str().expect("a token"));
    api_token.get("/api/tasks").await.expect("an answer").expect(401);
    let refresh = json!({"refresh_token": session["refresh_token"]});
    http.post("/api/auth/refresh", &refresh).await.expect("an answer").expect(401);
    squatter.post("/api/auth/tokens", &body).await.expect("an answer").expect(401);
    let login = json!({"email": email, "password": PASSWORD});
    http.post("/api/auth/login", &login).await.expect("an answer").expect(401);
    let body = json!({"token": verification});
    http.post(account::VERIFY, &body).await.expect("an answer").expect(422);
    up.stop().await;
}

/// Live sync accepts the token too.
async fn follows(up: &Up, token: &str) {
    let url = format!("{}?token={token}&since=0", up.ws());
    let mut device = WebSocket::connect(&url).await.expect("a session");
    for expected in ["welcome", "task.snapshot"] {
        assert_eq!(device.next(story::SOON).await.json()["type"], expected);
    }
    device.close().await;
}

/// Tokens with one fault each.
async fn refused(http: &Client, rsa: &Key, claims: &impl Fn(&str) -> Value, ec: &Key) {
    let with = |member: &str, value: Value| {
        let mut claims = claims("there");
        claims[member] = value;
        rsa.sign(&claims)
    };
    let stranger = Key::rsa("r");
    let renamed = {
        let mut key = Key::p256("x");
        key.public["kid"] = "r".into();
        key
    };
    for (what, token) in [
        ("for somebody else", with("aud", "other".into())),
        ("for nobody", with("aud", Value::Null)),
        ("another issuer", with("iss", "https://other.example".into())),
        ("as our own", with("iss", "rondo".into())),
        ("expired", with("exp", (now_s() - 1).into())),
        ("not yet valid", with("nbf", (now_s() + 600).into())),
        ("of nobody", with("sub", "".into())),
        ("an ID token", with("nonce", "n-0S6_WzA2Mj".into())),
        ("an ID token by its issue", with("azp", AUDIENCE.into())),
        ("a logout token", with("events", json!({}))),
        ("a stranger's key of that name", stranger.sign(&claims("there"))),
        ("a key of another kind by that name", renamed.sign(&claims("there"))),
        ("changed", ec.sign(&claims("there")).replacen('.', ".e", 1)),
    ] {
        let answer = http.with_token(&token).get("/api/auth/me").await.expect("an answer");
        assert_eq!(answer.status.as_u16(), 401, "{what}: {}", answer.text());
    }
}

/// If a token names scopes of Rondo's, it allows only those, and never an operator's.
async fn lesser(http: &Client, rsa: &Key, claims: &impl Fn(&str) -> Value) {
    let mut claims = claims("there");
    claims["scope"] = "openid tasks:read admin".into();
    let client = http.with_token(&rsa.sign(&claims));
    client.get("/api/tasks").await.expect("an answer").expect(200);
    let token = json!({"name": "more", "scopes": ["tasks:write"]});
    for answer in [
        client.post("/api/tasks", &json!({"title": "t"})).await,
        client.get("/api/audit/logs").await,
        client.post("/api/auth/tokens", &token).await,
        client.patch("/api/auth/me", &json!({"name": "B"})).await,
    ] {
        answer.expect("an answer").expect(403);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn own_tokens_may_be_signed_with_a_private_key() {
    let (_, private) = Key::ed25519("one");
    let (other, _) = Key::ed25519("two");
    let mut public = private.clone();
    public.as_object_mut().expect("a key").remove("d");
    let environment = [
        ("JWT_SIGNING_KEY", private.to_string()),
        ("JWT_PUBLIC_KEYS", json!({"keys": [public]}).to_string()),
    ];
    let mut up = Up::start("signing-key", &environment).await;
    let user = story::register(&up.http(), "ada@example.org").await;
    for path in ["/api/tasks", "/api/audit/logs", "/api/notifications", "/api/auth/me"] {
        user.client.get(path).await.expect("an answer").expect(200);
    }
    user.client.post("/api/tasks", &json!({"title": "t"})).await.expect("an answer").expect(201);
    follows(&up, &user.token).await;
    let claims = json!({"sub": user.id.to_string(), "iss": "rondo", "iat": now_s(),
                        "exp": now_s() + 600, "scope": "tasks:read"});
    let forged = Client::new(up.http()).with_token(&other.sign(&claims));
    forged.get("/api/tasks").await.expect("an answer").expect(401);
    // The secret in the data folder signs no valid token here.
    let kept = std::fs::read_to_string(up.folder.path().join("data/secrets")).expect("secrets");
    let kept = kept.lines().find_map(|line| line.strip_prefix("jwt_secret=")).expect("a secret");
    let token = signed(r#"{"alg":"HS256","typ":"JWT"}"#, &claims, kept.as_bytes());
    let forged = Client::new(up.http()).with_token(&token);
    for path in ["/api/tasks", "/api/audit/logs", "/api/notifications", "/api/auth/me"] {
        forged.get(path).await.expect("an answer").expect(401);
    }
    let device = WebSocket::connect(&format!("{}?token={token}", up.ws())).await;
    let end = device.expect("a handshake").next(story::SOON).await;
    assert!(matches!(end, Frame::Closed { code: 4401, .. }), "{end:?}");
    let body = json!({"email": "ada@example.org", "password": PASSWORD});
    let http = Client::new(up.http());
    http.post("/api/auth/login", &body).await.expect("an answer").expect(200);
    up.stop().await;
}

/// The account of a token, as soon as the provider's keys are available.
async fn accepted(http: &Client, token: &str) -> Value {
    let client = http.with_token(token);
    eventually("a token to be accepted", story::SOON, async || {
        let answer = client.get("/api/auth/me").await.map_err(|error| error.to_string())?;
        if answer.status == 200 { Ok(answer.json()) } else { Err(answer.text()) }
    })
    .await
}

fn now_s() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time after 1970");
    i64::try_from(since.as_secs()).expect("a time in range")
}
