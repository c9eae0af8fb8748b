//! The mailer: sends what the notify and auth components have written, by SMTP or into a folder.
//!
//! SMTP is at-least-once by nature: when a server accepts a mail and the connection breaks before its
//! reply, the mail is sent again. Its Message-ID stays the same, so that mail programs can deduplicate.

use std::time::Instant;

use anyhow::Error;
use lettre::Message;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use rand::Rng as _;
use rondo_contract::notification;
use rondo_database::Database;
use rondo_domain::notification::Decision;
use rondo_telemetry::span::Kind;
use rondo_telemetry::{LineLimit, Metrics, Span, TraceContext};

use crate::job::{Job, LEASE_MS};
use crate::mail_transport::{CONNECTIONS_MAX, MailTransport, Outcome};

/// Attempts before a mail is given up.
pub const MAIL_ATTEMPTS_MAX: i32 = 8;
/// First and longest delay after a failure, in milliseconds.
const RETRY_MS_MIN: i64 = 2_000;
const RETRY_MS_MAX: i64 = 3_600_000;
/// How much of a server's reply is kept, in characters.
const ERROR_CHARS_MAX: usize = 500;

/// A table of mails to send.
struct MailQueue {
    /// Begins the label of its mails.
    name: &'static str,
    claim: &'static str,
    settle: &'static str,
}

/// Mails about accounts come first, because their readers are waiting for them.
const QUEUES: [MailQueue; 2] = [
    MailQueue {
        name: "account",
        claim: include_str!("../sql/account_mails_claim.sql"),
        settle: include_str!("../sql/account_mail_settle.sql"),
    },
    MailQueue {
        name: "notification",
        claim: include_str!("../sql/notifications_claim.sql"),
        settle: include_str!("../sql/notification_settle.sql"),
    },
];

/// During an outage of the mail server, every mail fails.
static LINES: LineLimit = LineLimit::new();

const CANCEL: &str = include_str!("../sql/notification_cancel.sql");

/// Sends mails.
pub struct Mailer {
    database: Database,
    transport: MailTransport,
    from: Mailbox,
    metrics: Metrics,
}

/// A claimed mail.
pub struct Mail {
    queue: &'static MailQueue,
    content: MailContent,
}

#[derive(sqlx::FromRow)]
struct MailContent {
    id: i64,
    attempts: i32,
    email: String,
    name: Option<String>,
    subject: Option<String>,
    body_text: Option<String>,
    body_html: Option<String>,
    /// Unsubscribes from mails of this kind; none for a mail about an account.
    unsubscribe_url: Option<String>,
    traceparent: Option<String>,
    /// The facts for deciding whether to send it; none for a mail about an account.
    facts: Option<String>,
}

impl Mail {
    /// Unique, and the same at every attempt.
    fn label(&self) -> String {
        format!("{}-{}", self.queue.name, self.content.id)
    }

    /// Of the request that caused it.
    fn trace(&self) -> Option<TraceContext> {
        self.content.traceparent.as_deref().and_then(TraceContext::parse)
    }
}

/// RFC 3834, section 5: suppresses vacation messages.
const AUTO_SUBMITTED: (&str, &str) = ("Auto-Submitted", "auto-generated");
/// RFC 8058, section 3.1: lets mail programs unsubscribe by POST.
const ONE_CLICK: (&str, &str) = ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click");

impl Job for Mailer {
    type Item = Mail;
    type Outcome = Outcome;

    const LABEL: &'static str = "mails";
    const CANNOT_CLAIM: &'static str = "cannot claim mails";
    const SLOTS: usize = CONNECTIONS_MAX as usize;
    const RUN_MS_MAX: u64 = 30_000;

    async fn claim(&self, slots: usize) -> anyhow::Result<Vec<Mail>> {
        let mut mails = Vec::new();
        for queue in &QUEUES {
            let left = i32::try_from(slots - mails.len())?;
            let claim = sqlx::query_as(queue.claim).bind(left).bind(LEASE_MS);
            let claimed: Vec<MailContent> = self.database.all(claim).await?;
            for content in claimed {
                let facts = content.facts.as_deref();
                let decision = facts.map(notification::decide).transpose().map_err(Error::msg)?;
                if let Some(decision @ (Decision::Cancel | Decision::Rearm)) = decision {
                    let is_rearmed = decision == Decision::Rearm;
                    let cancel = sqlx::query(CANCEL).bind(content.id).bind(is_rearmed);
                    self.database.execute(cancel).await?;
                    continue;
                }
                mails.push(Mail { queue, content });
            }
        }
        Ok(mails)
    }

    /// Has the trace of the request that caused the mail.
    fn span(mail: &Mail) -> tracing::Span {
        let trace_id = mail.trace().map(|trace| trace.trace_id());
        tracing::info_span!("mail", mail = mail.label(), attempt = mail.content.attempts, trace_id)
    }

