//! The mailer: sends what the notify and auth components have written, by SMTP or into a folder.
//!
//! A mail is claimed for a lease; when this process dies, it is claimed again after it, with the
//! same Message-ID. SMTP is at least once by nature: a server that took a mail and was cut off
//! before it said so gets it twice, and a mail program can tell by the Message-ID.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Error;
use lettre::Message;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use rand::Rng as _;
use rondo_contract::notification;
use rondo_database::Pool;
use rondo_domain::notification::Decision;
use rondo_telemetry::{Metrics, Part, TraceContext};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::mail_transport::{MailTransport, Outcome};

/// Pause between two looks for mail, in milliseconds.
const POLL_MS: u64 = 100;
/// Pause after a failure of the database, in milliseconds.
const FAILURE_MS: u64 = 1_000;
/// Mails on their way at once.
const MAILS_MAX: usize = crate::mail_transport::CONNECTIONS_MAX as usize;
/// How long one mail may take, in seconds; shorter than the lease.
const MAIL_S_MAX: u64 = 30;
const LEASE_MS: i64 = 60_000;
/// Attempts before a mail is given up.
pub const MAIL_ATTEMPTS_MAX: i32 = 8;
/// First and longest wait after a failure, in milliseconds.
const RETRY_MS_MIN: i64 = 2_000;
const RETRY_MS_MAX: i64 = 3_600_000;
/// How much of a server's answer is kept, in characters.
const ERROR_CHARS_MAX: usize = 500;

/// Where mails wait.
struct Queue {
    /// What a mail's number is of.
    name: &'static str,
    claim: &'static str,
    settle: &'static str,
}

/// Somebody is waiting for a mail about an account.
const QUEUES: [Queue; 2] = [
    Queue {
        name: "account",
        claim: include_str!("../sql/account_mails_claim.sql"),
        settle: include_str!("../sql/account_mail_settle.sql"),
    },
    Queue {
        name: "notification",
        claim: include_str!("../sql/notifications_claim.sql"),
        settle: include_str!("../sql/notification_settle.sql"),
    },
];

const CANCEL: &str = include_str!("../sql/notification_cancel.sql");

/// What the mailer works with.
pub struct Mailer {
    pub pool: Pool,
    pub transport: MailTransport,
    pub from: Mailbox,
    pub metrics: Metrics,
    pub part: Part,
}

struct Mail {
    queue: &'static Queue,
    id: i64,
    attempts: i32,
    email: String,
    name: Option<String>,
    subject: String,
    text: String,
    html: String,
    /// Where its reader gets no more of the kind; none for a mail about an account.
    unsubscribe_url: Option<String>,
    traceparent: Option<String>,
}

impl Mail {
    /// The same at every attempt, and no other mail's.
    fn label(&self) -> String {
        format!("{}-{}", self.queue.name, self.id)
    }

    /// For what is logged about it: the trace of the request that it comes from.
    fn span(&self) -> tracing::Span {
        let trace = self.traceparent.as_deref().and_then(TraceContext::parse);
        let trace_id = trace.map(|trace| trace.trace_id());
        tracing::info_span!("mail", mail = self.label(), attempt = self.attempts, trace_id)
    }
}

/// RFC 3834, section 5: no vacation message answers this.
const AUTO_SUBMITTED: (&str, &str) = ("Auto-Submitted", "auto-generated");
/// RFC 8058, section 3.1: a mail program may follow the link of List-Unsubscribe by itself, with POST.
const ONE_CLICK: (&str, &str) = ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click");

impl Mailer {
    /// Sends until `shutdown`; what is on its way then is finished or claimed again later.
    pub async fn run(self, shutdown: CancellationToken) {
        self.metrics.announce_mail();
        let mailer = Arc::new(self);
        let mut sending = JoinSet::new();
        loop {
            let room = MAILS_MAX - sending.len();
            let pause_ms = match mailer.claim(room).await {
                Ok(mails) => {
                    mailer.part.ready();
                    for mail in mails {
                        let mailer = mailer.clone();
                        let span = mail.span();
                        sending.spawn(async move { mailer.deliver(mail).await }.instrument(span));
                    }
                    POLL_MS
                }
                Err(error) => {
                    tracing::warn!(error = format!("{error:#}"), "mail cannot be claimed now");
                    mailer
                        .part
                        .not_ready("mail cannot be claimed: see what the log says of the database");
                    FAILURE_MS
                }
            };
            while sending.try_join_next().is_some() {}
            tokio::select! {
                () = shutdown.cancelled() => break,
                () = tokio::time::sleep(Duration::from_millis(pause_ms)) => {}
                Some(_) = sending.join_next(), if sending.len() >= MAILS_MAX => {}
            }
        }
        let patience = Duration::from_secs(5);
        let _ =
            tokio::time::timeout(patience, async { while sending.join_next().await.is_some() {} })
                .await;
    }

