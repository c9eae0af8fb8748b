//! Mails about an account: some carry a token that works once, others are notices of changes.
//!
//! The token is in the link's fragment, which no browser sends and no server logs. The page behind the
//! link (see `page`) sends it when its reader presses a button, not when a mail program opens the link.

use rondo_contract::account_mail::{self, Paragraph};
use rondo_contract::secret;
use rondo_domain::access::Scopes;
use rondo_guest::http::Request;
use rondo_guest::{Refusal, variable};
use serde_json::Value;

use crate::bindings::wasi::random::random::get_random_bytes;

const PUBLIC_URL_VARIABLE: &str = "public_url";
/// Variable that says whether an unverified address gets only the verification mail.
const VERIFIED_ONLY_VARIABLE: &str = "require_verified_email";
const VERIFY_LIFETIME_S: i64 = 24 * 60 * 60;
const RESET_LIFETIME_S: i64 = 60 * 60;

/// The purpose of a mailed token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    VerifyEmail,
    ResetPassword,
}

impl Purpose {
    /// The word in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::VerifyEmail => "verify_email",
            Self::ResetPassword => "reset_password",
        }
    }
}

/// A change to an account that its owner is notified of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountChange {
    PasswordChanged,
    /// An API token with these scopes was created.
    TokenMade(Scopes),
}

/// A mail with a token, in the form that the database stores.
pub fn write(purpose: Purpose, request: &Request) -> Result<Value, Refusal> {
    let token = secret::encode(&get_random_bytes(secret::SECRET_BYTES as u64));
    let public_url = variable::get(PUBLIC_URL_VARIABLE)?;
    let mut mail = render(purpose, public_url.trim_end_matches('/'), &token);
    mail["token_hash"] = secret::hash(&token).into();
    mail["traceparent"] = request.trace.traceparent().into();
    Ok(mail)
}

/// A notice of a change, in the form that the database stores.
pub fn notice(change: AccountChange, request: &Request) -> Result<Value, Refusal> {
    let (purpose, subject, what) = match change {
        AccountChange::PasswordChanged => (
            "password_changed",
            "Your password has been changed",
            "the password of your Rondo account has been changed. All other sessions have ended."
                .to_owned(),
        ),
        AccountChange::TokenMade(scopes) => (
            "api_token_made",
            "A new API token",
            format!(
                "a new API token has been created for your Rondo account. Its scopes: {scopes}."
            ),
        ),
    };
    let mut mail = account_mail::notice(purpose, subject, what, verified_only()?);
    mail["traceparent"] = request.trace.traceparent().into();
    Ok(mail)
}

/// Whether an unverified address gets only the verification mail.
pub fn verified_only() -> Result<bool, Refusal> {
    Ok(variable::get(VERIFIED_ONLY_VARIABLE)? == "true")
}

fn render(purpose: Purpose, public_url: &str, token: &str) -> Value {
    let (path, lifetime_s, subject, before, after) = match purpose {
        Purpose::VerifyEmail => (
            "/#/verify/",
            VERIFY_LIFETIME_S,
            "Confirm your e-mail address",
            "an account at Rondo has been registered with this address. To confirm that the address \
             is yours, open this link within 24 hours, then log in again:",
            "If it was not you, ignore this mail. You will get no other.",
        ),
        Purpose::ResetPassword => (
            "/#/reset/",
            RESET_LIFETIME_S,
            "Reset your password",
            "a new password has been requested for your Rondo account. To set it, open this link \
             within an hour. This ends every session, deletes every API token and disables every \
             webhook:",
            "If it was not you, ignore this mail. Your password stays as it is.",
        ),
    };
    let paragraphs = [
        Paragraph::Text(before.to_owned()),
        Paragraph::Link(format!("{public_url}{path}{token}")),
        Paragraph::Text(after.to_owned()),
    ];
    account_mail::mail(purpose.as_str(), subject, &paragraphs, lifetime_s)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_links_fragment_is_the_token() {
        let mail = render(Purpose::ResetPassword, "https://rondo.example", "abc");
        let link = "https://rondo.example/#/reset/abc";
        assert_eq!(mail["purpose"], "reset_password");
        assert_eq!(mail["lifetime_s"], 3600);
        assert!(mail["text"].as_str().is_some_and(|text| text.contains(&format!("\n{link}\n"))));
    }
}
