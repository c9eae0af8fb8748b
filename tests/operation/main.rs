//! `rondo up` and `rondo host` as their operators and the public network see them.

mod demo;
mod doctor;
mod front;
mod stall;
mod up;
mod upgrade;
