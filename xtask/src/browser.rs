//! The web client in a browser: the system's Chromium, and the packages of npm that drive it.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::artifact;
use crate::cargo::{root, run};
use crate::node;

/// The folder of the scripts and of the files that pin their packages.
const FOLDER: &str = "tests/browser";

/// The names that Chromium is installed under.
const CHROMIUM: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// The oldest Node that playwright-core runs on.
const NODE_MAJOR_MIN: u32 = 20;

/// Tells the test program where the packages and Chromium are.
pub fn variables() -> Result<[(&'static str, PathBuf); 2]> {
    Ok([
        ("RONDO_TEST_PACKAGES", packages()?.join(node::PACKAGES)),
        ("RONDO_TEST_CHROMIUM", chromium()?),
    ])
}

/// Writes the pictures of the README, from the running product.
pub fn screenshot() -> Result<()> {
    artifact::build_all()?;
    let mut node = node::node(&packages()?)?;
    let script = root().join(FOLDER).join("screenshot.mjs");
    run(node
        .arg(script)
        .arg(artifact::binary("rondo"))
        .arg(root().join("docs/image"))
        .env("RONDO_CHROMIUM", chromium()?)
        .current_dir(root()))
}

fn packages() -> Result<PathBuf> {
    let packages = node::packages("npm-browser", FOLDER)?;
    let version = Command::new("node").arg("--version").output();
    let version = version.context("Node is needed to drive the browser")?;
    let version = String::from_utf8_lossy(&version.stdout).trim().to_owned();
    let major =
        version.trim_start_matches('v').split('.').next().and_then(|n| n.parse::<u32>().ok());
    if major.is_none_or(|major| major < NODE_MAJOR_MIN) {
        bail!("Node {NODE_MAJOR_MIN} or newer is needed to drive the browser, this is {version}");
    }
    Ok(packages)
}

fn chromium() -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let programs =
        CHROMIUM.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    programs
        .into_iter()
        .find(|program| program.is_file())
        .context("Chromium is needed (Debian: `apt-get install chromium`)")
}
