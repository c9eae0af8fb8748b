//! Python programs that checks need, each in a virtual environment of its own under target/.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::cargo::{root, run, target_directory};

/// The folder with the programs of a virtual environment that has what
/// `xtask/NAME/requirements.txt` pins; made once for each set of pinned versions.
pub fn environment(name: &str) -> Result<PathBuf> {
    let pinned = folder(name).join("requirements.txt");
    let wanted =
        fs::read_to_string(&pinned).with_context(|| format!("xtask/{name}/requirements.txt"))?;
    let environment = target_directory().join(name);
    let programs = environment.join("bin");
    // Written last: an environment that is half made has no stamp.
    let stamp = environment.join("made-for.txt");
    if fs::read_to_string(&stamp).is_ok_and(|made_for| made_for == wanted) {
        return Ok(programs);
    }
    println!("making a virtual environment for the part {name}, once");
    let clear = ["-m", "venv", "--clear"];
    run(Command::new("python3").args(clear).arg(&environment)).context(
        "python3 with its venv module is needed (Debian's packages python3 and python3-venv)",
    )?;
    let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"];
    run(Command::new(programs.join("python")).args(install).arg(&pinned))?;
    fs::write(&stamp, wanted)?;
    Ok(programs)
}

/// What belongs to an environment, in the clone.
pub fn folder(name: &str) -> PathBuf {
    root().join("xtask").join(name)
}
