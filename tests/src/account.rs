//! Mails about accounts.

use std::time::Duration;

use rondo_testkit::http::Client;
use rondo_testkit::smtp::{Mail, SmtpServer};
use serde_json::json;

/// How long a mail may take on a busy machine.
const SOON: Duration = Duration::from_secs(30);
/// The targets of links in mails.
pub const VERIFY: &str = "/api/auth/verify";
pub const RESET: &str = "/api/auth/password/reset";
/// Length of a mailed token: 32 bytes in base64url.
const TOKEN_CHARS: usize = 43;

/// The tokens of all mailed links to `path` for an address, in order.
#[must_use]
pub fn mailed_tokens(smtp: &SmtpServer, email: &str, path: &str) -> Vec<String> {
    smtp.mails().iter().filter(|mail| is_to(mail, email)).filter_map(|m| token(m, path)).collect()
}

/// Waits for the `number`-th mail to an address with a link to `path`, and returns its token.
///
/// # Panics
/// If it does not come.
pub async fn mailed_token(smtp: &SmtpServer, email: &str, path: &str, number: usize) -> String {
    rondo_testkit::wait::eventually("a mail with a link", SOON, async || {
        let tokens = mailed_tokens(smtp, email, path);
        tokens.get(number - 1).cloned().ok_or_else(|| format!("{} mails", tokens.len()))
    })
    .await
}

/// Follows the link of the registration's mail.
///
/// # Panics
/// If there is none, or it does not work.
pub async fn verify(http: &str, smtp: &SmtpServer, email: &str) {
    let token = mailed_token(smtp, email, VERIFY, 1).await;
    let answer = Client::new(http).post(VERIFY, &json!({"token": token})).await;
    answer.expect("an answer").expect(204);
}

/// Whether a mail is addressed to `email`.
#[must_use]
pub fn is_to(mail: &Mail, email: &str) -> bool {
    mail.to.iter().any(|to| to.contains(email))
}

fn token(mail: &Mail, path: &str) -> Option<String> {
    let body = mail.body();
    // The links lead to pages of the web client, which post the token.
    let page = if path == VERIFY { "/#/verify/" } else { "/#/reset/" };
    let (_, rest) = body.split_once(page)?;
    rest.get(..TOKEN_CHARS).map(str::to_owned)
}
