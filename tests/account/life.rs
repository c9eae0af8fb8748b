//! The life of an account as its owner sees it: registration, verification, login and logout, a forgotten
//! password, and API tokens.

use rondo_testkit::http::{Client, Response};
use rondo_testkit::smtp::SmtpServer;
use rondo_testkit::wait::eventually;
use rondo_tests::account::{RESET, VERIFY, mailed_token, mailed_tokens};
use rondo_tests::arrangement::Up;
use rondo_tests::story::{self, PASSWORD};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn the_life_of_an_account() {
    let smtp = SmtpServer::start().await;
    let mut up = Up::start("account", &[("SMTP_URL", smtp.url())]).await;
    let http = Client::new(up.http());
    sessions(&http).await;
    mails(&http, &smtp).await;
    profile(&http).await;
    look_alikes(&http).await;
    api_tokens(&http).await;
    nothing_secret_is_kept(&up).await;
    up.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_but_the_verification_goes_to_an_unverified_address() {
    let smtp = SmtpServer::start().await;
    let environment = [
        ("SMTP_URL", smtp.url()),
        ("REQUIRE_VERIFIED_EMAIL", "true".to_owned()),
        ("PUBLIC_URL", "https://tasks.example/".to_owned()),
    ];
    let mut up = Up::start("unverified", &environment).await;
    let user = story::register(&up.http(), "eve@example.org").await;
    let due =
        json!({"title": "Unseen", "due_date": story::from_now(600), "reminder_offset": "PT1H"});
    user.client.post("/api/tasks", &due).await.expect("an answer").expect(201);
    eventually("a decision about the reminder", story::SOON, async || {
        let history = user.client.get("/api/notifications").await.map_err(|e| e.to_string())?;
        let history = history.json();
        if history[0]["status"] == "cancelled" { Ok(()) } else { Err(history.to_string()) }
    })
    .await;
    // A user who has forgotten the password without ever verifying gets the verification again.
    let forgot = json!({"email": "eve@example.org"});
    post(&user.client, "/api/auth/password/forgot", &forgot, 202).await;
    let token = mailed_token(&smtp, "eve@example.org", VERIFY, 2).await;
    assert_eq!(smtp.mails().len(), 2, "two verifications and nothing else");
    assert!(smtp.mails()[0].body().contains("https://tasks.example/#/verify/"));

    post(&user.client, VERIFY, &json!({"token": token}), 204).await;
    post(&user.client, "/api/auth/password/forgot", &forgot, 202).await;
    mailed_token(&smtp, "eve@example.org", RESET, 1).await;
    up.stop().await;
}

/// Sends a POST and expects a status.
async fn post(client: &Client, path: &str, body: &Value, status: u16) -> Response {
    client.post(path, body).await.expect("an answer").expect(status)
}

fn token(answer: &Value, name: &str) -> Value {
    assert!(answer[name].as_str().is_some_and(|token| !token.is_empty()), "{name}");
    answer[name].clone()
}

async fn refresh(http: &Client, token: &Value, status: u16) -> Value {
    let body = json!({"refresh_token": token});
    post(http, "/api/auth/refresh", &body, status).await.json()
}

async fn login(http: &Client, email: &str, password: &str, status: u16) -> Value {
    let body = json!({"email": email, "password": password});
    post(http, "/api/auth/login", &body, status).await.json()
}

async fn sessions(http: &Client) {
    let body = json!({"email": "Ada@Example.org", "password": PASSWORD, "name": "Ada"});
    let answer = post(http, "/api/auth/register", &body, 201).await;
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let first = answer.json();
    assert_eq!(first["token_type"], "Bearer");
    assert_eq!(first["expires_in"], 900);
    let taken = json!({"email": "ADA@example.ORG", "password": PASSWORD});
    assert_eq!(post(http, "/api/auth/register", &taken, 409).await.json()["code"], "email_taken");

    // A weak password is refused with an explanation.
    let weak = json!({"email": "weak@example.org", "password": "password"});
    let weak = post(http, "/api/auth/register", &weak, 422).await.json();
    assert_eq!(weak["errors"][0]["pointer"], "/password");
    assert_eq!(weak["errors"][0]["code"], "weak_password");
    let detail = weak["errors"][0]["detail"].as_str().unwrap_or_default();
    assert!(detail.contains("Add another word or two."), "{detail}");

    // The e-mail's case does not matter. Wrong credentials get the same response, whatever is wrong.
    let second = login(http, "aDa@eXample.org", PASSWORD, 200).await;
    assert_eq!(second["user"]["email"], "Ada@Example.org");
    let mut wrong = login(http, "ada@example.org", "incorrect horse", 401).await;
    let mut unknown = login(http, "nobody@example.org", "incorrect horse", 401).await;
    wrong["request_id"].take();
    unknown["request_id"].take();
    assert_eq!(wrong, unknown);

    // A refresh token works once; a second use ends its session and no other.
    let rotated = refresh(http, &token(&first, "refresh_token"), 200).await;
    let me = http.with_token(rotated["access_token"].as_str().unwrap_or_default());
    me.get("/api/auth/me").await.expect("an answer").expect(200);
    refresh(http, &first["refresh_token"], 401).await;
    refresh(http, &token(&rotated, "refresh_token"), 401).await;
    let second = refresh(http, &token(&second, "refresh_token"), 200).await;

    // Of two concurrent uses, one comes too late, and the session ends.
    let again = json!({"refresh_token": second["refresh_token"]});
    let (one, other) = tokio::join!(
        http.post("/api/auth/refresh", &again),
        http.post("/api/auth/refresh", &again),
    );
    let mut statuses = [one, other].map(|answer| answer.expect("an answer").status.as_u16());
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 401]);

    let third = login(http, "ada@example.org", PASSWORD, 200).await;
    let logout = json!({"refresh_token": third["refresh_token"]});
    post(http, "/api/auth/logout", &logout, 204).await;
    post(http, "/api/auth/logout", &logout, 204).await;
    refresh(http, &third["refresh_token"], 401).await;
    refresh(http, &json!("x".repeat(300)), 401).await;
    listed_sessions(http).await;
}

