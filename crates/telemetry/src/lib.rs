//! What a running process tells, and how it is told to stop: logs that carry the trace id, trace
//! context, metrics, readiness, shutdown.
//!
//! ```text
//! log::init ─ once, first            TraceContext ─ one per request or event, in a span
//! Metrics   ─ one per process        Readiness    ─ one per process, a Part for each part
//! Shutdown  ─ one per process, its token for everything that runs
//! ```

pub mod health;
pub mod log;
pub mod metric;
pub mod shutdown;
pub mod trace;

pub use health::{Part, Readiness, Report};
pub use log::{LogError, LogFormat};
pub use metric::Metrics;
pub use shutdown::{DrainError, Shutdown};
pub use trace::TraceContext;
