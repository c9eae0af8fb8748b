//! Everything that crosses a process boundary: events with their versions, topics and readers, HTTP bodies,
//! tokens, sync frames.
//!
//! Components, the bridge and live sync all use these types, so a change of the wire format shows up as a
//! change of this crate. Clients leave out what only servers need (feature `server`).

#[cfg(feature = "server")]
pub mod account_mail;
#[cfg(feature = "server")]
pub mod actor;
#[cfg(feature = "server")]
pub mod address;
pub mod batch_body;
pub mod body;
pub mod capability;
pub mod change_position;
pub mod chat_body;
pub mod cloud_event;
#[cfg(feature = "server")]
pub mod confirmation;
pub mod event;
pub mod filter_body;
pub mod frame;
pub mod json;
#[cfg(feature = "server")]
pub mod link_token;
pub mod list_body;
pub mod member;
pub mod move_body;
pub mod notification;
pub mod preview_body;
pub mod problem;
pub mod query;
pub mod quick_add_body;
pub mod recurrence_rule;
pub mod reminder_body;
#[cfg(feature = "server")]
pub mod secret;
pub mod tag_body;
pub mod task_body;
pub mod task_field;
pub mod task_query;
#[cfg(feature = "server")]
pub mod token;
pub mod topic;
pub mod undo_token;
#[cfg(feature = "server")]
pub mod webhook;