/// A session is listed with its program until it ends, and only its user can end it.
async fn listed_sessions(http: &Client) {
    let phone =
        login(&http.with_header("user-agent", "Phone/1.0"), "ada@example.org", PASSWORD, 200).await;
    let laptop = login(http, "ada@example.org", PASSWORD, 200).await;
    let me = http.with_token(laptop["access_token"].as_str().unwrap_or_default());
    let list = async || me.get("/api/auth/sessions").await.expect("an answer").expect(200).json();
    let known = list().await;
    let of_phone = |listed: &Value| -> Option<Value> {
        let found = listed.as_array()?.iter().find(|session| session["id"] == phone["session_id"]);
        found.cloned()
    };
    assert_eq!(of_phone(&known).expect("the phone's session")["program"], "Phone/1.0");
    assert_eq!(known[0]["id"], laptop["session_id"], "the one used last");

    // Renewing a session leaves it the same.
    let phone_again = refresh(http, &phone["refresh_token"], 200).await;
    assert_eq!(phone_again["session_id"], phone["session_id"]);
    assert_eq!(list().await[0]["id"], phone["session_id"]);
    assert_eq!(list().await.as_array().map(Vec::len), known.as_array().map(Vec::len));

    let path = format!("/api/auth/sessions/{}", phone["session_id"].as_str().unwrap_or_default());
    let eve = story::register(http.base(), "eve.sessions@example.org").await;
    eve.client.delete(&path).await.expect("an answer").expect(404);
    assert_eq!(
        eve.client
            .get("/api/auth/sessions")
            .await
            .expect("an answer")
            .json()
            .as_array()
            .map(Vec::len),
        Some(1)
    );
    me.delete(&path).await.expect("an answer").expect(204);
    me.delete(&path).await.expect("an answer").expect(404);
    me.delete("/api/auth/sessions/%00").await.expect("an answer").expect(404);
    refresh(http, &phone_again["refresh_token"], 401).await;
    assert_eq!(of_phone(&list().await), None);
}

