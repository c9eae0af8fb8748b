//! Figures of the pipeline, in Prometheus' text form.

use std::sync::Arc;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// Counters and gauges of one process.
#[derive(Default)]
pub struct PipelineMetrics {
    /// Rows that wait in the outbox.
    pub outbox_depth: Gauge,
    /// Age of the oldest of them, in milliseconds.
    pub outbox_age_ms: Gauge,
    /// Events that the transport has taken over.
    pub relayed: Counter,
    /// Events that a consumer has finished with.
    pub delivered: Counter,
    /// Counted failures.
    pub retries: Counter,
    /// Times that a consumer paused because nothing could be tried.
    pub pauses: Counter,
    pub dead_letters: Counter,
    pub reminders_fired: Counter,
    pub mail_sent: Counter,
    pub mail_retried: Counter,
    pub mail_failed: Counter,
    /// Requests answered, and those of them with a status of 500 or more.
    pub requests: Counter,
    pub request_errors: Counter,
}

impl PipelineMetrics {
    #[must_use]
    pub fn shared() -> Arc<Self> {
        Arc::default()
    }

    /// All figures as text (Prometheus exposition format 0.0.4, as OpenMetrics 1.0 writes it).
    #[must_use]
    pub fn encode(&self) -> String {
        let mut registry = Registry::with_prefix("rondo");
        let gauges = [
            ("outbox_depth", "Events that wait in the outbox", &self.outbox_depth),
            ("outbox_age_milliseconds", "Age of the oldest waiting event", &self.outbox_age_ms),
        ];
        for (name, help, gauge) in gauges {
            registry.register(name, help, gauge.clone());
        }
        let counters = [
            ("events_relayed", "Events taken over by the transport", &self.relayed),
            ("events_delivered", "Events that a consumer has finished with", &self.delivered),
            ("event_retries", "Counted failures of deliveries", &self.retries),
            ("consumer_pauses", "Pauses for want of a capability", &self.pauses),
            ("dead_letters", "Events recorded as dead letters", &self.dead_letters),
            ("reminders_fired", "Reminders that came due", &self.reminders_fired),
            ("mail_sent", "Mails taken over by the mail server", &self.mail_sent),
            ("mail_retried", "Mails put off to a later attempt", &self.mail_retried),
            ("mail_failed", "Mails given up", &self.mail_failed),
            ("http_requests", "Requests answered", &self.requests),
            ("http_request_errors", "Requests answered with 500 to 599", &self.request_errors),
        ];
        for (name, help, counter) in counters {
            registry.register(name, help, counter.clone());
        }
        let mut text = String::new();
        // Writing into a String cannot fail.
        let _ = encode(&mut text, &registry);
        text
    }
}
