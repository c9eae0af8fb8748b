//! Mails about an account, as the database stores them: a few paragraphs, as text and as HTML.

use askama::Template;
use serde_json::{Value, json};

/// Maximum number of notices of one kind to one account in [`NOTICE_WINDOW_S`]; further ones are dropped.
const NOTICES_MAX: i64 = 5;
const NOTICE_WINDOW_S: i64 = 60 * 60;
/// How long a notice may wait to be sent, in seconds: a week.
pub const NOTICE_LIFETIME_S: i64 = 7 * 24 * 60 * 60;

pub enum Paragraph {
    Text(String),
    Link(String),
}

#[derive(Template)]
#[template(path = "account_mail.txt", escape = "none")]
struct Text<'a> {
    paragraphs: &'a [Paragraph],
}

#[derive(Template)]
#[template(path = "account_mail.html")]
struct Html<'a> {
    subject: &'a str,
    paragraphs: &'a [Paragraph],
}

/// A mail with a greeting and these paragraphs. It is dropped if still unsent after `lifetime_s` seconds.
#[must_use]
pub fn mail(purpose: &str, subject: &str, paragraphs: &[Paragraph], lifetime_s: i64) -> Value {
    json!({
        "purpose": purpose,
        "lifetime_s": lifetime_s,
        "subject": subject,
        // Writing to a string cannot fail.
        "text": Text { paragraphs }.render().unwrap_or_default(),
        "html": Html { subject, paragraphs }.render().unwrap_or_default(),
    })
}

/// A notice to an account's owner: `what` was done, and what to do if it was somebody else. With
/// `verified_only`, it is sent only to a verified address.
#[must_use]
pub fn notice(purpose: &str, subject: &str, what: String, verified_only: bool) -> Value {
    const ADVICE: &str = "If it was not you, reset your password with \"forgot password\". This ends every \
                          session, deletes every API token and disables every webhook.";
    let paragraphs = [Paragraph::Text(what), Paragraph::Text(ADVICE.to_owned())];
    let mut mail = mail(purpose, subject, &paragraphs, NOTICE_LIFETIME_S);
    mail["verified_only"] = verified_only.into();
    mail["mails_max"] = NOTICES_MAX.into();
    mail["window_s"] = NOTICE_WINDOW_S.into();
    mail
}

/// Host and port of a webhook's URL. The rest may contain a secret.
#[must_use]
pub fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?']).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_say_the_same() {
        let link = "https://rondo.example/a?b=1&c#abc";
        let paragraphs = [Paragraph::Text("a < b".to_owned()), Paragraph::Link(link.to_owned())];
        let mail = mail("p", "S", &paragraphs, 60);
        assert_eq!(mail["text"], format!("Hello,\n\na < b\n\n{link}\n"));
        let html = mail["html"].as_str().unwrap();
        let shown = link.replace('&', "&#38;");
        assert!(html.contains("\n<p>Hello,</p>\n<p>a &#60; b</p>\n<p><a"), "{html}");
        assert!(html.contains(&format!("<a href=\"{shown}\">{shown}</a>")), "{html}");
        assert!(
            html.starts_with("<!doctype html>\n<html")
                && html.ends_with("</a></p>\n</body></html>\n"),
            "{html}"
        );
    }

    #[test]
    fn only_the_host_of_a_url_is_named() {
        assert_eq!(host("https://example.org:8443/secret?token=hidden"), "example.org:8443");
        assert_eq!(host("https://example.org?token=hidden"), "example.org");
    }
}
