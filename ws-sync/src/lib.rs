//! Live sync: a device keeps a WebSocket open and is told each change of its user's tasks.
//!
//! ```text
//!  relay (in process) ─┐                          ┌─ session ── device
//!                      ├─ feed ──▶ hub ── queue ──┼─ session ── device
//!  Kafka task-updates ─┘                          └─ session ── device
//!                                                      ▲ what was missed
//!                                                   Postgres
//! ```
//!
//! The user's revision is the cursor. A session that comes with one is first in the hub, then reads
//! from the database what changed since, and goes on with the live frames above that
//! ([`catch_up`]). Whatever goes wrong on the way, a device that is too slow, a feed that may have a
//! gap, a process that stops, ends in a close frame, and the device resumes from its revision.

pub mod catch_up;
pub mod close;
pub mod credential;
pub mod feed;
pub mod hub;
pub mod option;
pub mod program;
pub mod queue;
pub mod route;
pub mod service;
pub mod session;
pub mod store;

pub use close::CloseReason;
pub use feed::Publisher;
pub use hub::Hub;
pub use route::router;
pub use service::SyncService;
pub use store::Store;
