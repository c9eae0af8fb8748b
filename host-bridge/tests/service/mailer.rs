//! The mailer against a real mail server that fails as it is told, and into a folder.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use host_bridge::job;
use host_bridge::mail_transport::MailTransport;
use host_bridge::mailer::Mailer;
use rondo_telemetry::{Format, Metrics, Program, Readiness};
use rondo_testkit::folder::Folder;
use rondo_testkit::smtp::{Fault, Mail, SmtpServer};
use rondo_testkit::wait::eventually;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::seed::Seed;

/// How long anything may take, waits before another attempt among it.
const SOON: Duration = Duration::from_secs(30);
/// Longer than a line of a mail should be, and not to be broken.
const UNSUBSCRIBE: &str = "https://tasks.example.org/links/unsubscribe?token=\
     unsubscribe.7.0.0.1900000000.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// A running mailer.
struct Running {
    metrics: Metrics,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    fn start(seed: &Seed, transport: MailTransport) -> Self {
        let (metrics, shutdown) = (Metrics::new(Program::Bridge), CancellationToken::new());
        let from = "Rondo <rondo@example.com>".parse().unwrap();
        let mailer = Mailer::new(seed.bridge.clone(), transport, from, metrics.clone());
        let part = Readiness::new().part("mailer");
        let task = tokio::spawn(job::work(mailer, part, metrics.clone(), shutdown.clone()));
        Self { metrics, shutdown, task }
    }

    /// The count of an outcome in the metrics.
    fn counted(&self, outcome: &str) -> u64 {
        let name = format!("rondo_mails_total{{outcome=\"{outcome}\"}} ");
        let text = self.metrics.encode(Format::Prometheus);
        let value = text.lines().find_map(|line| line.strip_prefix(&name));
        value.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("{text}"))
    }

    async fn stop(self) {
        self.shutdown.cancel();
        self.task.await.unwrap();
    }
}

/// A mail to be sent; gives its id.
async fn pending(seed: &Seed, subject: &str) -> i64 {
    let reminder =
        "INSERT INTO reminders (user_id, task_id, kind, planned_at, remind_at, state, firing, created_at)
         VALUES ($1, $2, 'further', now(), now(), 'fired', 1, now()) RETURNING id";
    let row = seed.session.query_one(reminder, &[&seed.user_id, &seed.task_id]).await.unwrap();
    let notification =
        "INSERT INTO notifications (user_id, task_id, reminder_id, firing, channel, status, subject,
             body_text, body_html, unsubscribe_url, task_revision, due_at, remind_at, traceparent,
             created_at, next_attempt_at)
         SELECT r.user_id, r.task_id, r.id, 1, 'email', 'pending', $2, 'plain words', '<p>marked up</p>',
             $3, t.revision, t.due_at, r.remind_at, $4, now(), now()
         FROM reminders r JOIN tasks t ON t.id = r.task_id WHERE r.id = $1 RETURNING id";
    let reminder_id: i64 = row.get(0);
    let values: [&(dyn tokio_postgres::types::ToSql + Sync); 4] =
        [&reminder_id, &subject, &UNSUBSCRIBE, &TRACE];
    seed.session.query_one(notification, &values).await.unwrap().get(0)
}

/// Waits until the history says that a mail has this status.
async fn history(seed: &Seed, id: i64, status: &str) -> Value {
    eventually(status, SOON, async || {
        let query = format!("SELECT to_jsonb(n) FROM notifications n WHERE id = {id}");
        let row: Value = serde_json::from_str(&seed.text(&query).await).unwrap();
        if row["status"] == status { Ok(row) } else { Err(row) }
    })
    .await
}

fn smtp(server: &SmtpServer) -> MailTransport {
    MailTransport::smtp(&server.url(), None).unwrap()
}

