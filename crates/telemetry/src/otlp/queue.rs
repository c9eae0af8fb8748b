//! The bound of spans that wait for the collector, and the word about those that are dropped: a warning when
//! it begins, a line when it is over.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use opentelemetry::Context;
use opentelemetry_otlp::SpanExporter as OtlpExporter;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{BatchSpanProcessor, Span, SpanData, SpanExporter, SpanProcessor};

/// How long the queue has to hold all spans until dropping counts as over, in seconds. A burst of traces
/// overflows it again and again.
const QUIET_S: u64 = 60;

/// The spans on their way.
#[derive(Debug)]
pub(super) struct Flow {
    max: usize,
    /// Waiting, or being sent.
    queued: AtomicUsize,
    /// Since the last batch.
    overflowed: AtomicUsize,
    loss: Mutex<Loss>,
}

impl Flow {
    pub(super) fn new(max: usize) -> Self {
        let [queued, overflowed] = [0, 0].map(AtomicUsize::new);
        Self { max, queued, overflowed, loss: Mutex::default() }
    }

    /// Whether there is room for one more.
    fn admits(&self) -> bool {
        let is_full = self.queued.fetch_add(1, Relaxed) >= self.max;
        if is_full {
            self.queued.fetch_sub(1, Relaxed);
            self.overflowed.fetch_add(1, Relaxed);
        }
        !is_full
    }

    fn finished(&self, spans: usize, result: &OTelSdkResult) {
        self.queued.fetch_sub(spans, Relaxed);
        let overflowed = self.overflowed.swap(0, Relaxed);
        let refused = if result.is_err() { spans } else { 0 };
        let mut loss = self.loss.lock().unwrap_or_else(PoisonError::into_inner);
        match loss.note(refused, overflowed, Instant::now()) {
            Some(Change::Begins) => {
                let error = result.as_ref().err().map(ToString::to_string);
                let error = error.as_deref().unwrap_or("more spans than the queue holds");
                tracing::warn!(error, "traces are not exported as they come: spans are dropped");
            }
            Some(Change::Ends { spans, seconds }) => {
                tracing::info!(spans, seconds, "traces are exported again; spans were dropped");
            }
            None => {}
        }
    }
}

/// Spans that were dropped, until that is over.
#[derive(Debug, Default)]
struct Loss(Option<Dropping>);

#[derive(Debug)]
struct Dropping {
    since: Instant,
    last_overflow: Option<Instant>,
    spans: usize,
}

#[derive(Debug, PartialEq, Eq)]
enum Change {
    Begins,
    Ends { spans: usize, seconds: u64 },
}

impl Loss {
    /// After a batch: how many spans of it the collector has not taken, and how many found no room.
    fn note(&mut self, refused: usize, overflowed: usize, now: Instant) -> Option<Change> {
        let is_lossy = refused + overflowed > 0;
        let Some(dropping) = &mut self.0 else {
            let last_overflow = (overflowed > 0).then_some(now);
            self.0 = is_lossy.then_some(Dropping {
                since: now,
                last_overflow,
                spans: refused + overflowed,
            });
            return is_lossy.then_some(Change::Begins);
        };
        dropping.spans += refused + overflowed;
        if refused > 0 {
            // What overflows meanwhile is over with that.
            dropping.last_overflow = None;
            return None;
        }
        if overflowed > 0 && dropping.last_overflow.is_some() {
            dropping.last_overflow = Some(now);
        }
        let quiet = Duration::from_secs(QUIET_S);
        if dropping.last_overflow.is_some_and(|last| now.duration_since(last) < quiet) {
            return None;
        }
        let seconds = now.duration_since(dropping.since).as_secs();
        let spans = dropping.spans;
        self.0 = None;
        Some(Change::Ends { spans, seconds })
    }
}

/// Lets only so many spans into the queue. (The SDK's own bound tells nobody what it drops.)
#[derive(Debug)]
pub(super) struct Bounded {
    batches: BatchSpanProcessor,
    flow: Arc<Flow>,
}

impl Bounded {
    pub(super) fn new(batches: BatchSpanProcessor, flow: Arc<Flow>) -> Self {
        Self { batches, flow }
    }
}

impl SpanProcessor for Bounded {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        if self.flow.admits() {
            self.batches.on_end(span);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.batches.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.batches.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.batches.set_resource(resource);
    }
}

/// The exporter, and what becomes of each batch.
#[derive(Debug)]
pub(super) struct Watched {
    exporter: OtlpExporter,
    flow: Arc<Flow>,
}

impl Watched {
    pub(super) fn new(exporter: OtlpExporter, flow: Arc<Flow>) -> Self {
        Self { exporter, flow }
    }
}

impl SpanExporter for Watched {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        let result = self.exporter.export(batch).await;
        self.flow.finished(spans, &result);
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_queue_is_bounded() {
        let flow = Flow::new(2);
        assert_eq!([flow.admits(), flow.admits(), flow.admits()], [true, true, false]);
        assert_eq!(flow.overflowed.load(Relaxed), 1);
        flow.finished(1, &Ok(()));
        assert_eq!([flow.admits(), flow.admits()], [true, false]);
    }

    #[test]
    fn dropping_is_told_when_it_begins_and_when_it_is_over() {
        let begun = Instant::now();
        let at = |seconds| begun + Duration::from_secs(seconds);
        let mut loss = Loss::default();
        assert_eq!(loss.note(0, 0, at(0)), None);
        assert_eq!(loss.note(5, 0, at(1)), Some(Change::Begins));
        assert_eq!(loss.note(5, 3, at(2)), None);
        // The collector is back: what found no room meanwhile is no sign of a burst.
        assert_eq!(loss.note(0, 7, at(4)), Some(Change::Ends { spans: 20, seconds: 3 }));
        assert_eq!(loss.note(0, 0, at(5)), None);
        assert_eq!(loss.note(0, 1, at(6)), Some(Change::Begins));
        assert_eq!(loss.note(0, 0, at(30)), None);
        assert_eq!(loss.note(0, 1, at(60)), None);
        assert_eq!(loss.note(0, 0, at(119)), None);
        assert_eq!(loss.note(0, 0, at(120)), Some(Change::Ends { spans: 2, seconds: 114 }));
    }
}
