//! What tests share. Only ever a dev-dependency.
//!
//! Everything here is real: Postgres, Kafka, SMTP, the built binaries. What a test starts ends with
//! the test program, also when that panics or is killed (see [`leash`]).
//!
//! - [`database`]: a fresh database for each test, with a session for each role;
//! - [`clock`]: a clock that a test sets, for the built programs and their Postgres;
//! - [`kafka`]: a broker on free ports, to be killed and restarted;
//! - [`smtp`]: a mail server that records, and fails as it is told;
//! - [`receiver`]: a receiver of webhooks, likewise;
//! - [`process`], [`http`], [`websocket`]: the built programs and their clients;
//! - [`described_answer`]: every answer of the HTTP API against the OpenAPI document, without a test
//!   having to ask for it;
//! - [`event_schema`], [`published`]: every event against the published schemas, and as it is on Kafka;
//! - [`population`]: many users with many tasks, for plans and measurements;
//! - [`wait`]: waiting for a condition, never for a time.

pub mod certificate;
pub mod clock;
pub mod database;
pub mod described_answer;
pub mod event_schema;
pub mod folder;
pub mod http;
pub mod kafka;
pub mod leash;
pub mod population;
pub mod port;
pub mod process;
pub mod published;
pub mod receiver;
mod response;
pub mod smtp;
pub mod wait;
pub mod websocket;
