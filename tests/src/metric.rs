//! The table of metrics in docs/metrics.md, which is written from the one that they are registered by.

use std::path::Path;

use crate::source::text;

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
