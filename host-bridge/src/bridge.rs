//! `rondo bridge`: the backend on Kafka, Postgres and SMTP, delivering by HTTP to components on a Spin host.

use rondo_setting::Cleartext;
use rondo_telemetry::{Program, Shutdown};
use tokio::task::JoinSet;

use crate::backend::{Backend, BackendSetting};
use crate::edge::{Edge, Exposure};
use crate::health::{self, Health};
use crate::host;
use crate::operations::Operations;
use crate::option::BridgeArgs;
use crate::pipeline::delivery::{Delivery, HttpDelivery};

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
    let (mail, from) = args.mail.transport(&args.data, cleartext)?;
    let setting = BackendSetting {
        mail,
        from,
        loopback: args.webhook.webhook_allow_loopback.into(),
        provider: args.provider.provider()?,
        audit_days: args.retention.audit_retention_days,
        lateness_minutes: args.reminder.reminder_lateness_minutes,
    };
    let listener = host::listen(&args.listen, host::LISTEN_OPTION).await?;
    crate::database::check_schema(&dsn, "rondo bridge").await?;
    let backend = Backend::new(dsn, Program::Bridge)?;
    let token = shutdown.token();

    println!("Bridge: health and metrics at http://{}", listener.local_addr()?);
    println!("{}", setting.mail.announcement());
    let health = Health::new(backend.readiness.clone(), backend.database.clone(), health::ADVICE);
    let operations = Operations { health: Some(health), metrics: backend.metrics.clone() };
    let edge = Edge::new(backend.metrics.clone(), Exposure::operators());
    let mut tasks = JoinSet::new();
    tasks.spawn(operations.serve(edge, listener, token.clone()));
    let delivery = Delivery::Http(Box::new(delivery));
    let pipeline = backend.start(setting, delivery, &mut tasks, &token)?;
    let running = async {
        let result = pipeline.run_kafka(&kafka, token.clone()).await;
        token.cancel();
        while tasks.join_next().await.is_some() {}
        result
    };
    shutdown.drain(running).await?
}
