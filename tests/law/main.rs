//! Laws: what ARCHITECTURE.md demands of the sources, the schema and the built components.

mod circle;
mod dependency;
mod event;
mod kubernetes;
mod plan;
mod source;
mod sql;
mod wasm;
