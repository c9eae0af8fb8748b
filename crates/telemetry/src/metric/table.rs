//! The table of all metrics, from which registration and docs/metrics.md follow.

use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::exemplar::HistogramWithExemplars;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Metric, Registry, Unit};

use super::label::{By, Exemplar};

/// A program, as the metrics name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// `rondo up`.
    Up,
    /// `rondo host`.
    Host,
    /// `rondo bridge`.
    Bridge,
    /// `rondo-sync`.
    Sync,
}

/// A metric, as operators see it.
pub struct MetricFacts {
    /// On the wire; the samples of a histogram have a suffix more.
    pub name: &'static str,
    /// `counter`, `gauge` or `histogram`.
    pub kind: &'static str,
    pub labels: &'static [&'static str],
    /// Those that have it.
    pub programs: &'static [Program],
    /// What is counted or measured.
    pub help: &'static str,
}

/// Upper bounds of all histograms, in seconds: from a constant answer to a timeout.
const DURATION_SECONDS: [f64; 14] =
    [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.04, 0.06, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];

/// Durations in seconds.
pub type Histogram = HistogramWithExemplars<Exemplar>;
/// A gauge in seconds.
pub type Seconds = Gauge<f64, AtomicU64>;

const ALL: &[Program] = &[Program::Up, Program::Host, Program::Bridge, Program::Sync];
/// Programs that serve components.
const HOST: &[Program] = &[Program::Up, Program::Host];
/// Programs that move events.
const BRIDGE: &[Program] = &[Program::Up, Program::Bridge];
/// Programs that serve devices.
const SYNC: &[Program] = &[Program::Up, Program::Sync];
/// Programs that read events.
const CONSUMER: &[Program] = &[Program::Up, Program::Bridge, Program::Sync];

/// `field: Kind [labels] "name" PROGRAMS "help";`, a line each.
macro_rules! table {
    ($($field:ident: $kind:ident [$($label:ident),*] $name:literal $programs:ident $help:literal;)+) => {
        /// Every metric.
        pub const METRICS: &[MetricFacts] = &[$(MetricFacts {
            name: $name,
            kind: <$kind as Instrument>::KIND,
            labels: &[$(stringify!($label)),*],
            programs: $programs,
            help: $help,
        }),+];

        /// The metrics of a process.
        pub struct Families {
            $(pub $field: instrument!($kind $($label)*),)+
        }

        impl Families {
            pub(super) fn new() -> Self {
                Self { $($field: fresh!($kind $($label)*),)+ }
            }

            /// Registers the metrics that the program has, in the order of the table.
            pub(super) fn register(&self, program: Program, into: &mut Registry) {
                let mut rows = METRICS.iter();
                $(if let Some(facts) = rows.next()
                    && facts.programs.contains(&program)
                {
                    facts.register(into, self.$field.clone());
                })+
            }
        }
    };
}

macro_rules! instrument {
    ($kind:ident) => { $kind };
    ($kind:ident $($label:ident)+) => { By<$kind, { [$(stringify!($label)),+].len() }> };
}

macro_rules! fresh {
    ($kind:ident) => { <$kind as Instrument>::new() };
    ($kind:ident $($label:ident)+) => {
        By::new([$(stringify!($label)),+], <$kind as Instrument>::new)
    };
}

