//! What assistants can do for a user: the tools' names, schemas, texts and execution, once for every protocol that
//! offers them.
//!
//! A tool acts through [`Api`]: requests of the HTTP API, as the user whose token the caller has. So it can do nothing
//! that this user could not, and gets the same rules and problems. No tool fetches or sends anything.

mod add;
mod api;
mod context;
mod delete;
mod find;
mod history;
mod input;
mod recurrence;
mod reminder;
mod schema;
mod shape;
mod state;
mod tool;
mod undo;
mod update;

pub use api::{Api, Call, Reply, Verb, query};
pub use context::{Context, Done, Stop};
pub use shape::{name, task, tasks};
pub use tool::{CONFIRM, INSTRUCTIONS, TOOLS, Tool, named};
