//! Runs the components of a spin.toml as Spin would: the same files, routes and interfaces, and nothing that
//! Spin refuses.
//!
//! [`manifest`] reads the file, [`variable`] fills its templates, [`engine`] loads the components, [`app`]
//! routes requests and typed calls to fresh instances, [`postgres`] is their database, and [`outgoing`] makes their
//! requests to other servers. There is no socket: a component that imports one is not loaded.

pub mod allowed_host;
mod answer;
pub mod app;
mod binding;
mod buffer;
mod call;
pub mod client;
mod deadline;
pub mod engine;
mod intake;
pub mod manifest;
pub mod outgoing;
mod permit;
pub mod postgres;
mod progress;
pub mod route;
mod session;
mod stream;
pub mod variable;

pub use app::{CallError, WasmApp};
pub use manifest::Manifest;
pub use rondo_contract::cloud_event::{CloudEvent, Disposition};
