//! Webhooks: sends the deliveries that the notify component has recorded, signed, to users' receivers.
//!
//! At least once: a repeated delivery has the same `webhook-id`. The time of the next attempt is stored, so
//! a restart loses none. A hanging receiver occupies only a few slots, and one slot once it is known to
//! fail.

mod exchange;
mod notice;
mod schedule;

use std::time::Instant;

use clap::{ArgAction, Args};
use exchange::{ATTEMPT_MS_MAX, Answer, EXCERPT_MS_MAX, Exchange, Failure, Message};
use http::Uri;
use rand::Rng as _;
use rondo_contract::webhook::TEST_TYPE;
use rondo_database::Database;
use rondo_domain::destination::Loopback;
use rondo_telemetry::span::Kind;
use rondo_telemetry::{LineLimit, Metrics, Span, TraceContext};

use crate::job::{Job, LEASE_MS};

pub use exchange::{Resolver, system_resolver};

/// In traces, in place of the URL, which can contain a secret.
const WEBHOOK: &str = "{webhook}";
/// Deliveries that run at once to one webhook.
const DELIVERIES_PER_WEBHOOK_MAX: i32 = 8;
/// How long a webhook may fail before it is disabled, in milliseconds.
const FAILING_MS_MAX: i64 = 5 * 24 * 3_600 * 1_000;

/// Without a network, every call fails.
static LINES: LineLimit = LineLimit::new();

const CLAIM: &str = include_str!("../sql/webhook_deliveries_claim.sql");
const SETTLE: &str = include_str!("../sql/webhook_delivery_settle.sql");

#[derive(Args)]
#[command(next_help_heading = "Webhooks")]
pub struct WebhookArgs {
    /// Whether webhooks may lead to this machine and use http, for development.
    #[arg(long, env = "WEBHOOK_ALLOW_LOOPBACK", value_name = "BOOLEAN", default_value_t = false, action = ArgAction::Set)]
    pub webhook_allow_loopback: bool,
}

/// Sends webhook deliveries.
pub struct WebhookSender {
    database: Database,
    exchange: Exchange,
    metrics: Metrics,
}

/// A claimed delivery.
#[derive(sqlx::FromRow)]
pub struct Delivery {
    id: i64,
    webhook_id: i64,
    #[sqlx(rename = "attempts")]
    attempt: i32,
    /// Attempts since the delivery was last requested, this one included.
    tries: i32,
    event_type: String,
    traceparent: Option<String>,
    #[sqlx(flatten)]
    message: Message,
}

impl Delivery {
    fn is_test(&self) -> bool {
        self.event_type == TEST_TYPE
    }

    /// Of the request that caused the event.
    fn trace(&self) -> Option<TraceContext> {
        self.traceparent.as_deref().and_then(TraceContext::parse)
    }
}

/// What an attempt means for its delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Delivered,
    Retry {
        wait_ms: i64,
    },
    Failed,
    /// The receiver answered 410.
    Gone,
}

impl Outcome {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Retry { .. } => "retry",
            Self::Failed => "failed",
            Self::Gone => "gone",
        }
    }
}

impl Job for WebhookSender {
    type Item = Delivery;
    type Outcome = Result<Answer, Failure>;

    const LABEL: &'static str = "webhooks";
    const CANNOT_CLAIM: &'static str = "cannot claim webhook deliveries";
    const SLOTS: usize = 64;
    const RUN_MS_MAX: u64 = ATTEMPT_MS_MAX + EXCERPT_MS_MAX;

    async fn claim(&self, slots: usize) -> anyhow::Result<Vec<Delivery>> {
        let claim = sqlx::query_as(CLAIM)
            .bind(i32::try_from(slots)?)
            .bind(DELIVERIES_PER_WEBHOOK_MAX)
            .bind(LEASE_MS);
        Ok(self.database.all(claim).await?)
    }

    /// Has the trace of the request that caused the event, and not the URL, which can contain a secret.
    fn span(delivery: &Delivery) -> tracing::Span {
        let trace_id = delivery.trace().map(|trace| trace.trace_id());
        let Delivery { webhook_id, id, attempt, .. } = *delivery;
        tracing::info_span!("webhook", webhook = webhook_id, delivery = id, attempt, trace_id)
    }

    fn trace(delivery: &Delivery) -> Option<Span> {
        let trace = delivery.traceparent.as_deref();
        let mut span = Span::below(Kind::Client, trace, || format!("POST {WEBHOOK}"))?;
        span.text("http.request.method", "POST");
        span.text("url.template", WEBHOOK);
        let uri = delivery.message.url.parse::<Uri>().ok();
        span.text("server.address", uri.as_ref().and_then(Uri::host).unwrap_or_default());
        span.number("http.request.resend_count", i64::from(delivery.attempt) - 1);
        span.number("rondo.webhook", delivery.webhook_id);
        span.text("messaging.message.id", &*delivery.message.id);
        Some(span)
    }

    async fn run(&self, delivery: &Delivery, span: Option<&Span>) -> Result<Answer, Failure> {
        // Without a span of our own, the receiver's is below the one that queued the delivery.
        let trace = span.map(Span::traceparent).or_else(|| delivery.traceparent.clone());
        match schedule::is_exhausted(delivery.tries) {
            true => Err(Failure::NeverEnded),
            false => {
                let begun = Instant::now();
                let attempted = self.exchange.attempt(&delivery.message, trace.as_deref()).await;
                self.metrics.webhook_attempted(begun.elapsed(), delivery.trace());
                attempted
            }
        }
    }

