//! What settings of the native programs have in common: how they are refused, where secrets come
//! from, and what may be sent without TLS.

mod cleartext;
mod secret;

pub use cleartext::{Cleartext, CleartextOption, Service, is_this_machine};
pub use secret::{environment, secret};

/// A setting that cannot be used: which, and what to do. Never quotes what may be a secret.
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

/// The value; an empty one counts as absent, so that a compose file can pass on what is not set.
#[must_use]
pub fn given(value: Option<&str>) -> Option<&str> {
    value.filter(|value| !value.trim().is_empty())
}

/// # Errors
/// When there is none.
pub fn required<T>(setting: &'static str, value: Option<T>) -> Result<T, SettingError> {
    value.ok_or_else(|| refusal(setting, "is missing: set it"))
}