table! {
    build_info: Gauge [version, program] "rondo_build_info" ALL
        "Always 1; its labels say what runs";
    process_start: Seconds [] "process_start_time_seconds" ALL
        "Start of the process, in Unix time";
    request_duration: Histogram [route, method, status] "rondo_http_request_duration_seconds" ALL
        "Requests answered, by the path's template and the class of the status";
    part_ready: Gauge [part] "rondo_part_ready" CONSUMER
        "1 if a part of /health/ready is ready, otherwise 0";
    requests_in_flight: Gauge [] "rondo_http_requests_in_flight" ALL
        "Requests being answered";
    refusals: Counter [status, reason] "rondo_refusals_total" ALL
        "Requests refused because of who asks, or how often; of a WebSocket, status is its close code";
    database_connections: Gauge [pool, state] "rondo_database_connections" ALL
        "Connections to Postgres, busy and idle, and callers waiting for one; a component's pool has its name";
    database_connections_max: Gauge [pool] "rondo_database_connections_max" ALL
        "Limit of a pool";
    instances: Gauge [component, state] "rondo_instances" HOST
        "Instances of components at work (busy), and calls waiting for one";
    instances_max: Gauge [calls] "rondo_instances_max" HOST
        "Limit of instances, for all calls and for requests";
    instance_wait: Histogram [] "rondo_instance_wait_seconds" HOST
        "Waits for an instance, of calls that found none free";
    outgoing: Counter [component, outcome] "rondo_outgoing_requests_total" HOST
        "Requests of components to other servers";
    outbox_rows: Gauge [] "rondo_outbox_rows" BRIDGE
        "Events in the outbox, not yet handed to the transport; counted up to 100,000";
    outbox_oldest_age: Seconds [] "rondo_outbox_oldest_age_seconds" BRIDGE
        "Age of the oldest event in the outbox; 0 without one";
    relayed: Counter [] "rondo_events_relayed_total" BRIDGE
        "Events that the transport has taken over";
    relay_in_flight: Gauge [] "rondo_relay_events_in_flight" BRIDGE
        "Events that the relay has read and not yet deleted";
    relay_in_flight_max: Gauge [] "rondo_relay_events_in_flight_max" BRIDGE
        "Limit of the events in flight";
    consumer_lag: Gauge [consumer] "rondo_consumer_lag" CONSUMER
        "Events that a consumer has yet to finish; live sync is consumer sync";
    consumer_window: Gauge [consumer] "rondo_consumer_window_events" BRIDGE
        "Events that a consumer holds";
    consumer_window_max: Gauge [consumer] "rondo_consumer_window_events_max" BRIDGE
        "Limit of the events that a consumer holds";
    event_latency: Histogram [consumer, type] "rondo_event_latency_seconds" BRIDGE
        "Events finished, by the time from the commit to the recorded effect";
    event_retries: Counter [consumer, type] "rondo_event_retries_total" BRIDGE
        "Counted failures of an event";
    events_dead_lettered: Counter [consumer, type] "rondo_events_dead_lettered_total" BRIDGE
        "Events given up";
    consumer_pauses: Counter [consumer] "rondo_consumer_pauses_total" BRIDGE
        "Times that a consumer could try nothing";
    dead_letters: Gauge [] "rondo_dead_letters" BRIDGE
        "Dead letters that await a decision";
    reminders_fired: Counter [] "rondo_reminders_fired_total" BRIDGE
        "Reminders that came due";
    reminders_missed: Counter [] "rondo_reminders_missed_total" BRIDGE
        "Reminders recorded as missed, since they were due too long ago";
    tasks_derived: Counter [] "rondo_tasks_derived_total" BRIDGE
        "Tasks whose instants newer time zone data have moved";
    reminders_due: Gauge [] "rondo_reminders_due" BRIDGE
        "Reminders that are due and have not fired; counted up to 10,000";
    reminder_lateness: Histogram [] "rondo_reminder_lateness_seconds" BRIDGE
        "Reminders fired, by the time from due to fired";
    mails: Counter [outcome] "rondo_mails_total" BRIDGE
        "Attempts to send a mail";
    mail_duration: Histogram [] "rondo_mail_duration_seconds" BRIDGE
        "Attempts to send a mail, by the time that the server took";
    webhooks: Counter [outcome] "rondo_webhooks_total" BRIDGE
        "Attempts to call a webhook";
    webhook_duration: Histogram [] "rondo_webhook_duration_seconds" BRIDGE
        "Attempts to call a webhook, by the time that the receiver took";
    jobs_running: Gauge [job] "rondo_jobs_running" BRIDGE
        "Mails and webhook calls under way";
    jobs_running_max: Gauge [job] "rondo_jobs_running_max" BRIDGE
        "Limit of the mails and webhook calls under way; beyond it they wait in the database";
    connections: Gauge [kind] "rondo_connections" SYNC
        "Open connections of devices";
    connections_max: Gauge [kind] "rondo_connections_max" SYNC
        "Limit of the open connections";
    sync_queue_bytes: Gauge [] "rondo_sync_queue_bytes" SYNC
        "Frames that wait for their devices, of all sessions together";
    sync_sessions_ended: Counter [reason] "rondo_sync_sessions_ended_total" SYNC
        "Sessions of live sync that ended; left: the device closed it or is gone";
}

impl Program {
    /// In the label `program`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Host => "host",
            Self::Bridge => "bridge",
            Self::Sync => "sync",
        }
    }

    #[must_use]
    pub const fn all() -> &'static [Self] {
        ALL
    }
}

impl MetricFacts {
    /// The base unit that the name ends with; none for a number of things.
    #[must_use]
    pub fn unit(&self) -> Option<&'static str> {
        ["seconds", "bytes"].into_iter().find(|unit| self.family().ends_with(&format!("_{unit}")))
    }

    /// The name in OpenMetrics, where only the samples of a counter have `_total`.
    fn family(&self) -> &'static str {
        self.name.strip_suffix("_total").unwrap_or(self.name)
    }

    /// `into` puts unit and `_total` behind the name.
    fn register(&self, into: &mut Registry, metric: impl Metric) {
        match self.unit() {
            Some(unit) => {
                let name = self.family().trim_end_matches(unit).trim_end_matches('_');
                into.register_with_unit(name, self.help, Unit::Other(unit.to_owned()), metric);
            }
            None => into.register(self.family(), self.help, metric),
        }
    }
}

/// A kind of metric without labels.
trait Instrument: Metric + Clone {
    const KIND: &'static str;

    fn new() -> Self;
}

impl Instrument for Counter {
    const KIND: &'static str = "counter";

    fn new() -> Self {
        Self::default()
    }
}

impl Instrument for Gauge {
    const KIND: &'static str = "gauge";

    fn new() -> Self {
        Self::default()
    }
}

impl Instrument for Seconds {
    const KIND: &'static str = "gauge";

    fn new() -> Self {
        Self::default()
    }
}

impl Instrument for Histogram {
    const KIND: &'static str = "histogram";

    fn new() -> Self {
        Self::new(DURATION_SECONDS.into_iter())
    }
}
