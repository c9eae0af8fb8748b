//! Python with packages of pinned versions, in virtual environments.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::cargo::{run, target_directory};

/// The Python of a virtual environment `target/<name>` that has what `requirements` pins; made once
/// for each set of versions.
pub fn environment(name: &str, requirements: &Path) -> Result<PathBuf> {
    let wanted = fs::read_to_string(requirements)
        .with_context(|| format!("cannot read {}", requirements.display()))?;
    let environment = target_directory().join(name);
    let python = environment.join("bin/python");
    // Written last: an environment that is half made has no stamp.
    let stamp = environment.join("made-for.txt");
    if fs::read_to_string(&stamp).is_ok_and(|made_for| made_for == wanted) {
        return Ok(python);
    }
    println!("making the virtual environment {name}, once");
    let clear = ["-m", "venv", "--clear"];
    run(Command::new("python3").args(clear).arg(&environment))
        .context("python3 with its venv module is needed (Debian's package python3-venv)")?;
    let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"];
    run(Command::new(&python).args(install).arg(requirements))?;
    fs::write(&stamp, wanted)?;
    Ok(python)
}
