//! What crosses a process boundary: events with their version, topics and who reads them, HTTP
//! bodies, sync frames.
//!
//! Components, the bridge and the sync service all speak through these types, so that a change of
//! the wire shows up as a change of this crate.

pub mod cloud_event;
pub mod event;
pub mod frame;
pub mod token;
pub mod topic;
