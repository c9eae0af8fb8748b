//! The built components on the Wasm host with a real Postgres, without a bridge.

mod batch;
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
mod page;
mod recurrence;
mod session;
mod trash;
mod undo;
mod webhook;
