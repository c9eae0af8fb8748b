//! What a person sees.

pub mod ask;
pub mod chat;
pub mod door;
pub mod history;
pub mod keys_help;
pub mod list_form;
pub mod menu;
pub mod month;
pub mod page;
pub mod panel;
pub mod quick;
pub mod recurrence;
pub mod row;
pub mod settings;
pub mod side;
pub mod tasks;
pub mod trash;
pub mod when;
