//! Accounts on `rondo up`: accepted and refused callers.

mod guard;
mod intruder;
mod life;
mod provider;
