//! The mailer: sends what the notify and auth components have written, by SMTP or into a folder.
//!
//! A mail is claimed for a lease; when this process dies, it is claimed again after it, with the
//! same Message-ID. SMTP is at least once by nature: a server that took a mail and was cut off
//! before it said so gets it twice, and a mail program can tell by the Message-ID.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use lettre::message::header::{Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};
use rand::Rng as _;
use rondo_database::Pool;
use rondo_telemetry::{Metrics, Part, TraceContext};
use tokio::io::AsyncWriteExt as _;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

/// Pause between two looks for mail, in milliseconds.
const LOOK_MS: u64 = 100;
/// Pause after a failure of the database, in milliseconds.
const FAILURE_MS: u64 = 1_000;
/// Mails on their way at once.
const MAILS_MAX: usize = 16;
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

/// Where mails go.
#[derive(Clone)]
pub enum Outlet {
    Smtp(AsyncSmtpTransport<Tokio1Executor>),
    /// One .eml file for each mail.
    Folder(PathBuf),
}

impl Outlet {
    /// The server at `url` (`smtp://`, `smtps://`, with user and password; `?tls=required` asks for
    /// STARTTLS).
    ///
    /// # Errors
    /// When the URL is malformed; it is not quoted, for it can have a password.
    pub fn smtp(url: &str) -> anyhow::Result<Self> {
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(url)
            .map_err(|_| anyhow::anyhow!("must be smtp://host:port or smtps://host:port"))?
            .timeout(Some(Duration::from_secs(MAIL_S_MAX / 2)))
            .build();
        Ok(Self::Smtp(transport))
    }

    /// Where mails go, for whoever starts the program.
    #[must_use]
    pub fn announcement(&self) -> String {
        match self {
            Self::Smtp(_) => "Mail goes to the server at SMTP_URL.".to_owned(),
            Self::Folder(folder) => {
                format!("Mail is written to {}, for SMTP_URL is not set.", folder.display())
            }
        }
    }
}

/// What the mailer works with.
pub struct Mailer {
    pub pool: Pool,
    pub outlet: Outlet,
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
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

/// What became of an attempt.
enum Outcome {
    Sent,
    Later(String),
    Never(String),
}

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
                    LOOK_MS
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
            mails.extend(rows.iter().map(|row| Mail {
                queue,
                id: row.get("id"),
                attempts: row.get("attempts"),
                email: row.get("email"),
                name: row.get("name"),
                subject: row.get::<_, Option<_>>("subject").unwrap_or_default(),
                text: row.get::<_, Option<_>>("body_text").unwrap_or_default(),
                html: row.get::<_, Option<_>>("body_html").unwrap_or_default(),
                traceparent: row.get("traceparent"),
            }));
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
        let message = match self.message(mail) {
            Ok(message) => message,
            Err(error) => return Outcome::Never(error.to_string()),
        };
        match &self.outlet {
            Outlet::Smtp(transport) => match transport.send(message).await {
                Ok(_) => Outcome::Sent,
                Err(error) if error.is_permanent() => Outcome::Never(error.to_string()),
                Err(error) => Outcome::Later(error.to_string()),
            },
            Outlet::Folder(folder) => {
                match write(folder, &mail.label(), &message.formatted()).await {
                    Ok(path) => {
                        tracing::info!(path = %path.display(), "mail written, for SMTP_URL is not set");
                        Outcome::Sent
                    }
                    // For the log only: the history is for users, and paths are none of theirs.
                    Err(error) => {
                        tracing::warn!(path = %folder.display(), %error, "mail cannot be written");
                        Outcome::Later("the mail could not be written".to_owned())
                    }
                }
            }
        }
    }

    fn message(&self, mail: &Mail) -> anyhow::Result<Message> {
        let to = Mailbox::new(mail.name.clone(), mail.email.parse()?);
        let domain = self.from.email.domain();
        Ok(Message::builder()
            .from(self.from.clone())
            .to(to)
            .subject(&mail.subject)
            .message_id(Some(format!("<{}@{domain}>", mail.label())))
            .header(AutoSubmitted)
            .multipart(MultiPart::alternative_plain_html(mail.text.clone(), mail.html.clone()))?)
    }
}

/// Written beside and renamed, so that a reader never sees half a mail; for its owner's eyes, since
/// links in mails open accounts.
async fn write(folder: &Path, label: &str, bytes: &[u8]) -> std::io::Result<PathBuf> {
    tokio::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).await?;
    let path = folder.join(format!("{label}.eml"));
    let fresh = path.with_extension("new");
    let mut options = tokio::fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&fresh).await?;
    file.write_all(bytes).await?;
    file.sync_all().await?;
    tokio::fs::rename(&fresh, &path).await?;
    Ok(path)
}
