//! `rondo bridge`: relay, consumers, clock, mailer and retention against Kafka, Postgres and SMTP,
//! delivering by HTTP to components on a Spin host.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rondo_database::migration;
use rondo_wasm_host::serve;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::command::{BridgeArgs, SettingError};
use crate::front::Front;
use crate::mailer::Mailer;
use crate::pipeline::Pipeline;
use crate::pipeline::delivery::{Delivery, HttpDelivery};
use crate::pipeline::metric::PipelineMetrics;
use crate::{clock, host, retention};

/// Runs until `shutdown`.
///
/// # Errors
/// When a setting is missing, the schema is another version's, or Kafka or Postgres refuse.
pub async fn run(args: BridgeArgs, shutdown: CancellationToken) -> anyhow::Result<()> {
    let dsn = args.database.dsn()?;
    let kafka = args.kafka.settings()?.ok_or_else(|| SettingError {
        setting: "KAFKA_BROKERS",
        reason: "is needed: the bridge carries events by Kafka".to_owned(),
    })?;
    let folder = std::env::temp_dir().join("rondo-mail");
    let (outlet, from) = args.mail.outlet(folder)?;
    migration::check(&*crate::connect(&dsn, "rondo bridge").await?, migration::embedded()).await?;
    let pool = crate::pool(&dsn)?;
    let (metrics, wake) = (PipelineMetrics::shared(), Arc::new(Notify::new()));
    let flowing = Arc::new(AtomicBool::new(false));
    let listener = host::listen(&args.listen).await?;

    let mut tasks = JoinSet::new();
    tasks.spawn(clock::run(pool.clone(), metrics.clone(), wake.clone(), shutdown.clone()));
    tasks.spawn(retention::run(
        pool.clone(),
        args.retention.audit_retention_days,
        shutdown.clone(),
    ));
    let mailer = Mailer { pool: pool.clone(), outlet, from, metrics: metrics.clone() };
    tasks.spawn(mailer.run(shutdown.clone()));
    let front = Front {
        app: None,
        sync: None,
        pool: pool.clone(),
        metrics: metrics.clone(),
        wake: wake.clone(),
        flowing: flowing.clone(),
        live: Arc::new(AtomicBool::new(true)),
    };
    println!("Bridge: health and metrics at http://{}", listener.local_addr()?);
    let serving =
        serve::serve(listener, move |request| front.clone().handle(request), shutdown.clone());
    tasks.spawn(serving);

    let delivery =
        Delivery::Http(Box::new(HttpDelivery::new(&args.components_url, &args.event_token)));
    let pipeline = Pipeline { dsn, pool, delivery, metrics, wake };
    let result = pipeline.run_kafka(&kafka, flowing.clone(), shutdown.clone()).await;
    flowing.store(false, Ordering::Relaxed);
    shutdown.cancel();
    while tasks.join_next().await.is_some() {}
    result
}