/// Look-alike addresses are equal, and blank names are refused.
async fn look_alikes(http: &Client) {
    let register = |email: &str| json!({"email": email, "password": PASSWORD});
    post(http, "/api/auth/register", &register("joan@kiosk.example"), 201).await;
    for email in
        ["joan@\u{212a}iosk.example", "JOAN@\u{212a}IOS\u{212a}.example", "joan@ｋiosk.example"]
    {
        let answer = post(http, "/api/auth/register", &register(email), 409).await.json();
        assert_eq!(answer["code"], "email_taken", "{email}");
        login(http, email, PASSWORD, 200).await;
    }
    let session = login(http, "joan@kiosk.example", PASSWORD, 200).await;
    let user = http.with_token(session["access_token"].as_str().unwrap_or_default());
    let nothing = "\u{200b}\u{2800}";
    let token = json!({"name": nothing, "scopes": ["tasks:read"]});
    let refused = post(&user, "/api/auth/tokens", &token, 422).await.json();
    assert_eq!(refused["errors"][0]["code"], "required");
    let patch = user.patch("/api/auth/me", &json!({"name": nothing})).await.expect("an answer");
    assert_eq!(patch.expect(422).json()["errors"][0]["code"], "required");
}

async fn mails(http: &Client, smtp: &SmtpServer) {
    let email = "Grace@example.org";
    let body = json!({"email": email, "password": PASSWORD});
    let session = post(http, "/api/auth/register", &body, 201).await.json();
    let user = http.with_token(session["access_token"].as_str().unwrap_or_default());
    let first = mailed_token(smtp, email, VERIFY, 1).await;
    post(&user, "/api/auth/verify/resend", &json!({}), 202).await;
    let again = mailed_token(smtp, email, VERIFY, 2).await;
    assert_ne!(first, again);

    // Each token works once and for one purpose; using one invalidates the others.
    let as_reset = json!({"token": first, "password": "another horse"});
    post(http, RESET, &as_reset, 422).await;
    post(http, VERIFY, &json!({"token": again}), 204).await;
    for token in [again, first, "no token".to_owned()] {
        let answer = post(http, VERIFY, &json!({"token": token}), 422).await.json();
        assert_eq!(answer["errors"][0]["code"], "invalid_token", "{answer}");
    }
    let me = user.get("/api/auth/me").await.expect("an answer").expect(200).json();
    assert_eq!(me["email_verified"], true);
    // There is nothing to verify, so nothing is sent.
    post(&user, "/api/auth/verify/resend", &json!({}), 202).await;

    for unknown in ["nobody@example.org", "no address at all"] {
        post(http, "/api/auth/password/forgot", &json!({"email": unknown}), 202).await;
    }
    let forgot = json!({"email": "grace@EXAMPLE.org"});
    post(http, "/api/auth/password/forgot", &forgot, 202).await;
    let reset = mailed_token(smtp, email, RESET, 1).await;
    // A refused request does not use the token.
    let short = json!({"token": reset, "password": "short"});
    post(http, RESET, &short, 422).await;
    let weak = json!({"token": reset, "password": email});
    let weak = post(http, RESET, &weak, 422).await.json();
    assert_eq!(weak["errors"][0]["pointer"], "/password");
    assert_eq!(weak["errors"][0]["code"], "weak_password");
    let new = json!({"token": reset, "password": "another horse"});
    post(http, RESET, &new, 204).await;
    post(http, RESET, &new, 422).await;
    refresh(http, &session["refresh_token"], 401).await;
    login(http, email, PASSWORD, 401).await;
    login(http, email, "another horse", 200).await;
    assert_eq!(mailed_tokens(smtp, email, VERIFY).len(), 2);
    assert!(smtp.mails().iter().all(|mail| !mail.to[0].contains("nobody")));

    // The pages behind the links load nothing and do not use the token.
    for path in [VERIFY, RESET] {
        let page = http.get(path).await.expect("an answer").expect(200);
        let policy = page.header("content-security-policy").unwrap_or_default();
        assert!(policy.starts_with("default-src 'none'"), "{policy}");
        assert_eq!(page.header("referrer-policy"), Some("no-referrer"));
    }
}

