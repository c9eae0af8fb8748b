//! Metrics, for `GET /metrics`.

use std::{sync::Arc, time::Duration};

use prometheus_client::{
    encoding::{EncodeLabelSet, text},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

/// Media type of [`Metrics::encode`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Upper bounds of the duration histograms, in seconds: from a constant answer to a timeout.
const DURATION_SECONDS: [f64; 14] =
    [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.04, 0.06, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];

/// Every metric of a process; a clone is another handle on the same. What a process does not do
/// stays without samples.
#[derive(Clone)]
pub struct Metrics(Arc<Families>);

/// The metrics themselves, with their names on the wire.
pub struct Families {
    /// `rondo_http_request_duration_seconds{route,method,status}`: its count is the request rate,
    /// its status the errors. Observe with [`Metrics::request`].
    pub request_duration: DurationFamily<RequestLabels>,
    /// `rondo_http_requests_in_flight`.
    pub requests_in_flight: Gauge,
    /// `rondo_outbox_rows`: events not yet handed to the transport.
    pub outbox_rows: Gauge,
    /// `rondo_outbox_oldest_age_seconds`: of the oldest such event; 0 when there is none.
    pub outbox_oldest_age: Gauge<f64, std::sync::atomic::AtomicU64>,
    /// `rondo_events_relayed_total{topic}`: events handed on and acknowledged.
    pub relayed: Family<TopicLabels, Counter>,
    /// `rondo_consumer_lag{consumer,topic,partition}`: events that the consumer has yet to finish.
    pub consumer_lag: Family<LagLabels, Gauge>,
    /// `rondo_event_latency_seconds{consumer}`: from the event's commit to its recorded effect.
    pub event_latency: DurationFamily<ConsumerLabels>,
    /// `rondo_event_retries_total{consumer}`: counted attempts after the first.
    pub retries: Family<ConsumerLabels, Counter>,
    /// `rondo_consumer_pauses_total{consumer}`: times that nothing could be tried.
    pub pauses: Family<ConsumerLabels, Counter>,
    /// `rondo_events_dead_lettered_total{consumer}`.
    pub dead_lettered: Family<ConsumerLabels, Counter>,
    /// `rondo_dead_letters`: those that wait for a decision now.
    pub dead_letters: Gauge,
    /// `rondo_reminders_fired_total`: reminders that came due.
    pub reminders_fired: Counter,
    /// `rondo_mails_total{outcome}`.
    pub mails: Family<MailLabels, Counter>,
    /// `rondo_connections{kind}`: open ones, `websocket`, `http` or `database`.
    pub connections: Family<ConnectionLabels, Gauge>,
}

/// Labels of a request.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct RequestLabels {
    /// The pattern and never the path, or each id would be a time series of its own.
    pub route: String,
    pub method: String,
    pub status: u16,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct TopicLabels {
    pub topic: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct ConsumerLabels {
    pub consumer: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct LagLabels {
    pub consumer: String,
    pub topic: String,
    pub partition: i32,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct MailLabels {
    /// `sent`, `retried` or `failed`.
    pub outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct ConnectionLabels {
    pub kind: &'static str,
}

/// Histograms by label.
type DurationFamily<Labels> = Family<Labels, Histogram, fn() -> Histogram>;

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    pub fn new() -> Self {
        Self(Arc::new(Families {
            request_duration: Family::new_with_constructor(durations),
            requests_in_flight: Gauge::default(),
            outbox_rows: Gauge::default(),
            outbox_oldest_age: Gauge::default(),
            relayed: Family::default(),
            consumer_lag: Family::default(),
            event_latency: Family::new_with_constructor(durations),
            retries: Family::default(),
            pauses: Family::default(),
            dead_lettered: Family::default(),
            dead_letters: Gauge::default(),
            reminders_fired: Counter::default(),
            mails: Family::default(),
            connections: Family::default(),
        }))
    }

    /// Records an answered request. A method that HTTP does not know counts as `other`.
    pub fn request(&self, route: &str, method: &str, status: u16, duration: Duration) {
        let method = match method {
            "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS" => method,
            _ => "other",
        };
        let labels = RequestLabels { route: route.to_owned(), method: method.to_owned(), status };
        self.request_duration.get_or_create(&labels).observe(duration.as_secs_f64());
    }

    /// Counts one mail's attempt.
    pub fn mail(&self, outcome: &'static str) {
        self.mails.get_or_create(&MailLabels { outcome }).inc();
    }

    /// Counts a connection for as long as the guard lives.
    pub fn connection(&self, kind: &'static str) -> InUse {
        let gauge = self.connections.get_or_create_owned(&ConnectionLabels { kind });
        InUse::new(gauge)
    }

    /// Counts a request in flight for as long as the guard lives.
    pub fn in_flight(&self) -> InUse {
        InUse::new(self.requests_in_flight.clone())
    }

    /// All metrics as text, of type [`CONTENT_TYPE`] (OpenMetrics 1.0).
    pub fn encode(&self) -> String {
        let mut registry = Registry::with_prefix("rondo");
        self.register(&mut registry);
        let mut text = String::new();
        // Writing into a String cannot fail, and neither can encoding numbers and labels.
        let _ = text::encode(&mut text, &registry);
        text
    }

    fn register(&self, registry: &mut Registry) {
        let all = &self.0;
        // The registry puts unit and `_total` behind the names.
        registry.register_with_unit(
            "http_request_duration",
            "Requests answered",
            Unit::Seconds,
            all.request_duration.clone(),
        );
        registry.register(
            "http_requests_in_flight",
            "Requests being answered",
            all.requests_in_flight.clone(),
        );
        registry.register(
            "outbox_rows",
            "Events not yet handed to the transport",
            all.outbox_rows.clone(),
        );
        registry.register_with_unit(
            "outbox_oldest_age",
            "Age of the oldest event in the outbox",
            Unit::Seconds,
            all.outbox_oldest_age.clone(),
        );
        registry.register("events_relayed", "Events handed to the transport", all.relayed.clone());
        registry.register(
            "consumer_lag",
            "Events that a consumer has yet to finish",
            all.consumer_lag.clone(),
        );
        registry.register_with_unit(
            "event_latency",
            "From an event's commit to its recorded effect",
            Unit::Seconds,
            all.event_latency.clone(),
        );
        registry.register("event_retries", "Counted attempts after the first", all.retries.clone());
        registry.register(
            "consumer_pauses",
            "Times that a consumer could try nothing",
            all.pauses.clone(),
        );
        registry.register("events_dead_lettered", "Events given up", all.dead_lettered.clone());
        registry.register(
            "dead_letters",
            "Dead letters that wait for a decision",
            all.dead_letters.clone(),
        );
        registry.register(
            "reminders_fired",
            "Reminders that came due",
            all.reminders_fired.clone(),
        );
        registry.register("mails", "Mails by the outcome of an attempt", all.mails.clone());
        registry.register("connections", "Open connections", all.connections.clone());
    }
}

impl std::ops::Deref for Metrics {
    type Target = Families;

    fn deref(&self) -> &Families {
        &self.0
    }
}

/// Something in use, taken off its gauge when dropped.
#[must_use = "it counts for as long as it lives"]
pub struct InUse(Gauge);

impl InUse {
    fn new(gauge: Gauge) -> Self {
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        self.0.dec();
    }
}

fn durations() -> Histogram {
    Histogram::new(DURATION_SECONDS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_has_what_was_counted() {
        let metrics = Metrics::new();
        metrics.request("/api/:user/tasks", "GET", 200, Duration::from_millis(3));
        metrics.request("/api/:user/tasks", "BREW", 503, Duration::from_secs(2));
        metrics.mail("sent");
        metrics
            .clone()
            .retries
            .get_or_create(&ConsumerLabels { consumer: "notify".to_owned() })
            .inc();
        metrics.outbox_oldest_age.set(1.5);
        let text = metrics.encode();
        for line in [
            "rondo_http_request_duration_seconds_bucket{le=\"0.005\",route=\"/api/:user/tasks\",method=\"GET\",status=\"200\"} 1",
            "rondo_http_request_duration_seconds_count{route=\"/api/:user/tasks\",method=\"other\",status=\"503\"} 1",
            "rondo_mails_total{outcome=\"sent\"} 1",
            "rondo_event_retries_total{consumer=\"notify\"} 1",
            "rondo_outbox_oldest_age_seconds 1.5",
            "rondo_outbox_rows 0",
            "# EOF",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }

    #[test]
    fn what_is_in_use_counts_while_it_is() {
        let metrics = Metrics::new();
        let line = |count| format!("rondo_connections{{kind=\"websocket\"}} {count}\n");
        let first = metrics.connection("websocket");
        let second = metrics.connection("websocket");
        assert!(metrics.encode().contains(&line(2)));
        drop((first, second));
        assert!(metrics.encode().contains(&line(0)), "{}", metrics.encode());
    }
}
