//! Requests every success of every operation in the served OpenAPI document, with each header that the
//! document names. As in every test, the HTTP client checks the responses against the document.

use std::collections::{BTreeMap, BTreeSet};

use http::Method;
use rondo_contract::link_token::{Link, Purpose};
use rondo_contract::token::HmacKey;
use rondo_testkit::http::{Client, Pending, Response};
use rondo_testkit::smtp::SmtpServer;
use rondo_testkit::wait::eventually;
use rondo_tests::account::{self, RESET, VERIFY};
use rondo_tests::arrangement::Up;
use rondo_tests::described::{Operation, Owner, Trace, operations};
use rondo_tests::story::{self, PASSWORD, SOON};
use serde_json::{Value, json};

const EMAIL: &str = "owner@example.org";
/// The key of links in mails.
const LINK_SECRET: &str = "the key of links while successes are reached";

/// An operation, a status and, if the entry is about one, a header.
type Reached = BTreeSet<(String, u16, Option<String>)>;

#[tokio::test(flavor = "multi_thread")]
async fn every_success_is_reached() {
    let smtp = SmtpServer::start().await;
    let mut up = Up::start(
        "described",
        &[("SMTP_URL", smtp.url()), ("LINK_SECRET", LINK_SECRET.to_owned())],
    )
    .await;
    let http = Client::new(up.http());
    let mut owner = Owner::admin(&up, EMAIL).await;
    remind_twice(&owner).await;
    // With the owner's own, more than a page of one.
    let list = json!({"name": "another"});
    owner.user.client.post("/api/lists", &list).await.expect("an answer").expect(201);
    let operations = operations(&up.http()).await;
    let mut reached = Reached::new();
    for operation in &operations {
        owner.renew_task().await;
        let mut note = |answer: &Response| note(&mut reached, operation, answer);
        match session_body(operation, &http, &smtp).await {
            Some(body) => {
                let client = &owner.user.client;
                note(&sent(operation.ask_with(client, &operation.path, &body)).await);
            }
            None => ask(operation, &owner, &mut note).await,
        }
        // Deleted resources are created again; there is a task for each operation anyway.
        const ENDS_SESSIONS: [&str; 2] = ["resetPassword", "changePassword"];
        if ENDS_SESSIONS.contains(&operation.id.as_str()) {
            owner.user = story::login(&up.http(), EMAIL).await;
        }
        if ["deleteConversation", "deleteSession"].iter().any(|id| operation.id.starts_with(id)) {
            owner.renew_session().await;
        }
        const TAKES_AWAY: [&str; 5] =
            ["deleteApiToken", "deleteFilter", "deleteList", "deleteWebhook", "resetPassword"];
        if TAKES_AWAY.iter().any(|id| operation.id.starts_with(id)) {
            owner = Owner::of(owner.user).await;
        }
    }
    let described: Reached = operations
        .iter()
        .flat_map(|operation| {
            operation.successes.iter().flat_map(|(status, headers)| {
                let headers = headers.iter().cloned().map(Some).chain([None]);
                headers.map(|header| (operation.id.clone(), *status, header))
            })
        })
        .collect();
    let missing: Vec<_> = described.difference(&reached).collect();
    assert!(missing.is_empty(), "never answered: {missing:#?}");
    up.stop().await;
}

/// Headers that differ between any two responses: time, place in a log, and a page's nonce.
const OF_ONE_ANSWER: [&str; 5] =
    ["date", "x-request-id", "ratelimit", "ratelimit-policy", "content-security-policy"];

