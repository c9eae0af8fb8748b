//! Live sync: a device keeps a WebSocket open and receives each change of its user's tasks.
//!
//! ```text
//!  relay (in process) ─┐                          ┌─ session ── device
//!                      ├─ feed ──▶ hub ── queue ──┼─ session ── device
//!  Kafka task-updates ─┘                          └─ session ── device
//!                                                      ▲ what was missed
//!                                                   Postgres
//! ```
//!
//! The user's revision is the cursor. A session with a revision first registers in the hub, then reads the
//! changes since then from the database, and continues with the live frames above those ([`catch_up`]). Any
//! failure (a slow device, a possible gap in the feed, a stopping process) ends in a close frame, and the
//! device resumes from its revision.

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
