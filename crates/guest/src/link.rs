//! The pages behind the links in mails. `GET` shows a button and changes nothing, because mail programs
//! and scanners open links too. `POST` acts; for a link to unsubscribe, a mail program may send it by itself
//! (RFC 8058).
//!
//! The token authenticates the request, so no login is needed. A page runs no script, sends no referrer, and
//! is not cached.

use askama::Template;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rondo_contract::link_token::{
    LINK_SECRET_PREVIOUS_VARIABLE, LINK_SECRET_VARIABLE, Link, LinkError, Purpose,
};
use rondo_contract::token::HmacKey;
use sha2::{Digest as _, Sha256};

use crate::http::{Method, Request, Response};
use crate::page::parameters;
use crate::{Refusal, clock, variable};

/// Methods of a page behind a link.
pub const METHODS: &[Method] = &[Method::Get, Method::Post];

/// The query parameter of the token.
const TOKEN_PARAMETER: &str = "token";

const STYLE: &str = "body { font-family: sans-serif; line-height: 1.5; margin: 3rem auto; \
                     max-width: 32rem; padding: 0 1rem; overflow-wrap: anywhere } \
                     button { font: inherit; padding: 0.5rem 1rem }";

/// Answers a request to the page of links with these purposes. A forged or expired link gets a page that says
/// so; otherwise `answer` responds.
///
/// # Errors
/// 405; 422 for a missing token or another parameter; and refusals of `answer`.
pub fn follow(
    request: &Request,
    purposes: &[Purpose],
    answer: impl FnOnce(&Link) -> Result<Response, Refusal>,
) -> Result<Response, Refusal> {
    if !METHODS.contains(&request.method) {
        return Err(request.unrouted());
    }
    let mut parameters = parameters(request);
    let token = parameters.required(TOKEN_PARAMETER);
    parameters.finish()?;
    let now_s = clock::now().as_second();
    match Link::read(&token, &keys()?, now_s) {
        Ok(link) if purposes.contains(&link.purpose) => answer(&link),
        Err(LinkError::Expired) => Ok(Page::new("This link has expired")
            .line("Links in mails work for a limited time. Nothing has been changed.")
            .response(410)),
        Ok(_) | Err(LinkError::Forged) => Ok(Page::new("This link does not work")
            .line("It differs from the link that was mailed. Nothing has been changed.")
            .line("If the mail breaks the link into two lines, copy both.")
            .response(403)),
    }
}

/// The current key and the previous one, whose links still work.
fn keys() -> Result<Vec<HmacKey>, Refusal> {
    let mut keys = vec![key(LINK_SECRET_VARIABLE, &variable::get(LINK_SECRET_VARIABLE)?)?];
    let previous = variable::get(LINK_SECRET_PREVIOUS_VARIABLE)?;
    if !previous.is_empty() {
        keys.push(key(LINK_SECRET_PREVIOUS_VARIABLE, &previous)?);
    }
    Ok(keys)
}

fn key(name: &str, secret: &str) -> Result<HmacKey, Refusal> {
    HmacKey::new(secret.as_bytes())
        .map_err(|error| Refusal::internal(format!("variable {name}: {error}")))
}

/// A page. Its text is escaped.
#[derive(Template)]
#[template(path = "link.html")]
pub struct Page<'a> {
    style: &'static str,
    heading: &'a str,
    lines: Vec<&'a str>,
    button: Option<&'a str>,
}

impl<'a> Page<'a> {
    #[must_use]
    pub const fn new(heading: &'a str) -> Self {
        Self { style: STYLE, heading, lines: Vec::new(), button: None }
    }

    /// Adds a paragraph.
    #[must_use]
    pub fn line(mut self, line: &'a str) -> Self {
        self.lines.push(line);
        self
    }

    /// Adds the button, which sends a `POST` to the same link.
    #[must_use]
    pub const fn button(mut self, button: &'a str) -> Self {
        self.button = Some(button);
        self
    }

    #[must_use]
    pub fn response(self, status: u16) -> Response {
        // Writing to a string cannot fail.
        let html = self.render().unwrap_or_default();
        let style = STANDARD.encode(Sha256::digest(STYLE));
        let policy = format!(
            "default-src 'none'; style-src 'sha256-{style}'; form-action 'self'; base-uri 'none'; \
             frame-ancestors 'none'"
        );
        Response::of("text/html; charset=utf-8", status, html.into_bytes())
            .header("content-security-policy", policy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped() {
        let page = Page::new("<b>&").line("</style><script>x</script>").button("\"'><i>");
        let html = page.render().unwrap();
        assert!(!html.contains("<script>") && !html.contains("<b>") && !html.contains("<i>"));
        assert!(html.contains(&format!("<style>{STYLE}</style>")), "{html}");
        assert_eq!(html.matches("<form method=\"post\">").count(), 1);
    }
}
