//! A collector of spans on loopback (OTLP over HTTP, protobuf), which a test reads back.

use std::collections::BTreeMap;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{self as otlp};
use prost::Message as _;

use crate::receiver::{Reaction, Received, Receiver};
use crate::wait::eventually;

/// A span as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// `service.name` of its resource.
    pub service: String,
    pub name: String,
    /// Such as `SERVER`.
    pub kind: &'static str,
    /// 32 lower-case hexadecimal digits.
    pub trace_id: String,
    /// 16 lower-case hexadecimal digits.
    pub span_id: String,
    /// The same; empty for the first of a trace.
    pub parent_id: String,
    /// Nanoseconds since 1970.
    pub begin_ns: u64,
    pub end_ns: u64,
    pub attributes: BTreeMap<String, String>,
    pub is_failed: bool,
}

/// A running collector; it ends with this.
pub struct Collector {
    receiver: Receiver,
}

impl Collector {
    /// # Panics
    /// When there is no free port.
    pub async fn start() -> Self {
        let receiver = Receiver::start().await;
        // The receiver closes each connection.
        receiver.otherwise(Reaction::with_header(200, "Connection: close", ""));
        Self { receiver }
    }

    /// As for `OTEL_EXPORTER_OTLP_ENDPOINT`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.receiver.port())
    }

    /// Its requests so far.
    #[must_use]
    pub fn requests(&self) -> Vec<Received> {
        self.receiver.received()
    }

    /// How it reacts from now on.
    pub fn react(&self, reaction: Reaction) {
        self.receiver.otherwise(reaction);
    }

    /// What has come so far, in no order.
    ///
    /// # Panics
    /// When a request is no export of spans.
    #[must_use]
    pub fn spans(&self) -> Vec<Span> {
        self.requests().iter().flat_map(spans_of).collect()
    }

    /// Waits for spans that `find` makes something of.
    ///
    /// # Panics
    /// When none come in time.
    pub async fn await_spans<T>(
        &self,
        what: &str,
        within: Duration,
        find: impl Fn(&[Span]) -> Option<T>,
    ) -> T {
        eventually(what, within, async || {
            let spans = self.spans();
            find(&spans).ok_or_else(|| {
                let names: Vec<_> =
                    spans.iter().map(|span| (&*span.service, &*span.name)).collect();
                format!("{} spans: {names:?}", spans.len())
            })
        })
        .await
    }
}

fn spans_of(request: &Received) -> Vec<Span> {
    assert_eq!(request.line, "POST /v1/traces");
    assert_eq!(request.header("content-type"), "application/x-protobuf");
    let export = ExportTraceServiceRequest::decode(&*request.body).expect("an export of spans");
    let of_resource = |resource: otlp::ResourceSpans| {
        let own: Resource = resource.resource.expect("a resource");
        let service = attributes(&own.attributes).remove("service.name").expect("a service");
        let spans = resource.scope_spans.into_iter().flat_map(|scope| scope.spans);
        spans.map(move |span| read(service.clone(), &span))
    };
    export.resource_spans.into_iter().flat_map(of_resource).collect()
}

fn read(service: String, span: &otlp::Span) -> Span {
    let kind = SpanKind::try_from(span.kind).expect("a known kind").as_str_name();
    let status = span.status.as_ref().map_or(0, |status| status.code);
    Span {
        service,
        name: span.name.clone(),
        kind: kind.strip_prefix("SPAN_KIND_").unwrap_or(kind),
        trace_id: hex(&span.trace_id),
        span_id: hex(&span.span_id),
        parent_id: hex(&span.parent_span_id),
        begin_ns: span.start_time_unix_nano,
        end_ns: span.end_time_unix_nano,
        attributes: attributes(&span.attributes),
        is_failed: status == StatusCode::Error as i32,
    }
}

fn attributes(pairs: &[KeyValue]) -> BTreeMap<String, String> {
    let text = |value: &Option<AnyValue>| match value.as_ref().and_then(|any| any.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    };
    pairs.iter().map(|pair| (pair.key.clone(), text(&pair.value))).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
