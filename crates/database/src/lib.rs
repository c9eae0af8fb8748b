//! Access to Postgres: connections with TLS, migrations, roles, secrets, and a private server where none is
//! running.
//!
//! How `rondo up` uses the modules:
//!
//! ```text
//! DataFolder::open ──▶ Secrets::load_or_create ──▶ server::start   (or DATABASE_URL)
//!                                                      │ administrator's Dsn
//!                             provision::roles ◀───────┤
//!                             migration::up   ◀────────┘
//!                                   │ one Dsn per role
//!                                   ▼
//!          Database::open, pool::open, pool::connect, components' variables
//! ```
//!
//! No SQL of a capability is here; each statement is beside the module that runs it.

pub mod admin;
pub mod content;
pub mod data_folder;
pub mod database;
pub mod dsn;
pub mod migration;
pub mod option;
pub mod pool;
pub mod provision;
pub mod role;
pub mod secret;
pub mod server;
mod timeout;
pub mod tls;

pub use data_folder::{DataFolder, DataFolderError};
pub use database::Database;
pub use dsn::{Dsn, DsnError, TlsMode};
pub use option::DatabaseOptions;
pub use pool::{ConnectError, Pool, PoolOptions, Session, SessionOptions};
pub use provision::RoleDsns;
pub use role::Role;
pub use secret::{SecretError, Secrets};
pub use server::{PrivateServer, ServerError, ServerOptions};

/// An error with its causes on one line: each error here states the problem and the remedy, and keeps the
/// cause in `source()`.
pub fn explain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let line = cause.to_string();
        // tokio-postgres wraps the server's message in an error that says nothing else.
        if line != "db error" {
            text.push_str(": ");
            text.push_str(line.trim_end());
        }
        source = cause.source();
    }
    text
}
