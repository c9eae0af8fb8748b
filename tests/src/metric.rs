//! The table of metrics in docs/metrics.md, which is written from the one that they are registered by.

use std::path::Path;

use crate::source::text;

/// Checks that what a program serves is what the table says that it has.
///
/// # Panics
/// When it is not.
pub fn assert_complete(program: &str, text: &str) {
    for (name, kind, programs) in metrics() {
        let is_there = text.contains(&format!("# TYPE {name} {kind}\n"));
        let is_its_own = programs.iter().any(|name| name == program);
        assert_eq!(is_there, is_its_own, "{name} of {program}\n{text}");
    }
}

/// Name, type and programs of each metric.
#[must_use]
pub fn metrics() -> Vec<(String, String, Vec<String>)> {
    let document = text(Path::new("docs/metrics.md"));
    let rows = document.lines().filter_map(|line| line.strip_prefix("| `"));
    let metrics: Vec<_> = rows
        .map(|row| {
            let cells: Vec<_> = row.split('|').map(|cell| cell.trim().trim_matches('`')).collect();
            let programs = cells[3].split(", ").map(str::to_owned).collect();
            (cells[0].to_owned(), cells[1].to_owned(), programs)
        })
        .collect();
    assert!(metrics.len() > 20, "docs/metrics.md has another form");
    metrics
}
