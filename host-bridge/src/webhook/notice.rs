//! What the owner of a webhook is told by mail when it is disabled.

use serde_json::{Value, json};

/// How long the mail is worth sending, in seconds: a week.
const LIFETIME_S: i64 = 7 * 24 * 3_600;

/// Why a webhook is disabled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    Gone,
    Failing,
}

/// A mail as the database takes it. Of the URL it names the host alone: the rest can be a secret.
pub fn mail(webhook_id: i64, url: &str, reason: Reason) -> Value {
    const SUBJECT: &str = "A webhook has been disabled";
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = rest.split(['/', '?']).next().unwrap_or_default();
    let what = match reason {
        Reason::Gone => "has answered that nothing is wanted there any more (410 Gone)",
        Reason::Failing => "has failed for days, without a single success",
    };
    let lines = [
        "Hello,".to_owned(),
        format!("your webhook {webhook_id} at {host} {what}. It has been disabled."),
        "When its receiver works again, you can enable it, and have deliveries of the last 30 days \
         sent again."
            .to_owned(),
    ];
    let paragraphs: String =
        lines.iter().map(|line| format!("<p>{}</p>\n", escaped(line))).collect();
    json!({
        "subject": SUBJECT,
        "text": lines.join("\n\n") + "\n",
        "html": format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{SUBJECT}</title></head>\n\
             <body style=\"font-family: sans-serif; line-height: 1.5\">\n{paragraphs}</body></html>\n"
        ),
        "lifetime_s": LIFETIME_S,
    })
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mail_names_the_host_and_no_secret() {
        let mail = mail(7, "https://example.org:8443/secret?token=hidden", Reason::Gone);
        for part in ["text", "html"] {
            let part = mail[part].as_str().unwrap();
            assert!(part.contains("your webhook 7 at example.org:8443 has answered"), "{part}");
            assert!(!part.contains("secret") && !part.contains("hidden"), "{part}");
        }
    }
}
