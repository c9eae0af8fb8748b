//! What an intruder keeps after an owner has proven that the account is theirs: no access, and no messages.
//! The intruder may have come before the owner or beside them.

use rondo_testkit::http::{Client, Response};
use rondo_testkit::receiver::Receiver;
use rondo_testkit::smtp::SmtpServer;
use rondo_testkit::wait::eventually;
use rondo_tests::account::{self, RESET, VERIFY, is_to, mailed_token};
use rondo_tests::arrangement::Up;
use rondo_tests::story::{self, PASSWORD, SOON};
use serde_json::{Value, json};

const EMAIL: &str = "grace@example.org";
const NEW_PASSWORD: &str = "another horse";

/// An installation with readable mails, whose webhooks may lead to this machine.
struct Stage {
    up: Up,
    smtp: SmtpServer,
    http: Client,
}

impl Stage {
    async fn start(name: &str, more: &[(&str, String)]) -> Self {
        let smtp = SmtpServer::start().await;
        let settings = [("SMTP_URL", smtp.url()), ("WEBHOOK_ALLOW_LOOPBACK", "true".to_owned())];
        let up = Up::start(name, &[&settings, more].concat()).await;
        let http = Client::new(up.http());
        Self { up, smtp, http }
    }

    async fn post(&self, path: &str, body: &Value, status: u16) -> Response {
        post(&self.http, path, body, status).await
    }

    async fn login(&self, password: &str, status: u16) -> Value {
        let body = json!({"email": EMAIL, "password": password});
        self.post("/api/auth/login", &body, status).await.json()
    }

    /// Sets a new password with the `number`-th mailed token.
    async fn reset(&self, password: &str, number: usize) {
        self.post("/api/auth/password/forgot", &json!({"email": EMAIL}), 202).await;
        let token = mailed_token(&self.smtp, EMAIL, RESET, number).await;
        self.post(RESET, &json!({"token": token, "password": password}), 204).await;
    }

    /// Waits for `count` mails with this subject.
    async fn await_mails(&self, subject: &str, count: usize) {
        eventually(subject, SOON, async || match self.mails(subject) {
            found if found == count => Ok(()),
            found => Err(format!("{found} mails")),
        })
        .await;
    }

    fn mails(&self, subject: &str) -> usize {
        let is_it = |mail: &&rondo_testkit::smtp::Mail| {
            is_to(mail, EMAIL) && mail.header("Subject").is_some_and(|found| found == subject)
        };
        self.smtp.mails().iter().filter(is_it).count()
    }
}

async fn post(client: &Client, path: &str, body: &Value, status: u16) -> Response {
    client.post(path, body).await.expect("an answer").expect(status)
}

/// An intruder's access to another user's account, prepared to last.
struct Foothold {
    session: Client,
    refresh_token: Value,
    api_token: Client,
    webhook: i64,
    receiver: Receiver,
}

impl Foothold {
    async fn of(stage: &Stage, session: &Value) -> Self {
        let client = |token: &Value| stage.http.with_token(token.as_str().expect("a token"));
        let receiver = Receiver::start().await;
        let user = client(&session["access_token"]);
        let made = post(&user, "/api/auth/tokens", &api_token(), 201).await.json();
        let webhook = post(&user, "/api/webhooks", &webhook(&receiver.url()), 201).await.json();
        let foothold = Self {
            session: user,
            refresh_token: session["refresh_token"].clone(),
            api_token: client(&made["token"]),
            webhook: webhook["id"].as_i64().expect("an id"),
            receiver,
        };
        foothold.holds().await;
        foothold
    }

    async fn holds(&self) {
        self.api_token.get("/api/tasks").await.expect("an answer").expect(200);
        let received = self.receiver.received().len();
        post(&self.session, "/api/tasks", &json!({"title": "told"}), 201).await;
        self.receiver.await_received(received + 1, SOON).await;
    }

    /// Nothing is left of it except reading, until the access token expires.
    async fn is_gone(&self, stage: &Stage, owner: &Client) {
        self.api_token.get("/api/tasks").await.expect("an answer").expect(401);
        self.loses_session(stage).await;
        let left = owner.get(&format!("/api/webhooks/{}", self.webhook)).await;
        let left = left.expect("an answer").expect(200).json();
        assert_eq!(left["disabled_reason"], "recovery", "{left}");
        let received = self.receiver.received().len();
        post(owner, "/api/tasks", &json!({"title": "secret"}), 201).await;
        // A webhook of the owner receives the same event, so the delivery round is over.
        let own = Receiver::start().await;
        post(owner, "/api/webhooks", &webhook(&own.url()), 201).await;
        post(owner, "/api/tasks", &json!({"title": "another secret"}), 201).await;
        own.await_received(1, SOON).await;
        assert_eq!(self.receiver.received().len(), received, "the intruder still receives events");
    }

    /// The session can neither continue nor do anything sensitive.
    async fn loses_session(&self, stage: &Stage) {
        let refresh = json!({"refresh_token": self.refresh_token});
        stage.post("/api/auth/refresh", &refresh, 401).await;
        let path = format!("/api/webhooks/{}", self.webhook);
        let elsewhere = webhook("https://elsewhere.example/");
        let change = json!({"current_password": PASSWORD, "new_password": "whatever it takes"});
        let session = &self.session;
        for answer in [
            session.post("/api/auth/tokens", &api_token()).await,
            session.post("/api/auth/password/change", &change).await,
            session.post("/api/webhooks", &elsewhere).await,
            session.patch(&path, &json!({"enabled": true})).await,
            session.post(&format!("{path}/test"), &json!({})).await,
        ] {
            let answer = answer.expect("an answer").expect(401);
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
        }
    }
}

