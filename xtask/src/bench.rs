//! `cargo xtask bench`: builds what is measured, then runs the benchmark program.

use std::process::Command;

use anyhow::{Result, bail};

use crate::cargo::{cargo, root, run as run_command, target_directory};
use crate::{artifact, kafka, python};

/// The benchmark program.
const PROGRAM: &str = "rondo-bench";
/// Folders in the target folder: the build of `bench/api`, and the environment of the Python twin. The
/// benchmark program knows both names.
const API_FOLDER: &str = "bench-api";
const TWIN_FOLDER: &str = "bench-twin";

pub fn run(arguments: &[String]) -> Result<()> {
    match arguments.first().map(String::as_str) {
        Some("events" | "reminders" | "recovery") => {
            artifact::build_all()?;
            artifact::build_native(&[PROGRAM])?;
            let mut program = Command::new(artifact::binary(PROGRAM));
            run_command(program.args(arguments).env(kafka::KAFKA_VARIABLE, kafka::fetched()?))
        }
        Some("api") => {
            artifact::build_dist()?;
            artifact::build_native(&[PROGRAM])?;
            build_api()?;
            python::environment(TWIN_FOLDER, "bench/twin")?;
            // Thousands of connections need as many open files as the system permits.
            let raise = r#"ulimit -n "$(ulimit -Hn)"; exec "$0" "$@""#;
            let mut program = Command::new("sh");
            run_command(program.args(["-c", raise]).arg(artifact::binary(PROGRAM)).args(arguments))
        }
        _ => bail!("which benchmark? `cargo xtask bench events`, `reminders`, `recovery` or `api`"),
    }
}

/// The load program and the native twin, a workspace of their own.
fn build_api() -> Result<()> {
    let manifest = root().join("bench/api/Cargo.toml");
    run_command(
        cargo(["build", "--release", "--locked"])
            .arg("--manifest-path")
            .arg(manifest)
            .arg("--target-dir")
            .arg(target_directory().join(API_FOLDER)),
    )
}
