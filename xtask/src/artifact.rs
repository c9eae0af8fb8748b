//! What the commands build: components for Wasm, and the native binaries.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::cargo::{BROWSER_TARGET, WASM_TARGET, cargo, root, run, target_directory};

/// The folder of the packages that are built into one WebAssembly component each.
const COMPONENTS: &str = "components";

/// A component that only tests use: an example of a package.
pub struct Example {
    package: &'static str,
    name: &'static str,
}

/// What the tests of the Wasm host run.
pub const PROBE: Example = Example { package: "rondo-guest", name: "probe" };
/// What the conformance suite of the Model Context Protocol runs against.
pub const MCP_FIXTURE: Example = Example { package: "mcp", name: "conformance" };

/// The package of the web client, which is compiled for browsers only, and its folder of files beside it.
const WEB: &str = "rondo-web";
const WEB_STATIC: &str = "web/static";

/// The program that makes the web client's files.
const BUNDLE: &str = "rondo-bundle";

/// The programs that a release consists of.
pub const BINARIES: [&str; 2] = ["rondo", "rondo-sync"];

/// The program that writes the documents.
const DOCUMENT: &str = "rondo-document";

/// The program that writes the bill of materials, and the name of that file.
const BILL: &str = "rondo-bill";
const BILL_FILE: &str = "rondo.cdx.json";

/// What takes long to compile, and pays where many are served.
const DIST_FEATURES: &str = "host-bridge/jemalloc";

/// The profiles of components and of the web client, see the workspace's Cargo.toml.
const WASM_PROFILE: &str = "wasm";
const PAGE_PROFILE: &str = "page";

pub fn build_all() -> Result<()> {
    build_components()?;
    build_binaries()
}

/// Builds the components, as the build commands in spin.toml do.
pub fn build_components() -> Result<()> {
    build_page()?;
    add_target(WASM_TARGET)?;
    run(&mut component_build()?)
}

/// Builds the web client, and the files of it that the component `web` contains.
pub fn build_page() -> Result<()> {
    add_target(BROWSER_TARGET)?;
    run(&mut browser(["build", "--profile", PAGE_PROFILE]))?;
    build_native(&[BUNDLE])?;
    let target = target_directory();
    let module = target.join(BROWSER_TARGET).join(PAGE_PROFILE).join("rondo_web.wasm");
    run(Command::new(binary(BUNDLE))
        .arg(module)
        .arg(root().join(WEB_STATIC))
        .arg(target.join("web")))
}

/// A cargo command for the web client.
pub fn browser<const N: usize>(arguments: [&str; N]) -> Command {
    let mut command = cargo(arguments);
    command.args(["--package", WEB, "--target", BROWSER_TARGET]);
    command
}

/// A command that builds the components.
pub fn component_build() -> Result<Command> {
    let mut build = cargo(["build", "--profile", WASM_PROFILE, "--target", WASM_TARGET]);
    select(&mut build, "--package", components()?);
    Ok(build)
}

/// Builds a component that only tests use.
pub fn build_example(example: &Example) -> Result<()> {
    add_target(WASM_TARGET)?;
    run(component_build()?.args(["--package", example.package, "--example", example.name]))
}

/// Builds the program that plays the story of assistants with the official Rust client, a workspace of its own.
pub fn build_mcp_story() -> Result<PathBuf> {
    let target = target_directory().join("mcp-story");
    let manifest = root().join("xtask/mcp/rmcp/Cargo.toml");
    let mut build = cargo(["build", "--locked", "--manifest-path"]);
    run(build.arg(manifest).arg("--target-dir").arg(&target))?;
    Ok(target.join("debug/rondo-mcp-story"))
}

pub fn build_binaries() -> Result<()> {
    build_native(&BINARIES)
}

/// Builds everything as it is deployed: the programs into `target/dist`, and a bill of materials.
pub fn build_dist() -> Result<()> {
    build_components()?;
    let binaries = BINARIES.iter().flat_map(|binary| ["--bin", binary]);
    run(native(["build", "--profile", "dist", "--features", DIST_FEATURES]).args(binaries))?;
    write_bill(&target_directory().join("dist"), DIST_FEATURES)
}

/// Writes the bill of materials into the folder of the programs, which were built with these features.
pub fn write_bill(folder: &Path, features: &str) -> Result<()> {
    build_native(&[BILL])?;
    run(Command::new(binary(BILL)).arg(folder.join(BILL_FILE)).arg(features).args(BINARIES))
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

/// A cargo command for this machine. Every native build goes through this, and picks what it wants by target: cargo
/// joins the features of a dependency over the packages that are selected, so `-p host-bridge` here and
/// `-p rondo-tests` there would compile wasmtime and librdkafka once for each. Components are among the packages,
/// because their lints and unit tests need no host; the web client is not, because it needs a browser.
pub fn native<const N: usize>(arguments: [&str; N]) -> Command {
    let mut command = cargo(arguments);
    command.args(["--workspace", "--exclude", WEB]);
    command
}

/// The packages in components/.
pub fn components() -> Result<Vec<String>> {
    let folder = root().join(COMPONENTS);
    let components = packages()?.into_iter().filter(|(path, _)| path.starts_with(&folder));
    Ok(components.map(|(_, name)| name).collect())
}

/// Repeats an option of cargo for each package.
pub fn select(command: &mut Command, option: &str, packages: Vec<String>) {
    for package in packages {
        command.arg(option).arg(package);
    }
}

/// Folder and name of each package in the workspace.
pub fn packages() -> Result<Vec<(PathBuf, String)>> {
    let workspace = fs::read_to_string(root().join("Cargo.toml"))?;
    let members = workspace
        .split_once("members = [")
        .and_then(|(_, rest)| rest.split_once(']'))
        .context("Cargo.toml lists no members")?
        .0;
    let mut folders = Vec::new();
    for member in members.split('"').skip(1).step_by(2) {
        match member.strip_suffix("/*") {
            Some(parent) => {
                for entry in fs::read_dir(root().join(parent))? {
                    folders.push(entry?.path());
                }
            }
            None => folders.push(root().join(member)),
        }
    }
    folders.sort();
    folders
        .into_iter()
        .map(|folder| {
            let name = package_name(&folder)?;
            Ok((folder, name))
        })
        .collect()
}

fn package_name(folder: &Path) -> Result<String> {
    let manifest = folder.join("Cargo.toml");
    let text = fs::read_to_string(&manifest)
        .with_context(|| format!("cannot read {}", manifest.display()))?;
    let name = text.lines().find_map(|line| line.strip_prefix("name = "));
    let name = name.with_context(|| format!("{} has no name", manifest.display()))?;
    Ok(name.trim_matches('"').to_owned())
}

/// The path of a built native binary.
pub fn binary(name: &str) -> PathBuf {
    target_directory().join("release").join(name)
}

/// Makes sure that the standard library for a target is there. A toolchain without rustup (a distribution's) is
/// fine when it brings the target itself.
pub fn add_target(target: &str) -> Result<()> {
    let output = Command::new("rustc")
        .args(["--print", "target-libdir", "--target", target])
        .current_dir(root())
        .output()
        .context("cannot run rustc")?;
    let library = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    let is_there = output.status.success()
        && std::fs::read_dir(library).is_ok_and(|mut entries| entries.next().is_some());
    if is_there {
        return Ok(());
    }
    run(Command::new("rustup").args(["target", "add", target]).current_dir(root())).with_context(
        || format!("the Rust target {target} is missing; install it, for example with rustup"),
    )?;
    if output.stdout.is_empty() {
        bail!("rustc does not know the target {target}; Rust 1.95 or newer does");
    }
    Ok(())
}
