//! `bench events`: how long an event takes from the commit that made it true to the commit of its
//! effect, and how many events per second go through relay, transport and audit.
//!
//! Both ends of a latency are commit times that Postgres itself notes (`track_commit_timestamp`), so
//! one clock takes all of them and nobody polls. Saturation is a backlog that appears at once: many
//! tasks created by one transaction; its rate is events divided by the time from that commit to the
//! commit of the last audit entry. The database is the private one of `rondo up`, with the settings
//! that users get.

use std::time::Duration;

use clap::{Args, ValueEnum};
use rondo_database::Dsn;
use rondo_database::pool::{Session, SessionOptions, connect};
use rondo_testkit::kafka::Broker;
use rondo_testkit::wait::eventually;
use rondo_tests::arrangement::Up;
use rondo_tests::story;
use serde_json::json;

use crate::distribution::Distribution;

/// How long the effects may take to be all there.
const SETTLED: Duration = Duration::from_secs(300);
/// Recurring tasks that are created and completed before any that count.
const WARM_UP_PAIRS: u32 = 100;
/// Users among whom the events of a backlog are spread.
const BACKLOG_USERS: i64 = 5_000;

#[derive(Args)]
pub struct Options {
    /// Transports to measure
    #[arg(long, value_enum, default_values = ["local", "kafka"], value_delimiter = ',')]
    transport: Vec<Transport>,
    /// Changes per second for the latencies
    #[arg(long, default_value_t = 25)]
    rate: u32,
    /// Changes for the latencies, half of them completions of recurring tasks
    #[arg(long, default_value_t = 500)]
    changes: u32,
    /// Events of the backlog
    #[arg(long, default_value_t = 150_000)]
    backlog: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Transport {
    Local,
    Kafka,
}

/// Measures and prints.
///
/// # Errors
/// When something does not start, or an event has no effect in time.
pub async fn run(options: &Options) -> anyhow::Result<()> {
    for transport in &options.transport {
        measure(*transport, options).await?;
    }
    Ok(())
}

async fn measure(transport: Transport, options: &Options) -> anyhow::Result<()> {
    let broker = match transport {
        Transport::Local => None,
        Transport::Kafka => Some(Broker::start().await),
    };
    let mut environment = vec![("RUST_LOG", "warn".to_owned())];
    environment.extend(broker.as_ref().map(|broker| ("KAFKA_BROKERS", broker.bootstrap())));
    let mut up = Up::start("bench", &environment).await;
    // It takes a restart to have commit times noted.
    session(&up).await?.batch_execute("ALTER SYSTEM SET track_commit_timestamp = on").await?;
    up.stop().await;
    up.start_again().await;
    let session = session(&up).await?;

    println!("\n{transport:?}, {} changes/s:", options.rate);
    let (audited, followed) = latency(&up, &session, options).await?;
    println!("  commit → audit entry        {audited}");
    println!("  completion → next occurrence {followed}");
    let (events, seconds) = saturation(&session, options.backlog).await?;
    println!(
        "  saturation: {events} events in {seconds:.2} s = {:.0} events/s",
        rate(events, seconds)
    );
    drop(session);
    up.stop().await;
    Ok(())
}

#[allow(clippy::cast_precision_loss, reason = "far fewer than 2^52 events")]
fn rate(events: i64, seconds: f64) -> f64 {
    events as f64 / seconds
}

/// A connection as the superuser of the private database.
async fn session(up: &Up) -> anyhow::Result<Session> {
    let endpoints = up.endpoints();
    let dsn: Dsn = endpoints["postgres"].as_str().unwrap_or_default().parse()?;
    Ok(connect(&dsn, &SessionOptions::default()).await?)
}

/// Creates and completes recurring tasks at an even rate; the first of them only warm up what was
/// just started, a Java virtual machine for one, and are not counted.
async fn latency(
    up: &Up,
    session: &Session,
    options: &Options,
) -> anyhow::Result<(Distribution, Distribution)> {
    let user = story::register(&up.http(), "bench@example.org").await;
    let mut due = tokio::time::interval(Duration::from_secs(1) / options.rate.max(1));
    let pairs = options.changes / 2 + WARM_UP_PAIRS;
    for number in 0..pairs {
        due.tick().await;
        let task = json!({
            "title": format!("Water the plants {number}"), "due_date": "2031-01-01T08:00:00Z",
            "recurrence_rule": {"frequency": "daily"},
        });
        let made = user.client.post("/api/tasks", &task).await?.expect(201).json();
        due.tick().await;
        let path = format!("/api/tasks/{}/complete", made["id"]);
        user.client.post(&path, &json!({})).await?.expect(200);
    }
    // Each pair is three events of tasks: created, completed, and the next occurrence created.
    eventually("all effects", SETTLED, async || {
        let row = session
            .query_one("SELECT count(*) FROM audit_logs WHERE action_type LIKE 'task.%'", &[])
            .await
            .map_err(|error| error.to_string())?;
        let count: i64 = row.get(0);
        if count == i64::from(pairs) * 3 { Ok(()) } else { Err(format!("{count} entries")) }
    })
    .await;
    let after = i64::from(WARM_UP_PAIRS) * 3;
    // A completed task was last written by its completion, its successor by its creation.
    let audited = figures(
        session,
        "SELECT extract(epoch FROM pg_xact_commit_timestamp(a.xmin) - pg_xact_commit_timestamp(t.xmin))::float8 * 1000
         FROM audit_logs a JOIN tasks t ON t.id = a.task_id AND t.revision = (a.payload ->> 'revision')::bigint
         WHERE a.action_type LIKE 'task.%' AND a.id > $1",
        after,
    )
    .await?;
    let followed = figures(
        session,
        "SELECT extract(epoch FROM pg_xact_commit_timestamp(next.xmin) - pg_xact_commit_timestamp(done.xmin))::float8 * 1000
         FROM occurrences o JOIN tasks next ON next.id = o.task_id JOIN tasks done ON done.id = o.predecessor_task_id
         WHERE done.id > (SELECT max(task_id) FROM audit_logs WHERE id <= $1)",
        after,
    )
    .await?;
    Ok((audited, followed))
}

async fn figures(session: &Session, query: &str, after: i64) -> anyhow::Result<Distribution> {
    let rows = session.query(query, &[&after]).await?;
    Distribution::new(rows.iter().map(|row| row.get(0)).collect())
}

/// Lets a backlog appear and be worked off; events and seconds.
async fn saturation(session: &Session, events: i64) -> anyhow::Result<(i64, f64)> {
    let task = json!({
        "title": "Prepare the quarterly report",
        "status": "pending", "priority": "high", "tags": ["reports", "work"],
        "due_date": "2031-01-01T08:00:00Z", "time_zone": "Europe/Berlin",
    });
    let row = session.query_one("SELECT coalesce(max(id), 0) FROM audit_logs", &[]).await?;
    let before: i64 = row.get(0);
    session
        .execute(
            "WITH made AS (
                 INSERT INTO users (email, email_key, password_hash)
                 SELECT 'backlog' || n || '@example.org', 'backlog' || n || '@example.org', ''
                 FROM generate_series(1, $1::bigint) n RETURNING id)
             INSERT INTO user_revisions (user_id) SELECT id FROM made",
            &[&BACKLOG_USERS],
        )
        .await?;
    session
        .execute(
            "SELECT count(created.outcome)
             FROM generate_series(1, $1::bigint / $3::bigint) turn,
                  (SELECT id FROM users WHERE email LIKE 'backlog%') u,
                  LATERAL task_create(u.id, jsonb_set($2::text::jsonb, '{description}', to_jsonb('Draft ' || turn)),
                                     NULL, NULL, NULL, NULL) created",
            &[&events, &task.to_string(), &BACKLOG_USERS],
        )
        .await?;
    let events = events / BACKLOG_USERS * BACKLOG_USERS;
    eventually("the backlog", SETTLED, async || {
        let row = session
            // Not a count, which would read them all, again and again, beside what is measured.
            .query_one("SELECT coalesce(max(id), 0) - $1 FROM audit_logs", &[&before])
            .await
            .map_err(|error| error.to_string())?;
        let entries: i64 = row.get(0);
        if entries >= events { Ok(()) } else { Err(format!("{entries} of {events}")) }
    })
    .await;
    let row =
        session.query_one("SELECT count(*) FROM audit_logs WHERE id > $1", &[&before]).await?;
    let entries: i64 = row.get(0);
    anyhow::ensure!(entries == events, "{entries} audit entries for {events} events");
    let row = session
        .query_one(
            "SELECT extract(epoch FROM max(pg_xact_commit_timestamp(a.xmin)) - min(pg_xact_commit_timestamp(t.xmin)))::float8
             FROM audit_logs a JOIN tasks t ON t.id = a.task_id WHERE a.id > $1",
            &[&before],
        )
        .await?;
    Ok((events, row.get(0)))
}
