//! The pages behind links in mails of earlier releases; today's lead to the web client. A page sends the token only
//! when its reader presses the button, so mail programs that open the link do not use it up.

use askama::Template;
use rondo_contract::secret;
use rondo_domain::account::{PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN};
use rondo_guest::Refusal;
use rondo_guest::http::{Request, Response};

use crate::bindings::wasi::random::random::get_random_bytes;

const NONCE_BYTES: u64 = 16;

#[derive(Template)]
#[template(path = "page.html")]
struct Page<'a> {
    title: &'a str,
    asks_password: bool,
    button: &'a str,
    /// The page's text after success.
    done: &'a str,
    nonce: String,
}

/// `GET /api/auth/verify`.
pub fn verify(_: &Request) -> Result<Response, Refusal> {
    let done = "Your e-mail address is confirmed. Log in again.";
    Ok(page("Confirm your e-mail address", false, "Confirm", done))
}

/// `GET /api/auth/password/reset`.
pub fn reset(_: &Request) -> Result<Response, Refusal> {
    let done = "Your password is set. Log in with it.";
    Ok(page("Set a new password", true, "Set password", done))
}

fn page(title: &str, asks_password: bool, button: &str, done: &str) -> Response {
    let nonce = secret::encode(&get_random_bytes(NONCE_BYTES));
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; \
         connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    let page = Page { title, asks_password, button, done, nonce };
    // Writing to a string cannot fail.
    let html = page.render().unwrap_or_default();
    Response::of("text/html; charset=utf-8", 200, html.into_bytes())
        .header("content-security-policy", policy)
}
