//! Checks of k8s/terraform that need neither a cloud nor the providers: format, syntax, fields, rules and policy.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};

use super::{Tools, quiet};
use crate::cargo::{root, run};
use crate::tool;

const FOLDER: &str = "k8s/terraform";

/// Downloads what the checks need.
pub fn fetch() -> Result<()> {
    hclfmt()?;
    checkov().map(drop)
}

/// Every check. `xtask/kubernetes/terraform.yaml` stands for the providers' schemas, which only their download has;
/// the workflow `terraform` validates with these.
pub fn check(tools: &Tools) -> Result<()> {
    let files = files(&root().join(FOLDER))?;
    ensure!(!files.is_empty(), "no module in {FOLDER}");
    quiet(Command::new(hclfmt()?).arg("-require-no-change").args(files))?;
    run(tools.python("terraform.py").arg(FOLDER))?;
    let mut checkov = checkov()?;
    // A skipped check has its reason beside the resource.
    checkov.args(["--directory", FOLDER, "--framework", "terraform"]);
    // Without its guidelines, which are on a server.
    checkov.args(["--skip-download", "--compact", "--quiet"]);
    quiet(checkov.current_dir(root()))
}

fn hclfmt() -> Result<PathBuf> {
    tool::installed_from_go("hclfmt", "github.com/hashicorp/hcl/v2/cmd/hclfmt", "2.24.0")
}

fn checkov() -> Result<Command> {
    tool::installed_from_python("checkov", "checkov.main", "3.3.30")
}

/// The `.tf` files of all modules.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "tf") {
            found.push(path);
        }
    }
    Ok(found)
}
