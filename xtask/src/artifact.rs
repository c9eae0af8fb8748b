//! What the commands build: components for Wasm, and the native binaries.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::cargo::{WASM_TARGET, cargo, root, run, target_directory};

/// The packages in components/, one WebAssembly component each.
pub const COMPONENTS: [&str; 6] = ["task-api", "recurrence", "notify", "audit", "auth", "docs"];

/// The library of components; with them, all that only exists for Wasm.
const GUEST: &str = "rondo-guest";

/// What the tests of the Wasm host run, an example of that library.
const PROBE: &str = "probe";

/// The programs that a release consists of.
pub const BINARIES: [&str; 2] = ["rondo", "rondo-sync"];

/// The program that writes the documents.
const DOCUMENT: &str = "rondo-document";

/// The program that writes the bill of materials, and the name of that file.
const BILL: &str = "rondo-bill";
const BILL_FILE: &str = "rondo.cdx.json";

/// The profile of components, see the workspace's Cargo.toml.
pub const WASM_PROFILE: &str = "wasm";

pub fn build_all() -> Result<()> {
    build_components()?;
    build_binaries()
}

/// Builds the components, as the build commands in spin.toml do.
pub fn build_components() -> Result<()> {
    add_wasm_target()?;
    run(cargo(["build", "--profile", WASM_PROFILE, "--target", WASM_TARGET])
        .args(COMPONENTS.iter().flat_map(|component| ["-p", component])))
}

/// Builds the component that only tests use.
pub fn build_probe() -> Result<()> {
    add_wasm_target()?;
    run(cargo(["build", "--profile", WASM_PROFILE, "--target", WASM_TARGET])
        .args(COMPONENTS.iter().chain([&GUEST]).flat_map(|package| ["-p", package]))
        .args(["--example", PROBE]))
}

pub fn build_binaries() -> Result<()> {
    build_native(&BINARIES)
}

/// Builds everything as it is deployed: the programs into `target/dist`, and a bill of materials.
pub fn build_dist() -> Result<()> {
    build_components()?;
    let binaries = BINARIES.iter().flat_map(|binary| ["--bin", binary]);
    run(native(["build", "--profile", "dist"]).args(binaries))?;
    build_native(&[BILL])?;
    run(Command::new(binary(BILL)).arg(target_directory().join("dist").join(BILL_FILE)))
}

/// Builds native programs of the workspace by their names.
pub fn build_native(binaries: &[&str]) -> Result<()> {
    run(native(["build", "--release"]).args(binaries.iter().flat_map(|binary| ["--bin", binary])))
}

/// Writes the documents of the interfaces, which the component `docs` serves.
pub fn document() -> Result<()> {
    build_native(&[DOCUMENT])?;
    run(&mut Command::new(binary(DOCUMENT)))
}

/// A cargo command for everything but what only exists for Wasm. Every native build goes through
/// this, and picks what it wants by target: cargo joins the features of a dependency over the
/// packages that are selected, so `-p host-bridge` here and `-p rondo-tests` there would compile
/// wasmtime and librdkafka once for each.
pub fn native<const N: usize>(arguments: [&str; N]) -> Command {
    let mut command = cargo(arguments);
    command.arg("--workspace");
    command.args(COMPONENTS.iter().chain([&GUEST]).flat_map(|package| ["--exclude", package]));
    command
}

/// Whether a package is one that [`native`] selects.
pub fn is_native(package: &str) -> bool {
    package != GUEST && !COMPONENTS.contains(&package)
}

/// Folder and name of each package in the workspace.
pub fn packages() -> Result<Vec<(PathBuf, String)>> {
    let workspace = fs::read_to_string(root().join("Cargo.toml"))?;
    let members = workspace
        .split_once("members = [")
        .and_then(|(_, rest)| rest.split_once(']'))
        .context("Cargo.toml lists no members")?
        .0;
    let mut packages = Vec::new();
    for member in members.split('"').skip(1).step_by(2) {
        let folder = root().join(member);
        let manifest = fs::read_to_string(folder.join("Cargo.toml"))?;
        let name = manifest
            .lines()
            .find_map(|line| line.strip_prefix("name = "))
            .with_context(|| format!("{member}/Cargo.toml has no name"))?
            .trim_matches('"');
        packages.push((folder, name.to_owned()));
    }
    Ok(packages)
}

/// The path of a built native binary.
pub fn binary(name: &str) -> PathBuf {
    target_directory().join("release").join(name)
}

/// Makes sure that the standard library for components is there. A toolchain without rustup (a
/// distribution's) is fine when it brings the target itself.
pub fn add_wasm_target() -> Result<()> {
    let output = Command::new("rustc")
        .args(["--print", "target-libdir", "--target", WASM_TARGET])
        .current_dir(root())
        .output()
        .context("cannot run rustc")?;
    let library = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    let is_there = output.status.success()
        && std::fs::read_dir(library).is_ok_and(|mut entries| entries.next().is_some());
    if is_there {
        return Ok(());
    }
    run(Command::new("rustup").args(["target", "add", WASM_TARGET]).current_dir(root()))
        .with_context(|| {
            format!("the Rust target {WASM_TARGET} is missing; install it, for example with rustup")
        })?;
    if output.stdout.is_empty() {
        bail!("rustc does not know the target {WASM_TARGET}; Rust 1.95 or newer does");
    }
    Ok(())
}
