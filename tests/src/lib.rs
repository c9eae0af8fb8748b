//! Shared by the black-box tests: the files of the clone, the program in each of its arrangements, and the
//! story that runs on every arrangement.
//!
//! The tests are in the folders beside this one, and use the program only from outside.

pub mod account;
pub mod arrangement;
pub mod assistant;
pub mod described;
pub mod forgery;
pub mod kill;
pub mod metric;
pub mod operation;
pub mod probe;
pub mod provider;
pub mod source;
pub mod stage;
pub mod story;
pub mod trace;
pub mod two_years;
