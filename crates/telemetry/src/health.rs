//! Readiness: whether requests and events flow, and if not, which part is why.

use std::{collections::BTreeMap, sync::Arc};

use serde::Serialize;
use tokio::sync::watch;

use crate::Metrics;

/// The parts of a process; a clone is another handle on the same.
#[derive(Clone)]
pub struct Readiness {
    parts: Arc<watch::Sender<BTreeMap<&'static str, State>>>,
    time_zone_data: Option<&'static str>,
}

/// What `/health` answers for as long as the process lives, as JSON.
pub const LIVE: &str = r#"{"status":"live"}"#;

/// How a part is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Ready,
    NotReady(String),
}

impl Default for Readiness {
    fn default() -> Self {
        Self::new()
    }
}

impl Readiness {
    pub fn new() -> Self {
        Self { parts: Arc::new(watch::Sender::new(BTreeMap::new())), time_zone_data: None }
    }

    /// Names the version of the time zone data in each report.
    #[must_use]
    pub fn with_time_zone_data(self, version: &'static str) -> Self {
        Self { time_zone_data: Some(version), ..self }
    }

    /// Adds a part, which is not ready until it says so. One of the same name is replaced.
    pub fn part(&self, name: &'static str) -> Part {
        let part = Part { name, readiness: self.clone() };
        part.set(State::NotReady("starting".to_owned()));
        part
    }

    /// Shows each part in the metrics.
    pub fn show_in(&self, metrics: &Metrics) {
        let readiness = self.clone();
        metrics.watch("readiness", move |metrics| {
            for (part, state) in readiness.parts.borrow().iter() {
                metrics.part_ready.with([*part]).set(i64::from(*state == State::Ready));
            }
        });
    }

    /// How things are now.
    pub fn report(&self) -> Report {
        Report { time_zone_data: self.time_zone_data, ..Report::of(&self.parts.borrow()) }
    }

    /// Waits until every part is ready and there is at least one.
    pub async fn ready(&self) {
        let mut changes = self.parts.subscribe();
        // The sender lives as long as self.
        let _ = changes.wait_for(|parts| !parts.is_empty() && Report::of(parts).is_ready()).await;
    }
}

/// A part's handle. A part whose handle was dropped has stopped, and is not ready: a task that
/// died must not look alive.
pub struct Part {
    name: &'static str,
    readiness: Readiness,
}

impl Part {
    pub fn ready(&self) {
        self.set(State::Ready);
    }

    /// `reason` is shown to operators: no secret, address or SQL in it.
    pub fn not_ready(&self, reason: impl Into<String>) {
        self.set(State::NotReady(reason.into()));
    }

    /// Logged once per change, and not each time that a loop says the same again.
    fn set(&self, state: State) {
        self.readiness.parts.send_if_modified(|parts| {
            if parts.get(self.name) == Some(&state) {
                return false;
            }
            match &state {
                State::Ready => tracing::info!(part = self.name, "ready"),
                State::NotReady(reason) => tracing::info!(part = self.name, reason, "not ready"),
            }
            parts.insert(self.name, state);
            true
        });
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.not_ready("stopped");
    }
}

/// What `/health/ready` answers: `{"status": "ready", "parts": {"database": {"status": "ready"},
/// "relay": {"status": "not ready", "reason": "…"}}}`, and `time_zone_data` where a program has rules about times.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    time_zone_data: Option<&'static str>,
    parts: BTreeMap<&'static str, PartReport>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct PartReport {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

const READY: &str = "ready";
const NOT_READY: &str = "not ready";

impl Report {
    fn of(parts: &BTreeMap<&'static str, State>) -> Self {
        let part = |state: &State| match state {
            State::Ready => PartReport { status: READY, reason: None },
            State::NotReady(reason) => {
                PartReport { status: NOT_READY, reason: Some(reason.clone()) }
            }
        };
        let all_ready = parts.values().all(|state| *state == State::Ready);
        Self {
            status: if all_ready { READY } else { NOT_READY },
            time_zone_data: None,
            parts: parts.iter().map(|(name, state)| (*name, part(state))).collect(),
        }
    }

    pub fn is_ready(&self) -> bool {
        self.status == READY
    }

    /// 200 or 503.
    pub fn status_code(&self) -> u16 {
        if self.is_ready() { 200 } else { 503 }
    }

    /// The body for the public, which learns no reasons: `{"status": "ready"}`.
    pub fn status_json(&self) -> String {
        format!(r#"{{"status":"{}"}}"#, self.status)
    }

    /// The body for operators, `application/json`.
    pub fn to_json(&self) -> String {
        // Strings in maps with string keys always serialise.
        serde_json::to_string(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::{Format, Program};

    #[tokio::test]
    async fn it_is_ready_when_every_part_is_and_names_the_one_that_is_not() {
        let readiness = Readiness::new();
        let database = readiness.part("database");
        let relay = readiness.part("relay");
        assert_eq!(readiness.report().status_code(), 503);
        let waiting = tokio::spawn({
            let readiness = readiness.clone();
            async move { readiness.ready().await }
        });
        database.ready();
        relay.ready();
        waiting.await.unwrap();
        assert_eq!(
            (readiness.report().status_code(), readiness.report().to_json().as_str()),
            (
                200,
                r#"{"status":"ready","parts":{"database":{"status":"ready"},"relay":{"status":"ready"}}}"#
            )
        );
        let metrics = Metrics::new(Program::Bridge);
        readiness.show_in(&metrics);
        relay.not_ready("the broker is away");
        let report = readiness.report();
        assert_eq!(report.status_code(), 503);
        assert!(
            report
                .to_json()
                .contains(r#""relay":{"status":"not ready","reason":"the broker is away"}"#)
        );
        assert_eq!(report.status_json(), r#"{"status":"not ready"}"#);
        let text = metrics.encode(Format::Prometheus);
        assert!(text.contains("rondo_part_ready{part=\"database\"} 1"), "{text}");
        assert!(text.contains("rondo_part_ready{part=\"relay\"} 0"), "{text}");
        relay.ready();
        drop(database);
        assert!(readiness.report().to_json().contains("stopped"));
        assert!(!readiness.report().is_ready());
    }
}
