//! `rondo up` and `rondo host` as their operators and the public network see them.

mod front;
mod stall;
mod up;
