//! The export of spans by OTLP (HTTP with protobuf), where `OTEL_EXPORTER_OTLP_ENDPOINT` says so. Without it
//! nothing is recorded.
//!
//! A request never waits for the export: ended spans queue for a thread of its own, and what exceeds the
//! queue, or what the collector does not take, is dropped.

mod collector;
mod queue;
mod setting;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use opentelemetry::trace::{TraceId, TracerProvider as _};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, Sampler, SamplingDecision, SdkTracer,
    SdkTracerProvider, ShouldSample as _,
};
use rondo_setting::{SettingError, refusal};

use crate::TraceContext;
use collector::Collector;
use queue::{Bounded, Flow, Watched};
pub use setting::Setting;

/// How long the last spans may take at the end of the program, in seconds.
const FLUSH_S_MAX: u64 = 2;
/// The instrumentation scope of every span.
const SCOPE: &str = "rondo";

static EXPORT: OnceLock<Export> = OnceLock::new();

/// Where ended spans go.
pub(crate) struct Export {
    provider: SdkTracerProvider,
    pub(crate) tracer: SdkTracer,
    sampling: Sampling,
}

/// Which spans are recorded.
#[derive(Debug, Clone)]
pub(crate) struct Sampling {
    /// Whether a caller decides for what it causes.
    by_parent: bool,
    /// For a trace that begins here, and, unless `by_parent`, for any.
    own: Sampler,
}

impl Sampling {
    /// Whether a span below this one is recorded.
    pub(crate) fn records(&self, parent: TraceContext) -> bool {
        if self.by_parent {
            return parent.is_sampled();
        }
        let trace_id = TraceId::from(parent.ids().0);
        let kind = opentelemetry::trace::SpanKind::Internal;
        let result = self.own.should_sample(None, trace_id, "", &kind, &[], &[]);
        result.decision == SamplingDecision::RecordAndSample
    }
}

impl Export {
    pub(crate) fn records(&self, parent: TraceContext) -> bool {
        self.sampling.records(parent)
    }
}

/// None while nothing is exported.
pub(crate) fn export() -> Option<&'static Export> {
    EXPORT.get()
}

/// Runs a program that exports its spans as `service` unless `OTEL_SERVICE_NAME` names it otherwise; at its
/// end, the last ones have [`FLUSH_S_MAX`] seconds. For one program of the process, within its runtime.
///
/// # Errors
/// The program's, or a [`SettingError`] if TLS cannot be set up as the settings say.
pub async fn during<T, E: From<SettingError>>(
    setting: Option<Setting>,
    service: &'static str,
    program: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let Some(setting) = setting else { return program.await };
    let collector = setting.address().to_owned();
    let export = open(setting, service)?;
    tracing::info!(collector, "exporting traces");
    let export = EXPORT.get_or_init(|| export);
    let result = program.await;
    // Blocks, and needs the runtime for its requests.
    let flushed = tokio::task::spawn_blocking(|| {
        export.provider.shutdown_with_timeout(Duration::from_secs(FLUSH_S_MAX))
    });
    if !matches!(flushed.await, Ok(Ok(()))) {
        tracing::warn!("the last spans could not be exported");
    }
    result
}

fn open(setting: Setting, service: &'static str) -> Result<Export, SettingError> {
    let Setting { endpoint, headers, authorities, timeout, queue_max, sampling, .. } = setting;
    let collector = Collector::new(authorities, timeout)?;
    let exporter = SpanExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_http_client(collector)
        .with_endpoint(endpoint.uri.to_string())
        .with_headers(headers)
        .with_timeout(timeout)
        .build()
        .map_err(|_| refusal(endpoint.setting, "cannot be used"))?;
    let flow = Arc::new(Flow::new(queue_max));
    let config = BatchConfigBuilder::default().with_max_queue_size(queue_max).build();
    let batches = BatchSpanProcessor::builder(Watched::new(exporter, flow.clone()))
        .with_batch_config(config)
        .build();
    let resource = Resource::builder();
    let resource = match setting::names_service() {
        true => resource,
        false => resource.with_service_name(service),
    };
    let version = opentelemetry::KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let provider = SdkTracerProvider::builder()
        .with_span_processor(Bounded::new(batches, flow))
        // Whether a span with a parent is recorded is asked before it is begun.
        .with_sampler(Sampler::ParentBased(Box::new(sampling.own.clone())))
        .with_resource(resource.with_attribute(version).build())
        .build();
    Ok(Export { tracer: provider.tracer(SCOPE), provider, sampling })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parent_decides_unless_the_sampler_ignores_it() {
        let parent = |is_sampled| TraceContext::of_span(1, 2, is_sampled);
        let records = |by_parent, own: &Sampler, is_sampled| {
            Sampling { by_parent, own: own.clone() }.records(parent(is_sampled))
        };
        for own in [Sampler::AlwaysOn, Sampler::AlwaysOff, Sampler::TraceIdRatioBased(0.5)] {
            assert!(records(true, &own, true) && !records(true, &own, false));
        }
        for is_sampled in [true, false] {
            assert!(records(false, &Sampler::AlwaysOn, is_sampled));
            assert!(!records(false, &Sampler::AlwaysOff, is_sampled));
            // The trace id alone decides, so that every span of a trace has the same answer.
            assert!(records(false, &Sampler::TraceIdRatioBased(0.5), is_sampled));
        }
    }
}
