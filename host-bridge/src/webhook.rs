//! Webhooks: sends what the notify component has recorded, signed, to where users want it.
//!
//! A delivery is claimed for a lease; when this process dies, it is claimed again after it, with the
//! same `webhook-id`: at least once. When to try again stands in the database, so a restart forgets
//! nothing. A receiver that hangs holds only a few places of its own, and one place once it is known
//! to fail.

mod exchange;
mod notice;
mod schedule;

use std::sync::Arc;
use std::time::Duration;

use clap::{ArgAction, Args};
use exchange::{Exchange, Failure, Message};
use rand::Rng as _;
use rondo_contract::webhook::TEST_TYPE;
use rondo_database::Pool;
use rondo_domain::destination::Loopback;
use rondo_telemetry::{Metrics, Part, TraceContext};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

pub use exchange::{Resolver, system_resolver};

/// Pause between two looks for deliveries, in milliseconds.
const POLL_MS: u64 = 100;
/// Pause after a failure of the database, in milliseconds.
const FAILURE_MS: u64 = 1_000;
/// Deliveries on their way at once: of this process, and to one webhook.
const DELIVERIES_MAX: usize = 64;
const DELIVERIES_PER_WEBHOOK_MAX: i32 = 8;
/// Longer than an attempt can take, see [`exchange::ATTEMPT_MS_MAX`].
const LEASE_MS: i64 = 60_000;
/// How long a webhook may fail before it is disabled, in milliseconds: five days.
const FAILING_MS_MAX: i64 = 5 * 24 * 3_600 * 1_000;

const CLAIM: &str = include_str!("../sql/webhook_deliveries_claim.sql");
const SETTLE: &str = include_str!("../sql/webhook_delivery_settle.sql");

#[derive(Args)]
#[command(next_help_heading = "Webhooks")]
pub struct WebhookArgs {
    /// Whether webhooks may lead to this machine and use http, for development.
    #[arg(long, env = "WEBHOOK_ALLOW_LOOPBACK", value_name = "BOOLEAN", default_value_t = false, action = ArgAction::Set)]
    pub webhook_allow_loopback: bool,
}

/// What the sender works with.
pub struct WebhookSender {
    pub pool: Pool,
    pub loopback: Loopback,
    pub resolver: Resolver,
    pub metrics: Metrics,
    pub part: Part,
}

/// A sender at work.
struct Sender {
    pool: Pool,
    exchange: Exchange,
    metrics: Metrics,
    part: Part,
}

struct Delivery {
    id: i64,
    webhook_id: i64,
    attempt: i32,
    /// Attempts since the delivery was last asked for, this one included.
    tries: i32,
    event_type: String,
    traceparent: Option<String>,
    message: Message,
}

impl Delivery {
    /// For what is logged about it: the trace of the request that it comes from. Not its URL, which
    /// can have a secret.
    fn span(&self) -> tracing::Span {
        let trace = self.traceparent.as_deref().and_then(TraceContext::parse);
        let trace_id = trace.map(|trace| trace.trace_id());
        let (webhook, delivery, attempt) = (self.webhook_id, self.id, self.attempt);
        tracing::info_span!("webhook", webhook, delivery, attempt, trace_id)
    }

    fn is_test(&self) -> bool {
        self.event_type == TEST_TYPE
    }
}

/// What becomes of a delivery after an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Delivered,
    Retry {
        wait_ms: i64,
    },
    Failed,
    /// The receiver wants nothing any more.
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

impl WebhookSender {
    /// Sends until `shutdown`; what is on its way then is finished or claimed again later.
    pub async fn run(self, shutdown: CancellationToken) {
        self.metrics.announce_webhook();
        let exchange = match Exchange::new(self.loopback, self.resolver) {
            Ok(exchange) => exchange,
            Err(error) => {
                tracing::error!(%error, "TLS cannot be set up: no webhook is called");
                self.part.not_ready("webhooks cannot be called: TLS cannot be set up");
                return;
            }
        };
        let Self { pool, metrics, part, .. } = self;
        Arc::new(Sender { pool, exchange, metrics, part }).work(shutdown).await;
    }
}