fn message_ids(mails: &[Mail]) -> Vec<String> {
    mails.iter().map(|mail| mail.header("Message-ID").expect("a Message-ID")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_has_both_parts_and_the_history_and_an_event_tell_of_it() {
    let (seed, server) = (Seed::new().await, SmtpServer::start().await);
    let mailer = Running::start(&seed, smtp(&server));
    let id = pending(&seed, "Grüße: Müll & <b>").await;
    let mail = server.await_mail("the mail", SOON, |_| true).await;
    assert_eq!(
        (mail.from.as_str(), mail.to.as_slice()),
        ("rondo@example.com", &["ada@example.org".to_owned()][..])
    );
    let kind = mail.header("Content-Type").unwrap();
    assert!(kind.starts_with("multipart/alternative"), "{kind}");
    let body = mail.body();
    let (text, html) = (body.find("plain words"), body.find("<p>marked up</p>"));
    assert!(text.is_some() && text < html, "the richest part is the last (RFC 2046): {body}");
    assert!(body.contains("text/plain") && body.contains("text/html"), "{body}");
    for (name, value) in [
        ("Auto-Submitted", "auto-generated".to_owned()),
        ("Message-ID", format!("<notification-{id}@example.com>")),
        ("List-Unsubscribe", format!("<{UNSUBSCRIBE}>")),
        ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click".to_owned()),
    ] {
        assert_eq!(mail.header(name), Some(value), "{}", mail.data);
    }
    assert!(mail.header("Subject").unwrap().starts_with("=?utf-8?"), "{}", mail.data);

    let row = history(&seed, id, "sent").await;
    assert_eq!((&row["attempts"], &row["last_error"]), (&json!(1), &Value::Null));
    assert!(row["sent_at"].is_string() && row["next_attempt_at"].is_null(), "{row}");
    for what in ["subject", "body_text", "body_html", "unsubscribe_url"] {
        assert!(row[what].is_null(), "what the mail said is forgotten: {row}");
    }
    let told =
        seed.text("SELECT traceparent FROM outbox WHERE event_type = 'notification.sent'").await;
    assert_eq!(told, TRACE, "the event goes on with the trace of the request");
    eventually("the count", SOON, async || match mailer.counted("sent") {
        1 => Ok(()),
        other => Err(other),
    })
    .await;
    mailer.stop().await;
    assert_eq!(server.mails().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_that_is_put_off_is_sent_later() {
    let (seed, server) = (Seed::new().await, SmtpServer::start().await);
    server.fail(&Fault::Recipient("451 4.3.0 try later".into()), 1);
    let mailer = Running::start(&seed, smtp(&server));
    let id = pending(&seed, "s").await;
    let row = history(&seed, id, "sent").await;
    assert_eq!(row["attempts"], 2, "{row}");
    assert_eq!((mailer.counted("retried"), mailer.counted("failed")), (1, 0));
    mailer.stop().await;
    assert_eq!(server.mails().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_that_is_refused_for_good_is_given_up_at_once() {
    let (seed, server) = (Seed::new().await, SmtpServer::start().await);
    server.fail(&Fault::Recipient("550 5.1.1 no such person".into()), 1);
    let mailer = Running::start(&seed, smtp(&server));
    let id = pending(&seed, "s").await;
    let row = history(&seed, id, "failed").await;
    assert_eq!((&row["attempts"], &row["sent_at"]), (&json!(1), &Value::Null));
    assert!(row["last_error"].as_str().unwrap().contains("no such person"), "{row}");
    assert_eq!(
        seed.text("SELECT count(*) FROM outbox WHERE event_type = 'notification.failed'").await,
        "1"
    );
    assert_eq!(mailer.counted("failed"), 1);
    mailer.stop().await;
    assert!(server.mails().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn attempts_end_and_the_last_error_stays() {
    let (seed, server) = (Seed::new().await, SmtpServer::start().await);
    server.fail(&Fault::Sender("421 4.3.2 closed".into()), 100);
    let id = pending(&seed, "s").await;
    // All but the last are over.
    let last = host_bridge::mailer::MAIL_ATTEMPTS_MAX - 1;
    seed.run(&format!("UPDATE notifications SET attempts = {last}")).await;
    let mailer = Running::start(&seed, smtp(&server));
    let row = history(&seed, id, "failed").await;
    assert_eq!(row["attempts"], host_bridge::mailer::MAIL_ATTEMPTS_MAX, "{row}");
    assert!(row["last_error"].as_str().unwrap().contains("closed"), "{row}");
    mailer.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_whose_answer_was_cut_off_is_sent_again_under_the_same_id() {
    let (seed, server) = (Seed::new().await, SmtpServer::start().await);
    server.fail(&Fault::DropAfterData, 1);
    let mailer = Running::start(&seed, smtp(&server));
    let id = pending(&seed, "s").await;
    let row = history(&seed, id, "sent").await;
    assert_eq!(row["attempts"], 2, "{row}");
    mailer.stop().await;
    let ids = message_ids(&server.mails());
    assert_eq!(ids.len(), 2, "the server took it twice");
    assert_eq!(ids[0], ids[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_that_a_dead_mailer_had_claimed_is_sent_by_the_next_one() {
    let (seed, server) = (Seed::new().await, SmtpServer::start().await);
    server.fail(&Fault::Hang, 1);
    let first = Running::start(&seed, smtp(&server));
    let id = pending(&seed, "s").await;
    eventually("the claim", SOON, async || match server.faults_left() {
        0 => Ok(()),
        left => Err(left),
    })
    .await;
    // As a kill -9 does: nothing is settled, and the connection breaks.
    first.task.abort();
    let _ = first.task.await;
    let claimed = history(&seed, id, "pending").await;
    assert_eq!(claimed["attempts"], 1, "{claimed}");
    let second = Running::start(&seed, smtp(&server));
    // The lease holds as long as it runs; then time passes.
    assert_eq!(seed.text("SELECT next_attempt_at > now() FROM notifications").await, "true");
    assert!(server.mails().is_empty());
    seed.run("UPDATE notifications SET next_attempt_at = now()").await;
    let row = history(&seed, id, "sent").await;
    assert_eq!(row["attempts"], 2, "{row}");
    second.stop().await;
    let ids = message_ids(&server.mails());
    assert_eq!(ids, [format!("<notification-{id}@example.com>")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_title_and_no_name_makes_a_header() {
    let seed = Seed::of_user("Eve\r\nBcc: name@example.net").await;
    let server = SmtpServer::start().await;
    let mailer = Running::start(&seed, smtp(&server));
    let subject = "Water\r\nBcc: title@example.net\r\n\r\n<script>body</script>";
    let id = pending(&seed, subject).await;
    history(&seed, id, "sent").await;
    mailer.stop().await;
    let mails = server.mails();
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].to, ["ada@example.org"]);
    // What was a line of its own is a part of the subject's.
    let (head, body) = mails[0].data.split_once("\r\n\r\n").unwrap();
    let head = head.to_ascii_lowercase();
    assert!(!head.lines().any(|line| line.starts_with("bcc")), "{head}");
    assert!(head.lines().any(|line| line.starts_with("subject: water  bcc: ")), "{head}");
    assert!(!body.contains("<script>"), "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_in_a_folder_is_for_its_owners_eyes() {
    let seed = Seed::new().await;
    let folder = Folder::new("mail");
    let place = folder.path().join("mail");
    let mailer = Running::start(&seed, MailTransport::Folder(place.clone()));
    let id = pending(&seed, "s").await;
    history(&seed, id, "sent").await;
    mailer.stop().await;
    let mode =
        |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let files: Vec<_> =
        std::fs::read_dir(&place).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files, [place.join(format!("notification-{id}.eml"))]);
    assert_eq!((mode(&place), mode(&files[0])), (0o700, 0o600));
    let text = std::fs::read_to_string(&files[0]).unwrap();
    assert!(text.contains("plain words") && text.contains("To: Ada <ada@example.org>"), "{text}");
}
