//! Dead letters: events that a consumer could not handle. They are recorded in the database and announced
//! on `dlq-events`; an operator lists, redrives and discards them.

use std::time::Duration;

use rondo_contract::cloud_event::{CloudEvent, header};
use rondo_contract::topic::TOPICS;
use rondo_database::Database;
use rondo_telemetry::Outage;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::queue::ConsumerQueue;
use super::record::Record;

/// Pause between two attempts to record, and between two polls for letters to redrive, in milliseconds.
const RECORD_RETRY_MS: u64 = 500;
const REDRIVE_POLL_MS: u64 = 500;
/// Dead letters redriven at a time.
const REDRIVE_EVENTS_MAX: i64 = 100;

const RECORD: &str = include_str!("../../sql/dead_letter_record.sql");
const MOVE: &str = include_str!("../../sql/dead_letter_move.sql");
const LIST: &str = include_str!("../../sql/dead_letter_list.sql");
const REDRIVING: &str = include_str!("../../sql/dead_letter_redriving.sql");

/// Why an event became a dead letter.
#[derive(Debug, Clone)]
pub struct Failure {
    pub consumer: String,
    pub attempts: u32,
    /// Stable: `attempts_exhausted` or `rejected`.
    pub code: String,
    pub message: String,
}

/// Selects dead letters.
#[derive(Debug, Clone, Copy)]
pub struct Filter<'a> {
    pub id: Option<i64>,
    pub states: &'a [&'a str],
    pub consumer: Option<&'a str>,
}

/// A letter to redrive.
#[derive(sqlx::FromRow)]
struct Letter {
    id: i64,
    event_id: Uuid,
    consumer: String,
    topic: String,
    key: String,
    headers: Value,
    value: String,
}

/// The table of dead letters.
#[derive(Clone)]
pub struct DeadLetters {
    database: Database,
}

impl DeadLetters {
    #[must_use]
    pub fn new(database: Database) -> Self {
        Self { database }
    }

    /// Records a dead letter, retrying until it succeeds.
    pub async fn record(&self, record: &Record, failure: &Failure) {
        let mut outage = Outage::new("cannot record a dead letter; retrying");
        while let Err(error) = self.try_record(record, failure).await {
            outage.failed(format_args!("{error:#}"));
            tokio::time::sleep(Duration::from_millis(RECORD_RETRY_MS)).await;
        }
        outage.ended();
    }

    async fn try_record(&self, record: &Record, failure: &Failure) -> anyhow::Result<()> {
        let headers: serde_json::Map<String, Value> = record
            .headers()
            .into_iter()
            .map(|(name, value)| (name.to_owned(), Value::String(value)))
            .collect();
        let user_id: i64 = record.key.parse().unwrap_or(0);
        let announce = record.event.event_type != "event.dead_lettered";
        let record = sqlx::query(RECORD)
            .bind(&record.event.id)
            .bind(user_id)
            .bind(&failure.consumer)
            .bind(i32::try_from(failure.attempts).unwrap_or(i32::MAX))
            .bind(&failure.code)
            .bind(&failure.message)
            .bind(&record.event.topic)
            .bind(record.position.map(|(partition, _)| partition))
            .bind(record.position.map(|(_, offset)| offset))
            .bind(&record.key)
            .bind(Value::Object(headers))
            .bind(&record.event.data)
            .bind(announce)
            .bind(&record.event.traceparent);
        Ok(self.database.execute(record).await?)
    }

    /// Moves a dead letter to `state`; false if its present state does not allow that (see the function
    /// `dead_letter_move`).
    ///
    /// # Errors
    /// When the database fails.
    pub async fn mark(&self, id: i64, state: &str) -> anyhow::Result<bool> {
        let (is_moved,) = self.database.one(sqlx::query_as(MOVE).bind(id).bind(state)).await?;
        Ok(is_moved)
    }

    /// At most `limit` dead letters as JSON texts, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list(&self, filter: &Filter<'_>, limit: i64) -> anyhow::Result<Vec<String>> {
        let Filter { id, states, consumer } = *filter;
        let list = sqlx::query_as(LIST).bind(id).bind(states).bind(consumer).bind(limit);
        let letters: Vec<(String,)> = self.database.all(list).await?;
        Ok(letters.into_iter().map(|(letter,)| letter).collect())
    }

    /// Delivers the letters to redrive to the consumer that failed, in order within a key, until `shutdown`.
    pub async fn redrive(self, queues: Vec<ConsumerQueue>, shutdown: CancellationToken) {
        let mut outage = Outage::new("cannot poll for dead letters to redrive");
        loop {
            match self.redrive_some(&queues).await {
                Ok(()) => outage.ended(),
                Err(error) => outage.failed(format_args!("{error:#}")),
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(Duration::from_millis(REDRIVE_POLL_MS)) => {}
            }
        }
    }

    async fn redrive_some(&self, queues: &[ConsumerQueue]) -> anyhow::Result<()> {
        let redriving = sqlx::query_as(REDRIVING).bind(REDRIVE_EVENTS_MAX);
        let mut waiting = Vec::new();
        for Letter { id, event_id, consumer, topic, key, headers, value } in
            self.database.all(redriving).await?
        {
            let value_of =
                |name: &str| headers.get(name).and_then(Value::as_str).map(str::to_owned);
            let queue = queues.iter().find(|queue| queue.capability().name == consumer);
            let topic = TOPICS.iter().find(|known| known.name == topic);
            let (Some(queue), Some(topic)) = (queue, topic) else { continue };
            let event = CloudEvent {
                id: event_id.to_string(),
                event_type: value_of(header::TYPE).unwrap_or_default(),
                subject: value_of(header::SUBJECT),
                time: value_of(header::TIME).unwrap_or_default(),
                traceparent: value_of(header::TRACEPARENT),
                topic: topic.name.to_owned(),
                data: value,
            };
            let record = Record { event, key, position: None };
            let (sender, receiver) = tokio::sync::oneshot::channel();
            queue
                .push(
                    record,
                    Box::new(move || {
                        let _ = sender.send(());
                    }),
                    None,
                )
                .await;
            waiting.push((id, receiver));
        }
        for (id, receiver) in waiting {
            if receiver.await.is_ok() {
                // A letter that failed again is open again and stays so.
                self.mark(id, "redriven").await?;
            }
        }
        Ok(())
    }
}
