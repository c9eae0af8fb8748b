//! `cargo xtask bench`: build what is measured, then run the benchmark's own program.

use anyhow::{Result, bail};

use crate::cargo::{cargo, run as run_command};
use crate::{artifact, kafka};

pub fn run(arguments: &[String]) -> Result<()> {
    match arguments.first().map(String::as_str) {
        Some("events" | "api") => {}
        _ => bail!("which benchmark? `cargo xtask bench events` or `cargo xtask bench api`"),
    }
    artifact::build_all()?;
    let kafka = kafka::fetched()?;
    run_command(
        cargo(["run", "--release", "--quiet", "-p", "rondo-bench", "--"])
            .args(arguments)
            .env(kafka::KAFKA_VARIABLE, kafka),
    )
}