    fn trace(mail: &Mail) -> Option<Span> {
        let trace = mail.content.traceparent.as_deref();
        let mut span = Span::below(Kind::Client, trace, || "send mail".to_owned())?;
        span.text("rondo.mail", mail.label());
        span.number("rondo.attempt", mail.content.attempts.into());
        Some(span)
    }

    async fn run(&self, mail: &Mail, _: Option<&Span>) -> Outcome {
        // Its earlier attempts had no outcome: the process died each time.
        if mail.content.attempts > MAIL_ATTEMPTS_MAX {
            return Outcome::Never("no attempt was completed".to_owned());
        }
        match self.message(mail) {
            Ok(message) => {
                let begun = Instant::now();
                let outcome = self.transport.send(&mail.label(), message).await;
                self.metrics.mail_attempted(begun.elapsed(), mail.trace());
                outcome
            }
            Err(error) => Outcome::Never(error.to_string()),
        }
    }

    async fn settle(
        &self,
        mail: &Mail,
        outcome: Option<Outcome>,
        span: Option<&mut Span>,
    ) -> anyhow::Result<()> {
        let content = &mail.content;
        let outcome = outcome
            .unwrap_or_else(|| Outcome::Later("the server did not answer in time".to_owned()));
        if let (Some(span), Outcome::Later(_) | Outcome::Never(_)) = (span, &outcome) {
            span.fail(if matches!(outcome, Outcome::Never(_)) { "refused" } else { "unavailable" });
        }
        let (error, retry_ms) = match outcome {
            Outcome::Sent => {
                tracing::info!("mail sent");
                self.metrics.mail("sent");
                (None, None)
            }
            Outcome::Later(error) if mail.content.attempts < MAIL_ATTEMPTS_MAX => {
                let wait = (RETRY_MS_MIN << (content.attempts - 1).clamp(0, 20)).min(RETRY_MS_MAX);
                let wait = wait / 2 + rand::rng().random_range(0..=wait / 2);
                if let Some(suppressed) = LINES.line() {
                    tracing::warn!(error, wait_ms = wait, suppressed, "mail failed; will retry");
                }
                self.metrics.mail("retried");
                (Some(error), Some(wait))
            }
            Outcome::Later(error) | Outcome::Never(error) => {
                tracing::error!(error, "mail failed; giving up");
                self.metrics.mail("failed");
                (Some(error), None)
            }
        };
        let error = error.map(|error| error.chars().take(ERROR_CHARS_MAX).collect::<String>());
        let settle = sqlx::query(mail.queue.settle).bind(content.id).bind(error).bind(retry_ms);
        Ok(self.database.execute(settle).await?)
    }
}

impl Mailer {
    #[must_use]
    pub fn new(
        database: Database,
        transport: MailTransport,
        from: Mailbox,
        metrics: Metrics,
    ) -> Self {
        metrics.announce_mail();
        Self { database, transport, from, metrics }
    }

    fn message(&self, mail: &Mail) -> anyhow::Result<Message> {
        let content = &mail.content;
        let name = content.name.as_deref().map(one_line).filter(|name| !name.is_empty());
        let to = Mailbox::new(name, content.email.parse()?);
        let domain = self.from.email.domain();
        let mut builder = Message::builder()
            .from(self.from.clone())
            .to(to)
            .subject(one_line(content.subject.as_deref().unwrap_or_default()))
            .message_id(Some(format!("<{}@{domain}>", mail.label())))
            .raw_header(header(AUTO_SUBMITTED.0, AUTO_SUBMITTED.1));
        if let Some(url) = &content.unsubscribe_url {
            builder = builder
                .raw_header(header("List-Unsubscribe", &format!("<{url}>")))
                .raw_header(header(ONE_CLICK.0, ONE_CLICK.1));
        }
        let part = |body: &Option<String>| body.clone().unwrap_or_default();
        let (text, html) = (part(&content.body_text), part(&content.body_html));
        Ok(builder.multipart(MultiPart::alternative_plain_html(text, html))?)
    }
}

/// A header of ASCII without a line end.
fn header(name: &'static str, value: &str) -> HeaderValue {
    let name = HeaderName::new_from_ascii_str(name);
    // Verbatim: a URL must be neither folded nor encoded.
    HeaderValue::dangerous_new_pre_encoded(name, value.to_owned(), value.to_owned())
}

/// Text for a header: control characters, line ends among them, become spaces.
fn one_line(text: &str) -> String {
    let visible = |letter: char| if letter.is_control() { ' ' } else { letter };
    text.chars().map(visible).collect::<String>().trim().to_owned()
}
