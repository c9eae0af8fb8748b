//! The task API on `rondo up`, as its clients see it.

mod change;
mod device;
mod list;
mod quick_add;
mod request;
mod tag;
