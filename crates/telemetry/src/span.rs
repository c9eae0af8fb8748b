//! Spans, as they are exported. There is one only where it is recorded: without an export, or in a trace that
//! is not sampled, whoever would begin one passes the context on that it has.
//!
//! Names and attributes follow OpenTelemetry's semantic conventions for HTTP, databases and messaging.

use opentelemetry::trace::{
    Span as _, SpanBuilder, SpanContext, SpanId, Status, TraceContextExt as _, TraceFlags, TraceId,
    TraceState, Tracer as _,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::Span as Recorded;

pub use opentelemetry::trace::SpanKind as Kind;

use crate::TraceContext;
use crate::otlp::{Export, export};

/// A span that is recorded; it ends when it is dropped.
pub struct Span {
    context: TraceContext,
    recorded: Box<Recorded>,
}

/// Whether spans are exported at all.
pub fn is_exported() -> bool {
    export().is_some()
}

/// A span for a request from outside, and what the request passes on: the span, or without one a context
/// of its own in the caller's trace.
pub fn of_request(
    traceparent: Option<&str>,
    kind: Kind,
    name: impl FnOnce() -> String,
) -> (TraceContext, Option<Span>) {
    let parent = traceparent.and_then(TraceContext::parse);
    let Some(export) = export() else {
        return (TraceContext::continued(traceparent), None);
    };
    let span = match parent {
        Some(parent) if !export.records(parent) => {
            let context = TraceContext::continued(traceparent);
            return (context.with_sampled(false), None);
        }
        parent => begin(export, parent, kind, name()),
    };
    (span.context, span.recorded())
}

/// The same for a request that nobody wants to see unless its caller does, such as a probe.
pub fn of_probe(
    traceparent: Option<&str>,
    kind: Kind,
    name: impl FnOnce() -> String,
) -> (TraceContext, Option<Span>) {
    match is_exported() && traceparent.and_then(TraceContext::parse).is_none() {
        true => (TraceContext::root().with_sampled(false), None),
        false => of_request(traceparent, kind, name),
    }
}

impl Span {
    /// A span below `parent`.
    pub fn begin(kind: Kind, parent: TraceContext, name: impl FnOnce() -> String) -> Option<Self> {
        let export = export().filter(|export| export.records(parent))?;
        begin(export, Some(parent), kind, name()).recorded()
    }

    /// A span below the one that a `traceparent` names; none if there is no such.
    pub fn below(
        kind: Kind,
        traceparent: Option<&str>,
        name: impl FnOnce() -> String,
    ) -> Option<Self> {
        export()?;
        Self::begin(kind, traceparent.and_then(TraceContext::parse)?, name)
    }

    /// A span for what is done for several at once: below the first that is recorded, with links to the
    /// others.
    pub fn below_all<'a>(
        kind: Kind,
        traceparents: impl Iterator<Item = Option<&'a str>>,
        name: impl FnOnce() -> String,
    ) -> Option<Self> {
        let export = export()?;
        let mut parents = traceparents
            .filter_map(|traceparent| traceparent.and_then(TraceContext::parse))
            .filter(|parent| export.records(*parent));
        let mut span = begin(export, Some(parents.next()?), kind, name());
        for other in parents {
            span.recorded.add_link(remote(other), Vec::new());
        }
        span.recorded()
    }

    fn recorded(self) -> Option<Self> {
        self.recorded.is_recording().then_some(self)
    }

    /// What is passed on to whatever this causes.
    pub fn context(&self) -> TraceContext {
        self.context
    }

    /// [`Self::context`] as a header.
    pub fn traceparent(&self) -> String {
        self.context.traceparent()
    }

    pub fn text(&mut self, key: &'static str, value: impl Into<String>) {
        self.recorded.set_attribute(KeyValue::new(key, value.into()));
    }

    pub fn number(&mut self, key: &'static str, value: i64) {
        self.recorded.set_attribute(KeyValue::new(key, value));
    }

    /// Marks that it failed; `kind` is one of few words, such as a status or an SQLSTATE.
    pub fn fail(&mut self, kind: impl Into<String>) {
        self.text("error.type", kind);
        self.recorded.set_status(Status::error(""));
    }
}

fn begin(export: &Export, parent: Option<TraceContext>, kind: Kind, name: String) -> Span {
    let above = match parent {
        Some(parent) => Context::new().with_remote_span_context(remote(parent)),
        None => Context::new(),
    };
    let builder = SpanBuilder::from_name(name).with_kind(kind);
    let recorded = export.tracer.build_with_context(builder, &above);
    let own = recorded.span_context();
    let trace_id = u128::from_be_bytes(own.trace_id().to_bytes());
    let span_id = u64::from_be_bytes(own.span_id().to_bytes());
    let context = match trace_id {
        // The export has ended: the program is about to.
        0 => parent.unwrap_or_else(TraceContext::root).with_sampled(false),
        _ => TraceContext::of_span(trace_id, span_id, own.is_sampled()),
    };
    Span { context, recorded: Box::new(recorded) }
}

/// As the parent of a span, it is one that is recorded.
fn remote(context: TraceContext) -> SpanContext {
    let (trace_id, span_id) = context.ids();
    let ids = (TraceId::from(trace_id), SpanId::from(span_id));
    SpanContext::new(ids.0, ids.1, TraceFlags::SAMPLED, true, TraceState::NONE)
}