async fn profile(http: &Client) {
    let user = story::register(http.base(), "hedy@example.org").await.client;
    let patch = json!({"name": "Hedy", "time_zone": "Europe/Vienna",
                       "notifications": {"email": false, "digest_at": "08:00"}});
    user.patch("/api/auth/me", &patch).await.expect("an answer").expect(200);
    let patch =
        json!({"name": null, "notifications": {"digest_at": null}, "id": 99, "email": "x@y"});
    let changed = user.patch("/api/auth/me", &patch).await.expect("an answer").expect(200).json();
    let me = user.get("/api/auth/me").await.expect("an answer").expect(200).json();
    assert_eq!(changed, me);
    assert_eq!(me["email"], "hedy@example.org");
    assert_eq!(me["name"], Value::Null);
    assert_eq!(me["time_zone"], "Europe/Vienna");
    assert_eq!(me["notifications"], json!({"email": false, "digest_at": null}));
    let bad = json!({"time_zone": "Mars", "notifications": {"digest_at": "8"}, "admin": true});
    let answer = user.patch("/api/auth/me", &bad).await.expect("an answer").expect(422).json();
    let pointers: Vec<_> = answer["errors"].as_array().into_iter().flatten().collect();
    let pointers: Vec<_> = pointers.iter().filter_map(|error| error["pointer"].as_str()).collect();
    assert_eq!(pointers, ["/time_zone", "/notifications/digest_at", "/admin"]);
    // The user's own task gets the user's zone.
    let task = post(&user, "/api/tasks", &json!({"title": "t"}), 201).await.json();
    assert_eq!(task["time_zone"], "Europe/Vienna");
}

