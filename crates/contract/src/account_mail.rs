//! Mails about an account, as the database takes them: a few paragraphs, as text and as HTML alike.

use serde_json::{Value, json};

/// Notices of one kind to one account in [`NOTICE_WINDOW_S`]; further ones are not written.
const NOTICES_MAX: i64 = 5;
const NOTICE_WINDOW_S: i64 = 60 * 60;
/// How long a notice is worth sending, in seconds: a week.
pub const NOTICE_LIFETIME_S: i64 = 7 * 24 * 60 * 60;

/// A paragraph of its own.
pub enum Paragraph {
    Text(String),
    Link(String),
}

/// A mail of paragraphs after a greeting.
#[must_use]
pub fn mail(purpose: &str, subject: &str, paragraphs: &[Paragraph], lifetime_s: i64) -> Value {
    let (mut text, mut html) = ("Hello,\n".to_owned(), "<p>Hello,</p>\n".to_owned());
    for paragraph in paragraphs {
        let (Paragraph::Text(line) | Paragraph::Link(line)) = paragraph;
        let shown = escaped(line);
        text += &format!("\n{line}\n");
        html += &match paragraph {
            Paragraph::Text(_) => format!("<p>{shown}</p>\n"),
            Paragraph::Link(_) => format!("<p><a href=\"{shown}\">{shown}</a></p>\n"),
        };
    }
    json!({
        "purpose": purpose,
        "lifetime_s": lifetime_s,
        "subject": subject,
        "text": text,
        "html": format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{subject}</title></head>\n\
             <body style=\"font-family: sans-serif; line-height: 1.5\">\n{html}</body></html>\n"
        ),
    })
}

/// What was done to an account, for whoever owns it: `what`, and what to do about it. Where
/// `verified_only`, it goes to no address that has not been verified.
#[must_use]
pub fn notice(purpose: &str, subject: &str, what: String, verified_only: bool) -> Value {
    const ADVICE: &str = "If it was not you, set a new password by way of \"forgot password\": that \
                          ends every session, deletes every API token and disables every webhook.";
    let paragraphs = [Paragraph::Text(what), Paragraph::Text(ADVICE.to_owned())];
    let mut mail = mail(purpose, subject, &paragraphs, NOTICE_LIFETIME_S);
    mail["verified_only"] = verified_only.into();
    mail["mails_max"] = NOTICES_MAX.into();
    mail["window_s"] = NOTICE_WINDOW_S.into();
    mail
}

/// The host of a webhook's URL, and its port: the rest can be a secret.
#[must_use]
pub fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?']).next().unwrap_or_default()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
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
        let shown = link.replace('&', "&amp;");
        assert!(html.contains(&format!("<a href=\"{shown}\">{shown}</a>")), "{html}");
        assert!(html.contains("<p>a &lt; b</p>"), "{html}");
    }

    #[test]
    fn of_a_url_only_the_host_is_told() {
        assert_eq!(host("https://example.org:8443/secret?token=hidden"), "example.org:8443");
        assert_eq!(host("https://example.org?token=hidden"), "example.org");
    }
}
