//! Cargo plugins that checks need. Each version is installed once, into a cache that outlives the clone.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::cargo::{cargo, run};
use crate::kafka::cache_directory;

/// The path of a plugin's program, which is compiled first when the cache has none. The build is not
/// optimized, because a CI machine may run the program once, for seconds.
pub fn installed(name: &str, version: &str) -> Result<PathBuf> {
    let goal = cache_directory()?.join(format!("{name}-{version}"));
    let program = goal.join("bin").join(name);
    if program.is_file() {
        return Ok(program);
    }
    println!("installing {name} {version} into {}", goal.display());
    let unfinished = PathBuf::from(format!("{}.unfinished-{}", goal.display(), std::process::id()));
    fs::create_dir_all(&unfinished)
        .with_context(|| format!("cannot create {}", unfinished.display()))?;
    let mut install = cargo(["install", name, "--locked", "--quiet", "--version", version]);
    install.arg("--root").arg(&unfinished).arg("--target-dir").arg(unfinished.join("target"));
    for (option, value) in
        [("OPT_LEVEL", "0"), ("DEBUG", "false"), ("LTO", "off"), ("CODEGEN_UNITS", "16")]
    {
        install.env(format!("CARGO_PROFILE_RELEASE_{option}"), value);
    }
    let outcome = run(&mut install)
        .with_context(|| format!("{name} could not be installed; is there a network connection?"))
        .and_then(|()| {
            fs::remove_dir_all(unfinished.join("target"))?;
            match fs::rename(&unfinished, &goal) {
                // Another run may have finished in the meantime.
                Err(_) if program.is_file() => Ok(()),
                renamed => renamed.with_context(|| format!("cannot create {}", goal.display())),
            }
        });
    // Gone already after the rename.
    let _ = fs::remove_dir_all(&unfinished);
    outcome.map(|()| program)
}