async fn api_tokens(http: &Client) {
    let user = story::register(http.base(), "mary@example.org").await;
    let other = story::register(http.base(), "joan@example.org").await;
    let make = async |body: Value| post(&user.client, "/api/auth/tokens", &body, 201).await.json();
    let reader = make(json!({"name": "reader", "scopes": ["tasks:read"]})).await;
    let writer = make(json!({"name": "writer", "scopes": ["tasks:write"]})).await;
    let auditor = make(json!({"name": "auditor", "scopes": ["audit:read"]})).await;
    let soon = story::from_now(2);
    let brief = json!({"name": "brief", "scopes": ["tasks:read"], "expires_at": soon});
    let brief = make(brief).await;
    let bad = json!({"name": "", "scopes": ["admin"], "expires_at": story::from_now(-1)});
    post(&user.client, "/api/auth/tokens", &bad, 422).await;

    let path = format!("/api/{}", user.id);
    let as_token = |made: &Value| http.with_token(made["token"].as_str().unwrap_or_default());
    // What each scope allows: reading tasks, writing them, reading the log.
    for (made, opened) in
        [(&reader, [200, 403, 403]), (&writer, [403, 201, 403]), (&auditor, [403, 403, 200])]
    {
        let client = as_token(made);
        let statuses = [
            client.get(&format!("{path}/tasks")).await,
            client.post(&format!("{path}/tasks"), &json!({"title": "by a program"})).await,
            client.get("/api/audit/logs").await,
        ]
        .map(|answer| answer.expect("an answer").status.as_u16());
        assert_eq!(statuses, opened, "{made}");
        let reading = [
            client.get(&format!("{path}/notifications")).await,
            client.get("/api/audit/statistics").await,
        ];
        let reading = reading.map(|answer| answer.expect("an answer").status.as_u16());
        assert_eq!(reading, [opened[0], opened[2]], "{made}");
        // The token may ask for its user's account, but neither change it nor see other users.
        assert_eq!(client.get("/api/auth/me").await.expect("an answer").json()["id"], user.id);
        for answer in [
            client.get("/api/auth/tokens").await,
            client.post("/api/auth/tokens", &json!({"name": "x", "scopes": ["tasks:read"]})).await,
            client.patch("/api/auth/me", &json!({"name": "x"})).await,
            client.post("/api/auth/verify/resend", &json!({})).await,
            client.get("/api/webhooks").await,
            client.post("/api/webhooks", &json!({})).await,
            client.post("/api/auth/password/change", &json!({})).await,
            client.post("/api/auth/invitations", &json!({})).await,
            client.delete(&format!("/api/auth/tokens/{}", made["id"])).await,
            client.get(&format!("/api/{}/tasks", other.id)).await,
            client.get(&format!("/api/audit/logs?user_id={}", other.id)).await,
        ] {
            answer.expect("an answer").expect(403);
        }
    }

    // Shown once, listed without the token, invisible to others.
    let listed = user.client.get("/api/auth/tokens").await.expect("an answer").expect(200).json();
    let names: Vec<_> = listed.as_array().into_iter().flatten().map(|t| &t["name"]).collect();
    assert_eq!(names, ["brief", "auditor", "writer", "reader"]);
    assert!(listed.as_array().into_iter().flatten().all(|token| token["token"].is_null()));
    assert!(listed[3]["last_used_at"].is_string(), "{listed}");
    let others = other.client.get("/api/auth/tokens").await.expect("an answer").json();
    assert_eq!(others, json!([]));
    let of_reader = format!("/api/auth/tokens/{}", reader["id"]);
    other.client.delete(&of_reader).await.expect("an answer").expect(404);
    let is_open = as_token(&reader).get("/api/tasks").await.expect("an answer").status == 200;
    assert!(is_open, "another user's attempt has no effect");

    // A revoked token is invalid from the next request on, and so is an expired one.
    user.client.delete(&of_reader).await.expect("an answer").expect(204);
    as_token(&reader).get("/api/tasks").await.expect("an answer").expect(401);
    user.client.delete(&of_reader).await.expect("an answer").expect(404);
    user.client.delete("/api/auth/tokens/x").await.expect("an answer").expect(404);
    eventually("the end of a token", story::SOON, async || {
        let answer = as_token(&brief).get("/api/tasks").await.map_err(|e| e.to_string())?;
        if answer.status == 401 { Ok(()) } else { Err(answer.status.to_string()) }
    })
    .await;
    as_token(&json!({"token": "rondo_made-up"}))
        .get("/api/tasks")
        .await
        .expect("an answer")
        .expect(401);
}

/// The database contains no token as handed out, and a mail's content is deleted with its outcome.
async fn nothing_secret_is_kept(up: &Up) {
    let endpoints = up.endpoints();
    let url = endpoints["postgres"].as_str().expect("an address");
    let dsn = rondo_database::Dsn::parse(url).expect("an address");
    let options = rondo_database::SessionOptions::default();
    let session = rondo_database::pool::connect(&dsn, &options).await.expect("a session");
    eventually("mails to be out", story::SOON, async || {
        let sql = "SELECT count(*) FROM account_mails WHERE status = 'pending'";
        let pending: i64 = session.query_one(sql, &[]).await.map_err(|e| e.to_string())?.get(0);
        if pending == 0 { Ok(()) } else { Err(format!("{pending} pending")) }
    })
    .await;
    for sql in [
        "SELECT count(*) FROM account_mails WHERE coalesce(subject, body_text, body_html) IS NOT NULL",
        "SELECT count(*) FROM refresh_tokens WHERE token_hash !~ '^[0-9a-f]{64}$'",
        "SELECT count(*) FROM mailed_tokens WHERE token_hash !~ '^[0-9a-f]{64}$'",
        "SELECT count(*) FROM api_tokens WHERE token_hash !~ '^[0-9a-f]{64}$'",
        "SELECT count(*) FROM users WHERE password_hash !~ '^\\$argon2id\\$v=19\\$m=19456,t=2,p=1\\$'",
    ] {
        let count: i64 = session.query_one(sql, &[]).await.expect("a count").get(0);
        assert_eq!(count, 0, "{sql}");
    }
}
