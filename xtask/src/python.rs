//! Python programs that checks need, each in its own virtual environment below target/.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::cargo::{root, run, target_directory};

/// The folder of programs of the virtual environment `target/NAME`, with the versions that
/// `requirements.txt` in `folder` pins. It is made again when that file changes.
pub fn environment(name: &str, folder: &str) -> Result<PathBuf> {
    let pinned = root().join(folder).join("requirements.txt");
    let wanted = fs::read_to_string(&pinned)
        .with_context(|| format!("cannot read {folder}/requirements.txt"))?;
    let environment = target_directory().join(name);
    let programs = environment.join("bin");
    // Written last, so that an incomplete environment has no stamp.
    let stamp = environment.join("made-for.txt");
    if fs::read_to_string(&stamp).is_ok_and(|made_for| made_for == wanted) {
        return Ok(programs);
    }
    println!("making the virtual environment {name}, once");
    make(&environment)?;
    run(pip(&environment).arg("-r").arg(&pinned))?;
    fs::write(&stamp, wanted)?;
    Ok(programs)
}

/// Makes an empty virtual environment.
pub fn make(folder: &Path) -> Result<()> {
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(folder)).context(
        "python3 with its venv module is needed (Debian's packages python3 and python3-venv)",
    )
}

/// A command that installs into a virtual environment.
pub fn pip(folder: &Path) -> Command {
    let mut command = Command::new(folder.join("bin/python"));
    command.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
    command
}
