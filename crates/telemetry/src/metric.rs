//! Metrics, for `GET /metrics`.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError, atomic::AtomicU64},
    time::Duration,
};

use prometheus_client::{
    encoding::{EncodeLabelSet, text},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

/// Media type of [`Metrics::encode`].
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Upper bounds of the duration histograms, in seconds: from a constant answer to a timeout.
const DURATION_SECONDS: [f64; 14] =
    [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.04, 0.06, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];

/// Outcomes of an attempt to send a mail.
pub const MAIL_OUTCOMES: [&str; 3] = ["sent", "retried", "failed"];
/// Outcomes of an attempt to call a webhook.
pub const WEBHOOK_OUTCOMES: [&str; 3] = ["delivered", "retried", "failed"];

/// Every metric of a process; a clone is another handle on the same. What a process does not do
/// stays without samples. Label values come from fixed sets, so that nobody can make time series.
#[derive(Clone)]
pub struct Metrics(Arc<Families>);

/// The metrics themselves, with their names on the wire.
pub struct Families {
    /// `rondo_http_request_duration_seconds{route,method,status}`: its count is the request rate,
    /// its status the errors. Observe with [`Metrics::request`].
    request_duration: DurationFamily<RequestLabels>,
    /// `rondo_http_requests_in_flight`.
    requests_in_flight: Gauge,
    /// `rondo_refusals_total{status,reason}`: requests refused because of who asks, or how often; of a
    /// WebSocket, status is the code that it was closed with.
    refusals: Family<RefusalLabels, Counter>,
    /// `rondo_outbox_rows`: events not yet handed to the transport.
    pub outbox_rows: Gauge,
    /// `rondo_outbox_oldest_age_seconds`: of the oldest such event; 0 when there is none.
    pub outbox_oldest_age: Gauge<f64, AtomicU64>,
    /// `rondo_events_relayed_total`: events that the transport has taken over.
    pub relayed: Counter,
    /// `rondo_consumer_lag{consumer}`: events that the consumer has yet to finish.
    consumer_lag: Family<ConsumerLabels, Gauge>,
    /// `rondo_event_latency_seconds{consumer}`: from the event's commit to its recorded effect; its
    /// count is the events that the consumer has finished with.
    event_latency: DurationFamily<ConsumerLabels>,
    /// `rondo_event_retries_total{consumer}`: counted failures of an event.
    retries: Family<ConsumerLabels, Counter>,
    /// `rondo_consumer_pauses_total{consumer}`: times that nothing could be tried.
    pauses: Family<ConsumerLabels, Counter>,
    /// `rondo_events_dead_lettered_total{consumer}`.
    dead_lettered: Family<ConsumerLabels, Counter>,
    /// `rondo_dead_letters`: those that wait for a decision now.
    pub dead_letters: Gauge,
    /// `rondo_reminders_fired_total`: reminders that came due.
    pub reminders_fired: Counter,
    /// `rondo_mails_total{outcome}`, one of [`MAIL_OUTCOMES`].
    mails: Family<OutcomeLabels, Counter>,
    /// `rondo_webhooks_total{outcome}`, one of [`WEBHOOK_OUTCOMES`].
    webhooks: Family<OutcomeLabels, Counter>,
    /// `rondo_connections{kind}`: open ones.
    connections: Family<ConnectionLabels, Gauge>,
    /// `rondo_database_connections{pool,state}`: of this process to Postgres, `busy` and `idle`, and
    /// the callers that are `waiting` for one.
    database_connections: Family<PoolLabels, Gauge>,
    /// `rondo_database_connections_max{pool}`.
    database_connections_max: Family<PoolMaxLabels, Gauge>,
    /// Asked when the metrics are.
    pools: Mutex<BTreeMap<&'static str, LookAtPool>>,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RequestLabels {
    route: &'static str,
    method: &'static str,
    status: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RefusalLabels {
    status: u16,
    reason: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ConsumerLabels {
    consumer: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OutcomeLabels {
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ConnectionLabels {
    kind: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct PoolLabels {
    pool: &'static str,
    state: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct PoolMaxLabels {
    pool: &'static str,
}

type LookAtPool = Box<dyn Fn() -> PoolUse + Send + Sync>;

/// Histograms by label.
type DurationFamily<Labels> = Family<Labels, Histogram, fn() -> Histogram>;

/// How a pool of connections is used at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolUse {
    /// Open connections, in use or not.
    pub open: usize,
    pub idle: usize,
    /// Callers that wait for one.
    pub waiting: usize,
    pub connections_max: usize,
}

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
            refusals: Family::default(),
            outbox_rows: Gauge::default(),
            outbox_oldest_age: Gauge::default(),
            relayed: Counter::default(),
            consumer_lag: Family::default(),
            event_latency: Family::new_with_constructor(durations),
            retries: Family::default(),
            pauses: Family::default(),
            dead_lettered: Family::default(),
            dead_letters: Gauge::default(),
            reminders_fired: Counter::default(),
            mails: Family::default(),
            webhooks: Family::default(),
            connections: Family::default(),
            database_connections: Family::default(),
            database_connections_max: Family::default(),
            pools: Mutex::default(),
        }))
    }

    /// Begins the series of a consumer at 0: an alert on a rate sees the first failure, too.
    pub fn announce_consumer(&self, consumer: &'static str) {
        let labels = ConsumerLabels { consumer };
        let _ = self.consumer_lag.get_or_create(&labels);
        let _ = self.event_latency.get_or_create(&labels);
        for family in [&self.retries, &self.pauses, &self.dead_lettered] {
            let _ = family.get_or_create(&labels);
        }
    }

    /// Begins the series of each outcome of a mail at 0.
    pub fn announce_mail(&self) {
        for outcome in MAIL_OUTCOMES {
            let _ = self.mails.get_or_create(&OutcomeLabels { outcome });
        }
    }

    /// Begins the series of each outcome of a webhook at 0.
    pub fn announce_webhook(&self) {
        for outcome in WEBHOOK_OUTCOMES {
            let _ = self.webhooks.get_or_create(&OutcomeLabels { outcome });
        }
    }

    /// Records an answered request: `route` is a class and never the path, or each id would be a
    /// time series of its own; of the status its class is kept. A method that HTTP does not know
    /// counts as `other`.
    pub fn request(&self, route: &'static str, method: &str, status: u16, duration: Duration) {
        const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
        let method = METHODS.into_iter().find(|known| *known == method).unwrap_or("other");
        let labels = RequestLabels { route, method, status: status_class(status) };
        self.request_duration.get_or_create(&labels).observe(duration.as_secs_f64());
    }

    /// Begins the series of refusals, of these statuses and reasons, at 0.
    pub fn announce_refusals(&self, refusals: &[(u16, &'static str)]) {
        for &(status, reason) in refusals {
            let _ = self.refusals.get_or_create(&RefusalLabels { status, reason });
        }
    }

    /// Counts a refused request; `reason` is one of a fixed set.
    pub fn refused(&self, status: u16, reason: &'static str) {
        self.refusals.get_or_create(&RefusalLabels { status, reason }).inc();
    }

    /// Records that a consumer has finished with an event.
    pub fn event_finished(&self, consumer: &'static str, latency: Duration) {
        let histogram = self.event_latency.get_or_create(&ConsumerLabels { consumer });
        histogram.observe(latency.as_secs_f64());
    }

    pub fn event_retried(&self, consumer: &'static str) {
        self.retries.get_or_create(&ConsumerLabels { consumer }).inc();
    }

    pub fn event_dead_lettered(&self, consumer: &'static str) {
        self.dead_lettered.get_or_create(&ConsumerLabels { consumer }).inc();
    }

    pub fn consumer_paused(&self, consumer: &'static str) {
        self.pauses.get_or_create(&ConsumerLabels { consumer }).inc();
    }

    /// Sets how many events a consumer has yet to finish.
    pub fn consumer_lag(&self, consumer: &'static str, events: i64) {
        self.consumer_lag.get_or_create(&ConsumerLabels { consumer }).set(events);
    }

    /// Counts one mail's attempt, by one of [`MAIL_OUTCOMES`].
    pub fn mail(&self, outcome: &'static str) {
        self.mails.get_or_create(&OutcomeLabels { outcome }).inc();
    }

    /// Counts one attempt to call a webhook, by one of [`WEBHOOK_OUTCOMES`].
    pub fn webhook(&self, outcome: &'static str) {
        self.webhooks.get_or_create(&OutcomeLabels { outcome }).inc();
    }

    /// Counts a connection for as long as the guard lives.
    pub fn connection(&self, kind: &'static str) -> InUse {
        InUse::new(self.connections.get_or_create_owned(&ConnectionLabels { kind }))
    }

    /// Begins the series of a kind of connections at 0.
    pub fn announce_connections(&self, kind: &'static str) {
        let _ = self.connections.get_or_create(&ConnectionLabels { kind });
    }

    /// Adds a pool of connections to Postgres: `look` is asked whenever the metrics are. One of the
    /// same name is replaced.
    pub fn watch_pool(
        &self,
        name: &'static str,
        look: impl Fn() -> PoolUse + Send + Sync + 'static,
    ) {
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        pools.insert(name, Box::new(look));
    }

    fn look_at_pools(&self) {
        let pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, look) in pools.iter() {
            self.database_pool(name, look());
        }
    }

    fn database_pool(&self, pool: &'static str, used: PoolUse) {
        let states = [
            ("busy", used.open.saturating_sub(used.idle)),
            ("idle", used.idle),
            ("waiting", used.waiting),
        ];
        for (state, count) in states {
            let gauge = self.database_connections.get_or_create(&PoolLabels { pool, state });
            gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
        }
        let most = i64::try_from(used.connections_max).unwrap_or(i64::MAX);
        self.database_connections_max.get_or_create(&PoolMaxLabels { pool }).set(most);
    }

    /// Counts a request in flight for as long as the guard lives.
    pub fn in_flight(&self) -> InUse {
        InUse::new(self.requests_in_flight.clone())
    }

    /// All metrics as text, of type [`CONTENT_TYPE`].
    pub fn encode(&self) -> String {
        self.look_at_pools();
        let mut registry = Registry::with_prefix("rondo");
        self.register(&mut registry);
        let mut text = String::new();
        // Writing into a String cannot fail, and neither can encoding numbers and labels.
        let _ = text::encode(&mut text, &registry);
        prometheus_text(&text)
    }

    fn register(&self, registry: &mut Registry) {
        let all = &self.0;
        let seconds = || Unit::Seconds;
        // The registry puts unit and `_total` behind the names.
        let (duration, latency) = (all.request_duration.clone(), all.event_latency.clone());
        registry.register_with_unit("http_request_duration", "Requests", seconds(), duration);
        registry.register_with_unit(
            "event_latency",
            "From an event's commit to its recorded effect",
            seconds(),
            latency,
        );
        let age = all.outbox_oldest_age.clone();
        let about = "Age of the oldest event in the outbox";
        registry.register_with_unit("outbox_oldest_age", about, seconds(), age);
        let gauges = [
            ("http_requests_in_flight", "Requests being answered", &all.requests_in_flight),
            ("outbox_rows", "Events not yet handed to the transport", &all.outbox_rows),
            ("dead_letters", "Dead letters that wait for a decision", &all.dead_letters),
        ];
        for (name, help, gauge) in gauges {
            registry.register(name, help, gauge.clone());
        }
        let counters = [
            ("events_relayed", "Events handed to the transport", &all.relayed),
            ("reminders_fired", "Reminders that came due", &all.reminders_fired),
        ];
        for (name, help, counter) in counters {
            registry.register(name, help, counter.clone());
        }
        let by_consumer = [
            ("event_retries", "Counted failures of an event", &all.retries),
            ("consumer_pauses", "Times that a consumer could try nothing", &all.pauses),
            ("events_dead_lettered", "Events given up", &all.dead_lettered),
        ];
        for (name, help, family) in by_consumer {
            registry.register(name, help, family.clone());
        }
        let about = "Requests refused because of who asks, or how often";
        registry.register("refusals", about, all.refusals.clone());
        let about = "Events that a consumer has yet to finish";
        registry.register("consumer_lag", about, all.consumer_lag.clone());
        registry.register("mails", "Mails by the outcome of an attempt", all.mails.clone());
        let about = "Calls of webhooks by the outcome of an attempt";
        registry.register("webhooks", about, all.webhooks.clone());
        registry.register("connections", "Open connections", all.connections.clone());
        let about = "Connections to Postgres, and callers that wait for one";
        registry.register("database_connections", about, all.database_connections.clone());
        let (about, most) = ("Bound of a pool", all.database_connections_max.clone());
        registry.register("database_connections_max", about, most);
    }
}

impl std::ops::Deref for Metrics {
    type Target = Families;

    fn deref(&self) -> &Families {
        &self.0
    }
}

/// OpenMetrics 1.0 as Prometheus' own text format 0.0.4, in which a counter is described by the
/// name of its sample and there are neither units nor an end mark.
fn prometheus_text(open_metrics: &str) -> String {
    let mut text = String::with_capacity(open_metrics.len());
    let mut lines = open_metrics.lines().peekable();
    while let Some(line) = lines.next() {
        if line == "# EOF" || line.starts_with("# UNIT ") {
            continue;
        }
        let described = line.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' '));
        let counter = described.filter(|(name, _)| {
            lines.peek().is_some_and(|next| *next == format!("# TYPE {name} counter"))
        });
        if let Some((name, help)) = counter {
            let help = help.strip_suffix('.').unwrap_or(help);
            text.push_str(&format!("# HELP {name}_total {help}\n# TYPE {name}_total counter\n"));
            lines.next();
        } else {
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

const fn status_class(status: u16) -> &'static str {
    match status {
        100..200 => "1xx",
        200..300 => "2xx",
        300..400 => "3xx",
        400..500 => "4xx",
        _ => "5xx",
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
#[path = "metric_tests.rs"]
mod tests;
