//! The event pipeline: outbox → relay → transport → consumers → capabilities, with retries and dead
//! letters. One piece of code over the two transports.

pub mod consumer;
pub mod dead_letter;
pub mod delivery;
pub mod flow;
pub mod record;
pub mod relay;
pub mod sample;
pub mod transport;

use std::sync::Arc;
use std::time::{Duration, Instant};

use rondo_contract::capability::CAPABILITIES;
use rondo_database::{ConnectError, Dsn, Pool, Session};
use rondo_kafka::KafkaSettings;
use rondo_telemetry::Metrics;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use consumer::{Consumer, Inlet};
use dead_letter::DeadLetters;
use delivery::Delivery;
use flow::Flow;
use relay::Relay;
use transport::local::{Feed, Local};
use transport::{Transport, kafka};

/// How long a database that was lost may be somebody else's, in seconds: a server may take so long
/// to notice that an old connection of ours is gone.
const RECLAIM_S_MAX: u64 = 90;
/// Pause before another attempt to claim, in milliseconds.
const RECLAIM_MS: u64 = 500;

/// What the pipeline works with, on either transport.
pub struct Pipeline {
    /// The bridge's login.
    pub dsn: Dsn,
    pub pool: Pool,
    pub delivery: Delivery,
    pub metrics: Metrics,
    pub flow: Arc<Flow>,
    pub wake: Arc<Notify>,
}

impl Pipeline {
    /// Runs on the local transport until `shutdown`; `feed` gets the events of `task-updates`.
    ///
    /// # Errors
    /// When the database is another process's or another transport's.
    pub async fn run_local(self, feed: Feed, shutdown: CancellationToken) -> anyhow::Result<()> {
        let claim = Claim::new(&self, "local").await?;
        let mut tasks = JoinSet::new();
        let inlets = self.consumers(&mut tasks, &shutdown);
        self.sample(inlets.clone(), &mut tasks, &shutdown);
        let transport = Transport::Local(Local { inlets, feed });
        tasks.spawn(self.relay(transport).run(shutdown.clone()));
        let result = claim.hold(&shutdown).await;
        tasks.shutdown().await;
        result
    }

    /// Runs on Kafka until `shutdown`.
    ///
    /// # Errors
    /// When the settings are wrong, the brokers cannot be reached or lack what is needed, or the
    /// database is another transport's.
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
        for inlet in self.consumers(&mut tasks, &shutdown) {
            let (config, shutdown) = (config.clone(), shutdown.clone());
            let (metrics, flow) = (self.metrics.clone(), self.flow.clone());
            tasks.spawn(async move {
                let name = inlet.capability().name;
                let reading = kafka::consume(&config, inlet, metrics, flow.clone(), shutdown);
                if let Err(error) = reading.await {
                    let error = format!("{error:#}");
                    tracing::error!(consumer = name, error, "a consumer ended");
                    flow.stuck(flow::KAFKA, format!("consumer {name} has ended: start again"));
                }
            });
        }
        self.sample(Vec::new(), &mut tasks, &shutdown);
        tasks.spawn(self.relay(Transport::Kafka(publisher)).run(shutdown.clone()));
        let result = claim.hold(&shutdown).await;
        tasks.shutdown().await;
        result
    }

    /// `inlets` are those whose queue is all that waits for their consumer.
    fn sample(&self, inlets: Vec<Inlet>, tasks: &mut JoinSet<()>, shutdown: &CancellationToken) {
        let (pool, metrics) = (self.pool.clone(), self.metrics.clone());
        tasks.spawn(sample::run(pool, metrics, inlets, shutdown.clone()));
    }

    fn consumers(&self, tasks: &mut JoinSet<()>, shutdown: &CancellationToken) -> Vec<Inlet> {
        let dead_letters = DeadLetters::new(self.pool.clone());
        let inlets: Vec<Inlet> = CAPABILITIES
            .iter()
            .map(|capability| {
                self.metrics.announce_consumer(capability.name);
                let consumer = Consumer {
                    capability,
                    delivery: self.delivery.clone(),
                    dead_letters: dead_letters.clone(),
                    metrics: self.metrics.clone(),
                    flow: self.flow.clone(),
                };
                consumer.start(tasks, shutdown.clone())
            })
            .collect();
        tasks.spawn(dead_letters.redrive(inlets.clone(), shutdown.clone()));
        inlets
    }

    fn relay(self, transport: Transport) -> Relay {
        let Self { dsn, pool, metrics, flow, wake, .. } = self;
        Relay { dsn, pool, transport, metrics, flow, wake }
    }
}

/// The database, claimed for a transport by a session's lock: see [`transport::claim`].
struct Claim {
    dsn: Dsn,
    name: &'static str,
    flow: Arc<Flow>,
    session: Session,
}

impl Claim {
    async fn new(pipeline: &Pipeline, name: &'static str) -> anyhow::Result<Self> {
        let session = transport::claim(&pipeline.dsn, name).await?;
        Ok(Self { dsn: pipeline.dsn.clone(), name, flow: pipeline.flow.clone(), session })
    }

    /// Holds it until `shutdown`: a claim that was lost with its connection is made again.
    async fn hold(mut self, shutdown: &CancellationToken) -> anyhow::Result<()> {
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                () = self.session.ended().cancelled_owned() => {}
            }
            self.flow.stuck(flow::TRANSPORT, "the database was lost; claiming it again");
            tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                session = self.again() => self.session = session?,
            }
            self.flow.works(flow::TRANSPORT);
        }
    }

    async fn again(&self) -> anyhow::Result<Session> {
        let mut refused_since = None;
        loop {
            match transport::claim(&self.dsn, self.name).await {
                Ok(session) => return Ok(session),
                Err(error) if is_away(&error) => refused_since = None,
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

/// Whether an error is one of the connection, and not a refusal.
fn is_away(error: &anyhow::Error) -> bool {
    error.is::<ConnectError>() || error.is::<tokio_postgres::Error>()
}
