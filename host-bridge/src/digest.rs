//! Due digests. The domain calculates each user's next digest, and one transaction plans it and writes
//! `digest.due` to the outbox. When a user changes the hour or the zone, the plan is recalculated.

use anyhow::anyhow;
use rondo_database::Pool;
use rondo_domain::digest;
use rondo_domain::instant::{self, Instant};
use rondo_domain::jiff::SignedDuration;
use rondo_domain::jiff::civil::Time;
use rondo_domain::zone::Zone;
use rondo_telemetry::TraceContext;
use serde_json::{Value, json};
use tokio_postgres::Row;

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
pub async fn advance(pool: &Pool, lateness_minutes: i32) -> anyhow::Result<Advance> {
    let client = pool.get().await?;
    let statement = client.prepare_cached(DUE).await?;
    let rows = client.query(&statement, &[&BATCH_MAX]).await?;
    let lateness = SignedDuration::from_mins(lateness_minutes.into());
    let steps: Vec<Value> =
        rows.iter().map(|row| step(row, lateness)).collect::<anyhow::Result<_>>()?;
    if steps.is_empty() {
        return Ok(Advance { emitted: 0, is_full: false });
    }
    let is_full = i64::try_from(steps.len())? >= BATCH_MAX;
    let statement = client.prepare_cached(ADVANCE).await?;
    // No request caused it, so it starts a trace.
    let trace = TraceContext::root().traceparent();
    let row = client.query_one(&statement, &[&Value::from(steps), &trace]).await?;
    Ok(Advance { emitted: row.get(0), is_full })
}

/// One user's step, as `digests_advance` takes it.
fn step(row: &Row, lateness: SignedDuration) -> anyhow::Result<Value> {
    let (user, digest_at, time_zone): (i64, String, String) =
        (row.get("id"), row.get("digest_at"), row.get("time_zone"));
    let at: Time = digest_at.parse().map_err(|error| anyhow!("a stored time of day: {error}"))?;
    let zone = Zone::parse(&time_zone).unwrap_or_else(|_| Zone::utc());
    let now = stored(row.get("now"))?;
    let due = row.get::<_, Option<String>>("due").map(stored).transpose()?;
    // Of several digests missed in a downtime, the last is enough.
    let next = digest::next(at, &zone, now).map(|(next, _)| instant::format(next));
    let day = due
        .filter(|due| now.duration_since(*due) <= lateness)
        .map(|due| digest::day_of(at, &zone, due).to_string());
    Ok(json!({
        "user_id": user, "digest_at": digest_at, "time_zone": time_zone,
        "due": due.map(instant::format), "next": next, "day": day,
    }))
}

fn stored(text: String) -> anyhow::Result<Instant> {
    text.parse().map_err(|error| anyhow!("a stored instant: {error}"))
}
