//! Law: the web client's first load stays small.

use rondo_testkit::process::target_directory;

/// Most bytes of the first load, compressed with gzip. The aim is 200 kB: lower it whenever the client gets smaller.
const FIRST_LOAD_BYTES_MAX: u64 = 570_000;

/// The page, and what it cannot start without.
fn is_first(path: &str) -> bool {
    path == "/"
        || path.starts_with("/assets/")
            && [".css", ".js", ".wasm"].iter().any(|end| path.ends_with(end))
}

#[test]
fn the_first_load_is_small() {
    let folder = target_directory().join("web");
    let table = folder.join("table.rs");
    let table = std::fs::read_to_string(&table).unwrap_or_else(|error| {
        panic!("{}: {error}; `cargo xtask page` builds the web client", table.display())
    });
    let paths = table.lines().filter_map(|line| line.split_once("path: \"")?.1.split('"').next());
    let sizes: Vec<(&str, u64)> = paths
        .enumerate()
        .filter(|(_, path)| is_first(path))
        .map(|(number, path)| (path, folder.join(format!("{number}.gz")).metadata().unwrap().len()))
        .collect();
    let is_there = |end: &str| sizes.iter().any(|(path, _)| path.ends_with(end));
    assert!(["/", ".css", ".js", ".wasm"].into_iter().all(is_there), "incomplete: {sizes:?}");
    let sum: u64 = sizes.iter().map(|(_, size)| size).sum();
    assert!(
        sum <= FIRST_LOAD_BYTES_MAX,
        "{sum} bytes, {} too many: {sizes:?}",
        sum - FIRST_LOAD_BYTES_MAX
    );
}
