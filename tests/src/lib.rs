//! What the black-box tests share: finding things in the clone, starting the program in each of its
//! arrangements, and the story that has to come true in all of them.
//!
//! The tests themselves are the files beside this folder. They know the program only from outside,
//! by what it promises.

pub mod account;
pub mod arrangement;
pub mod described;
pub mod forgery;
pub mod kill;
pub mod operation;
pub mod probe;
pub mod provider;
pub mod source;
pub mod stage;
pub mod story;
pub mod two_years;
