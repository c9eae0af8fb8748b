//! Metrics, for `GET /metrics`. [`METRICS`] is the table of all of them, which docs/metrics.md shows.

mod label;
mod table;
mod text;

use std::{
    collections::BTreeMap,
    ops::Deref,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use prometheus_client::{encoding, metrics::gauge::Gauge, registry::Registry};
use rondo_trace::TraceContext;

use self::label::Exemplar;
pub use self::label::Label;
use self::table::Histogram;
pub use self::table::{Families, METRICS, MetricFacts, Program};
pub use self::text::Format;

/// Outcomes of an attempt to send a mail.
pub const MAIL_OUTCOMES: [&str; 3] = ["sent", "retried", "failed"];
/// Outcomes of an attempt to call a webhook.
pub const WEBHOOK_OUTCOMES: [&str; 3] = ["delivered", "retried", "failed"];

/// The metrics of a process; a clone is another handle on the same. A program has those of the table
/// that are its own. Label values come from fixed sets, so that nobody can make time series.
#[derive(Clone)]
pub struct Metrics(Arc<Parts>);

struct Parts {
    program: Program,
    families: Families,
    /// Asked when the metrics are.
    looks: Mutex<BTreeMap<Label, Look>>,
}

type Look = Box<dyn Fn(&Metrics) + Send + Sync>;

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

impl Metrics {
    /// Those of a program.
    pub fn new(program: Program) -> Self {
        let families = Families::new();
        families.build_info.with([env!("CARGO_PKG_VERSION"), program.as_str()]).set(1);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        families.process_start.set(now.as_secs_f64());
        Self(Arc::new(Parts { program, families, looks: Mutex::default() }))
    }

    /// Begins the series of a consumer, which acts on these types of events, at 0.
    pub fn announce_consumer(
        &self,
        consumer: &'static str,
        types: impl IntoIterator<Item = &'static str>,
    ) {
        self.consumer_lag.begin([consumer]);
        self.consumer_pauses.begin([consumer]);
        for event_type in types {
            self.event_latency.begin([consumer, event_type]);
            self.event_retries.begin([consumer, event_type]);
            self.events_dead_lettered.begin([consumer, event_type]);
        }
    }

    /// Begins the series of each outcome of a mail at 0.
    pub fn announce_mail(&self) {
        MAIL_OUTCOMES.iter().for_each(|outcome| self.mails.begin([*outcome]));
    }

    /// Begins the series of each outcome of a webhook at 0.
    pub fn announce_webhook(&self) {
        WEBHOOK_OUTCOMES.iter().for_each(|outcome| self.webhooks.begin([*outcome]));
    }

    /// Records an answered request: `route` is a class and never the path, or each id would be a
    /// time series of its own; of the status its class is kept. A method that HTTP does not know
    /// counts as `other`.
    pub fn request(
        &self,
        route: &'static str,
        method: &str,
        status: u16,
        duration: Duration,
        trace: TraceContext,
    ) {
        const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
        let method = METHODS.into_iter().find(|known| *known == method).unwrap_or("other");
        let series = self.request_duration.with([route, method, status_class(status)]);
        observe(&series, duration, Some(trace));
    }

    /// Begins the series of refusals, of these statuses and reasons, at 0.
    pub fn announce_refusals(&self, refusals: &[(u16, &'static str)]) {
        for &(status, reason) in refusals {
            self.refusals.begin(refusal(status, reason));
        }
    }

    /// Counts a refused request; `reason` is one of a fixed set.
    pub fn refused(&self, status: u16, reason: &'static str) {
        self.refusals.with(refusal(status, reason)).inc();
    }

    /// Records that a consumer has finished with an event.
    pub fn event_finished(
        &self,
        consumer: &'static str,
        event_type: &'static str,
        latency: Duration,
        trace: Option<TraceContext>,
    ) {
        observe(&self.event_latency.with([consumer, event_type]), latency, trace);
    }

    pub fn event_retried(&self, consumer: &'static str, event_type: &'static str) {
        self.event_retries.with([consumer, event_type]).inc();
    }

    pub fn event_dead_lettered(&self, consumer: &'static str, event_type: &'static str) {
        self.events_dead_lettered.with([consumer, event_type]).inc();
    }

    pub fn consumer_paused(&self, consumer: &'static str) {
        self.consumer_pauses.with([consumer]).inc();
    }

    /// Sets how many events a consumer has yet to finish.
    pub fn consumer_lag(&self, consumer: &'static str, events: i64) {
        self.consumer_lag.with([consumer]).set(events);
    }

    /// Sets how many events a consumer holds, and may hold.
    pub fn consumer_window(&self, consumer: &'static str, events: usize, events_max: usize) {
        self.consumer_window.with([consumer]).set(number(events));
        self.consumer_window_max.with([consumer]).set(number(events_max));
    }

    /// Records a reminder that fired so long after it was due.
    pub fn reminder_fired(&self, lateness: Duration) {
        self.reminders_fired.inc();
        observe(&self.reminder_lateness, lateness, None);
    }

    /// Counts one mail's attempt, by one of [`MAIL_OUTCOMES`].
    pub fn mail(&self, outcome: &'static str) {
        self.mails.with([outcome]).inc();
    }

    /// Records how long the server took over an attempt.
    pub fn mail_attempted(&self, duration: Duration, trace: Option<TraceContext>) {
        observe(&self.mail_duration, duration, trace);
    }

    /// Counts one attempt to call a webhook, by one of [`WEBHOOK_OUTCOMES`].
    pub fn webhook(&self, outcome: &'static str) {
        self.webhooks.with([outcome]).inc();
    }

    /// Records how long the receiver took over an attempt.
    pub fn webhook_attempted(&self, duration: Duration, trace: Option<TraceContext>) {
        observe(&self.webhook_duration, duration, trace);
    }

    /// Sets how many items of a job run, and may run.
    pub fn job(&self, job: &'static str, running: usize, running_max: usize) {
        self.jobs_running.with([job]).set(number(running));
        self.jobs_running_max.with([job]).set(number(running_max));
    }

    /// Records that a call had to wait for an instance.
    pub fn instance_waited(&self, wait: Duration) {
        observe(&self.instance_wait, wait, None);
    }

    /// Begins the series of a component's requests to other servers, with each of these outcomes, at 0.
    pub fn announce_outgoing(&self, component: &Label, outcomes: &[&'static str]) {
        for outcome in outcomes {
            self.outgoing.begin([component.clone(), Label::Borrowed(outcome)]);
        }
    }

    /// Counts a component's request to another server; `outcome` is one of a fixed set.
    pub fn outgoing(&self, component: &Label, outcome: &'static str) {
        self.outgoing.with([component.clone(), Label::Borrowed(outcome)]).inc();
    }

    /// Sets how many instances of a component work, and how many calls wait for one.
    pub fn instances(&self, component: &Label, busy: usize, waiting: usize) {
        let series = |state| self.instances.with([component.clone(), Label::Borrowed(state)]);
        series("busy").set(number(busy));
        series("waiting").set(number(waiting));
    }

    /// Counts a connection for as long as the guard lives.
    pub fn connection(&self, kind: &'static str) -> InUse {
        InUse::new(self.connections.owned([kind]))
    }

    /// Begins the series of a kind of connections at 0; there are at most so many.
    pub fn announce_connections(&self, kind: &'static str, connections_max: usize) {
        self.connections.begin([kind]);
        self.connections_max.with([kind]).set(number(connections_max));
    }

    /// Has `look` set gauges whenever the metrics are asked for. One of the same name is replaced.
    pub fn watch(&self, name: impl Into<Label>, look: impl Fn(&Self) + Send + Sync + 'static) {
        let mut looks = self.0.looks.lock().unwrap_or_else(PoisonError::into_inner);
        looks.insert(name.into(), Box::new(look));
    }

    /// Adds a pool of connections to Postgres, as [`Self::watch`].
    pub fn watch_pool(
        &self,
        name: &'static str,
        look: impl Fn() -> PoolUse + Send + Sync + 'static,
    ) {
        self.watch(name, move |metrics| metrics.database_pool(&Label::Borrowed(name), look()));
    }

    /// Sets how a pool of connections to Postgres is used.
    pub fn database_pool(&self, pool: &Label, used: PoolUse) {
        let states = [
            ("busy", used.open.saturating_sub(used.idle)),
            ("idle", used.idle),
            ("waiting", used.waiting),
        ];
        for (state, count) in states {
            let labels = [pool.clone(), Label::Borrowed(state)];
            self.database_connections.with(labels).set(number(count));
        }
        self.database_connections_max.with([pool.clone()]).set(number(used.connections_max));
    }

    /// Counts a request in flight for as long as the guard lives.
    pub fn in_flight(&self) -> InUse {
        InUse::new(self.requests_in_flight.clone())
    }

    /// All metrics as text, of type [`Format::content_type`].
    pub fn encode(&self, format: Format) -> String {
        {
            let looks = self.0.looks.lock().unwrap_or_else(PoisonError::into_inner);
            looks.values().for_each(|look| look(self));
        }
        let mut registry = Registry::default();
        self.0.families.register(self.0.program, &mut registry);
        let mut text = String::new();
        // Writing into a String cannot fail, and neither can encoding numbers and labels.
        let _ = encoding::text::encode(&mut text, &registry);
        match format {
            Format::OpenMetrics => text,
            Format::Prometheus => text::prometheus_text(&text),
        }
    }
}

impl Deref for Metrics {
    type Target = Families;

    fn deref(&self) -> &Families {
        &self.0.families
    }
}

/// In OpenMetrics, a bucket leads to the last kept trace that it counted.
fn observe(series: &Histogram, duration: Duration, trace: Option<TraceContext>) {
    let exemplar = Exemplar::of(trace);
    let at = exemplar.map(|_| SystemTime::now());
    series.observe(duration.as_secs_f64(), exemplar, at);
}

fn refusal(status: u16, reason: &'static str) -> [Label; 2] {
    [status.to_string().into(), reason.into()]
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
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

#[cfg(test)]
#[path = "metric_tests.rs"]
mod tests;
