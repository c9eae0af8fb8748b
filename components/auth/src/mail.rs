//! Mails about an account: some with a token that works once, others that tell what was done.
//!
//! The token stands in the link's fragment, which no browser sends to a server and no server logs;
//! the page behind the link (see `page`) sends it on when its reader says so, not when a mail program
//! looks at the link.

use rondo_contract::account_mail::{self, Paragraph};
use rondo_contract::secret;
use rondo_domain::access::Scopes;
use rondo_guest::http::Request;
use rondo_guest::{Refusal, variable};
use serde_json::Value;

use crate::bindings::wasi::random::random::get_random_bytes;

const PUBLIC_URL_VARIABLE: &str = "public_url";
/// Variable with whether nothing but the verification goes to an address that is not verified.
const VERIFIED_ONLY_VARIABLE: &str = "require_verified_email";
const VERIFY_LIFETIME_S: i64 = 24 * 60 * 60;
const RESET_LIFETIME_S: i64 = 60 * 60;

/// What a mailed token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    VerifyEmail,
    ResetPassword,
}

impl Purpose {
    /// As the database has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::VerifyEmail => "verify_email",
            Self::ResetPassword => "reset_password",
        }
    }
}

/// What was done to an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    PasswordChanged,
    /// An API token was made that allows this.
    TokenMade(Scopes),
}

/// A mail with a token, as the database takes it.
pub fn write(purpose: Purpose, request: &Request) -> Result<Value, Refusal> {
    let token = secret::encode(&get_random_bytes(secret::SECRET_BYTES as u64));
    let public_url = variable::get(PUBLIC_URL_VARIABLE)?;
    let mut mail = render(purpose, public_url.trim_end_matches('/'), &token);
    mail["token_hash"] = secret::hash(&token).into();
    mail["traceparent"] = request.trace.traceparent().into();
    Ok(mail)
}

/// A mail that tells what was done, as the database takes it.
pub fn notice(deed: Deed, request: &Request) -> Result<Value, Refusal> {
    let (purpose, subject, what) = match deed {
        Deed::PasswordChanged => (
            "password_changed",
            "Your password has been changed",
            "the password of your account at Rondo has just been changed, and whoever was logged in \
             elsewhere is not any more."
                .to_owned(),
        ),
        Deed::TokenMade(scopes) => (
            "api_token_made",
            "A new API token",
            format!("a new API token has been made for your account at Rondo. It allows: {scopes}."),
        ),
    };
    let mut mail = account_mail::notice(purpose, subject, what, verified_only()?);
    mail["traceparent"] = request.trace.traceparent().into();
    Ok(mail)
}

/// Whether nothing but the verification goes to an address that is not verified.
pub fn verified_only() -> Result<bool, Refusal> {
    Ok(variable::get(VERIFIED_ONLY_VARIABLE)? == "true")
}

fn render(purpose: Purpose, public_url: &str, token: &str) -> Value {
    let (path, lifetime_s, subject, before, after) = match purpose {
        Purpose::VerifyEmail => (
            "/api/auth/verify",
            VERIFY_LIFETIME_S,
            "Verify your e-mail address",
            "somebody, hopefully you, has given this address to Rondo. To say that it is yours, \
             follow this link within 24 hours, and log in again after that:",
            "If it was not you, there is nothing to do: no other mail will follow from this.",
        ),
        Purpose::ResetPassword => (
            "/api/auth/password/reset",
            RESET_LIFETIME_S,
            "Reset your password",
            "somebody, hopefully you, has asked to set a new password for your account at Rondo. \
             To do so, follow this link within an hour. It ends every session, deletes every API \
             token and disables every webhook:",
            "If it was not you, there is nothing to do: your password stays as it is.",
        ),
    };
    let paragraphs = [
        Paragraph::Text(before.to_owned()),
        Paragraph::Link(format!("{public_url}{path}#{token}")),
        Paragraph::Text(after.to_owned()),
    ];
    account_mail::mail(purpose.as_str(), subject, &paragraphs, lifetime_s)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_link_has_the_token_behind_the_hash() {
        let mail = render(Purpose::ResetPassword, "https://rondo.example", "abc");
        let link = "https://rondo.example/api/auth/password/reset#abc";
        assert_eq!(mail["purpose"], "reset_password");
        assert_eq!(mail["lifetime_s"], 3600);
        assert!(mail["text"].as_str().is_some_and(|text| text.contains(&format!("\n{link}\n"))));
    }
}
