//! Writes the bill of materials of a release on this machine, for `cargo xtask build --dist`: `rondo-bill
//! FILE FEATURES BINARY...`, with the release's programs besides the components.

use std::path::Path;
use std::process::Command;

/// The target of components.
const WASM_TARGET: &str = "wasm32-wasip2";

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let usage = "usage: rondo-bill FILE FEATURES BINARY...";
    let file = arguments.next().ok_or(usage)?;
    let features = arguments.next().ok_or(usage)?;
    let binaries: Vec<String> = arguments.collect();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let host = Command::new("rustc").arg("-vV").current_dir(&root).output()?;
    let host = String::from_utf8(host.stdout)?;
    let host = host.lines().find_map(|line| line.strip_prefix("host: ")).ok_or("no host")?;
    let metadata = Command::new(cargo)
        .args(["metadata", "--locked", "--format-version", "1", "--features", &features])
        .args(["--filter-platform", host, "--filter-platform", WASM_TARGET])
        .current_dir(&root)
        .output()?;
    if !metadata.status.success() {
        return Err(String::from_utf8_lossy(&metadata.stderr).into());
    }
    let metadata = serde_json::from_slice(&metadata.stdout)?;
    let lock = std::fs::read_to_string(root.join("Cargo.lock"))?;
    let bill = rondo_document::bill::bill(&metadata, &lock, &binaries)
        .ok_or("cargo's answer has another form than expected")?;
    std::fs::write(file, rondo_document::rendered(&bill))?;
    Ok(())
}
