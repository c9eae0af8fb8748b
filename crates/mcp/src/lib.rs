//! The Model Context Protocol of a stateless server over Streamable HTTP: a request's headers and body become an
//! answer. No I/O, and no knowledge of what the tools do.
//!
//! One address serves both generations of the protocol. Since revision 2026-07-28 each request says its revision, its
//! client and what that client can do; before it, a client says so once, in `initialize`. This server keeps nothing of
//! it: an earlier client has no session, and is asked for nothing.
//!
//! [`answer`] is the entry; [`Server`] is what an application provides.

mod answer;
mod check;
mod dispatch;
mod error;
mod message;
mod revision;
mod server;

pub use answer::Answer;
pub use dispatch::answer;
pub use error::{Code, Error};
pub use message::Headers;
pub use revision::Revision;
pub use server::{Argument, Client, Complete, Implementation, Input, Outcome, Reference, Server};
