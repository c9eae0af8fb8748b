//! Shared by all tests; only ever a dev-dependency.
//!
//! Postgres, Kafka, SMTP and the built binaries are real. Whatever a test starts ends with the test program,
//! even if that panics or is killed (see [`leash`]).
//!
//! - [`database`]: a fresh database for each test, with a session for each role;
//! - [`clock`]: a clock that a test sets, for the built programs and their Postgres;
//! - [`kafka`]: a broker on free ports, which tests kill and restart;
//! - [`smtp`]: a mail server that records mails and fails on demand;
//! - [`collector`]: a collector of spans, which a test reads back;
//! - [`receiver`]: a webhook receiver that does the same;
//! - [`process`], [`http`], [`websocket`]: the built programs and their clients;
//! - [`described_answer`]: checks every response of the HTTP API against the OpenAPI document;
//! - [`event_schema`], [`published`]: check every event against its schema, and its record on Kafka;
//! - [`population`]: many users with many tasks, for plans and measurements;
//! - [`wait`]: waiting for a condition, never for a time.

pub mod certificate;
pub mod clock;
pub mod collector;
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
