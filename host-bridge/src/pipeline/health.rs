//! Health of the pipeline: relay, transport and consumers report here, as one part of readiness.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use rondo_telemetry::Part;

/// The relay's name in reasons.
pub const RELAY: &str = "relay";
/// The transport claim's name in reasons.
pub const TRANSPORT: &str = "transport";
/// The relay's Kafka client's name in reasons.
pub const KAFKA: &str = "Kafka";

/// Collects which components are blocked, and why.
pub struct PipelineHealth {
    part: Part,
    blocked: Mutex<BTreeMap<String, String>>,
}

impl PipelineHealth {
    /// Ready once the relay has read the outbox.
    #[must_use]
    pub fn new(part: Part) -> Self {
        Self {
            part,
            blocked: Mutex::new(BTreeMap::from([(RELAY.to_owned(), "starting".to_owned())])),
        }
    }

    pub fn set_ready(&self, component: &str) {
        let mut blocked = self.blocked.lock().unwrap_or_else(PoisonError::into_inner);
        if blocked.remove(component).is_some() {
            self.publish(&blocked);
        }
    }

    /// `reason` is public: it holds no secret, address or SQL.
    pub fn set_blocked(&self, component: &str, reason: impl Into<String>) {
        let mut blocked = self.blocked.lock().unwrap_or_else(PoisonError::into_inner);
        let reason = reason.into();
        if blocked.get(component) != Some(&reason) {
            blocked.insert(component.to_owned(), reason);
            self.publish(&blocked);
        }
    }

    fn publish(&self, blocked: &BTreeMap<String, String>) {
        if blocked.is_empty() {
            self.part.ready();
        } else {
            let reasons: Vec<_> =
                blocked.iter().map(|(name, reason)| format!("{name}: {reason}")).collect();
            self.part.not_ready(reasons.join("; "));
        }
    }
}

#[cfg(test)]
mod tests {
    use rondo_telemetry::Readiness;

    use super::*;

    #[test]
    fn ready_when_no_component_is_blocked_and_blocked_ones_are_named() {
        let readiness = Readiness::new();
        let health = PipelineHealth::new(readiness.part("events"));
        assert!(readiness.report().to_json().contains("starting"));
        health.set_ready(RELAY);
        assert!(readiness.report().is_ready());
        health.set_blocked("audit", "no database");
        health.set_blocked(KAFKA, "no broker answers");
        let told = readiness.report().to_json();
        assert!(told.contains("Kafka: no broker answers; audit: no database"), "{told}");
        health.set_ready("audit");
        health.set_ready("recurrence");
        assert!(!readiness.report().is_ready());
        health.set_ready(KAFKA);
        assert!(readiness.report().is_ready());
    }
}
