//! The event pipeline: outbox → relay → transport → consumers → capabilities, with retries and dead
//! letters. Both transports share this code.

pub mod consumer;
pub mod dead_letter;
pub mod delivery;
pub mod gauge;
pub mod health;
pub mod queue;
pub mod record;
pub mod relay;
mod trace;
pub mod transport;

use std::sync::Arc;
use std::time::{Duration, Instant};

use rondo_contract::capability::CAPABILITIES;
use rondo_contract::event::EventType;
use rondo_database::{ConnectError, Database, Dsn, Session};
use rondo_kafka::KafkaSettings;
use rondo_telemetry::Metrics;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use consumer::Consumer;
use dead_letter::DeadLetters;
use delivery::Delivery;
use gauge::Lag;
use health::PipelineHealth;
use queue::ConsumerQueue;
use relay::Relay;
use transport::local::{Feed, Local};
use transport::{Transport, kafka};

/// How long a claim is retried after the connection broke, in seconds: the server may take that long
/// to notice that our old connection is gone.
const RECLAIM_S_MAX: u64 = 90;
/// Pause between two attempts to claim, in milliseconds.
const RECLAIM_MS: u64 = 500;

/// The parts of a pipeline, on either transport.
pub struct Pipeline {
    /// The bridge's login.
    pub dsn: Dsn,
    pub database: Database,
    pub delivery: Delivery,
    pub metrics: Metrics,
    pub health: Arc<PipelineHealth>,
    pub wake: Arc<Notify>,
}

impl Pipeline {
    /// Runs on the local transport until `shutdown`; `feed` receives the events of `task-updates`.
    ///
    /// # Errors
    /// When another process or the other transport holds the database.
    pub async fn run_local(self, feed: Feed, shutdown: CancellationToken) -> anyhow::Result<()> {
        let claim = Claim::new(&self, "local").await?;
        let mut tasks = JoinSet::new();
        let queues = self.consumers(&mut tasks, &shutdown);
        self.sample(queues.clone(), Lag::InProcess, &mut tasks, &shutdown);
        let transport = Transport::Local(Local { queues, feed });
        tasks.spawn(self.relay(transport)?.run(shutdown.clone()));
        let result = claim.hold(&shutdown).await;
        tasks.shutdown().await;
        result
    }

    /// Runs on Kafka until `shutdown`.
    ///
    /// # Errors
    /// When a setting is wrong, the brokers cannot be reached or a topic has too few partitions, or the
    /// local transport holds the database.
    pub async fn run_kafka(
        self,
        settings: &KafkaSettings,
        shutdown: CancellationToken,
    ) -> anyhow::Result<()> {
        let config = settings.client_config();
        let claim = Claim::new(&self, "kafka").await?;
        kafka::prepare_topics(&config).await?;
        let publisher = kafka::Publisher::new(&config)?;
        let mut tasks = JoinSet::new();
        let queues = self.consumers(&mut tasks, &shutdown);
        self.sample(queues.clone(), Lag::OnBroker, &mut tasks, &shutdown);
        for queue in queues {
            let (config, shutdown) = (config.clone(), shutdown.clone());
            let (metrics, health) = (self.metrics.clone(), self.health.clone());
            tasks.spawn(async move {
                let name = queue.capability().name;
                let reading = kafka::consume(&config, queue, metrics, health.clone(), shutdown);
                if let Err(error) = reading.await {
                    let error = format!("{error:#}");
                    tracing::error!(consumer = name, error, "consumer stopped");
                    health.set_blocked(
                        health::KAFKA,
                        format!("consumer {name} has stopped: restart the process"),
                    );
                }
            });
        }
        tasks.spawn(self.relay(Transport::Kafka(publisher))?.run(shutdown.clone()));
        let result = claim.hold(&shutdown).await;
        tasks.shutdown().await;
        result
    }

    fn sample(
        &self,
        queues: Vec<ConsumerQueue>,
        lag: Lag,
        tasks: &mut JoinSet<()>,
        shutdown: &CancellationToken,
    ) {
        let (database, metrics) = (self.database.clone(), self.metrics.clone());
        tasks.spawn(gauge::run(database, metrics, queues, lag, shutdown.clone()));
    }

    fn consumers(
        &self,
        tasks: &mut JoinSet<()>,
        shutdown: &CancellationToken,
    ) -> Vec<ConsumerQueue> {
        let dead_letters = DeadLetters::new(self.database.clone());
        let queues: Vec<ConsumerQueue> = CAPABILITIES
            .iter()
            .map(|capability| {
                let types = EventType::all().filter(|event_type| (capability.wants)(*event_type));
                self.metrics.announce_consumer(capability.name, types.map(EventType::as_str));
                let consumer = Consumer {
                    capability,
                    delivery: self.delivery.clone(),
                    dead_letters: dead_letters.clone(),
                    metrics: self.metrics.clone(),
                    health: self.health.clone(),
                };
                consumer.start(tasks, shutdown.clone())
            })
            .collect();
        tasks.spawn(dead_letters.redrive(queues.clone(), shutdown.clone()));
        queues
    }

    fn relay(self, transport: Transport) -> anyhow::Result<Relay> {
        let Self { dsn, metrics, health, wake, .. } = self;
        let pool = crate::database::relay_pool(&dsn)?;
        crate::database::watch_relay(&metrics, &pool);
        Ok(Relay { dsn, pool, transport, metrics, health, wake })
    }
}

/// The session whose lock claims the database for a transport; see [`transport::claim`].
struct Claim {
    dsn: Dsn,
    name: &'static str,
    health: Arc<PipelineHealth>,
    session: Session,
}

impl Claim {
    async fn new(pipeline: &Pipeline, name: &'static str) -> anyhow::Result<Self> {
        let session = transport::claim(&pipeline.dsn, name).await?;
        Ok(Self { dsn: pipeline.dsn.clone(), name, health: pipeline.health.clone(), session })
    }

    /// Holds the claim until `shutdown`, and claims again when the connection breaks.
    async fn hold(mut self, shutdown: &CancellationToken) -> anyhow::Result<()> {
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                () = self.session.ended().cancelled_owned() => {}
            }
            self.health
                .set_blocked(health::TRANSPORT, "lost the connection to Postgres; reconnecting");
            tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                session = self.again() => self.session = session?,
            }
            self.health.set_ready(health::TRANSPORT);
        }
    }

    async fn again(&self) -> anyhow::Result<Session> {
        let mut refused_since = None;
        loop {
            match transport::claim(&self.dsn, self.name).await {
                Ok(session) => return Ok(session),
                Err(error) if is_disconnected(&error) => refused_since = None,
                Err(error) => {
                    let since = *refused_since.get_or_insert_with(Instant::now);
                    if since.elapsed() >= Duration::from_secs(RECLAIM_S_MAX) {
                        return Err(error);
                    }
                }
            }
            tokio::time::sleep(Duration::from_millis(RECLAIM_MS)).await;
        }
    }
}

/// Whether the connection failed, rather than the claim.
fn is_disconnected(error: &anyhow::Error) -> bool {
    error.is::<ConnectError>() || error.is::<tokio_postgres::Error>()
}
