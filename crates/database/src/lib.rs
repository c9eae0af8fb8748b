//! Postgres for the native programs: where it is ([`dsn`]), connections ([`pool`]), the schema
//! ([`migration`]), who may do what ([`role`]), and a private server for a machine that has none
//! running ([`server`]). [`secret`] keeps what must not be seen.

pub mod dsn;
pub mod migration;
pub mod pool;
pub mod role;
pub mod secret;
pub mod server;

pub use dsn::Dsn;
pub use pool::{Connection, Pool};
