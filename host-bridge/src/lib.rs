//! The binary `rondo`: the event pipeline, the clock that fires reminders, the mailer, webhooks, retention,
//! and the commands that run them.

pub mod account;
pub mod backend;
pub mod backup;
pub mod bridge;
pub mod client;
pub mod clock;
pub mod command;
pub mod cors;
pub mod database;
pub mod derivation;
pub mod digest;
pub mod dlq;
pub mod doctor;
pub mod edge;
pub mod environment;
pub mod front;
pub mod health;
pub mod host;
pub mod installation;
pub mod job;
pub mod jwks;
pub mod mail_transport;
pub mod mailer;
pub mod operations;
pub mod option;
pub mod pipeline;
pub mod private_server;
pub mod program;
pub mod rate_limit;
pub mod refusal;
pub mod retention;
pub mod route_class;
pub mod start;
pub mod up;
pub mod webhook;
