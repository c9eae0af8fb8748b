//! Derives instants anew where what they follow from has changed: the rules of a time zone, when this program has newer
//! data than the one before it, or the time of day that a user's reminders of days count from.
//!
//! A moment of a task is what its owner meant on the wall clock. The database keeps the rules of each version of the
//! data, so that the clock's reading by the rules before is known, and each task the version that it was derived by, so
//! that nothing is derived twice.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::NaiveTime;
use rondo_contract::task_body;
use rondo_database::Database;
use rondo_domain::offset::ReminderOffset;
use rondo_domain::task::TaskFields;
use rondo_domain::zone::{self, Zone};
use rondo_telemetry::span::{self, Kind};
use rondo_telemetry::{Metrics, Outage};
use serde_json::Value;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::moment::time_of;

/// Tasks that are read at once. Each is changed in a transaction of its own, as by a request.
const BATCH_MAX: i64 = 200;
/// Users whose reminders of days are looked at in one poll.
const USERS_MAX: i64 = 20;
/// Passes over the tasks of changed zones: tasks that change meanwhile are met again.
const PASSES_MAX: usize = 10;
/// Pause between two looks for users with another time of day, in milliseconds.
const POLL_MS: u64 = 2_000;
/// Pause after a failure, in milliseconds.
const FAILURE_MS: u64 = 5_000;

const PREVIOUS: &str = include_str!("../sql/zone_rules_previous.sql");
const RECORD: &str = include_str!("../sql/zone_rules_record.sql");
const TASKS: &str = include_str!("../sql/tasks_to_derive.sql");
const DAY_TASKS: &str = include_str!("../sql/day_tasks_to_derive.sql");
const USERS: &str = include_str!("../sql/users_with_other_day_reminders.sql");
const SETTLE: &str = include_str!("../sql/day_reminders_settle.sql");
const DERIVE: &str = include_str!("../sql/task_derive.sql");

/// Derives until `shutdown`.
pub async fn run(
    database: Database,
    metrics: Metrics,
    wake: Arc<Notify>,
    shutdown: CancellationToken,
) {
    let mut outage = Outage::new("cannot derive instants anew");
    let mut is_current = false;
    loop {
        let round = async {
            if !is_current {
                let moved = by_zone_data(&database).await?;
                metrics.tasks_derived.inc_by(moved);
                if moved > 0 {
                    wake.notify_one();
                }
                is_current = true;
            }
            by_day_time(&database).await
        };
        let pause_ms = match round.await {
            Ok(aligned) => {
                outage.ended();
                if aligned > 0 {
                    wake.notify_one();
                }
                POLL_MS
            }
            Err(error) => {
                outage.failed(format_args!("{error:#}"));
                FAILURE_MS
            }
        };
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(Duration::from_millis(pause_ms)) => {}
        }
    }
}

/// Compares this program's time zone data with those before, and derives the tasks of the zones whose rules differ. Gives
/// the number of tasks that moved. Can be stopped and begun again at any point.
///
/// # Errors
/// When the database fails.
pub async fn by_zone_data(database: &Database) -> anyhow::Result<u64> {
    let version = zone::database_version();
    let previous: Previous = database.one(sqlx::query_as(PREVIOUS).bind(version)).await?;
    if previous.is_recorded {
        return Ok(0);
    }
    let changed = previous.changed();
    let mut moved = 0;
    if !changed.is_empty() {
        moved = derive_zones(database, &changed).await?;
        tracing::info!(
            version,
            before = previous.version,
            zones = changed.len(),
            tasks = moved,
            "newer time zone data: instants derived anew"
        );
    }
    let (zones, rules): (Vec<_>, Vec<_>) = Zone::all_rules().unzip();
    let record = sqlx::query_as(RECORD).bind(version).bind(zones).bind(rules);
    let ((),) = database.one(record).await?;
    Ok(moved)
}

