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

use rondo_contract::topic::CAPABILITIES;
use rondo_database::{Dsn, Pool};
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
        let _claim = transport::claim(&self.dsn, "local").await?;
        let mut tasks = JoinSet::new();
        let inlets = self.consumers(&mut tasks, &shutdown);
        self.sample(inlets.clone(), &mut tasks, &shutdown);
        let transport = Transport::Local(Local { inlets, feed });
        tasks.spawn(self.relay(transport).run(shutdown.clone()));
        shutdown.cancelled().await;
        tasks.shutdown().await;
        Ok(())
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
        let _claim = transport::claim(&self.dsn, "kafka").await?;
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
        shutdown.cancelled().await;
        tasks.shutdown().await;
        Ok(())
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