fn head(answer: &Response) -> Vec<(String, String)> {
    let fields = answer.headers.iter().map(|(name, value)| {
        (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    });
    fields.filter(|(name, _)| !OF_ONE_ANSWER.contains(&name.as_str())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_path_has_head_where_it_has_get_and_options() {
    let settings = [("LINK_SECRET", LINK_SECRET.to_owned()), ("RATE_LIMITS", "off".to_owned())];
    let mut up = Up::start("described-head", &settings).await;
    let nobody = Client::new(up.http());
    let owner = Owner::admin(&up, EMAIL).await;
    let client = &owner.user.client;
    // Wait until lists do not change any more.
    Trace::of(&up).await.tables().await;
    let head_of = async |path: &str| sent(client.request(Method::HEAD, path)).await;
    let mut methods: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for operation in operations(&up.http()).await {
        let of_path = methods.entry(operation.path.clone()).or_default();
        of_path.insert(operation.method.to_string());
        if operation.method != Method::GET {
            continue;
        }
        of_path.insert("HEAD".to_owned());
        let path =
            link(&operation, &owner).unwrap_or_else(|| owner.path(&operation, owner.user.id));
        let whole = sent(client.request(Method::GET, &path)).await;
        let alone = head_of(&path).await;
        assert_eq!((alone.status, head(&alone)), (whole.status, head(&whole)), "{path}");
        assert_eq!(whole.header("content-length"), Some(whole.body.len().to_string().as_str()));
        assert!(alone.body.is_empty() && !whole.body.is_empty(), "{path}");
        // A refusal has the same form.
        if operation.scopes.is_some() {
            let refused = sent(nobody.request(Method::HEAD, &path)).await.expect(401);
            assert!(refused.body.is_empty() && refused.header("www-authenticate").is_some());
        }
    }
    for (path, methods) in &mut methods {
        methods.insert("OPTIONS".to_owned());
        let path = path.replace("{user_id}", &owner.user.id.to_string()).replace(['{', '}'], "");
        let answer = sent(nobody.request(Method::OPTIONS, &path)).await.expect(204);
        let allow = answer.header("allow").unwrap_or_default().split(", ");
        assert_eq!(&allow.map(str::to_owned).collect::<BTreeSet<_>>(), methods, "{path}");
        assert!(answer.body.is_empty() && answer.header("content-length").is_none(), "{path}");
        // Methods that a path lacks, HEAD among them, are refused with the same list.
        for method in [Method::HEAD, Method::GET, Method::DELETE, Method::TRACE] {
            if !methods.contains(method.as_str()) {
                let refused = sent(client.request(method, &path)).await.expect(405);
                assert_eq!(refused.header("allow"), answer.header("allow"), "{path}");
            }
        }
    }
    let page = head_of("/api/tasks?limit=1&count=true").await.expect(200);
    assert_eq!(page.header("x-total-count"), Some("1"));
    let path = format!("/api/tasks/{}", owner.task);
    let tag = head_of(&path).await.expect(200).header("etag").expect("a tag").to_owned();
    let known = client.request(Method::HEAD, &path).header("if-none-match", &tag);
    assert_eq!(sent(known).await.expect(304).header("etag"), Some(tag.as_str()));
    head_of("/api/tasks/0").await.expect(404);
    sent(nobody.request(Method::OPTIONS, "/api/nothing")).await.expect(401);
    sent(client.request(Method::OPTIONS, "/api/nothing")).await.expect(404);
    up.stop().await;
}

fn note(reached: &mut Reached, operation: &Operation, answer: &Response) {
    let status = answer.status.as_u16();
    assert!(status < 400, "{}: {status} {}", operation.id, answer.text());
    reached.insert((operation.id.clone(), status, None));
    let headers = operation.successes.iter().find(|(of, _)| *of == status);
    for header in headers.into_iter().flat_map(|(_, headers)| headers) {
        if answer.header(header).is_some() {
            reached.insert((operation.id.clone(), status, Some(header.clone())));
        }
    }
}

/// Requests everything that an operation can answer.
async fn ask(operation: &Operation, owner: &Owner, note: &mut impl FnMut(&Response)) {
    let client = &owner.user.client;
    let path = link(operation, owner).unwrap_or_else(|| owner.path(operation, owner.user.id));
    let asked = || operation.ask(client, &path);
    if operation.id.starts_with("listTaskHistory") {
        // Two pages, once the audit log has them.
        let task = path.trim_end_matches("/history");
        let changed = client.patch(task, &json!({"title": "again"})).await;
        changed.expect("an answer").expect(200);
        eventually("a history", SOON, async || {
            let answer = asked().send().await.map_err(|error| error.to_string())?;
            if answer.status == 200 { Ok(()) } else { Err(answer.text()) }
        })
        .await;
    }
    prepare(operation, client, owner).await;
    if operation.id.starts_with("undo") {
        let body = json!({"token": change(client, owner, "one").await});
        let undo =
            || operation.ask_with(client, &path, &body).header("idempotency-key", &operation.id);
        for _ in 0..2 {
            note(&sent(undo()).await);
        }
    } else if operation.takes_key {
        for _ in 0..2 {
            note(&sent(asked().header("idempotency-key", &operation.id)).await);
        }
    } else {
        note(&sent(asked()).await);
    }
    if operation.query.iter().any(|(name, _)| name == "preview") {
        note(&sent(operation.ask(client, &format!("{path}?preview=true"))).await);
    }
    let has = |name: &str| {
        operation.successes.iter().any(|(_, headers)| headers.iter().any(|h| h == name))
    };
    if has("X-Total-Count") {
        let totals = format!("{path}?count=true&total_estimate=true");
        note(&sent(client.request(Method::GET, &totals)).await);
    }
    if operation.id.starts_with("listWebhookDeliveries") {
        let test = client.post(&path.replace("/deliveries", "/test"), &json!({})).await;
        test.expect("an answer").expect(202);
    }
    if has("Link") {
        // The listed entries may still be on their way.
        let page = format!("{path}?limit=1");
        let answer = eventually("a second page", SOON, async || {
            let answer = client.get(&page).await.map_err(|error| error.to_string())?;
            if answer.header("link").is_some() { Ok(answer) } else { Err(answer.text()) }
        })
        .await;
        note(&answer);
    }
    if operation.successes.iter().any(|(status, _)| *status == 304) {
        note(&sent(asked().header("if-none-match", "*")).await);
    }
}

/// Makes an operation change something.
async fn prepare(operation: &Operation, client: &Client, owner: &Owner) {
    let task = format!("/api/tasks/{}", owner.task);
    match operation.id.trim_end_matches("Own") {
        "reopenTask" | "reopenTaskByPatch" => {
            sent(client.request(Method::POST, &format!("{task}/complete"))).await.expect(200);
        }
        "restoreTask" => {
            sent(client.request(Method::DELETE, &task)).await.expect(204);
        }
        // The last task stays where it is when it moves to the end.
        "moveTask" => {
            client
                .post("/api/tasks", &json!({"title": "last"}))
                .await
                .expect("an answer")
                .expect(201);
        }
        // More than a page of one.
        "listTrash" => {
            sent(client.request(Method::DELETE, &task)).await.expect(204);
        }
        _ => {}
    }
}

/// Changes the owner's task, and returns the token of that.
async fn change(client: &Client, owner: &Owner, title: &str) -> String {
    let path = format!("/api/tasks/{}", owner.task);
    let changed = client.patch(&path, &json!({"title": title})).await.expect("an answer");
    changed.expect(200).header("undo-token").expect("a token").to_owned()
}

/// The link of a mail that an operation is about.
fn link(operation: &Operation, owner: &Owner) -> Option<String> {
    let purposes = [Purpose::Complete, Purpose::SnoozeHour, Purpose::Unsubscribe];
    let purpose = purposes.into_iter().find(|purpose| purpose.path() == operation.path)?;
    let subject_id = match purpose {
        Purpose::Complete => owner.task,
        _ => owner.reminder,
    };
    let user_id = owner.user.id;
    let link = Link { purpose, user_id, subject_id, firing: 1, expires_at_s: i64::MAX };
    let key = HmacKey::new(LINK_SECRET.as_bytes()).expect("a key");
    Some(link.url("", &key))
}

async fn sent(request: Pending<'_>) -> Response {
    request.send().await.expect("an answer")
}

/// Reminders whose moments are past fire at once if the due date is not.
async fn remind_twice(owner: &Owner) {
    let due = story::from_now(3_600);
    for title in ["one", "two"] {
        let task = json!({"title": title, "due_date": due, "reminder_offset": "PT2H"});
        owner.user.client.post("/api/tasks", &task).await.expect("an answer").expect(201);
    }
}

/// The body of an operation about sessions or mailed tokens, which must be more than well-formed.
async fn session_body(operation: &Operation, http: &Client, smtp: &SmtpServer) -> Option<Value> {
    let credentials = json!({"email": EMAIL, "password": PASSWORD});
    let login = async || http.post("/api/auth/login", &credentials).await.expect("an answer");
    let body = match operation.id.as_str() {
        "register" => json!({"email": "another@example.org", "password": PASSWORD}),
        "login" => credentials.clone(),
        "refreshSession" | "logout" => {
            json!({"refresh_token": login().await.expect(200).json()["refresh_token"]})
        }
        "verifyEmail" => {
            let new = "new@example.org";
            story::register(http.base(), new).await;
            json!({"token": account::mailed_token(smtp, new, VERIFY, 1).await})
        }
        "changePassword" => json!({"current_password": PASSWORD, "new_password": PASSWORD}),
        "forgotPassword" => json!({"email": EMAIL}),
        "resetPassword" => {
            let forgot = http.post("/api/auth/password/forgot", &json!({"email": EMAIL})).await;
            forgot.expect("an answer").expect(202);
            let token = account::mailed_token(smtp, EMAIL, RESET, 1).await;
            json!({"token": token, "password": PASSWORD})
        }
        _ => return None,
    };
    Some(body)
}