impl Sender {
    async fn work(self: Arc<Self>, shutdown: CancellationToken) {
        let mut sending = JoinSet::new();
        loop {
            let pause_ms = match self.claim(DELIVERIES_MAX - sending.len()).await {
                Ok(deliveries) => {
                    self.part.ready();
                    for delivery in deliveries {
                        let (sender, span) = (self.clone(), delivery.span());
                        sending
                            .spawn(async move { sender.deliver(delivery).await }.instrument(span));
                    }
                    POLL_MS
                }
                Err(error) => {
                    let error = format!("{error:#}");
                    tracing::warn!(error, "webhook deliveries cannot be claimed now");
                    self.part.not_ready(
                        "webhook deliveries cannot be claimed: see what the log says of the database",
                    );
                    FAILURE_MS
                }
            };
            tokio::select! {
                () = shutdown.cancelled() => break,
                () = tokio::time::sleep(Duration::from_millis(pause_ms)) => {}
                // A place is free: what waits for it need not wait for the next look.
                Some(_) = sending.join_next() => {}
            }
            while sending.try_join_next().is_some() {}
        }
        let patience = Duration::from_secs(5);
        let _ =
            tokio::time::timeout(patience, async { while sending.join_next().await.is_some() {} })
                .await;
    }

    async fn claim(&self, room: usize) -> anyhow::Result<Vec<Delivery>> {
        if room == 0 {
            return Ok(Vec::new());
        }
        let client = self.pool.get().await?;
        let statement = client.prepare_cached(CLAIM).await?;
        let room = i32::try_from(room)?;
        let rows =
            client.query(&statement, &[&room, &DELIVERIES_PER_WEBHOOK_MAX, &LEASE_MS]).await?;
        let deliveries = rows.iter().map(|row| Delivery {
            id: row.get("id"),
            webhook_id: row.get("webhook_id"),
            attempt: row.get("attempts"),
            tries: row.get("tries"),
            event_type: row.get("event_type"),
            traceparent: row.get("traceparent"),
            message: Message {
                id: row.get("event_id"),
                url: row.get("url"),
                secrets: row.get("secrets"),
                body: row.get::<_, String>("payload").into(),
            },
        });
        Ok(deliveries.collect())
    }

    async fn deliver(&self, delivery: Delivery) {
        let attempted = match schedule::is_exhausted(delivery.tries) {
            true => Err(Failure::NeverEnded),
            false => self.exchange.attempt(&delivery.message).await,
        };
        let jitter = rand::rng().random_range(0.0..1.0);
        let outcome = outcome(&delivery, &attempted, jitter);
        let (answer, error) = match &attempted {
            Ok(answer) if answer.is_success() => (Some(answer), None),
            Ok(answer) => (Some(answer), Some(format!("answered with {}", answer.status))),
            Err(failure) => (None, Some(failure.to_string())),
        };
        match outcome {
            Outcome::Delivered => tracing::info!("webhook called"),
            outcome => tracing::warn!(error, outcome = outcome.as_str(), "webhook not called"),
        }
        self.metrics.webhook(match outcome {
            Outcome::Delivered => "delivered",
            Outcome::Retry { .. } => "retried",
            Outcome::Failed | Outcome::Gone => "failed",
        });
        let status = answer.map(|answer| i32::from(answer.status));
        let excerpt = answer.and_then(|answer| answer.excerpt.as_deref());
        match self.settle(&delivery, outcome, status, excerpt, error.as_deref()).await {
            Ok(settled) if settled == "disabled" => tracing::warn!("the webhook is disabled"),
            Ok(_) => {}
            // The lease runs out and it is sent again, with the same id.
            Err(error) => {
                tracing::error!(error = format!("{error:#}"), "an outcome was not recorded");
            }
        }
    }

    async fn settle(
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
        let client = self.pool.get().await?;
        let statement = client.prepare_cached(SETTLE).await?;
        let values: [&(dyn tokio_postgres::types::ToSql + Sync); 10] = [
            &delivery.id,
            &delivery.attempt,
            &outcome.as_str(),
            &delivery.is_test(),
            &status,
            &excerpt,
            &error,
            &retry_ms,
            &FAILING_MS_MAX,
            &mail,
        ];
        Ok(client.query_one(&statement, &values).await?.get(0))
    }
}

/// `jitter` is from 0 to 1.
fn outcome(
    delivery: &Delivery,
    attempted: &Result<exchange::Answer, Failure>,
    jitter: f64,
) -> Outcome {
    let retry_after_s = match attempted {
        Ok(answer) if answer.is_success() => return Outcome::Delivered,
        // RFC 9110, section 15.5.11: likely to be permanent.
        Ok(answer) if answer.status == 410 && !delivery.is_test() => return Outcome::Gone,
        Ok(answer) => answer.retry_after_s,
        Err(_) => None,
    };
    // Who tests looks at what comes of it, and tests again.
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
    fn what_becomes_of_an_attempt() {
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
                body: bytes::Bytes::new(),
            },
        };
        let answer =
            |status: u16| Ok(exchange::Answer { status, excerpt: None, retry_after_s: Some(7) });
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
