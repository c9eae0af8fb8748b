//! A reminder's mail and a digest from the reader's point of view: they arrive over TLS with a login, and
//! their links work, including the one-click link that mail programs call.

use http::Method;
use rondo_testkit::certificate::Certificate;
use rondo_testkit::folder::Folder;
use rondo_testkit::http::Client;
use rondo_testkit::smtp::{Demand, Mail, SmtpServer};
use rondo_testkit::wait::eventually;
use rondo_tests::account::is_to;
use rondo_tests::arrangement::{Up, session};
use rondo_tests::story::{self, SOON, from_now};
use serde_json::json;

const EMAIL: &str = "ada@example.org";
/// The public URL, behind a proxy.
const PUBLIC_URL: &str = "https://tasks.example.org/rondo";

/// The rest of the mail's link to `path`, after the public URL.
fn link(mail: &Mail, path: &str) -> String {
    let text = mail.body().replace("=3D", "=");
    let (_, rest) = text.split_once(&format!("{PUBLIC_URL}{path}")).expect("a link");
    let end = rest.find(char::is_whitespace).expect("an end");
    format!("{path}{}", &rest[..end])
}

async fn press(http: &str, link: &str) {
    let client = Client::new(http);
    let request = client.request(Method::POST, link);
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    let answer = request.body("List-Unsubscribe=One-Click").send().await.expect("an answer");
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn mails_arrive_over_tls_and_their_links_work() {
    let folder = Folder::new("mail-authority");
    let certificate = Certificate::of("localhost");
    let authority = folder.path().join("authority.pem");
    std::fs::write(&authority, &certificate.authority).expect("a file");
    let credentials = Some(("rondo".to_owned(), "open sesame".to_owned()));
    let demand = Demand { certificate: Some(certificate), is_implicit: false, credentials };
    let smtp = SmtpServer::demanding(demand).await;
    let smtp_url = format!("smtp://rondo:open%20sesame@localhost:{}?tls=required", smtp.port());
    let environment = [
        ("SMTP_URL", smtp_url),
        ("SMTP_CA", authority.display().to_string()),
        ("PUBLIC_URL", PUBLIC_URL.to_owned()),
        // No address is verified here.
        ("REQUIRE_VERIFIED_EMAIL", "false".to_owned()),
    ];
    let mut up = Up::start("reminder-mail", &environment).await;
    let user = story::register(&up.http(), EMAIL).await;
    let find = async |subject: &str| {
        let is_it = |mail: &Mail| {
            is_to(mail, EMAIL) && mail.header("Subject").is_some_and(|s| s.contains(subject))
        };
        smtp.await_mail(subject, SOON, is_it).await
    };

    let task = json!({"title": "Call Bob", "due_date": from_now(600), "reminder_offset": "PT1H"});
    let created =
        user.client.post("/api/tasks", &task).await.expect("an answer").expect(201).json();
    let mail = find("Reminder: Call Bob").await;
    press(&up.http(), &link(&mail, "/links/complete")).await;
    let path = format!("/api/tasks/{}", created["id"]);
    let task = user.client.get(&path).await.expect("an answer").json();
    assert_eq!(task["status"], "completed");

    // A digest of the remaining tasks, as soon as its moment comes.
    let task = json!({"title": "Pay the rent", "due_date": from_now(-2 * 86_400)});
    user.client.post("/api/tasks", &task).await.expect("an answer").expect(201);
    let digest = json!({"notifications": {"digest_at": "08:00"}});
    user.client.patch("/api/auth/me", &digest).await.expect("an answer").expect(200);
    let database = up.endpoints()["postgres"].as_str().expect("a database").to_owned();
    let due = "UPDATE users SET next_digest_at = now() WHERE digest_at IS NOT NULL";
    session(&database).await.execute(due, &[]).await.expect("time passes");
    let mail = find("1 overdue").await;
    assert!(mail.body().contains("Pay the rent"), "{}", mail.data);
    eventually("the history", SOON, async || {
        let history = user.client.get("/api/notifications").await.expect("an answer").json();
        let digest = &history[0];
        if digest["status"] == "sent" && digest["digest_day"].is_string() {
            Ok(())
        } else {
            Err(history.to_string())
        }
    })
    .await;

    let header = mail.header("List-Unsubscribe").expect("a way out");
    let one_click =
        header.strip_prefix(&format!("<{PUBLIC_URL}")).and_then(|l| l.strip_suffix('>'));
    press(&up.http(), one_click.expect("a link")).await;
    let me = user.client.get("/api/auth/me").await.expect("an answer").json();
    assert_eq!(me["notifications"]["email"], false);
    up.stop().await;
}
