//! Search by what there is, the rows of one user along the index of the order, beside an index of
//! trigrams that has the user in each key: `bench api --search`.
//!
//! Statements are timed where they are sent from, one after the other in one session. The index is
//! made in the benchmark's database alone, with extensions that come with Postgres.

use std::time::Instant;

use rondo_database::Session;
use serde_json::{Value, json};

use super::plan::task;
use super::stage::Stage;
use super::table::median;

/// Times that each statement is carried out.
const TIMES: usize = 50;
/// Tasks that are created to see what the index costs.
const CREATIONS: i64 = 20_000;

/// Phrases by what there is to find. Each task of the population has one of a few verbs and things.
const PHRASES: [(&str, &str); 8] = [
    ("1 letter, in all", "e"),
    ("2 letters, in none", "qx"),
    ("3 letters, in none", "qxj"),
    ("6 letters, in a seventh", "garden"),
    ("9 letters, in few", "roof 1234"),
    ("11 letters, in none", "zebra cross"),
    ("11 letters, trigrams common", "the rooftop"),
    ("25 letters, in few", "last time, no later than 100"),
];

const EXTENSIONS: &str =
    "CREATE EXTENSION IF NOT EXISTS pg_trgm; CREATE EXTENSION IF NOT EXISTS btree_gin";
const INDEX: &str =
    "CREATE INDEX bench_search ON tasks USING gin (user_id, search_text gin_trgm_ops)";

/// The page that a search answers with: as the component has it, without the filters.
const SCAN: &str = "SELECT t.representation FROM tasks t
    WHERE t.user_id = $1 AND strpos(t.search_text, $2) > 0
    ORDER BY t.created_at DESC, t.id DESC LIMIT 21";
/// The same in words that the index knows, and so that no other is taken.
const BY_INDEX: &str = "WITH found AS MATERIALIZED (
        SELECT t.* FROM tasks t WHERE t.user_id = $1
          AND t.search_text LIKE '%' || regexp_replace($2, '([%_\\\\])', '\\\\\\1', 'g') || '%')
    SELECT representation FROM found ORDER BY created_at DESC, id DESC LIMIT 21";

/// Measures, prints, and answers with the figures.
///
/// # Errors
/// When a statement fails, or the two ways do not find the same.
pub async fn measure(stage: &Stage) -> anyhow::Result<Value> {
    let session = &stage.session;
    let users =
        [("10,000 tasks", stage.busy), ("50 tasks", stage.ids().next().unwrap_or_default())];
    let without = times(session, &users, SCAN).await?;
    let created_without = creations_per_second(stage).await?;
    session.batch_execute(EXTENSIONS).await?;
    session.batch_execute(INDEX).await?;
    session.batch_execute("VACUUM ANALYZE tasks").await?;
    let with = times(session, &users, BY_INDEX).await?;
    let created_with = creations_per_second(stage).await?;
    let row = session
        .query_one("SELECT pg_table_size('tasks'), pg_relation_size('bench_search')", &[])
        .await?;
    let (table, index): (i64, i64) = (row.get(0), row.get(1));
    println!("\nsearch, median ms: along the order's index, by trigrams");
    let mut cases = Vec::new();
    for (without, with) in without.iter().zip(&with) {
        anyhow::ensure!(without.found == with.found, "{}: another find", without.name);
        println!("  {:44}{:9.3}{:9.3}", without.name, without.ms, with.ms);
        cases.push(json!({"case": without.name, "scan_ms": without.ms, "trigrams_ms": with.ms}));
    }
    println!("  creations/s in one session: {created_without:.0}, {created_with:.0}");
    println!("  the index has {} MB, the table {} MB", index >> 20, table >> 20);
    Ok(json!({"cases": cases, "creations_per_second": [created_without, created_with],
              "index_bytes": index, "table_bytes": table}))
}

struct Timed {
    name: String,
    ms: f64,
    found: Vec<String>,
}

async fn times(
    session: &Session,
    users: &[(&str, i64)],
    statement: &str,
) -> anyhow::Result<Vec<Timed>> {
    // Planned for what is asked, so that the planner may do its best.
    session.batch_execute("SET plan_cache_mode = force_custom_plan").await?;
    let statement = session.prepare(statement).await?;
    let mut all = Vec::new();
    for (who, user) in users {
        for (what, phrase) in PHRASES {
            let mut figures = Vec::new();
            let mut found = Vec::new();
            for _ in 0..TIMES {
                let start = Instant::now();
                let rows = session.query(&statement, &[user, &phrase]).await?;
                figures.push(start.elapsed().as_secs_f64() * 1e3);
                found = rows.iter().map(|row| row.get(0)).collect();
            }
            let name = format!("{who}: {what}");
            all.push(Timed { name, ms: median(figures.into_iter()), found });
        }
    }
    session.batch_execute("RESET plan_cache_mode").await?;
    Ok(all)
}

/// Tasks like those of the benchmark, created one by one and taken back.
async fn creations_per_second(stage: &Stage) -> anyhow::Result<f64> {
    let mut stored = task();
    stored["status"] = "pending".into();
    let title = stored["title"].as_str().unwrap_or_default().to_lowercase();
    stored["search_text"] = title.clone().into();
    stored["title_key"] = title.into();
    stage.session.batch_execute("BEGIN").await?;
    let start = Instant::now();
    stage
        .session
        .execute(
            "SELECT count(created.outcome) FROM generate_series(1, $1::bigint) turn,
             LATERAL task_create($2 + turn % 1000, jsonb_set($3::text::jsonb, '{search_text}',
                 to_jsonb('prepare the quarterly report ' || md5(turn::text))), NULL, NULL, NULL, NULL) created",
            &[&CREATIONS, &(stage.busy + 1), &stored.to_string()],
        )
        .await?;
    let seconds = start.elapsed().as_secs_f64();
    stage.session.batch_execute("ROLLBACK").await?;
    #[allow(clippy::cast_precision_loss, reason = "a small constant")]
    Ok(CREATIONS as f64 / seconds)
}
