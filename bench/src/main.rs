//! Benchmarks of the running product. `cargo xtask bench` builds what is measured and starts this.

mod api;
mod distribution;
mod event;
mod recovery;
mod reminder;

use clap::{Parser, Subcommand};

/// Measures Rondo on this machine.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    benchmark: Benchmark,
}

#[derive(Subcommand)]
enum Benchmark {
    /// The way of an event: commit → effect at a low rate, events per second at saturation
    Events(event::Options),
    /// The API beside its two twins: requests per second, latencies of 10,000 users, search and filters
    Api(api::Options),
    /// Reminders: how late they come due, and what very many at once do to requests
    Reminders(reminder::Options),
    /// Faults: how long it takes until events flow again, and what requests and live sync see
    Recovery(recovery::Options),
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    match Arguments::parse().benchmark {
        Benchmark::Events(options) => event::run(&options).await,
        Benchmark::Api(options) => api::run(&options).await,
        Benchmark::Reminders(options) => reminder::run(&options).await,
        Benchmark::Recovery(options) => recovery::run(&options).await,
    }
}
