//! The built components on the Wasm host with a real Postgres, without a bridge.

mod batch;
mod blocker;
mod chat;
mod day;
mod empty;
mod event;
mod filter;
mod host;
mod key;
mod list;
mod mail;
mod notify;
mod occurrence;
mod order;
mod outgoing;
mod page;
mod recurrence;
mod session;
mod step;
mod step_renewal;
mod stream;
mod trash;
mod undo;
mod upstream;
mod webhook;
