//! What a running process tells, and how it is told to stop: logs that carry the trace id, trace
//! context, metrics, readiness, shutdown; and where it takes connections.
//!
//! ```text
//! log::init  ─ once, first           TraceContext ─ one per request or event, in a span
//! Metrics    ─ one per process       Readiness    ─ one per process, a Part for each part
//! RequestLog ─ one per request       Shutdown     ─ one per process, its token for all that runs
//! Outage     ─ one per loop          LineLimit    ─ one per kind of line
//! Span       ─ one per hop that is exported; otlp::during ─ the export, around the program
//! ```

pub mod connection;
pub mod health;
pub mod line;
pub mod listener;
pub mod log;
pub mod metric;
pub mod operations;
pub mod otlp;
pub mod request;
pub mod serve;
pub mod share;
pub mod shutdown;
pub mod span;

pub use connection::{Connection, Gate};
pub use health::{Part, Readiness, Report};
pub use line::{LineLimit, Outage};
pub use listener::{listen, open_files_raised};
pub use log::LogError;
pub use metric::{Format, Metrics, PoolUse, Program};
pub use request::RequestLog;
pub use rondo_trace::TraceContext;
pub use share::{Full, Share, Shares};
pub use shutdown::{DrainError, Shutdown};
pub use span::Span;
