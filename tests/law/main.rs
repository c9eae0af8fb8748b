//! Laws: the rules of ARCHITECTURE.md for sources, schema and built components.

mod circle;
mod dependency;
mod event;
mod kubernetes;
mod page;
mod plan;
mod source;
mod sql;
mod wasm;
