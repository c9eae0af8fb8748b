//! The core of a client, without I/O: what the server has, edits that wait for it, and what a person sees, which is the
//! first with the second over it.
//!
//! A shell owns one [`Device`]. It calls methods when something happens (an edit, an answer, a frame, a tick), then
//! carries out the [`Effect`]s of [`Device::drain`], and updates what [`Device::changes`] names. Time and random bytes
//! are arguments. `docs/client.md` has the whole picture.

mod answer;
mod conflict;
mod connection;
mod device;
mod edit;
mod edit_form;
mod editing;
mod effect;
mod feed;
mod form;
mod history;
mod matching;
mod member;
mod notice;
mod outbox;
mod place;
mod quick_add;
mod random;
mod record;
mod row;
mod sender;
mod store;
mod sync;
mod tag;
mod task;
mod undo;
mod view;

pub use connection::{Connection, Part};
pub use device::{Changes, Device};
pub use edit::{Beside, Edit, Members, Scope, members};
pub use effect::{Answer, Effect, Request};
pub use form::Form;
pub use member::normal;
pub use notice::{Fault, Notice, NoticeKind, Problem};
pub use outbox::Entry;
pub use place::{Account, Filter, List, Reminder, Tag};
pub use record::{Record, Table};
pub use row::Row;
pub use task::{Task, WRITABLE};

/// The rules that the core stands on, so that a shell uses the same version.
pub use rondo_domain as domain;
