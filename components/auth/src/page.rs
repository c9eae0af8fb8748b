//! The pages behind the links in mails. A page sends the token on when its reader presses the
//! button; looking at a link, as mail programs do, uses nothing up.

use rondo_contract::secret;
use rondo_guest::Refusal;
use rondo_guest::http::{Request, Response};

use crate::bindings::wasi::random::random::get_random_bytes;

const PAGE: &str = include_str!("page.html");
const NONCE_BYTES: u64 = 16;

/// `GET /api/auth/verify`.
pub fn verify(_: &Request) -> Result<Response, Refusal> {
    let button = "<button>Verify</button>";
    Ok(page("Verify your e-mail address", button, "Your address is verified: log in again."))
}

/// `GET /api/auth/password/reset`.
pub fn reset(_: &Request) -> Result<Response, Refusal> {
    let form = "<label>New password <input name=password type=password minlength=8 maxlength=128 \
                autocomplete=new-password required></label> <button>Set</button>";
    Ok(page("Set a new password", form, "Your password is set: log in with it."))
}

fn page(title: &str, form: &str, done: &str) -> Response {
    let nonce = secret::encode(&get_random_bytes(NONCE_BYTES));
    let html = PAGE
        .replace("{title}", title)
        .replace("{form}", form)
        .replace("{done}", done)
        .replace("{nonce}", &nonce);
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; \
         connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    Response::of("text/html; charset=utf-8", 200, html.into_bytes())
        .header("content-security-policy", policy)
        .header("referrer-policy", "no-referrer")
        .header("cache-control", "no-store")
}
