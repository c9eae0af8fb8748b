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
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use consumer::Consumer;
use dead_letter::DeadLetters;
use delivery::Delivery;
use gauge::Lag;
use health::PipelineHealth;
use queue::ConsumerQueue;
use relay::Relay;
use transport::kafka::reader::Reader;
use transport::local::{Feed, Local};
use transport::{Transport, kafka, member};

/// How long a claim is retried after the connection broke, in seconds: the server may take that long
/// to notice that our old connection is gone.
const RECLAIM_S_MAX: u64 = 90;
/// Pause between two attempts to claim, in milliseconds.
const RECLAIM_MS: u64 = 200;

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
        let mut claim = Claim::new(&self, "local").await?;
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
        let mut claim = Claim::new(&self, "kafka").await?;
        kafka::prepare_topics(&config).await?;
        let (mut tasks, mut readers) = (JoinSet::new(), JoinSet::new());
        let reading = shutdown.child_token();
        let queues = self.consumers(&mut tasks, &shutdown);
        self.sample(queues.clone(), Lag::OnBroker, &mut tasks, &shutdown);
        for queue in queues {
            let reader = Reader {
                config: config.clone(),
                queue,
                metrics: self.metrics.clone(),
                health: self.health.clone(),
                member: claim.member.subscribe(),
            };
            readers.spawn(reader.run(reading.clone()));
        }
        let publisher = kafka::Publisher::open(&config, self.health.clone()).await?;
        tasks.spawn(self.relay(Transport::Kafka(publisher))?.run(shutdown.clone()));
        let result = claim.hold(&shutdown).await;
        // They leave their groups while the member is still claimed.
        reading.cancel();
        while readers.join_next().await.is_some() {}
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

/// The session whose locks claim the database for a transport and a number for this process; see
/// [`transport::claim`] and [`member`].
struct Claim {
    dsn: Dsn,
    name: &'static str,
    health: Arc<PipelineHealth>,
    session: Session,
    number: u16,
    /// The number, while the session lasts.
    member: watch::Sender<Option<u16>>,
}

impl Claim {
    async fn new(pipeline: &Pipeline, name: &'static str) -> anyhow::Result<Self> {
        let session = transport::claim(&pipeline.dsn, name).await?;
        let number = member::claim(&session, None).await?;
        let (dsn, health) = (pipeline.dsn.clone(), pipeline.health.clone());
        Ok(Self { dsn, name, health, session, number, member: watch::Sender::new(Some(number)) })
    }

    /// Holds the claim until `shutdown`, and claims again when the connection breaks.
    async fn hold(&mut self, shutdown: &CancellationToken) -> anyhow::Result<()> {
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                () = self.session.ended().cancelled_owned() => {}
            }
            self.member.send_replace(None);
            self.health
                .set_blocked(health::TRANSPORT, "lost the connection to Postgres; reconnecting");
            tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                claimed = self.again() => (self.session, self.number) = claimed?,
            }
            self.member.send_replace(Some(self.number));
            self.health.set_ready(health::TRANSPORT);
        }
    }

    async fn again(&self) -> anyhow::Result<(Session, u16)> {
        let mut refused_since = None;
        loop {
            let claiming = async {
                let session = transport::claim(&self.dsn, self.name).await?;
                let number = member::claim(&session, Some(self.number)).await?;
                anyhow::Ok((session, number))
            };
            match claiming.await {
                Ok(claimed) => return Ok(claimed),
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
