//! `bench reminders`: how late reminders come due at a usual rate, and what becomes of very many
//! that are due at one moment: when the last of them is an event, whether each is one, and how long
//! creating a task takes meanwhile.
//!
//! Two bridges run beside each other, each with its clock, over Kafka. Lateness is the time of the
//! event `reminder.due` less the moment that was asked for, both by Postgres' clock.

use std::time::{Duration, Instant};

use clap::Args;
use rondo_database::pool::Session;
use rondo_testkit::wait::eventually;
use rondo_tests::arrangement::separate::{Listener, Separate};
use rondo_tests::arrangement::{Arrangement as _, session};
use rondo_tests::story::{self, User};
use serde_json::json;

use crate::distribution::Distribution;

/// How long the events may take to be all in the audit log.
const SETTLED: Duration = Duration::from_secs(900);
/// Before the first reminder is due, so that all of them are there by then.
const AHEAD_S: i32 = 2;
const AHEAD_OF_MANY_S: i32 = 20;
/// Users among whom reminders are spread.
const USERS: i64 = 1_000;
/// Tasks created per second beside the reminders.
const CREATES_PER_SECOND: u32 = 25;
/// Of creations, how many are measured without anything beside them.
const CREATES_ALONE: u32 = 500;
const LATENCY_PERCENT: usize = 95;

#[derive(Args)]
pub struct Options {
    /// Reminders that come due one after another
    #[arg(long, default_value_t = 1_000)]
    single: i64,
    /// Reminders per second of those
    #[arg(long, default_value_t = 50)]
    rate: i32,
    /// Reminders that are due at one moment
    #[arg(long, default_value_t = 100_000)]
    due: i64,
}

/// Measures and prints.
///
/// # Errors
/// When something does not start, or a reminder is no event in time, or two.
pub async fn run(options: &Options) -> anyhow::Result<()> {
    let quiet = [("RONDO_LOG", "warn".to_owned())];
    let separate = Separate::start("bench-reminders", Listener::Plain, &quiet).await;
    let _second = separate.another_bridge().await;
    let session = session(&separate.postgres()).await;
    let user = story::register(&separate.http(), "bench@example.org").await;
    let users = "INSERT INTO users (email, email_key, password_hash)
                 SELECT 'reminded' || n || '@example.org', 'reminded' || n || '@example.org', ''
                 FROM generate_series(1, $1::bigint) n";
    session.execute(users, &[&USERS]).await?;

    arm(&session, options.single, AHEAD_S, 1.0 / f64::from(options.rate)).await?;
    let lateness = lateness(&session, 0, options.single).await?;
    println!("\n{} reminders, {}/s: lateness {lateness}", options.single, options.rate);

    let alone = create(&user, async |made| Ok(made >= CREATES_ALONE)).await?;
    println!("creating a task, {CREATES_PER_SECOND}/s:          {alone}");

    arm(&session, options.due, AHEAD_OF_MANY_S, 0.0).await?;
    eventually("the moment", SETTLED, async || match armed(&session).await {
        Ok(armed) if armed < options.due => Ok(()),
        armed => Err(format!("{armed:?} armed")),
    })
    .await;
    let is_over = async |_| {
        let waits = "SELECT EXISTS (SELECT FROM outbox WHERE event_type = 'reminder.due')";
        Ok(armed(&session).await? == 0 && !session.query_one(waits, &[]).await?.get::<_, bool>(0))
    };
    let beside = create(&user, is_over).await?;
    println!("… beside {} reminders at once: {beside}", options.due);
    let many = self::lateness(&session, options.single, options.due).await?;
    println!("their lateness: {many}");
    let ratio = beside.percentile(LATENCY_PERCENT) / alone.percentile(LATENCY_PERCENT);
    println!("p{LATENCY_PERCENT} of creating a task is {ratio:.2} times what it is alone");
    Ok(())
}

/// Tasks whose reminders are due one after another, `apart_s` seconds from each other.
async fn arm(session: &Session, count: i64, ahead_s: i32, apart_s: f64) -> anyhow::Result<()> {
    session
        .execute(
            "WITH made AS (
                 INSERT INTO tasks (user_id, title, status, due_at, time_zone, created_at, updated_at, revision)
                 SELECT u.first + n % $2::bigint, 'Water the plants ' || n, 'pending',
                        now() + interval '1 day', 'Europe/Berlin', now(), now(),
                        (SELECT coalesce(max(id), 0) FROM tasks) + n
                 FROM generate_series(1, $1::bigint) n,
                      (SELECT min(id) AS first FROM users WHERE email LIKE 'reminded%') u
                 RETURNING id, user_id)
             INSERT INTO reminders (user_id, task_id, kind, planned_at, remind_at, state, created_at)
             SELECT m.user_id, m.id, 'task', m.at, m.at, 'armed', now()
             FROM (SELECT id, user_id, clock_timestamp() + $3::integer * interval '1 second'
                          + row_number() OVER (ORDER BY id) * $4::float8 * interval '1 second' AS at
                   FROM made) m",
            &[&count, &USERS, &ahead_s, &apart_s],
        )
        .await?;
    Ok(())
}

async fn armed(session: &Session) -> anyhow::Result<i64> {
    let armed = "SELECT count(*) FROM reminders WHERE state = 'armed'";
    Ok(session.query_one(armed, &[]).await?.get(0))
}

/// Waits until `count` reminders beyond the first `before` are in the audit log, each once.
async fn lateness(session: &Session, before: i64, count: i64) -> anyhow::Result<Distribution> {
    let entries = "SELECT count(*) FROM audit_logs WHERE action_type = 'reminder.due'";
    eventually("every reminder's event", SETTLED, async || {
        let row = session.query_one(entries, &[]).await.map_err(|error| error.to_string())?;
        let entries: i64 = row.get(0);
        if entries >= before + count { Ok(()) } else { Err(format!("{entries} entries")) }
    })
    .await;
    let late = "SELECT extract(epoch FROM (payload ->> 'timestamp')::timestamptz
                                          - (payload ->> 'remind_at')::timestamptz)::float8 * 1000
                FROM audit_logs WHERE action_type = 'reminder.due' ORDER BY id OFFSET $1";
    let rows = session.query(late, &[&before]).await?;
    let once = "SELECT count(DISTINCT payload ->> 'reminder_id') FROM audit_logs
                WHERE action_type = 'reminder.due'";
    let once: i64 = session.query_one(once, &[]).await?.get(0);
    anyhow::ensure!(
        once == before + count && i64::try_from(rows.len())? == count,
        "{} events of {count} reminders; {once} reminders in all",
        rows.len()
    );
    Distribution::new(rows.iter().map(|row| row.get(0)).collect())
}

/// Creates tasks at an even rate until it is over; how long each took.
async fn create(
    user: &User,
    is_over: impl AsyncFn(u32) -> anyhow::Result<bool>,
) -> anyhow::Result<Distribution> {
    let mut due = tokio::time::interval(Duration::from_secs(1) / CREATES_PER_SECOND);
    let mut figures_ms = Vec::new();
    for made in 0.. {
        // Not at each: it reads what the clocks write.
        if made % CREATES_PER_SECOND == 0 && is_over(made).await? {
            break;
        }
        due.tick().await;
        let start = Instant::now();
        let task = json!({"title": format!("Water the garden {made}")});
        user.client.post("/api/tasks", &task).await?.expect(201);
        figures_ms.push(start.elapsed().as_secs_f64() * 1_000.0);
    }
    Distribution::new(figures_ms)
}
