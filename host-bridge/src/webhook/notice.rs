//! The mail to a webhook's owner when it is disabled.

use rondo_contract::account_mail::{NOTICE_LIFETIME_S, Paragraph, host, mail as account_mail};
use serde_json::Value;

/// Why a webhook is disabled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    Gone,
    Failing,
}

/// The mail in the database's form. It names only the URL's host, because the rest may be a secret.
pub fn mail(webhook_id: i64, url: &str, reason: Reason) -> Value {
    let host = host(url);
    let what = match reason {
        Reason::Gone => "answered 410 Gone: it accepts no more deliveries",
        Reason::Failing => "has been failing for days without a single success",
    };
    let paragraphs = [
        format!("your webhook {webhook_id} at {host} {what}. It is now disabled."),
        "Once its receiver works again, you can enable the webhook and redeliver what failed in the last \
         30 days."
            .to_owned(),
    ]
    .map(Paragraph::Text);
    account_mail("webhook_disabled", "Webhook disabled", &paragraphs, NOTICE_LIFETIME_S)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mail_names_the_host_and_no_secret() {
        let mail = mail(7, "https://example.org:8443/secret?token=hidden", Reason::Gone);
        for part in ["text", "html"] {
            let part = mail[part].as_str().unwrap();
            assert!(part.contains("your webhook 7 at example.org:8443 answered 410"), "{part}");
            assert!(!part.contains("secret") && !part.contains("hidden"), "{part}");
        }
    }
}
