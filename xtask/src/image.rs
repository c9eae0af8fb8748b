//! `cargo xtask image`: the images as an OCI layout, without a container engine. The scripts in xtask/image use
//! Python's standard library alone.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};

use crate::artifact;
use crate::cargo::{root, run, target_directory};

const FOLDER: &str = "xtask/image";

/// Builds everything as it is deployed, and writes the images for this machine's architecture to `target/image`.
pub fn write() -> Result<()> {
    ensure!(
        cfg!(target_os = "linux"),
        "images are for Linux: run it there, or use the Containerfile"
    );
    artifact::build_dist()?;
    let folder = target_directory().join("image");
    layout(&target_directory().join("dist"), &folder)?;
    println!("{} has the images; CONTRIBUTING.md says how to push them", folder.display());
    Ok(())
}

/// Writes the images twice, of programs without link-time optimization, and checks them.
pub fn check() -> Result<()> {
    if !cfg!(target_os = "linux") {
        println!("skipped: images are for Linux");
        return Ok(());
    }
    artifact::build_all()?;
    let binaries = target_directory().join("release");
    artifact::write_bill(&binaries, "")?;
    let layouts = ["image-first", "image-second"].map(|name| target_directory().join(name));
    for folder in &layouts {
        layout(&binaries, folder)?;
    }
    run(script("check.py").args(layouts))
}

/// Writes layouts into a folder, of programs without link-time optimization: for each name the images, with a digest
/// of their own, and `pause`, an image of nothing but BusyBox that sleeps.
pub fn write_releases(folder: &Path, names: &[&str]) -> Result<()> {
    artifact::build_all()?;
    let binaries = target_directory().join("release");
    artifact::write_bill(&binaries, "")?;
    for (number, name) in (1..).zip(names) {
        let mut script = script("image.py");
        script.arg("layout").arg(&binaries).arg(folder.join(name));
        // The time of all files, in seconds.
        run(script.env("SOURCE_DATE_EPOCH", format!("{number}000000000")))?;
    }
    run(script("image.py").arg("pause").arg(&binaries).arg(folder.join("pause")))
}

fn layout(binaries: &Path, folder: &Path) -> Result<()> {
    run(script("image.py").arg("layout").arg(binaries).arg(folder))
}

fn script(name: &str) -> Command {
    let mut command = Command::new("python3");
    command.arg(format!("{FOLDER}/{name}")).current_dir(root());
    command
}
