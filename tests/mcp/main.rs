//! Assistants: the built component on the Wasm host with a real Postgres.

mod access;
mod isolation;
mod protocol;
mod tool;
