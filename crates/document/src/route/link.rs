//! The pages behind the links in mails.

use serde_json::{Value, json};

use super::{LINKS, query};
use crate::operation::{Access, Operation};

pub fn all() -> Vec<Operation> {
    let mut operations = pair(
        "/links/complete",
        ["getCompletePage", "completeByLink"],
        ["The page that the link opens", "Complete the task of a link"],
    );
    operations.extend(pair(
        "/links/snooze",
        ["getSnoozePage", "snoozeByLink"],
        ["The page that the link opens", "Snooze the reminder of a link"],
    ));
    operations.extend(pair(
        "/links/unsubscribe",
        ["getUnsubscribePage", "unsubscribeByLink"],
        ["The page that the link opens", "Unsubscribe from reminders and digests (RFC 8058)"],
    ));
    operations
}

/// Opening a link, and pressing the button on its page.
fn pair(
    path: &'static str,
    ids: [&'static str; 2],
    summaries: [&'static str; 2],
) -> Vec<Operation> {
    ["get", "post"]
        .into_iter()
        .zip(ids.into_iter().zip(summaries))
        .map(|(method, (id, summary))| operation(method, path, id, summary))
        .collect()
}

fn operation(
    method: &'static str,
    path: &'static str,
    id: &'static str,
    summary: &'static str,
) -> Operation {
    let page = || Some(("text/html", json!({"type": "string"})));
    let mut operation = Operation::new(LINKS, Access::Open, method, path, id, summary)
        .parameter(token())
        .answers_with(200, "A page", page(), &[])
        .answers_with(403, "A page: the link is not genuine", page(), &[])
        .answers_with(410, "A page: the link has expired", page(), &[]);
    if path != "/links/unsubscribe" {
        operation = operation.answers_with(404, "A page: the task does not exist", page(), &[]);
    }
    if method == "get" { operation.describe("Changes nothing.") } else { operation }
}

fn token() -> Value {
    let mut token = query("token", "The token of the mailed link.", json!({"type": "string"}));
    token["required"] = true.into();
    token
}
