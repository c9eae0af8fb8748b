//! Webhooks.

use rondo_contract::problem::ProblemCode;
use rondo_contract::webhook::{DELIVERY_DAYS, RETRY_WAITS_S, SECRET_OVERLAP_S};
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
        operation("get", ALL, "listWebhooks", "List webhooks").answers(
            200,
            "Newest first, without their secrets",
            list_of("Webhook"),
        ),
        operation("post", ALL, "createWebhook", "Create a webhook")
            .describe(sending())
            .body(named("WebhookCreate"))
            .answers_with(
                201,
                "The webhook with its secret, shown only once",
                Some((JSON, named("NewWebhook"))),
                &["Location"],
            )
            .problems(&[ProblemCode::TooManyWebhooks]),
        operation("get", ONE, "getWebhook", "Get a webhook")
            .parameter(webhook_id())
            .answers(200, "The webhook", named("Webhook"))
            .problems(&[ProblemCode::NotFound]),
        operation("patch", ONE, "changeWebhook", "Change, disable or enable a webhook")
            .describe(
                "Disabling a webhook cancels its pending deliveries. After it is enabled again, it gets \
                 the events that follow.",
            )
            .parameter(webhook_id())
            .merge_patch(named("WebhookPatch"))
            .answers(200, "The webhook", named("Webhook"))
            .problems(&[ProblemCode::NotFound]),
        operation("delete", ONE, "deleteWebhook", "Delete a webhook and its deliveries")
            .parameter(webhook_id())
            .answers_empty(204, "Deleted")
            .problems(&[ProblemCode::NotFound]),
        operation(
            "post",
            "/api/{user_id}/webhooks/{webhook_id}/secret",
            "renewWebhookSecret",
            "Renew the secret of a webhook",
        )
        .describe(format!(
            "For {} hours, requests are signed with the new secret and the one before it: \
             `webhook-signature` has two signatures separated by a space, and a receiver needs one of \
             them. Another renewal in that time ends the oldest secret at once.",
            SECRET_OVERLAP_S / 3_600
        ))
        .parameter(webhook_id())
        .no_body()
        .answers(200, "The webhook with its secret, shown only once", named("NewWebhook"))
        .problems(&[ProblemCode::NotFound]),
    ]
}

fn deliveries() -> Vec<Operation> {
    vec![
        operation(
            "post",
            "/api/{user_id}/webhooks/{webhook_id}/test",
            "testWebhook",
            "Send a test request",
        )
        .describe(
            "Sends one request of type `webhook.test`, even if the webhook is disabled. The delivery \
             shows the response.",
        )
        .parameter(webhook_id())
        .no_body()
        .answers(202, "The delivery", named("WebhookDelivery"))
        .problems(&[ProblemCode::NotFound]),
        operation(
            "get",
            "/api/{user_id}/webhooks/{webhook_id}/deliveries",
            "listWebhookDeliveries",
            "List the deliveries of a webhook",
        )
        .describe(format!("Newest first, for {DELIVERY_DAYS} days."))
        .parameters([webhook_id(), shared("limit"), shared("cursor")])
        .answers_with(200, "A page", Some((JSON, list_of("WebhookDelivery"))), &["Link"])
        .problems(&[ProblemCode::NotFound]),
        operation(
            "post",
            "/api/{user_id}/webhooks/{webhook_id}/deliveries/{delivery_id}/redeliver",
            "redeliverWebhook",
            "Repeat a delivery",
        )
        .describe("Keeps the `webhook-id`. A pending delivery stays as it is.")
        .parameters([webhook_id(), path("delivery_id", "The delivery.", schema::id())])
        .no_body()
        .answers(202, "The delivery", named("WebhookDelivery"))
        .problems(&[ProblemCode::NotFound]),
    ]
}

/// What the author of a receiver has to know.
fn sending() -> String {
    let waits: Vec<_> = RETRY_WAITS_S
        .iter()
        .map(|wait_s| match wait_s {
            s if s % 3_600 == 0 => format!("{} h", s / 3_600),
            s if s % 60 == 0 => format!("{} min", s / 60),
            s => format!("{s} s"),
        })
        .collect();
    format!(
        "\
Each event of these types that happens from now on is sent as a POST of its JSON, as the AsyncAPI \
document describes it. Requests are signed as [Standard Webhooks](https://www.standardwebhooks.com) 1.0 \
says: `webhook-id` is the event's id and the same at every attempt, `webhook-timestamp` is the time of \
the attempt, and `webhook-signature` is `v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body` \
with the bytes after `whsec_` as the key. `traceparent` (W3C Trace Context) continues the trace of the \
request that caused the event.

A 2xx response within 15 seconds is success. Redirects are not followed. Any other attempt is repeated \
after {}, or later if `Retry-After` says so. A 410 disables the webhook at once. 5 days of failures \
disable it too. A request can arrive twice, and events can arrive in another order than they happened: \
compare their `revision`.

The URL must be `https` and lead to a public address. A notice of the new webhook is mailed to the user.",
        waits.join(", ")
    )
}
