//! Due digests. The domain calculates each user's next digest, and one transaction plans it and writes
//! `digest.due` to the outbox. When a user changes the hour or the zone, the plan is recalculated.

use chrono::{DateTime, NaiveTime, Utc};
use rondo_database::Database;
use rondo_domain::digest;
use rondo_domain::instant;
use rondo_domain::jiff::SignedDuration;
use rondo_domain::zone::Zone;
use rondo_telemetry::span::{self, Kind};
use serde_json::{Value, json};

use crate::moment::{instant_of, time_of};

/// Users whose digests are advanced in one transaction.
pub const BATCH_MAX: i64 = 200;

const DUE: &str = include_str!("../sql/digests_due.sql");
const ADVANCE: &str = include_str!("../sql/digests_advance.sql");

/// The result of one poll.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Advance {
    /// Digests written to the outbox.
    pub emitted: i64,
    /// Whether there may be more.
    pub is_full: bool,
}

/// Emits due digests and plans the next ones, for at most [`BATCH_MAX`] users. Skips a digest that has been
/// due for longer than `lateness_minutes`.
///
/// # Errors
/// When the database fails, or holds a value that no version of this program stores.
pub async fn advance(database: &Database, lateness_minutes: i32) -> anyhow::Result<Advance> {
    let due: Vec<DueDigest> = database.all(sqlx::query_as(DUE).bind(BATCH_MAX)).await?;
    let lateness = SignedDuration::from_mins(lateness_minutes.into());
    let steps: Vec<Value> =
        due.iter().map(|digest| digest.step(lateness)).collect::<anyhow::Result<_>>()?;
    if steps.is_empty() {
        return Ok(Advance { emitted: 0, is_full: false });
    }
    let is_full = i64::try_from(steps.len())? >= BATCH_MAX;
    // No request caused it, so it starts a trace.
    let (trace, _span) = span::of_request(None, Kind::Internal, || "digests".to_owned());
    let advance = sqlx::query_as(ADVANCE).bind(Value::from(steps)).bind(trace.traceparent());
    let (emitted,) = database.one(advance).await?;
    Ok(Advance { emitted, is_full })
}

/// A user whose next digest is due, or not planned yet.
#[derive(sqlx::FromRow)]
struct DueDigest {
    id: i64,
    /// Local time of day.
    digest_at: NaiveTime,
    time_zone: String,
    due: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
}

impl DueDigest {
    /// The user's step, as `digests_advance` takes it.
    fn step(&self, lateness: SignedDuration) -> anyhow::Result<Value> {
        let at = time_of(self.digest_at)?;
        let zone = Zone::parse(&self.time_zone).unwrap_or_else(|_| Zone::utc());
        let now = instant_of(self.now)?;
        let due = self.due.map(instant_of).transpose()?;
        // Of several digests missed in a downtime, the last is enough.
        let next = digest::next(at, &zone, now).map(|(next, _)| instant::format(next));
        let day = due
            .filter(|due| now.duration_since(*due) <= lateness)
            .map(|due| digest::day_of(at, &zone, due).to_string());
        Ok(json!({
            "user_id": self.id, "digest_at": self.digest_at.to_string(), "time_zone": self.time_zone,
            "due": due.map(instant::format), "next": next, "day": day,
        }))
    }
}
