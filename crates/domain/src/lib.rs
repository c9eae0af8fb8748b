//! The rules of Rondo: what a task may look like, what a change of it means, when a reminder is
//! due, which occurrence comes next, and who may do what.
//!
//! Pure: no I/O, no clock, no randomness, no JSON. Time and zone are arguments, so each rule has a table of
//! test cases, and components and native programs run the same code. Start at [`task`] for a task and its
//! changes, at [`recurrence`] for series.

#[macro_use]
mod word;

pub mod access;
pub mod account;
pub mod blank;
pub mod destination;
pub mod digest;
pub mod due;
pub mod email;
pub mod fold;
pub mod instant;
pub mod list;
pub mod map;
pub mod moment;
pub mod normal;
pub mod notification;
pub mod offset;
pub mod order;
pub mod position;
pub mod quick_add;
pub mod recurrence;
pub mod relative_day;
pub mod search;
pub mod snooze;
pub mod step;
pub mod task;
pub mod text;
pub mod violation;
pub mod zone;

/// Largest id and revision: JSON numbers up to it are exact in every client.
pub const ID_MAX: i64 = (1 << 53) - 1;

/// The time library, so that callers use the same version.
pub use jiff;
pub use violation::{Fault, Violation};
