//! The built components on the Wasm host with a real Postgres, without a bridge.

mod empty;
mod event;
mod host;
mod key;
mod mail;
mod notify;
mod occurrence;
mod recurrence;
mod session;
mod webhook;
