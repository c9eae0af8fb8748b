//! `cargo xtask up`: builds everything, then becomes `rondo up`.

use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::{Context, Result};

use crate::artifact;
use crate::cargo::{root, shown};

/// Replaces this process with `rondo up`, so that signals reach it and its exit status is ours.
pub fn run(arguments: &[String]) -> Result<()> {
    artifact::build_all()?;
    let mut command = Command::new(artifact::binary("rondo"));
    command.arg("up").args(arguments).current_dir(root());
    let error = command.exec();
    Err(error).with_context(|| format!("cannot start `{}`", shown(&command)))
}
