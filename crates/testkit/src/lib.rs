//! What tests share. Only ever a dev-dependency.
//!
//! Everything here is real: Postgres, Kafka, SMTP, the built binaries. What a test starts ends with
//! the test program, also when that panics or is killed (see [`leash`]).
//!
//! - [`database`]: a fresh database for each test, with a session for each role;
//! - [`clock`]: a clock that a test sets, for the built programs and their Postgres;
//! - [`kafka`]: a broker on free ports, to be killed and restarted;
//! - [`smtp`]: a mail server that records, and fails as it is told;
//! - [`process`], [`http`], [`websocket`]: the built programs and their clients;
//! - [`event_schema`], [`published`]: every event against the published schemas, and as it is on Kafka;
//! - [`population`]: many users with many tasks, for plans and measurements;
//! - [`wait`]: waiting for a condition, never for a time.

pub mod clock;
pub mod database;
pub mod event_schema;
pub mod folder;
pub mod http;
pub mod kafka;
pub mod leash;
pub mod population;
pub mod port;
pub mod process;
pub mod published;
pub mod smtp;
pub mod wait;
pub mod websocket;
