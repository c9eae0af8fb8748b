//! `rondo dlq`: dead letters, for an operator to decide on.

use clap::{Args, Subcommand, ValueEnum};
use rondo_database::Dsn;

use crate::pipeline::dead_letter::{DeadLetters, Filter};

#[derive(Subcommand)]
pub enum Dlq {
    /// One JSON object per line, newest first: letters that are open or being redriven.
    List(ListArgs),
    /// One letter in full, as JSON.
    Show { id: i64 },
    /// Deliver again to the consumer that failed; the running `rondo up` or `rondo bridge` does it.
    Redrive {
        #[arg(required = true)]
        id: Vec<i64>,
    },
    /// Give up on letters for good.
    Discard {
        #[arg(required = true)]
        id: Vec<i64>,
    },
}

#[derive(Args)]
pub struct ListArgs {
    /// Only letters in this state, or all.
    #[arg(long)]
    state: Option<State>,
    /// Only letters of this consumer, such as audit.
    #[arg(long)]
    consumer: Option<String>,
    /// At most this many.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(i64).range(1..=100_000))]
    limit: i64,
}

#[derive(Clone, Copy, ValueEnum)]
enum State {
    Open,
    Redriving,
    Redriven,
    Discarded,
    All,
}

impl State {
    const fn names(self) -> &'static [&'static str] {
        match self {
            Self::Open => &["open"],
            Self::Redriving => &["redriving"],
            Self::Redriven => &["redriven"],
            Self::Discarded => &["discarded"],
            Self::All => &["open", "redriving", "redriven", "discarded"],
        }
    }
}

/// Runs a command on the database at `dsn` and prints its result.
///
/// # Errors
/// When the database fails, or a dead letter doesn't exist or isn't open.
pub async fn run(command: Dlq, dsn: &Dsn) -> anyhow::Result<()> {
    crate::database::check_schema(dsn, "rondo dlq").await?;
    let letters = DeadLetters::new(crate::database::open(dsn)?);
    match command {
        Dlq::List(args) => {
            let states = args.state.map_or(&["open", "redriving"][..], State::names);
            let filter = Filter { id: None, states, consumer: args.consumer.as_deref() };
            for letter in letters.list(&filter, args.limit).await? {
                println!("{letter}");
            }
        }
        Dlq::Show { id } => println!("{}", show(&letters, id).await?),
        Dlq::Redrive { id } => decide(&letters, &id, "redriving").await?,
        Dlq::Discard { id } => decide(&letters, &id, "discarded").await?,
    }
    Ok(())
}

async fn show(letters: &DeadLetters, id: i64) -> anyhow::Result<String> {
    let filter = Filter { id: Some(id), states: State::All.names(), consumer: None };
    let letter = letters.list(&filter, 1).await?.pop();
    letter.ok_or_else(|| anyhow::anyhow!("there is no dead letter {id}"))
}

/// Moves each letter to `state` and prints it; stops at the first that can't be moved.
async fn decide(letters: &DeadLetters, ids: &[i64], state: &str) -> anyhow::Result<()> {
    for &id in ids {
        if !letters.mark(id, state).await? {
            let letter: serde_json::Value = serde_json::from_str(&show(letters, id).await?)?;
            let now = letter["state"].as_str().unwrap_or_default();
            anyhow::bail!("dead letter {id} is {now}, and only an open one can be {state}");
        }
        println!("{}", serde_json::json!({"id": id, "state": state}));
    }
    Ok(())
}
