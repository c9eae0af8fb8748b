//! What came of it: rates, and latencies in HDR histograms.

use std::collections::BTreeMap;
use std::time::Instant;

use hdrhistogram::Histogram;
use nix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};

use crate::connection::Sent;
use crate::plan::Plan;

/// Significant digits of the histograms.
const DIGITS: u8 = 3;
/// Longest latency that is told apart, in microseconds.
const LATENCY_US_MAX: u64 = 60_000_000;

pub struct Report {
    connections: usize,
    kinds: Vec<(String, Histogram<u64>)>,
    /// By status, or what else went wrong.
    failures: BTreeMap<String, u64>,
    reconnects: u64,
    from: Instant,
    until: Instant,
    /// Good answers that came between these moments, whenever they were due.
    within: u64,
    /// All good answers, also those of the warm-up.
    answered: u64,
    /// Processor time of this program, in seconds.
    processor_s: f64,
}

impl Report {
    pub fn new(plan: &Plan, connections: usize) -> Self {
        let histogram = || {
            Histogram::new_with_bounds(1, LATENCY_US_MAX, DIGITS)
                .unwrap_or_else(|_| unreachable!("bounds that are constants"))
        };
        let now = Instant::now();
        Self {
            connections,
            kinds: plan.kinds.iter().map(|kind| (kind.clone(), histogram())).collect(),
            failures: BTreeMap::new(),
            reconnects: 0,
            from: now,
            until: now,
            within: 0,
            answered: 0,
            processor_s: processor_s(),
        }
    }

    /// Latencies count for requests due between these moments, the rate for answers that came then.
    pub fn count_from(&mut self, from: Instant, until: Instant) {
        (self.from, self.until) = (from, until);
    }

    pub fn answered(&mut self, sent: Sent, status: u16, now: Instant) {
        if !(200..300).contains(&status) {
            return self.failed(sent, &status.to_string());
        }
        self.answered += 1;
        self.within += u64::from(now >= self.from && now < self.until);
        if sent.due >= self.from {
            let latency = now.saturating_duration_since(sent.due).as_micros();
            let latency_us = u64::try_from(latency).unwrap_or(u64::MAX);
            self.kinds[sent.kind].1.saturating_record(latency_us.max(1));
        }
    }

    /// Failures count whenever they are.
    pub fn failed(&mut self, _: Sent, how: &str) {
        *self.failures.entry(how.to_owned()).or_default() += 1;
    }

    pub fn unanswered(&mut self, count: usize) {
        if count > 0 {
            self.failures.insert("unanswered".to_owned(), count as u64);
        }
    }

    pub fn reconnected(&mut self) {
        self.reconnects += 1;
    }

    pub fn finish(mut self) -> Self {
        self.processor_s = processor_s() - self.processor_s;
        self
    }

    /// `per_second` are good answers; latencies are in milliseconds, from when a request was due.
    pub fn to_json(&self) -> Value {
        let seconds = (self.until - self.from).as_secs_f64();
        let mut all = self.kinds[0].1.clone();
        all.reset();
        for (_, histogram) in &self.kinds {
            // Both have the same bounds.
            let _ = all.add(histogram);
        }
        let kinds: BTreeMap<_, _> =
            self.kinds.iter().map(|(kind, histogram)| (kind, latencies(histogram))).collect();
        json!({
            "connections": self.connections, "seconds": seconds,
            "per_second": self.within as f64 / seconds, "answered": self.answered,
            "failures": self.failures,
            "reconnects": self.reconnects, "processor_s": self.processor_s,
            "latency_ms": latencies(&all), "kinds": kinds,
        })
    }
}

fn latencies(histogram: &Histogram<u64>) -> Value {
    let at = |percent: f64| histogram.value_at_percentile(percent) as f64 / 1e3;
    json!({
        "count": histogram.len(), "mean": histogram.mean() / 1e3, "p50": at(50.0), "p95": at(95.0),
        "p99": at(99.0), "p99.9": at(99.9), "max": histogram.max() as f64 / 1e3,
    })
}

/// Processor time that this program has used.
fn processor_s() -> f64 {
    clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID)
        .map_or(0.0, |time| time.tv_sec() as f64 + time.tv_nsec() as f64 / 1e9)
}
