//! Finds the table of the web client's files, which `cargo xtask page` makes. Only the component itself needs
//! them: checks for this machine compile with an empty table.

use std::error::Error;
use std::path::PathBuf;
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?);
    let table = if env::var("CARGO_CFG_TARGET_ARCH")? == "wasm32" {
        // OUT_DIR is target/TRIPLE/PROFILE/build/PACKAGE/out.
        let target = out.ancestors().nth(5).ok_or("OUT_DIR is not in a target folder")?;
        target.join("web/table.rs")
    } else {
        let table = out.join("table.rs");
        fs::write(&table, "&[]")?;
        table
    };
    if !table.exists() {
        return Err(format!("{} is missing; `cargo xtask page` makes it", table.display()).into());
    }
    println!("cargo::rerun-if-changed={}", table.display());
    println!("cargo::rustc-env=PAGE_TABLE={}", table.display());
    Ok(())
}
