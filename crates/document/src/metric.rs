//! docs/metrics.md: the table of all metrics.

use rondo_telemetry::metric::{METRICS, MetricFacts};

const HEAD: &str = "\
# Metrics

`cargo xtask document` writes this file from the table in `crates/telemetry/src/metric/table.rs`.

`/metrics` answers in OpenMetrics 1.0 if `Accept` asks for it, else in Prometheus' text format 0.0.4. In
OpenMetrics, the buckets of histograms have exemplars: the `trace_id` of the last sampled trace that each counted.
Durations are in seconds. A histogram is read as `<name>_bucket`, `<name>_sum` and `<name>_count`; its count is also
the number of what it measures. Programs are `up`, `host`, `bridge` (`rondo up`, …) and `sync` (`rondo-sync`). A metric
that belongs to another program does not exist.

| Metric | Type | Labels | Programs | Counts or measures |
|---|---|---|---|---|
";

/// The document.
pub fn document() -> String {
    METRICS.iter().map(row).fold(HEAD.to_owned(), |text, row| text + &row)
}

fn row(facts: &MetricFacts) -> String {
    let MetricFacts { name, kind, labels, programs, help } = facts;
    let programs: Vec<_> = programs.iter().map(|program| program.as_str()).collect();
    format!("| `{name}` | {kind} | {} | {} | {help} |\n", labels.join(", "), programs.join(", "))
}
