//! Settings of a component: the variables that spin.toml maps to it.

use spin_sdk::variables;

use crate::refusal::Refusal;

/// The value of a variable; may be empty.
///
/// # Errors
/// If it is not defined or its provider fails, which only an operator can fix.
pub fn get(name: &str) -> Result<String, VariableError> {
    variables::get(name).map_err(|error| VariableError {
        name: name.to_owned(),
        reason: match error {
            variables::Error::InvalidName(_) => "its name is invalid".to_owned(),
            variables::Error::Undefined(_) => "it is not defined".to_owned(),
            // A provider's message may contain the value, so only the kind of failure is reported.
            variables::Error::Provider(_) => "its provider failed".to_owned(),
            variables::Error::Other(_) => "it cannot be read".to_owned(),
        },
    })
}

/// An unreadable variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VariableError {
    pub name: String,
    reason: String,
}

impl std::fmt::Display for VariableError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "variable {}: {}", self.name, self.reason)
    }
}

impl std::error::Error for VariableError {}

impl From<VariableError> for Refusal {
    fn from(error: VariableError) -> Self {
        Self::internal(error.to_string())
    }
}
