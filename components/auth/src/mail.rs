//! Mails about an account, with a token that works once.
//!
//! The token stands in the link's fragment, which no browser sends to a server and no server logs;
//! the page behind the link (see `page`) sends it on when its reader says so, not when a mail program
//! looks at the link.

use rondo_contract::secret;
use rondo_guest::http::Request;
use rondo_guest::{Refusal, variable};
use serde_json::{Value, json};

use crate::bindings::wasi::random::random::get_random_bytes;

const PUBLIC_URL_VARIABLE: &str = "public_url";
const VERIFY_LIFETIME_S: i64 = 24 * 60 * 60;
const RESET_LIFETIME_S: i64 = 60 * 60;

/// What a mailed token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    VerifyEmail,
    ResetPassword,
}

/// A mail as the database takes it.
pub fn write(purpose: Purpose, request: &Request) -> Result<Value, Refusal> {
    let token = secret::encode(&get_random_bytes(secret::SECRET_BYTES as u64));
    let public_url = variable::get(PUBLIC_URL_VARIABLE)?;
    let mut mail = render(purpose, public_url.trim_end_matches('/'), &token);
    mail["token_hash"] = secret::hash(&token).into();
    mail["traceparent"] = request.trace.traceparent().into();
    Ok(mail)
}

fn render(purpose: Purpose, public_url: &str, token: &str) -> Value {
    let (name, path, lifetime_s, subject, lines) = match purpose {
        Purpose::VerifyEmail => (
            "verify_email",
            "/api/auth/verify",
            VERIFY_LIFETIME_S,
            "Verify your e-mail address",
            [
                "somebody, hopefully you, has given this address to Rondo. To say that it is yours, \
                 follow this link within 24 hours:",
                "If it was not you, there is nothing to do: no other mail will follow from this.",
            ],
        ),
        Purpose::ResetPassword => (
            "reset_password",
            "/api/auth/password/reset",
            RESET_LIFETIME_S,
            "Reset your password",
            [
                "somebody, hopefully you, has asked to set a new password for your account at Rondo. \
                 To do so, follow this link within an hour:",
                "If it was not you, there is nothing to do: your password stays as it is.",
            ],
        ),
    };
    let link = format!("{public_url}{path}#{token}");
    let shown = escaped(&link);
    json!({
        "purpose": name,
        "lifetime_s": lifetime_s,
        "subject": subject,
        "text": format!("Hello,\n\n{}\n\n{link}\n\n{}\n", lines[0], lines[1]),
        "html": format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{subject}</title></head>\n\
             <body style=\"font-family: sans-serif; line-height: 1.5\">\n<p>Hello,</p>\n<p>{}</p>\n\
             <p><a href=\"{shown}\">{shown}</a></p>\n<p>{}</p>\n</body></html>\n",
            lines[0], lines[1]
        ),
    })
}

/// The link begins with an operator's setting.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_have_the_link() {
        let mail = render(Purpose::ResetPassword, "https://rondo.example", "abc");
        let link = "https://rondo.example/api/auth/password/reset#abc";
        assert_eq!(mail["purpose"], "reset_password");
        assert_eq!(mail["lifetime_s"], 3600);
        assert!(mail["text"].as_str().is_some_and(|text| text.contains(&format!("\n{link}\n"))));
        let html = format!("<a href=\"{link}\">{link}</a>");
        assert!(mail["html"].as_str().is_some_and(|text| text.contains(&html)));
    }
}