fn api_token() -> Value {
    json!({"name": "t", "scopes": ["tasks:read"]})
}

fn webhook(url: &str) -> Value {
    json!({"url": url, "events": ["task.created"]})
}

/// An intruder registers the owner's address, creates a token and a webhook, and waits.
#[tokio::test(flavor = "multi_thread")]
async fn a_squatter_loses_everything_when_the_owner_comes() {
    let mut stage = Stage::start("squat", &[]).await;
    let body = json!({"email": EMAIL, "password": PASSWORD});
    let session = stage.post("/api/auth/register", &body, 201).await.json();
    let squatter = Foothold::of(&stage, &session).await;

    // The owner follows the link of the unrequested mail.
    let verification = mailed_token(&stage.smtp, EMAIL, VERIFY, 1).await;
    stage.post(VERIFY, &json!({"token": verification}), 204).await;
    squatter.loses_session(&stage).await;
    squatter.api_token.get("/api/tasks").await.expect("an answer").expect(401);

    // The intruder still has the password, and logs in again, until the owner sets another.
    let again = stage.login(PASSWORD, 200).await;
    let again = Foothold::of(&stage, &again).await;
    stage.reset(NEW_PASSWORD, 1).await;
    stage.login(PASSWORD, 401).await;
    let owner = stage.login(NEW_PASSWORD, 200).await;
    let owner = stage.http.with_token(owner["access_token"].as_str().expect("a token"));
    again.is_gone(&stage, &owner).await;
    stage.up.stop().await;
}

/// A logged-in user who verifies the address is the one who registered, so nothing of theirs ends.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_verifies_its_own_account_continues() {
    let mut stage = Stage::start("verify", &[]).await;
    let body = json!({"email": EMAIL, "password": PASSWORD});
    let session = stage.post("/api/auth/register", &body, 201).await.json();
    let own = Foothold::of(&stage, &session).await;
    let other = story::register(&stage.up.http(), "eve@example.org").await;
    let verification = mailed_token(&stage.smtp, EMAIL, VERIFY, 1).await;
    post(&own.session, VERIFY, &json!({"token": verification}), 204).await;
    own.holds().await;
    post(&own.session, "/api/auth/tokens", &api_token(), 201).await;

    // A session of another account counts as none.
    let verification = mailed_token(&stage.smtp, "eve@example.org", VERIFY, 1).await;
    post(&own.session, VERIFY, &json!({"token": verification}), 204).await;
    post(&other.client, "/api/auth/tokens", &api_token(), 401).await;
    post(&own.session, "/api/auth/tokens", &api_token(), 201).await;
    stage.up.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changing_the_password_keeps_only_its_session() {
    let required = [("REQUIRE_VERIFIED_EMAIL", "true".to_owned())];
    let mut stage = Stage::start("change", &required).await;
    let owner = story::register(&stage.up.http(), EMAIL).await.client;
    // Until the address is verified, it gets only the verification mail.
    post(&owner, "/api/auth/tokens", &api_token(), 201).await;
    account::verify(&stage.up.http(), &stage.smtp, EMAIL).await;
    let intruder = Foothold::of(&stage, &stage.login(PASSWORD, 200).await).await;
    stage.await_mails("A new API token", 1).await;
    stage.await_mails("A new webhook", 1).await;
    let hook = intruder.receiver.url();
    assert!(stage.smtp.mails().iter().all(|mail| !mail.body().contains(&hook)), "the whole URL");

    let owner = stage.login(PASSWORD, 200).await;
    let owner = stage.http.with_token(owner["access_token"].as_str().expect("a token"));
    let change =
        |current: &str, new: &str| json!({"current_password": current, "new_password": new});
    const CHANGE: &str = "/api/auth/password/change";
    let wrong = post(&owner, CHANGE, &change("incorrect horse", NEW_PASSWORD), 422).await.json();
    assert_eq!(wrong["errors"][0]["pointer"], "/current_password");
    assert_eq!(wrong["errors"][0]["code"], "wrong_password");
    post(&owner, CHANGE, &change(PASSWORD, "short"), 422).await;
    post(&stage.http, CHANGE, &change(PASSWORD, NEW_PASSWORD), 401).await;

    let pair = post(&owner, CHANGE, &change(PASSWORD, NEW_PASSWORD), 200).await;
    assert_eq!(pair.header("cache-control"), Some("no-store"));
    let pair = pair.json();
    stage.await_mails("Your password has been changed", 1).await;
    intruder.loses_session(&stage).await;
    stage.login(PASSWORD, 401).await;
    stage.login(NEW_PASSWORD, 200).await;
    // The session in the response may do everything; the older token may not.
    post(&owner, "/api/auth/tokens", &api_token(), 401).await;
    let owner = stage.http.with_token(pair["access_token"].as_str().expect("a token"));
    post(&owner, "/api/auth/tokens", &api_token(), 201).await;
    let refresh = json!({"refresh_token": pair["refresh_token"]});
    stage.post("/api/auth/refresh", &refresh, 200).await;

    // Attempts at the present password are limited like those of a login.
    for _ in 0..5 {
        post(&owner, CHANGE, &change("incorrect horse", "whatever it takes"), 422).await;
    }
    let answer = post(&owner, CHANGE, &change(NEW_PASSWORD, "whatever it takes"), 429).await;
    assert!(answer.header("retry-after").is_some());
    stage.up.stop().await;
}
