//! The event pipeline: outbox → relay → transport → consumers → capabilities, with retries and dead
//! letters. One piece of code over the two transports.

pub mod consumer;
pub mod dead_letter;
pub mod delivery;
pub mod metric;
pub mod record;
pub mod relay;
pub mod transport;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rondo_contract::topic::CAPABILITIES;
use rondo_database::{Dsn, Pool};
use rondo_kafka::KafkaSettings;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use consumer::{Consumer, Inlet};
use dead_letter::DeadLetters;
use delivery::Delivery;
use metric::PipelineMetrics;
use relay::Relay;
use transport::local::{Feed, Local};
use transport::{Transport, kafka};

/// What the pipeline works with, on either transport.
pub struct Pipeline {
    /// The bridge's login.
    pub dsn: Dsn,
    pub pool: Pool,
    pub delivery: Delivery,
    pub metrics: Arc<PipelineMetrics>,
    pub wake: Arc<Notify>,
}

impl Pipeline {
    /// Runs on the local transport until `shutdown`; `feed` gets the events of `task-updates`.
    ///
    /// # Errors
    /// When the database is another process's or another transport's.
    pub async fn run_local(
        self,
        feed: Feed,
        flowing: Arc<AtomicBool>,
        shutdown: CancellationToken,
    ) -> anyhow::Result<()> {
        let _claim = transport::claim(&self.dsn, "local").await?;
        let mut tasks = JoinSet::new();
        let inlets = self.consumers(&mut tasks, &shutdown);
        let transport = Transport::Local(Local { inlets, feed });
        tasks.spawn(self.relay(transport).run(shutdown.clone()));
        flowing.store(true, Ordering::Relaxed);
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
        flowing: Arc<AtomicBool>,
        shutdown: CancellationToken,
    ) -> anyhow::Result<()> {
        let config = settings.client_config();
        let _claim = transport::claim(&self.dsn, "kafka").await?;
        kafka::prepare_topics(&config).await?;
        let publisher = kafka::Publisher::new(&config)?;
        let mut tasks = JoinSet::new();
        for inlet in self.consumers(&mut tasks, &shutdown) {
            let (config, shutdown) = (config.clone(), shutdown.clone());
            tasks.spawn(async move {
                let name = inlet.capability().name;
                if let Err(error) = kafka::consume(&config, inlet, shutdown).await {
                    tracing::error!(
                        consumer = name,
                        error = format!("{error:#}"),
                        "a consumer ended"
                    );
                }
            });
        }
        tasks.spawn(self.relay(Transport::Kafka(publisher)).run(shutdown.clone()));
        flowing.store(true, Ordering::Relaxed);
        shutdown.cancelled().await;
        tasks.shutdown().await;
        Ok(())
    }

    fn consumers(&self, tasks: &mut JoinSet<()>, shutdown: &CancellationToken) -> Vec<Inlet> {
        let dead_letters = DeadLetters::new(self.pool.clone());
        let inlets: Vec<Inlet> = CAPABILITIES
            .iter()
            .map(|capability| {
                let consumer = Consumer {
                    capability,
                    delivery: self.delivery.clone(),
                    dead_letters: dead_letters.clone(),
                    metrics: self.metrics.clone(),
                };
                consumer.start(tasks, shutdown.clone())
            })
            .collect();
        tasks.spawn(dead_letters.redrive(inlets.clone(), shutdown.clone()));
        inlets
    }

    fn relay(self, transport: Transport) -> Relay {
        Relay { dsn: self.dsn, pool: self.pool, transport, metrics: self.metrics, wake: self.wake }
    }
}
