//! Running cargo and other programs from the root of the clone.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// The compilation targets of components, and of the web client.
pub const WASM_TARGET: &str = "wasm32-wasip2";
pub const BROWSER_TARGET: &str = "wasm32-unknown-unknown";

/// A cargo command in the root of the clone, with the cargo that started this program.
pub fn cargo<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(arguments: I) -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.args(arguments).current_dir(root());
    // Cargo sets these for this program's own package. If they were passed on, build scripts that read
    // them (ring's) would run again whenever cargo is called directly and then through xtask.
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&*name);
        }
    }
    command
}

/// Runs a command and waits for it; an exit status other than 0 is an error that quotes the command.
pub fn run(command: &mut Command) -> Result<()> {
    let shown = shown(command);
    let status = command.status().with_context(|| format!("cannot run `{shown}`"))?;
    if !status.success() {
        bail!("`{shown}` ended with {status}");
    }
    Ok(())
}

/// The command as a person would type it.
pub fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or_default();
    std::iter::once(program)
        .chain(command.get_args())
        .map(|part| part.to_string_lossy().into_owned())
        .collect::<Vec<_>>()
        .join(" ")
}

/// The root of the clone.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

/// Cargo's target folder: `CARGO_TARGET_DIR`, relative to the caller's folder as for cargo, or `target` in
/// the clone.
pub fn target_directory() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(named) if !named.is_empty() => {
            std::env::current_dir().unwrap_or_else(|_| root().to_owned()).join(named)
        }
        _ => root().join("target"),
    }
}

/// Whether a program can be started at all.
pub fn is_installed(program: &str, version_argument: &str) -> bool {
    Command::new(program).arg(version_argument).output().is_ok_and(|output| output.status.success())
}
