//! Every route of the HTTP API.

mod account;
mod audit;
mod chat;
mod filter;
mod link;
mod list;
mod reminder;
mod task;
mod trash;
mod webhook;

use rondo_contract::body::IDEMPOTENCY_HOURS;
use rondo_contract::query::{LIMIT_DEFAULT, LIMIT_MAX};
use serde_json::{Value, json};

use crate::operation::{Access, Operation};
use crate::schema;

/// Groups of routes and their descriptions.
pub const TAGS: [(&str, &str); 12] = [
    (TASKS, "Tasks, their tags and the feed of changes"),
    (LISTS, "Lists of tasks"),
    (FILTERS, "Saved queries of tasks"),
    (REMINDERS, "Further reminders and the history of notifications"),
    (RECURRENCE, "Recurrence rules"),
    (CHAT, "Conversations with the assistant"),
    (WEBHOOKS, "Events as HTTP requests to your own server"),
    (AUDIT, "The log of all events"),
    (ACCOUNTS, "Accounts, sessions and tokens"),
    (LINKS, "The pages behind the links in mails"),
    (HEALTH, "For probes"),
    (DOCUMENTS, "Descriptions of the interfaces"),
];
const TASKS: &str = "tasks";
const LISTS: &str = "lists";
const FILTERS: &str = "filters";
const REMINDERS: &str = "reminders";
const RECURRENCE: &str = "recurrence";
const CHAT: &str = "chat";
const WEBHOOKS: &str = "webhooks";
const AUDIT: &str = "audit";
const ACCOUNTS: &str = "accounts";
const LINKS: &str = "links";
const HEALTH: &str = "health";
const DOCUMENTS: &str = "documents";

/// Every operation, in the order of the document.
pub fn all() -> Vec<Operation> {
    let mut operations = task::all();
    operations.extend(trash::all());
    operations.extend(list::all());
    operations.extend(filter::all());
    operations.extend(chat::all());
    operations.extend(webhook::all());
    operations.extend(audit::all());
    operations.extend(account::all());
    operations.extend(link::all());
    operations.push(readiness());
    operations.push(document("/api/openapi.json", "getOpenapi", "This document"));
    operations.push(document("/api/asyncapi.json", "getAsyncapi", "Events and live sync"));
    operations.push(protected_resource());
    operations.into_iter().map(trash::with_undo).collect()
}

fn readiness() -> Operation {
    let state = json!({"type": "string", "enum": ["ready", "not ready"]});
    let part = json!({"type": "object", "properties": {"status": state}, "required": ["status"]});
    let report = json!({
        "type": "object",
        "properties": {
            "status": state,
            "time_zone_data": {
                "type": "string",
                "description": "The version of the time zone data that moments are calculated by.",
                "examples": ["2026b"],
            },
            "parts": {"type": "object", "additionalProperties": part},
        },
        "required": ["status", "time_zone_data", "parts"],
    });
    Operation::new(
        HEALTH,
        Access::Open,
        "get",
        "/api/health/ready",
        "getReadiness",
        "Whether the API is ready",
    )
    .describe(
        "For a probe: queries the database. The programs beside the components have `/health/ready`, \
         which also checks whether events flow.",
    )
    .answers(200, "Ready", report.clone())
    .answers(503, "Not ready, with the part that is not", report)
}

fn document(path: &'static str, id: &'static str, summary: &'static str) -> Operation {
    Operation::new(DOCUMENTS, Access::Open, "get", path, id, summary).answers(
        200,
        "The document",
        json!({"type": "object"}),
    )
}

/// `/mcp` itself speaks a protocol that says what it has (`docs/assistants.md`).
fn protected_resource() -> Operation {
    let texts = json!({"type": "array", "items": {"type": "string"}});
    let schema = json!({
        "type": "object",
        "properties": {
            "resource": {"type": "string", "format": "uri"},
            "resource_name": {"type": "string"},
            "scopes_supported": texts,
            "bearer_methods_supported": texts,
            "resource_documentation": {"type": "string", "format": "uri"},
        },
        "required": ["resource", "scopes_supported", "bearer_methods_supported"],
    });
    Operation::new(
        DOCUMENTS,
        Access::Open,
        "get",
        "/.well-known/oauth-protected-resource/mcp",
        "getProtectedResource",
        "What assistants need for `/mcp`",
    )
    .describe("The metadata of a protected resource (RFC 9728).")
    .answers(200, "The document", schema)
}

/// Parameters of several operations.
pub fn shared_parameters() -> Value {
    let id = |name: &str, description: &str| {
        json!({
            "name": name, "in": "path", "required": true, "description": description,
            "schema": schema::id(),
        })
    };
    json!({
        "user_id": id("user_id", "The token's user."),
        "task_id": id("id", "The task."),
        "list_id": id("list_id", "The list."),
        "filter_id": id("filter_id", "The filter."),
        "conversation_id": id("conversation_id", "The conversation."),
        "if_match": {
            "name": "If-Match", "in": "header",
            "description": "ETags that the change applies to, or `*`. 412 when the task, list or filter has another. A \
                            weak ETag never matches.",
            "schema": {"type": "string", "examples": ["\"17\""]},
        },
        "if_none_match": {
            "name": "If-None-Match", "in": "header",
            "description": "ETags that the client has, or `*`. 304 when the task, list or filter still has one of them.",
            "schema": {"type": "string", "examples": ["\"17\""]},
        },
        "idempotency_key": {
            "name": "Idempotency-Key", "in": "header",
            "description": format!(
                "A key for this request, kept for {IDEMPOTENCY_HOURS} hours for this user, method and path. The \
                 same key with the same JSON returns the first 2xx response again. The same key with other \
                 JSON is refused. A request that arrives while the first is running waits for its response."
            ),
            "schema": schema::key(),
        },
        "limit": {
            "name": "limit", "in": "query",
            "description": "The maximum number of items on the page.",
            "schema": {
                "type": "integer", "minimum": 1, "maximum": LIMIT_MAX, "default": LIMIT_DEFAULT,
            },
        },
        "cursor": {
            "name": "cursor", "in": "query",
            "description": "Opaque. From the `Link` of the page before.",
            "schema": schema::text::cursor(),
        },
    })
}

/// A reference to a shared parameter.
fn shared(name: &str) -> Value {
    json!({"$ref": format!("#/components/parameters/{name}")})
}

fn query(name: &str, description: &str, schema: Value) -> Value {
    json!({"name": name, "in": "query", "description": description, "schema": schema})
}

fn path(name: &str, description: &str, schema: Value) -> Value {
    json!({
        "name": name, "in": "path", "required": true, "description": description, "schema": schema,
    })
}
