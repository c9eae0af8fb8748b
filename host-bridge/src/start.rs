//! Tasks that start: once the clock has passed a task's start, an event says that it is no longer deferred.

use rondo_database::Database;
use rondo_telemetry::span::{self, Kind};

/// Tasks that are started in one poll, each in a transaction of its own: it takes the user's lock as every change
/// does, and holding several at once could end in a deadlock.
const BATCH_MAX: i64 = 100;

const DUE: &str = include_str!("../sql/tasks_to_start.sql");
const START: &str = include_str!("../sql/task_start.sql");

/// The result of one poll.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Starts {
    /// Events written to the outbox.
    pub emitted: i64,
    /// Whether there may be more.
    pub is_full: bool,
}

/// Emits `task.started` for the tasks whose start has come, once each, however many clocks run.
///
/// # Errors
/// When the database fails.
pub async fn advance(database: &Database) -> anyhow::Result<Starts> {
    let due: Vec<(i64, i64)> = database.all(sqlx::query_as(DUE).bind(BATCH_MAX)).await?;
    let is_full = i64::try_from(due.len())? >= BATCH_MAX;
    let mut emitted = 0;
    for (user, task) in due {
        // No request caused it, so it starts a trace.
        let (trace, _span) = span::of_request(None, Kind::Internal, || "start".to_owned());
        let start = sqlx::query_as(START).bind(user).bind(task).bind(trace.traceparent());
        let (outcome,): (String,) = database.one(start).await?;
        emitted += i64::from(outcome == "started");
    }
    Ok(Starts { emitted, is_full })
}
