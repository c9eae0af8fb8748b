//! `bench api`: the product's list and create beside the same two routes natively (axum, sqlx) and in
//! the stack that it replaces (FastAPI, SQLModel, asyncpg); then search and filters of a user with many
//! tasks; then the whole product under the load of many users.
//!
//! Load generator, server and Postgres share the machine. So absolute figures say little, and ratios
//! come from rounds in which the three take turns within the same minute. Postgres has the settings of
//! `rondo up`'s private server.

mod alike;
mod load;
mod plan;
mod processor;
mod search;
mod stage;
mod table;

use std::time::Duration;

use clap::Args;
use rondo_testkit::process::target_directory;
use serde_json::{Value, json};

use self::load::{Load, Pace};
use self::plan::Plan;
use self::stage::{Server, Stage};

/// Tasks of the one user who has many.
const BUSY_USER_TASKS: i64 = 10_000;
/// Tasks of everyone else.
const TASKS_PER_USER: i64 = 50;
/// How long a simulated user thinks, on average.
const THINK: Duration = Duration::from_secs(5);
/// Search and filters are asked for so seldom that they rarely wait for each other: by so many, each
/// after thinking so long.
const BUSY_CONNECTIONS: usize = 4;
const BUSY_THINK: Duration = Duration::from_millis(200);

#[derive(Args)]
pub struct Options {
    /// Accounts in the database, with 50 tasks each, beside one that has 10,000
    #[arg(long, default_value_t = 2_000)]
    users: i64,
    /// How long each measurement takes, after a warm-up of 3 s
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Accounts in another database, with which the first takes turns under the load of many users,
    /// search and filters
    #[arg(long, conflicts_with_all = ["search", "twins_only"])]
    beside: Option<i64>,
    /// Turns of the three programs at saturation, and of the databases afterwards
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..))]
    rounds: u8,
    /// Connections at saturation
    #[arg(long, default_value_t = 32)]
    connections: usize,
    /// Simulated users who think for 5 s between their requests
    #[arg(long, default_value_t = 10_000)]
    simulated: usize,
    /// Leave out the three programs at saturation
    #[arg(long)]
    without_twins: bool,
    /// Leave out the load of many users, search and filters
    #[arg(long)]
    twins_only: bool,
    /// Only search, with and without an index of trigrams
    #[arg(long)]
    search: bool,
}

/// Measures, prints, and writes everything to `target/bench-api.json`.
///
/// # Errors
/// When something does not start, the three do not answer alike, or a request fails at saturation.
pub async fn run(options: &Options) -> anyhow::Result<()> {
    anyhow::ensure!(
        options.beside != Some(options.users),
        "--beside is for another number of users"
    );
    println!("filling a database with {} users", options.users);
    let stage = Stage::start(options.users).await?;
    let mut report = json!({"users": options.users, "tasks": stage.tasks().await?});
    if options.search {
        report["search"] = search::measure(&stage).await?;
        return write(&report);
    }
    if !options.without_twins {
        report["saturation"] = beside_twins(&stage, options).await?;
    }
    if !options.twins_only {
        // What the twins have written has no one to relay it.
        stage.empty_outbox().await?;
        let beside = match options.beside {
            None => None,
            Some(users) => {
                println!("filling another with {users} users");
                Some(Stage::start(users).await?)
            }
        };
        let mut databases = Vec::new();
        for stage in std::iter::once(&stage).chain(&beside) {
            databases.push((stage, stage.whole_product().await));
        }
        // First, while no events of others are on their way.
        report["busy_user"] = busy_user(&databases, options).await?;
        report["many_users"] = many_users(&databases, options).await?;
    }
    write(&report)
}

fn write(report: &Value) -> anyhow::Result<()> {
    let path = target_directory().join("bench-api.json");
    std::fs::write(&path, serde_json::to_string_pretty(report)?)?;
    println!("\nall figures: {}", path.display());
    Ok(())
}

/// Requests per second of the three, in turns.
async fn beside_twins(stage: &Stage, options: &Options) -> anyhow::Result<Value> {
    let servers = [stage.product().await, stage.native().await, stage.python().await];
    alike::check(stage, &servers).await?;
    let mut measured = serde_json::Map::new();
    for kind in ["list", "create"] {
        let plan = Plan::single(stage, kind);
        let mut rounds = Vec::new();
        for round in 0..usize::from(options.rounds) {
            let mut figures = serde_json::Map::new();
            for turn in 0..servers.len() {
                let server = &servers[(round + turn) % servers.len()];
                let pace = Pace::Saturate { connections: options.connections };
                let load = Load { plan: &plan, pace, seconds: options.seconds };
                let figure = load.run(stage, server).await?;
                load::ensure_no_failures(&figure, server)?;
                figures.insert(server.name.to_owned(), figure);
            }
            rounds.push(Value::Object(figures));
        }
        table::saturation(kind, &rounds);
        measured.insert(kind.to_owned(), rounds.into());
    }
    Ok(measured.into())
}

/// The latencies of search and filters where there is much to look through.
async fn busy_user(databases: &[(&Stage, Server)], options: &Options) -> anyhow::Result<Value> {
    let pace = Pace::Users { count: BUSY_CONNECTIONS, think: BUSY_THINK };
    println!("\nsearch and filters among {BUSY_USER_TASKS} tasks:");
    in_turns(databases, options, pace, Plan::busy_user).await
}

/// The latencies of users who come and go as they like.
async fn many_users(databases: &[(&Stage, Server)], options: &Options) -> anyhow::Result<Value> {
    let pace = Pace::Users { count: options.simulated, think: THINK };
    println!("\n{} users who think for {} s each:", options.simulated, THINK.as_secs());
    in_turns(databases, options, pace, |stage| Plan::users(stage, options.simulated)).await
}

/// The latencies with each of the databases, by its number of accounts: a load for one after the other,
/// as often as there are rounds.
async fn in_turns(
    databases: &[(&Stage, Server)],
    options: &Options,
    pace: Pace,
    plan: impl Fn(&Stage) -> Plan,
) -> anyhow::Result<Value> {
    let plans: Vec<Plan> = databases.iter().map(|(stage, _)| plan(stage)).collect();
    let mut rounds = vec![Vec::new(); databases.len()];
    for round in 0..usize::from(options.rounds) {
        for turn in 0..databases.len() {
            let which = (round + turn) % databases.len();
            let (stage, server) = &databases[which];
            let load = Load { plan: &plans[which], pace, seconds: options.seconds };
            let figure = load.run(stage, server).await?;
            if let Err(error) = load::ensure_no_failures(&figure, server) {
                println!("  round {}, {} users in the database: {error:#}", round + 1, stage.users);
            }
            rounds[which].push(figure);
        }
    }
    let mut measured = serde_json::Map::new();
    for ((stage, _), rounds) in databases.iter().zip(rounds) {
        println!("  {} users in the database:", stage.users);
        table::latencies(&rounds);
        measured.insert(stage.users.to_string(), rounds.into());
    }
    Ok(measured.into())
}
