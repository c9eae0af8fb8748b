//! What the owner of a webhook is told by mail when it is disabled.

use rondo_contract::account_mail::{NOTICE_LIFETIME_S, Paragraph, host, mail as account_mail};
use serde_json::Value;

/// Why a webhook is disabled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    Gone,
    Failing,
}

/// A mail as the database takes it. Of the URL it names the host alone: the rest can be a secret.
pub fn mail(webhook_id: i64, url: &str, reason: Reason) -> Value {
    let host = host(url);
    let what = match reason {
        Reason::Gone => "has answered that nothing is wanted there any more (410 Gone)",
        Reason::Failing => "has failed for days, without a single success",
    };
    let paragraphs = [
        format!("your webhook {webhook_id} at {host} {what}. It has been disabled."),
        "When its receiver works again, you can enable it, and have deliveries of the last 30 days \
         sent again."
            .to_owned(),
    ]
    .map(Paragraph::Text);
    account_mail("webhook_disabled", "A webhook has been disabled", &paragraphs, NOTICE_LIFETIME_S)
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
