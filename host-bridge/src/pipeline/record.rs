//! An event in the pipeline.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rondo_contract::cloud_event::{CloudEvent, DATA_CONTENT_TYPE, SOURCE, SPEC_VERSION, header};
use rondo_contract::event::EventType;
use rondo_telemetry::TraceContext;

/// One event, as one topic carries it, and its place there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub event: CloudEvent,
    /// The user id. Events of one key stay in order.
    pub key: String,
    /// Partition and offset, on Kafka.
    pub position: Option<(i32, i64)>,
}

impl Record {
    /// The type, if this program knows it.
    #[must_use]
    pub fn known_type(&self) -> Option<EventType> {
        self.event.event_type.parse().ok()
    }

    /// The type as metrics name it: one that this program doesn't know counts as `other`.
    #[must_use]
    pub fn type_label(&self) -> &'static str {
        self.known_type().map_or("other", EventType::as_str)
    }

    /// Headers of the binary content mode (CloudEvents Kafka protocol binding, section 3.2).
    #[must_use]
    pub fn headers(&self) -> Vec<(&'static str, String)> {
        let mut headers = vec![
            (header::ID, self.event.id.clone()),
            (header::TYPE, self.event.event_type.clone()),
            (header::SOURCE, SOURCE.to_owned()),
            (header::SPEC_VERSION, SPEC_VERSION.to_owned()),
            (header::TIME, self.event.time.clone()),
            (header::CONTENT_TYPE, DATA_CONTENT_TYPE.to_owned()),
        ];
        headers.extend(self.event.subject.clone().map(|subject| (header::SUBJECT, subject)));
        headers.extend(self.event.traceparent.clone().map(|trace| (header::TRACEPARENT, trace)));
        headers
    }

    /// Approximate size in bytes, for the bounds of batches.
    #[must_use]
    pub fn bytes(&self) -> usize {
        const ENVELOPE_BYTES: usize = 256;
        self.event.data.len() + ENVELOPE_BYTES
    }

    /// Time since the event happened by this machine's clock; zero if that clock is behind.
    #[must_use]
    pub fn age(&self) -> Duration {
        let Ok(happened) = rondo_domain::instant::parse(&self.event.time) else {
            return Duration::ZERO;
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let happened_ms = u64::try_from(happened.as_millisecond()).unwrap_or_default();
        now.saturating_sub(Duration::from_millis(happened_ms))
    }

    /// Trace of the request that caused the event.
    #[must_use]
    pub fn trace(&self) -> Option<TraceContext> {
        self.event.traceparent.as_deref().and_then(TraceContext::parse)
    }

    /// Trace id of the request that caused the event.
    #[must_use]
    pub fn trace_id(&self) -> Option<&str> {
        self.event.traceparent.as_deref().and_then(|trace| trace.split('-').nth(1))
    }
}