async fn derive_zones(
    database: &Database,
    changed: &BTreeMap<String, Zone>,
) -> anyhow::Result<u64> {
    let version = zone::database_version();
    let names: Vec<&str> = changed.keys().map(String::as_str).collect();
    let mut moved = 0;
    for _ in 0..PASSES_MAX {
        let (mut after, mut is_stale) = (0, false);
        loop {
            let query =
                sqlx::query_as(TASKS).bind(after).bind(&names).bind(version).bind(BATCH_MAX);
            let tasks: Vec<Stored> = database.all(query).await?;
            let Some(last) = tasks.last() else { break };
            after = last.id;
            for task in &tasks {
                let Some(fields) = task.fields() else { continue };
                let before = changed.get(fields.time_zone.name());
                let fields = match before {
                    Some(before) => fields.by_rules_after(before),
                    None => fields,
                };
                match task.store(database, &fields).await?.as_str() {
                    "moved" => moved += 1,
                    "stale" => is_stale = true,
                    _ => {}
                }
            }
        }
        if !is_stale {
            return Ok(moved);
        }
    }
    anyhow::bail!("tasks kept changing while their instants were derived anew")
}

/// Aligns the reminders of days of users who have chosen another time of day. Gives the number of tasks.
///
/// # Errors
/// When the database fails.
pub async fn by_day_time(database: &Database) -> anyhow::Result<u64> {
    let users: Vec<(i64, NaiveTime)> = database.all(sqlx::query_as(USERS).bind(USERS_MAX)).await?;
    let mut aligned = 0;
    for (user, time) in users {
        let (mut after, mut is_stale) = (0, false);
        loop {
            let query = sqlx::query_as(DAY_TASKS).bind(user).bind(after).bind(BATCH_MAX);
            let tasks: Vec<Stored> = database.all(query).await?;
            let Some(last) = tasks.last() else { break };
            after = last.id;
            for task in &tasks {
                let Some(fields) = task.fields() else { continue };
                is_stale |= task.store(database, &fields).await? == "stale";
                aligned += 1;
            }
        }
        // One that changed meanwhile is met by the next poll.
        if !is_stale {
            let ((),) = database.one(sqlx::query_as(SETTLE).bind(user).bind(time)).await?;
        }
    }
    Ok(aligned)
}

/// What is recorded of the versions before this one.
#[derive(sqlx::FromRow)]
struct Previous {
    is_recorded: bool,
    version: Option<String>,
    zones: Vec<String>,
    rules: Vec<Vec<u8>>,
}

impl Previous {
    /// The zones whose rules differ from this program's, with the rules before.
    fn changed(&self) -> BTreeMap<String, Zone> {
        let own: BTreeMap<&str, &[u8]> = Zone::all_rules().collect();
        let recorded = self.zones.iter().zip(&self.rules);
        let differs = recorded.filter(|(zone, rules)| {
            own.get(zone.as_str()).is_some_and(|own| *own != rules.as_slice())
        });
        differs
            .filter_map(|(zone, rules)| Some((zone.clone(), Zone::of_rules(zone, rules)?)))
            .collect()
    }
}

/// A task whose instants may have to be derived anew.
#[derive(sqlx::FromRow)]
struct Stored {
    id: i64,
    user_id: i64,
    revision: i64,
    representation: String,
    day_reminder_time: NaiveTime,
    /// Offsets of its further reminders.
    further: Vec<String>,
}

impl Stored {
    /// None if another version of the rules has written it. It does not keep others from being derived.
    fn fields(&self) -> Option<TaskFields> {
        let task: Option<Value> = serde_json::from_str(&self.representation).ok();
        let fields = task.and_then(|task| task_body::from_answer(task).ok());
        if fields.is_none() {
            let (user, task) = (self.user_id, self.id);
            tracing::warn!(user, task, "a stored task breaks the rules of this version");
        }
        fields
    }

    /// Stores the instants of these fields. Gives the outcome.
    async fn store(&self, database: &Database, fields: &TaskFields) -> anyhow::Result<String> {
        let day_time = time_of(self.day_reminder_time)?;
        let further: Vec<_> =
            self.further.iter().filter_map(|text| ReminderOffset::parse(text).ok()).collect();
        let moments = Value::Object(task_body::moments(fields, &further, day_time));
        // No request caused it, so it starts a trace.
        let (trace, _span) = span::of_request(None, Kind::Internal, || "derivation".to_owned());
        let derive = sqlx::query_as(DERIVE)
            .bind(self.user_id)
            .bind(self.id)
            .bind(self.revision)
            .bind(moments)
            .bind(trace.traceparent());
        let (outcome,): (String,) = database.one(derive).await?;
        Ok(outcome)
    }
}
