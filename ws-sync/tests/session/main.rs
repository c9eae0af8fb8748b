//! Sessions as a device sees them: real WebSockets, a real Postgres, and for the Kafka side a real
//! broker.

mod client;
mod kafka;
mod live;
mod resume;
mod stage;
mod token;
