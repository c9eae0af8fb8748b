//! Assistants: the built component on the Wasm host with a real Postgres.

mod access;
mod isolation;
mod official;
mod protocol;
mod tool;
