//! Conversations: a user's words become calls of tools, by a grammar or by a model.
//!
//! Pure but for [`rondo_tool::Api`] and [`model::Provider`]: no clock, no network, no database. So the grammar has
//! tables of test cases, and a model's oddities are played to it.

mod consent;
mod grammar;
pub mod model;
mod reply;

pub use grammar::{answer, confirm};
pub use reply::{Memory, Proposal, Reply, Scene, Use};

pub use rondo_domain::quick_add::Language;
