//! The settings of the native programs: how options are read and refused, where secrets come from, and what
//! may be sent without TLS.

mod cleartext;
mod parse;
mod secret;

pub use cleartext::{Cleartext, CleartextOption, Service, is_this_machine};
pub use parse::{EXIT_SETTING, parse, try_parse};
pub use secret::{environment, secret};

/// An unusable setting, and how to fix it. Never quotes what may be a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{setting}: {reason}")]
pub struct SettingError {
    /// Name of the environment variable.
    pub setting: &'static str,
    pub reason: String,
}

pub fn refusal(setting: &'static str, reason: impl ToString) -> SettingError {
    SettingError { setting, reason: reason.to_string() }
}

/// The value; a blank one counts as absent, as in [`parse`].
#[must_use]
pub(crate) fn given(value: Option<&str>) -> Option<&str> {
    value.filter(|value| !value.trim().is_empty())
}

/// # Errors
/// If it is absent.
pub fn required<T>(setting: &'static str, value: Option<T>) -> Result<T, SettingError> {
    value.ok_or_else(|| refusal(setting, "is missing: set it"))
}
