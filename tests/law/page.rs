//! Law: the web client's first load stays small.

use rondo_testkit::process::target_directory;

/// Most bytes of the first load, compressed with gzip: what is loaded before the first list can be used.
const FIRST_LOAD_BYTES_MAX: u64 = 200_000;
/// Most bytes of the client's second module, which is loaded after the first screen has been shown.
const LATER_BYTES_MAX: u64 = 380_000;

/// The client's second module.
fn is_later(path: &str) -> bool {
    path.starts_with("/assets/later-")
}

/// The page, and what it cannot start without.
fn is_first(path: &str) -> bool {
    let is_code = [".css", ".js", ".wasm"].iter().any(|end| path.ends_with(end));
    path == "/" || path.starts_with("/assets/") && is_code && !is_later(path)
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
        .map(|(number, path)| (path, folder.join(format!("{number}.gz")).metadata().unwrap().len()))
        .collect();
    let (_, later) = sizes.iter().find(|(path, _)| is_later(path)).expect("a second module");
    assert!(*later <= LATER_BYTES_MAX, "{later} bytes, {} too many", later - LATER_BYTES_MAX);
    let sizes: Vec<_> = sizes.into_iter().filter(|(path, _)| is_first(path)).collect();
    let is_there = |end: &str| sizes.iter().any(|(path, _)| path.ends_with(end));
    assert!(["/", ".css", ".js", ".wasm"].into_iter().all(is_there), "incomplete: {sizes:?}");
    let sum: u64 = sizes.iter().map(|(_, size)| size).sum();
    assert!(
        sum <= FIRST_LOAD_BYTES_MAX,
        "{sum} bytes, {} too many: {sizes:?}",
        sum - FIRST_LOAD_BYTES_MAX
    );
}
