//! Laws about the text of the sources, which no compiler checks.

use std::path::Path;

use rondo_tests::source::{files, text};

/// Number of lines above which a file must be split, or listed with a reason.
const FILE_LINES_MAX: usize = 500;

/// Longer files that are better left whole.
const LONG_FILES: [&str; 0] = [];

/// Names that the domain must not use: I/O, clocks, randomness, threads. Time and zone are arguments.
const IMPURE: [&str; 16] = [
    "std::fs",
    "std::net",
    "std::io",
    "std::env",
    "std::process",
    "std::thread",
    "std::time",
    "SystemTime",
    "Instant::now",
    "Timestamp::now",
    "Zoned::now",
    "TimeZone::system",
    "rand::",
    "serde_json",
    "async fn",
    "println!",
];

/// Module names that express no responsibility.
const EMPTY_NAMES: [&str; 7] = ["mod", "util", "utils", "common", "helper", "helpers", "manager"];

/// Marks of unfinished work, in pieces so that this file does not match.
const UNFINISHED: [&str; 6] = [
    concat!("to", "do!("),
    concat!("unimple", "mented!("),
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X:"),
    concat!("in produc", "tion this would"),
];

/// Fails with every file for which `find` returns something.
fn check(extension: &str, find: impl Fn(&Path, &str) -> Vec<String>) {
    let files = files(extension);
    assert!(!files.is_empty(), "no .{extension} file was found");
    let broken: Vec<_> = files
        .iter()
        .flat_map(|path| {
            let shown = path.display().to_string();
            find(path, &text(path)).into_iter().map(move |what| format!("{shown}: {what}"))
        })
        .collect();
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn the_domain_does_no_io_and_reads_no_clock() {
    check("rs", |path, text| {
        if !path.starts_with("crates/domain/src") {
            return Vec::new();
        }
        let found = IMPURE.iter().filter(|name| text.contains(*name));
        found.map(|name| format!("names {name}")).collect()
    });
}

#[test]
fn modules_are_named_after_a_responsibility() {
    for extension in ["rs", "sql"] {
        check(extension, |path, _| {
            let stem = path.file_stem().unwrap_or_default().to_string_lossy();
            let name =
                stem.trim_start_matches(|letter: char| letter.is_ascii_digit() || letter == '_');
            let is_empty = EMPTY_NAMES.contains(&name);
            is_empty.then(|| "the name says nothing".to_owned()).into_iter().collect()
        });
    }
}

#[test]
fn a_migration_states_its_subject_and_acts_as_the_owner() {
    check("sql", |path, text| {
        if !path.starts_with("migrations") {
            return Vec::new();
        }
        let frame = [
            (text.starts_with("-- "), "does not begin with a comment"),
            (text.contains("\nSET LOCAL ROLE rondo_owner;\n"), "does not act as rondo_owner"),
            (text.ends_with("\nRESET ROLE;\n"), "does not end with RESET ROLE"),
        ];
        frame.iter().filter(|(holds, _)| !holds).map(|(_, what)| (*what).to_owned()).collect()
    });
}

#[test]
fn every_module_states_its_purpose() {
    check("rs", |path, text| {
        // Tests that were moved out of their module's file need no description.
        let is_tests = path.to_string_lossy().ends_with("_tests.rs");
        let is_said = is_tests || text.trim_start().starts_with("//!");
        (!is_said).then(|| "does not begin with `//!`".to_owned()).into_iter().collect()
    });
}

#[test]
fn files_stay_short_enough_to_read() {
    for extension in ["rs", "sql"] {
        check(extension, |path, text| {
            let lines = text.lines().count();
            let is_listed = LONG_FILES.iter().any(|long| path == Path::new(long));
            let is_long = lines > FILE_LINES_MAX && !is_listed;
            is_long
                .then(|| format!("{lines} lines, at most {FILE_LINES_MAX}"))
                .into_iter()
                .collect()
        });
    }
}

#[test]
fn nothing_is_left_unfinished() {
    for extension in ["rs", "sql", "wit", "toml", "md", "yaml"] {
        if files(extension).is_empty() {
            continue;
        }
        check(extension, |_, text| {
            let found = UNFINISHED.iter().filter(|mark| text.contains(*mark));
            found.map(|mark| format!("has {mark}")).collect()
        });
    }
}
