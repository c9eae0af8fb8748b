//! JavaScript that checks need: packages of npm, and the Node that runs scripts with them.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use crate::cargo::{is_installed, root, run};
use crate::tool;

/// What an installation contains, as Node and npm name it.
const PACKAGES: &str = "node_modules";
/// The two files that say what is installed.
const MANIFEST: &str = "package.json";
const LOCK: &str = "package-lock.json";

/// A folder with `node_modules`, which holds the packages that `package.json` and `package-lock.json` in `folder`, a
/// folder of the clone, pin by version and hash. They are fetched once into the cache and again when one of the files
/// changes. No package runs a script of its own.
pub fn packages(name: &str, folder: &str) -> Result<PathBuf> {
    let pinned = [MANIFEST, LOCK].map(|file| root().join(folder).join(file));
    tool::cached_folder(name, &tool::hash_of(&pinned)?, Path::new(PACKAGES), |unfinished| {
        if !is_installed("npm", "--version") {
            bail!("npm is needed once, for {name} ({HINT})");
        }
        for file in &pinned {
            std::fs::copy(file, unfinished.join(file.file_name().unwrap_or_default()))?;
        }
        let options = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"];
        run(Command::new("npm").arg("ci").args(options).current_dir(unfinished))
    })
}

/// Debian 12 has Node 18, the oldest that everything here runs on.
const HINT: &str = "Debian: `apt-get install nodejs npm`, macOS: `brew install node`";

/// Node, whose scripts find the packages of `packages` by `require`. `import` looks beside the script only: an ES
/// module takes `createRequire` of `node:module`.
pub fn node(packages: &Path) -> Result<Command> {
    if !is_installed("node", "--version") {
        bail!("Node 18 or newer is needed ({HINT})");
    }
    let mut node = Command::new("node");
    node.env("NODE_PATH", packages.join(PACKAGES));
    Ok(node)
}
