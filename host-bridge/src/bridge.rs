//! `rondo bridge`: relay, consumers, clock, mailer, webhooks and retention against Kafka, Postgres and SMTP,
//! delivering by HTTP to components on a Spin host.

use std::sync::Arc;

use rondo_setting::Cleartext;
use rondo_telemetry::{Metrics, Readiness, Shutdown};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::clock::Clock;
use crate::edge::{Edge, Facing};
use crate::health::{self, Health};
use crate::mailer::Mailer;
use crate::operations::Operations;
use crate::option::BridgeArgs;
use crate::pipeline::Pipeline;
use crate::pipeline::delivery::{Delivery, HttpDelivery};
use crate::pipeline::health::PipelineHealth;
use crate::webhook::{self, WebhookSender};
use crate::{host, jwks, retention};

/// Runs until `shutdown`.
///
/// # Errors
/// When a setting is missing, the schema is another version's, or Kafka or Postgres refuse.
pub async fn run(
    args: BridgeArgs,
    cleartext: &Cleartext,
    shutdown: &Shutdown,
) -> anyhow::Result<()> {
    let dsn = args.database.dsn_for("BRIDGE_DATABASE_URL", cleartext)?;
    let kafka = args.kafka(cleartext)?;
    let delivery = HttpDelivery::new(&args.components_url, &args.event_token()?);
    let (transport, from) = args.mail.transport(&args.data, cleartext)?;
    let provider = args.provider.provider()?;
    let loopback = args.webhook.webhook_allow_loopback.into();
    let listener = host::listen(&args.listen, host::LISTEN_OPTION).await?;
    crate::check_schema(&dsn, "rondo bridge").await?;
    let pool = crate::pool(&dsn)?;
    let (metrics, readiness, wake) = (Metrics::new(), Readiness::new(), Arc::new(Notify::new()));
    crate::watch_pool(&metrics, &pool);
    let (flow, token) = (Arc::new(PipelineHealth::new(readiness.part("events"))), shutdown.token());

    println!("Bridge: health and metrics at http://{}", listener.local_addr()?);
    println!("{}", transport.announcement());
    let mut tasks = JoinSet::new();
    let clock = Clock {
        pool: pool.clone(),
        lateness_minutes: args.reminder.reminder_lateness_minutes,
        metrics: metrics.clone(),
        part: readiness.part("clock"),
        wake: wake.clone(),
    };
    tasks.spawn(clock.run(token.clone()));
    let audit_days = args.retention.audit_retention_days;
    tasks.spawn(retention::run(pool.clone(), audit_days, token.clone()));
    let part = readiness.part("mailer");
    let mailer = Mailer { pool: pool.clone(), transport, from, metrics: metrics.clone(), part };
    tasks.spawn(mailer.run(token.clone()));
    let sender = WebhookSender {
        pool: pool.clone(),
        loopback,
        resolver: webhook::system_resolver(),
        metrics: metrics.clone(),
        part: readiness.part("webhooks"),
    };
    tasks.spawn(sender.run(token.clone()));
    if let Some(provider) = provider {
        tasks.spawn(jwks::run(pool.clone(), provider, token.clone()));
    }
    let health = Health::new(readiness, pool.clone(), health::ADVICE);
    let operations = Operations { health, metrics: metrics.clone() };
    let edge = Edge::new(metrics.clone(), Facing::operators());
    tasks.spawn(operations.serve(edge, listener, token.clone()));

    let delivery = Delivery::Http(Box::new(delivery));
    let pipeline = Pipeline { dsn, pool, delivery, metrics, health: flow, wake };
    let running = async {
        let result = pipeline.run_kafka(&kafka, token.clone()).await;
        token.cancel();
        while tasks.join_next().await.is_some() {}
        result
    };
    shutdown.drain(running).await?
}
