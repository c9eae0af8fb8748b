//! Accounts on `rondo up`: who gets in, and who is kept out.

mod guard;
mod intruder;
mod life;
mod provider;
