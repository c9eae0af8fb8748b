//! The project's own files.

use std::path::{Path, PathBuf};

pub use rondo_testkit::process::root;

/// Folders without files of the project.
const FOREIGN: [&str; 5] = ["target", ".git", ".rondo", "node_modules", "deps"];

/// Every file below the root of the clone with this extension, relative to it, sorted.
#[must_use]
pub fn files(extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    collect(root(), extension, &mut found);
    found.sort();
    found
}

/// The components, by their folders in components/, sorted.
///
/// # Panics
/// If the folder cannot be read.
#[must_use]
pub fn components() -> Vec<String> {
    let entries = std::fs::read_dir(root().join("components")).expect("components/");
    let names = entries.map(|entry| entry.expect("a folder that can be read").file_name());
    let mut names: Vec<_> = names.map(|name| name.to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// The text of a file, by its path relative to the root.
///
/// # Panics
/// If it cannot be read.
#[must_use]
pub fn text(path: &Path) -> String {
    std::fs::read_to_string(root().join(path))
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn collect(folder: &Path, extension: &str, found: &mut Vec<PathBuf>) {
    let entries =
        std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for entry in entries {
        let path = entry.expect("a folder that can be read").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_dir() {
            if !FOREIGN.contains(&name.as_ref()) {
                collect(&path, extension, found);
            }
        } else if path.extension().is_some_and(|found| found == extension) {
            found.push(path.strip_prefix(root()).expect("below the root").to_owned());
        }
    }
}
