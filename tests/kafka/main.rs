//! What needs a real Kafka broker.

mod doctor;
mod kill;
mod membership;
mod operation;
mod separate;
mod story;
mod trace;
mod two_years;
