//! Whether events flow: what the relay and the consumers say of themselves, as one part of
//! readiness.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use rondo_telemetry::Part;

/// Who the relay is in reasons.
pub const RELAY: &str = "relay";
/// What reading from Kafka is in reasons.
pub const KAFKA: &str = "Kafka";

/// Collects who cannot work, and why.
pub struct Flow {
    part: Part,
    stuck: Mutex<BTreeMap<&'static str, String>>,
}

impl Flow {
    /// Ready once the relay has looked at the outbox.
    #[must_use]
    pub fn new(part: Part) -> Self {
        Self { part, stuck: Mutex::new(BTreeMap::from([(RELAY, "starting".to_owned())])) }
    }

    pub fn works(&self, who: &'static str) {
        let mut stuck = self.stuck.lock().unwrap_or_else(PoisonError::into_inner);
        if stuck.remove(who).is_some() {
            self.tell(&stuck);
        }
    }

    /// `reason` is shown to whoever asks: no secret, address or SQL in it.
    pub fn stuck(&self, who: &'static str, reason: impl Into<String>) {
        let mut stuck = self.stuck.lock().unwrap_or_else(PoisonError::into_inner);
        let reason = reason.into();
        if stuck.get(who) != Some(&reason) {
            stuck.insert(who, reason);
            self.tell(&stuck);
        }
    }

    fn tell(&self, stuck: &BTreeMap<&'static str, String>) {
        if stuck.is_empty() {
            self.part.ready();
        } else {
            let reasons: Vec<_> =
                stuck.iter().map(|(who, reason)| format!("{who}: {reason}")).collect();
            self.part.not_ready(reasons.join("; "));
        }
    }
}

#[cfg(test)]
mod tests {
    use rondo_telemetry::Readiness;

    use super::*;

    #[test]
    fn events_flow_when_everyone_works_and_whoever_does_not_is_named() {
        let readiness = Readiness::new();
        let flow = Flow::new(readiness.part("events"));
        assert!(readiness.report().to_json().contains("starting"));
        flow.works(RELAY);
        assert!(readiness.report().is_ready());
        flow.stuck("audit", "no database");
        flow.stuck(KAFKA, "no broker answers");
        let told = readiness.report().to_json();
        assert!(told.contains("Kafka: no broker answers; audit: no database"), "{told}");
        flow.works("audit");
        flow.works("recurrence");
        assert!(!readiness.report().is_ready());
        flow.works(KAFKA);
        assert!(readiness.report().is_ready());
    }
}
