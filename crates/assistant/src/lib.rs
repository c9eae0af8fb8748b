//! What the components of assistants share: the API within a component, and the key of confirmations.

mod api;

pub use api::{LocalApi, methods};

use rondo_contract::confirmation::ConfirmationKey;
use rondo_contract::link_token::LINK_SECRET_VARIABLE;
use rondo_contract::token::HmacKey;
use rondo_guest::{Refusal, variable};

/// The key that signs what users are asked to confirm.
///
/// # Errors
/// 500 if the component's variable is missing or too short.
pub fn confirmation_key() -> Result<ConfirmationKey, Refusal> {
    let fault = |error: &dyn std::fmt::Display| {
        Refusal::internal(format!("variable {LINK_SECRET_VARIABLE}: {error}"))
    };
    let links = HmacKey::new(variable::get(LINK_SECRET_VARIABLE)?.as_bytes())
        .map_err(|error| fault(&error))?;
    ConfirmationKey::derived(&links).map_err(|error| fault(&error))
}
