//! Labels: those that tell the series of a metric apart, and the one of an exemplar.

use std::borrow::Cow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;

use prometheus_client::encoding::{
    EncodeLabel as _, EncodeLabelSet, EncodeMetric, LabelSetEncoder, MetricEncoder,
};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::{MetricType, TypedMetric};
use rondo_trace::TraceContext;

/// The value of a label, of a fixed set.
pub type Label = Cow<'static, str>;

/// A metric with labels: a series for each combination of their values.
#[derive(Clone, Debug)]
pub struct By<M, const N: usize> {
    names: [&'static str; N],
    series: Family<Labels<N>, M, fn() -> M>,
}

/// Names and values, in the same order.
#[derive(Clone, Debug)]
pub struct Labels<const N: usize> {
    names: [&'static str; N],
    values: [Label; N],
}

/// What leads from a duration to its trace.
#[derive(Clone, Copy, Debug)]
pub struct Exemplar(TraceContext);

impl<M: Clone, const N: usize> By<M, N> {
    pub fn new(names: [&'static str; N], series: fn() -> M) -> Self {
        Self { names, series: Family::new_with_constructor(series) }
    }

    /// The series with these values, which begins if there is none.
    pub fn with(&self, values: [impl Into<Label>; N]) -> impl Deref<Target = M> {
        self.series.get_or_create(&self.labels(values))
    }

    /// The same, to be kept.
    pub fn owned(&self, values: [impl Into<Label>; N]) -> M {
        self.series.get_or_create_owned(&self.labels(values))
    }

    /// Begins a series: an alert on a rate then sees the first change, too.
    pub fn begin(&self, values: [impl Into<Label>; N]) {
        drop(self.with(values));
    }

    fn labels(&self, values: [impl Into<Label>; N]) -> Labels<N> {
        Labels { names: self.names, values: values.map(Into::into) }
    }
}

impl<M: EncodeMetric + TypedMetric, const N: usize> EncodeMetric for By<M, N> {
    fn encode(&self, encoder: MetricEncoder<'_>) -> fmt::Result {
        self.series.encode(encoder)
    }

    fn metric_type(&self) -> MetricType {
        M::TYPE
    }

    fn is_empty(&self) -> bool {
        self.series.is_empty()
    }
}

impl Exemplar {
    /// None for a trace that nobody keeps.
    pub fn of(trace: Option<TraceContext>) -> Option<Self> {
        trace.filter(TraceContext::is_sampled).map(Self)
    }
}

impl EncodeLabelSet for Exemplar {
    fn encode(&self, encoder: &mut LabelSetEncoder) -> fmt::Result {
        ("trace_id", self.0.trace_id()).encode(encoder.encode_label())
    }
}

impl<const N: usize> EncodeLabelSet for Labels<N> {
    fn encode(&self, encoder: &mut LabelSetEncoder) -> fmt::Result {
        for (name, value) in self.names.into_iter().zip(&self.values) {
            (name, &**value).encode(encoder.encode_label())?;
        }
        Ok(())
    }
}

/// The names are the same for all series of a metric.
impl<const N: usize> PartialEq for Labels<N> {
    fn eq(&self, other: &Self) -> bool {
        self.values == other.values
    }
}

impl<const N: usize> Eq for Labels<N> {}

impl<const N: usize> Hash for Labels<N> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.values.hash(state);
    }
}
