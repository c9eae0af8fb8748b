//! Writes the bill of materials of a release on this machine, for `cargo xtask build --dist`:
//! `rondo-bill FILE`.

use std::path::Path;
use std::process::Command;

/// What components are built for.
const WASM_TARGET: &str = "wasm32-wasip2";

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let file = std::env::args_os().nth(1).ok_or("the file is missing: rondo-bill FILE")?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let host = Command::new("rustc").arg("-vV").current_dir(&root).output()?;
    let host = String::from_utf8(host.stdout)?;
    let host = host.lines().find_map(|line| line.strip_prefix("host: ")).ok_or("no host")?;
    let metadata = Command::new(cargo)
        .args(["metadata", "--locked", "--format-version", "1"])
        .args(["--filter-platform", host, "--filter-platform", WASM_TARGET])
        .current_dir(&root)
        .output()?;
    if !metadata.status.success() {
        return Err(String::from_utf8_lossy(&metadata.stderr).into());
    }
    let metadata = serde_json::from_slice(&metadata.stdout)?;
    let lock = std::fs::read_to_string(root.join("Cargo.lock"))?;
    let bill =
        rondo_document::bill::bill(&metadata, &lock).ok_or("what cargo says is not known")?;
    std::fs::write(file, rondo_document::rendered(&bill))?;
    Ok(())
}
