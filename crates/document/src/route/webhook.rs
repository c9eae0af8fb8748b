//! Webhooks.

use rondo_contract::problem::ProblemCode;
use rondo_contract::webhook::SECRET_OVERLAP_S;
use serde_json::Value;

use super::{WEBHOOKS, path, shared};
use crate::operation::{Access, Operation};
use crate::schema::{self, list_of, named};

const JSON: &str = "application/json";

fn operation(
    method: &'static str,
    path: &'static str,
    id: &'static str,
    summary: &'static str,
) -> Operation {
    Operation::new(WEBHOOKS, Access::Login, method, path, id, summary)
}

fn webhook_id() -> Value {
    path("webhook_id", "The webhook.", schema::id())
}

pub fn all() -> Vec<Operation> {
    let mut operations = webhooks();
    operations.extend(deliveries());
    operations
}

fn webhooks() -> Vec<Operation> {
    const ALL: &str = "/api/{user_id}/webhooks";
    const ONE: &str = "/api/{user_id}/webhooks/{webhook_id}";
    vec![
        operation("get", ALL, "listWebhooks", "A user's webhooks").answers(
            200,
            "Newest first, without their secrets",
            list_of("Webhook"),
        ),
        operation("post", ALL, "createWebhook", "Be told of events at an address")
            .describe(SENDING)
            .body(named("WebhookCreate"))
            .answers_with(
                201,
                "The webhook with its secret, shown this once",
                Some((JSON, named("NewWebhook"))),
                &["Location"],
            )
            .problems(&[ProblemCode::TooManyWebhooks]),
        operation("get", ONE, "getWebhook", "A webhook")
            .parameter(webhook_id())
            .answers(200, "The webhook", named("Webhook"))
            .problems(&[ProblemCode::NotFound]),
        operation("patch", ONE, "changeWebhook", "Change, disable or enable a webhook")
            .describe(
                "What waits to be delivered is cancelled when a webhook is disabled. One that is \
                 enabled again is told what happens from then on.",
            )
            .parameter(webhook_id())
            .merge_patch(named("WebhookPatch"))
            .answers(200, "The webhook", named("Webhook"))
            .problems(&[ProblemCode::NotFound]),
        operation("delete", ONE, "deleteWebhook", "Delete a webhook with its deliveries")
            .parameter(webhook_id())
            .answers_empty(204, "Nothing is sent there any more")
            .problems(&[ProblemCode::NotFound]),
        operation(
            "post",
            "/api/{user_id}/webhooks/{webhook_id}/secret",
            "renewWebhookSecret",
            "Give a webhook another secret",
        )
        .describe(format!(
            "For {} hours requests are signed with the new secret and with the one before it: \
             `webhook-signature` has two signatures with a space between them, of which a receiver \
             needs one. Renewed again in that time, the oldest secret is good for nothing at once.",
            SECRET_OVERLAP_S / 3_600
        ))
        .parameter(webhook_id())
        .no_body()
        .answers(200, "The webhook with its secret, shown this once", named("NewWebhook"))
        .problems(&[ProblemCode::NotFound]),
    ]
}

fn deliveries() -> Vec<Operation> {
    vec![
        operation(
            "post",
            "/api/{user_id}/webhooks/{webhook_id}/test",
            "testWebhook",
            "Send something to try a webhook out",
        )
        .describe(
            "Sends one request of type webhook.test, also for a webhook that is disabled; its \
             delivery tells what was answered.",
        )
        .parameter(webhook_id())
        .no_body()
        .answers(202, "The delivery", named("WebhookDelivery"))
        .problems(&[ProblemCode::NotFound]),
        operation(
            "get",
            "/api/{user_id}/webhooks/{webhook_id}/deliveries",
            "listWebhookDeliveries",
            "What was delivered to a webhook, or could not be",
        )
        .describe("Newest first; kept for 30 days.")
        .parameters([webhook_id(), shared("limit"), shared("cursor")])
        .answers_with(200, "A page", Some((JSON, list_of("WebhookDelivery"))), &["Link"])
        .problems(&[ProblemCode::NotFound]),
        operation(
            "post",
            "/api/{user_id}/webhooks/{webhook_id}/deliveries/{delivery_id}/redeliver",
            "redeliverWebhook",
            "Deliver once more",
        )
        .describe("With the same webhook-id. A delivery that is on its way is left alone.")
        .parameters([webhook_id(), path("delivery_id", "The delivery.", schema::id())])
        .no_body()
        .answers(202, "The delivery", named("WebhookDelivery"))
        .problems(&[ProblemCode::NotFound]),
    ]
}

/// What a receiver has to know.
const SENDING: &str = "\
Each event of these types that happens from now on is sent as a POST of its JSON, as the AsyncAPI \
document describes it, signed as [Standard Webhooks](https://www.standardwebhooks.com) 1.0 says: \
`webhook-id` is the event's id and the same at every attempt, `webhook-timestamp` is the attempt's time, \
and `webhook-signature` is `v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body` with the bytes \
behind `whsec_`.

An answer of 2xx within 15 seconds is success. Redirects are not followed. Anything else is tried again \
after 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h and 24 h, or later when Retry-After says so; 410 \
disables the webhook at once, and failing for 5 days does. A request can come twice, and events in \
another order than they happened; `revision` tells it.

The URL is `https` and leads to a public address. A mail tells the user of a new one.";
