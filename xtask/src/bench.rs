//! `cargo xtask bench`: build what is measured, then run the benchmark's own program.

use std::process::Command;

use anyhow::{Result, bail};

use crate::cargo::run as run_command;
use crate::{artifact, kafka};

/// The benchmark's program.
const PROGRAM: &str = "rondo-bench";

pub fn run(arguments: &[String]) -> Result<()> {
    match arguments.first().map(String::as_str) {
        Some("events" | "api") => {}
        _ => bail!("which benchmark? `cargo xtask bench events` or `cargo xtask bench api`"),
    }
    artifact::build_all()?;
    artifact::build_native(&[PROGRAM])?;
    let mut program = Command::new(artifact::binary(PROGRAM));
    run_command(program.args(arguments).env(kafka::KAFKA_VARIABLE, kafka::fetched()?))
}
