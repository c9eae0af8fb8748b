//! Sessions from a device's point of view: real WebSockets, a real Postgres, and for Kafka a real broker.

mod client;
mod kafka;
mod live;
mod resume;
mod stage;
mod token;
