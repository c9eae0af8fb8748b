//! The parts that `rondo up` and `rondo bridge` share: clock, mailer, webhooks, retention, the refresh of a
//! provider's keys, and the event pipeline.

use std::sync::Arc;

use lettre::message::Mailbox;
use rondo_database::{Database, Dsn};
use rondo_domain::destination::Loopback;
use rondo_domain::zone;
use rondo_telemetry::{Metrics, Part, Program, Readiness};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::jwks::{self, Provider};
use crate::mail_transport::MailTransport;
use crate::mailer::Mailer;
use crate::pipeline::Pipeline;
use crate::pipeline::delivery::Delivery;
use crate::pipeline::health::PipelineHealth;
use crate::webhook::{self, WebhookSender};
use crate::{derivation, job, retention};

/// The settings of a backend.
pub struct BackendSetting {
    pub mail: MailTransport,
    /// Sender of the mails.
    pub from: Mailbox,
    /// Whether webhooks may point to this machine.
    pub loopback: Loopback,
    /// OpenID provider whose keys are kept up to date.
    pub provider: Option<Provider>,
    pub audit_days: i32,
    pub lateness_minutes: i32,
}

/// A backend that has not been started. Its parts of readiness already exist.
pub struct Backend {
    dsn: Dsn,
    pub database: Database,
    pub metrics: Metrics,
    pub readiness: Readiness,
    /// Wakes the relay.
    pub wake: Arc<Notify>,
    health: Arc<PipelineHealth>,
    clock: Part,
    mailer: Part,
    webhooks: Part,
}

impl Backend {
    /// `dsn` is the bridge's login.
    ///
    /// # Errors
    /// When the authorities that the connection string names cannot be read.
    pub fn new(dsn: Dsn, program: Program) -> anyhow::Result<Self> {
        let database = crate::database::open(&dsn)?;
        let (metrics, readiness) =
            (Metrics::new(program), Readiness::new().with_time_zone_data(zone::database_version()));
        crate::database::watch(&metrics, &database);
        readiness.show_in(&metrics);
        Ok(Self {
            health: Arc::new(PipelineHealth::new(readiness.part("events"))),
            clock: readiness.part("clock"),
            mailer: readiness.part("mailer"),
            webhooks: readiness.part("webhooks"),
            wake: Arc::new(Notify::new()),
            dsn,
            database,
            metrics,
            readiness,
        })
    }

    /// Starts everything except the pipeline, which the caller runs on its transport.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn start(
        self,
        setting: BackendSetting,
        delivery: Delivery,
        tasks: &mut JoinSet<()>,
        shutdown: &CancellationToken,
    ) -> anyhow::Result<Pipeline> {
        let Self { dsn, database, metrics, wake, health, .. } = self;
        let BackendSetting { mail, from, loopback, provider, audit_days, lateness_minutes } =
            setting;
        let clock = Clock {
            database: database.clone(),
            lateness_minutes,
            metrics: metrics.clone(),
            part: self.clock,
            wake: wake.clone(),
        };
        let derivation =
            derivation::run(database.clone(), metrics.clone(), wake.clone(), shutdown.clone());
        let mailer = Mailer::new(database.clone(), mail, from, metrics.clone());
        let resolver = webhook::system_resolver();
        let sender = WebhookSender::new(database.clone(), loopback, resolver, metrics.clone())?;
        tasks.spawn(clock.run(shutdown.clone()));
        tasks.spawn(derivation);
        tasks.spawn(retention::run(database.clone(), audit_days, shutdown.clone()));
        tasks.spawn(job::work(mailer, self.mailer, metrics.clone(), shutdown.clone()));
        tasks.spawn(job::work(sender, self.webhooks, metrics.clone(), shutdown.clone()));
        if let Some(provider) = provider {
            tasks.spawn(jwks::run(database.clone(), provider, shutdown.clone()));
        }
        Ok(Pipeline { dsn, database, delivery, metrics, health, wake })
    }
}