    async fn settle(
        &self,
        delivery: &Delivery,
        attempted: Option<Result<Answer, Failure>>,
        span: Option<&mut Span>,
    ) -> anyhow::Result<()> {
        let attempted = attempted.unwrap_or(Err(Failure::TimedOut));
        if let Some(span) = span {
            describe(span, &attempted);
        }
        let jitter = rand::rng().random_range(0.0..1.0);
        let outcome = outcome(delivery, &attempted, jitter);
        let (answer, error) = match &attempted {
            Ok(answer) if answer.is_success() => (Some(answer), None),
            Ok(answer) => (Some(answer), Some(format!("answered with {}", answer.status))),
            Err(failure) => (None, Some(failure.to_string())),
        };
        match outcome {
            Outcome::Delivered => tracing::info!("webhook delivered"),
            outcome => {
                if let Some(suppressed) = LINES.line() {
                    let outcome = outcome.as_str();
                    tracing::warn!(error, outcome, suppressed, "webhook failed");
                }
            }
        }
        self.metrics.webhook(match outcome {
            Outcome::Delivered => "delivered",
            Outcome::Retry { .. } => "retried",
            Outcome::Failed | Outcome::Gone => "failed",
        });
        let status = answer.map(|answer| i32::from(answer.status));
        let excerpt = answer.and_then(|answer| answer.excerpt.as_deref());
        if self.record(delivery, outcome, status, excerpt, error.as_deref()).await? == "disabled" {
            tracing::warn!("webhook disabled");
        }
        Ok(())
    }
}

impl WebhookSender {
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(
        database: Database,
        loopback: Loopback,
        resolver: Resolver,
        metrics: Metrics,
    ) -> Result<Self, rustls::Error> {
        metrics.announce_webhook();
        Ok(Self { database, exchange: Exchange::new(loopback, resolver)?, metrics })
    }

    async fn record(
        &self,
        delivery: &Delivery,
        outcome: Outcome,
        status: Option<i32>,
        excerpt: Option<&str>,
        error: Option<&str>,
    ) -> anyhow::Result<String> {
        let retry_ms = match outcome {
            Outcome::Retry { wait_ms } => Some(wait_ms),
            _ => None,
        };
        let notice = match outcome {
            Outcome::Gone => Some(notice::Reason::Gone),
            Outcome::Failed => Some(notice::Reason::Failing),
            Outcome::Delivered | Outcome::Retry { .. } => None,
        };
        let mail = notice.map(|reason| {
            notice::mail(delivery.webhook_id, &delivery.message.url, reason).to_string()
        });
        let settle = sqlx::query_as(SETTLE)
            .bind(delivery.id)
            .bind(delivery.attempt)
            .bind(outcome.as_str())
            .bind(delivery.is_test())
            .bind(status)
            .bind(excerpt)
            .bind(error)
            .bind(retry_ms)
            .bind(FAILING_MS_MAX)
            .bind(mail);
        let (state,) = self.database.one(settle).await?;
        Ok(state)
    }
}

fn describe(span: &mut Span, attempted: &Result<Answer, Failure>) {
    match attempted {
        Ok(answer) => {
            span.number("http.response.status_code", answer.status.into());
            if !answer.is_success() {
                span.fail(answer.status.to_string());
            }
        }
        Err(failure) => span.fail(format!("{failure:?}")),
    }
}

/// `jitter` is from 0 to 1.
fn outcome(delivery: &Delivery, attempted: &Result<Answer, Failure>, jitter: f64) -> Outcome {
    let retry_after_s = match attempted {
        Ok(answer) if answer.is_success() => return Outcome::Delivered,
        // RFC 9110, section 15.5.11: likely to be permanent.
        Ok(answer) if answer.status == 410 && !delivery.is_test() => return Outcome::Gone,
        Ok(answer) => answer.retry_after_s,
        Err(_) => None,
    };
    // The sender of a test sees its result and can send another.
    if delivery.is_test() {
        return Outcome::Failed;
    }
    schedule::wait_ms(delivery.tries, retry_after_s, jitter)
        .map_or(Outcome::Failed, |wait_ms| Outcome::Retry { wait_ms })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_of_an_attempt() {
        let delivery = |event_type: &str, tries: i32| Delivery {
            id: 1,
            webhook_id: 2,
            attempt: tries,
            tries,
            event_type: event_type.to_owned(),
            traceparent: None,
            message: Message {
                id: "e".to_owned(),
                url: "https://example.org".to_owned(),
                secrets: Vec::new(),
                body: String::new(),
            },
        };
        let answer = |status: u16| Ok(Answer { status, excerpt: None, retry_after_s: Some(7) });
        let check = |event_type: &str, tries: i32, attempted: Result<_, _>, expected: Outcome| {
            assert_eq!(outcome(&delivery(event_type, tries), &attempted, 0.0), expected);
        };
        let task = "task.created";
        for status in [200, 201, 204, 299] {
            check(task, 1, answer(status), Outcome::Delivered);
            check(TEST_TYPE, 1, answer(status), Outcome::Delivered);
        }
        for status in [100, 199, 300, 301, 307, 400, 401, 404, 429, 500, 503, 999] {
            check(task, 1, answer(status), Outcome::Retry { wait_ms: 7_000 });
            check(task, 10, answer(status), Outcome::Failed);
            check(TEST_TYPE, 1, answer(status), Outcome::Failed);
        }
        check(task, 1, answer(410), Outcome::Gone);
        check(TEST_TYPE, 1, answer(410), Outcome::Failed);
        check(task, 1, Err(Failure::TimedOut), Outcome::Retry { wait_ms: 5_000 });
        check(task, 11, Err(Failure::NeverEnded), Outcome::Failed);
    }
}