    async fn claim(&self, room: usize) -> anyhow::Result<Vec<Mail>> {
        let mut mails = Vec::new();
        if room == 0 {
            return Ok(mails);
        }
        let client = self.pool.get().await?;
        for queue in &QUEUES {
            let left = i32::try_from(room - mails.len())?;
            let statement = client.prepare_cached(queue.claim).await?;
            let rows = client.query(&statement, &[&left, &LEASE_MS]).await?;
            for row in rows {
                let facts: Option<&str> = row.get("facts");
                let decision = facts.map(notification::decide).transpose().map_err(Error::msg)?;
                if let Some(decision @ (Decision::Cancel | Decision::Rearm)) = decision {
                    let id: i64 = row.get("id");
                    let statement = client.prepare_cached(CANCEL).await?;
                    client.query_one(&statement, &[&id, &(decision == Decision::Rearm)]).await?;
                    continue;
                }
                mails.push(Mail {
                    queue,
                    id: row.get("id"),
                    attempts: row.get("attempts"),
                    email: row.get("email"),
                    name: row.get("name"),
                    subject: row.get::<_, Option<_>>("subject").unwrap_or_default(),
                    text: row.get::<_, Option<_>>("body_text").unwrap_or_default(),
                    html: row.get::<_, Option<_>>("body_html").unwrap_or_default(),
                    unsubscribe_url: row.get("unsubscribe_url"),
                    traceparent: row.get("traceparent"),
                });
            }
        }
        Ok(mails)
    }

    async fn deliver(&self, mail: Mail) {
        let deadline = Duration::from_secs(MAIL_S_MAX);
        let outcome = tokio::time::timeout(deadline, self.attempt(&mail))
            .await
            .unwrap_or_else(|_| Outcome::Later("the server did not answer in time".to_owned()));
        let (error, retry_ms) = match outcome {
            Outcome::Sent => {
                tracing::info!("mail sent");
                self.metrics.mail("sent");
                (None, None)
            }
            Outcome::Later(error) if mail.attempts < MAIL_ATTEMPTS_MAX => {
                let wait = (RETRY_MS_MIN << (mail.attempts - 1).clamp(0, 20)).min(RETRY_MS_MAX);
                let wait = wait / 2 + rand::rng().random_range(0..=wait / 2);
                tracing::warn!(error, wait_ms = wait, "mail put off");
                self.metrics.mail("retried");
                (Some(error), Some(wait))
            }
            Outcome::Later(error) | Outcome::Never(error) => {
                tracing::error!(error, "mail given up");
                self.metrics.mail("failed");
                (Some(error), None)
            }
        };
        let error = error.map(|error| error.chars().take(ERROR_CHARS_MAX).collect::<String>());
        let result = async {
            let client = self.pool.get().await?;
            let statement = client.prepare_cached(mail.queue.settle).await?;
            client.query_one(&statement, &[&mail.id, &error, &retry_ms]).await?;
            anyhow::Ok(())
        };
        if let Err(error) = result.await {
            // The lease runs out and the mail is sent again, with the same Message-ID.
            tracing::error!(error = format!("{error:#}"), "an outcome was not recorded");
        }
    }

    async fn attempt(&self, mail: &Mail) -> Outcome {
        // One whose attempts never came to an outcome, because something died of them each time.
        if mail.attempts > MAIL_ATTEMPTS_MAX {
            return Outcome::Never("no attempt came to an end".to_owned());
        }
        let message = match self.message(mail) {
            Ok(message) => message,
            Err(error) => return Outcome::Never(error.to_string()),
        };
        self.transport.send(&mail.label(), message).await
    }

    fn message(&self, mail: &Mail) -> anyhow::Result<Message> {
        let name = mail.name.as_deref().map(one_line).filter(|name| !name.is_empty());
        let to = Mailbox::new(name, mail.email.parse()?);
        let domain = self.from.email.domain();
        let mut builder = Message::builder()
            .from(self.from.clone())
            .to(to)
            .subject(one_line(&mail.subject))
            .message_id(Some(format!("<{}@{domain}>", mail.label())))
            .raw_header(header(AUTO_SUBMITTED.0, AUTO_SUBMITTED.1));
        if let Some(url) = &mail.unsubscribe_url {
            builder = builder
                .raw_header(header("List-Unsubscribe", &format!("<{url}>")))
                .raw_header(header(ONE_CLICK.0, ONE_CLICK.1));
        }
        let (text, html) = (mail.text.clone(), mail.html.clone());
        Ok(builder.multipart(MultiPart::alternative_plain_html(text, html))?)
    }
}

/// A header that is ASCII and has no line end.
fn header(name: &'static str, value: &str) -> HeaderValue {
    let name = HeaderName::new_from_ascii_str(name);
    // As it is: an address is not to be broken up or encoded.
    HeaderValue::dangerous_new_pre_encoded(name, value.to_owned(), value.to_owned())
}

/// A header's text: nothing in it ends a line, or is not to be seen.
fn one_line(text: &str) -> String {
    let visible = |letter: char| if letter.is_control() { ' ' } else { letter };
    text.chars().map(visible).collect::<String>().trim().to_owned()
}
