//! The OpenAPI 3.1 document of the HTTP API.

use rondo_contract::problem::ProblemCode;
use rondo_domain::access::Scope;
use serde_json::{Map, Value, json};

use crate::operation::{BEARER, Operation, USER_ID};
use crate::schema::undo;
use crate::{route, schema};

/// Prefix of paths that name their user; without it, the token's user is meant.
const USER_PREFIX: &str = "/api/{user_id}/";

/// The whole document.
#[must_use]
pub fn document() -> Value {
    let (mut paths, mut problems) = (Map::new(), Map::new());
    for operation in route::all() {
        add(&mut paths, &mut problems, operation);
    }
    json!({
        "openapi": "3.1.1",
        "info": {
            "title": "Rondo",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "Tasks with priorities, tags, lists, due dates, recurrence and reminders",
            "description": introduction(),
            "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": route::TAGS
            .iter()
            .map(|(name, description)| json!({"name": name, "description": description}))
            .collect::<Vec<_>>(),
        "paths": paths,
        "components": {
            "schemas": schema::all(),
            "parameters": route::shared_parameters(),
            "headers": headers(),
            "responses": problems,
            "securitySchemes": {BEARER: {
                "type": "http",
                "scheme": "bearer",
                "bearerFormat": "JWT",
                "description": format!(
                    "An access token from login or refresh, or a personal API token. Scopes: {}.",
                    Scope::WORDS.join(", "),
                ),
            }},
        },
    })
}

/// Problems that any request can cause, so that no operation lists them.
const GENERAL: [ProblemCode; 7] = [
    ProblemCode::BadRequest,
    ProblemCode::MethodNotAllowed,
    ProblemCode::RequestTimeout,
    ProblemCode::WebsocketExpected,
    ProblemCode::Internal,
    ProblemCode::Overloaded,
    ProblemCode::Deadline,
];

fn introduction() -> String {
    let general = GENERAL.map(|code| format!("`{}` ({})", code.as_str(), code.status()));
    format!("{INTRODUCTION}\n\nAny request can also be answered with {}.", general.join(", "))
}

const INTRODUCTION: &str = "\
Instants are RFC 3339, in UTC in responses. Durations are ISO 8601. Ids are integers that fit 53 bits.

An unknown member of a body or an unknown query parameter is refused with 422, so that a misspelt one is \
never silently lost. Errors are problems (RFC 9457). `code` is stable, and `errors` lists everything \
that is wrong at once. Checks come in the order 401, 403, form of the request (405, 413, 415, 400, 422), \
a kept idempotent response, 404, 412, state.

Paths with `{user_id}` also exist without it, for the token's user.

Each response has an `X-Request-Id`: the request's own if it is usable, otherwise a new one. \
`traceparent` (W3C Trace Context) is continued. Where the service limits requests, responses have \
`RateLimit` and `RateLimit-Policy`. A method that a path does not have gets 405 with `Allow`.

`HEAD` works wherever `GET` does, with the same headers and no body. `OPTIONS` works on every path \
without a token: 204 with the methods in `Allow`.

A body may begin with a byte order mark. A body with a `Content-Encoding` is refused with 415, and an \
object that has a member twice with 400.";

/// Adds an operation, and its twin without the user in the path.
fn add(paths: &mut Map<String, Value>, problems: &mut Map<String, Value>, operation: Operation) {
    let method = operation.method;
    let path = operation.path;
    let (id, own) = match path.strip_prefix(USER_PREFIX) {
        Some(rest) => (operation.id, Some(format!("/api/{rest}"))),
        None => (operation.id, None),
    };
    let operation = match own {
        Some(_) => operation.parameter_first(json!({"$ref": USER_ID})),
        None => operation,
    };
    for (path, is_own) in [(Some(path.to_owned()), false), (own, true)] {
        let Some(path) = path else { continue };
        let entry = paths.entry(path.clone()).or_insert_with(|| json!({}));
        assert!(entry.get(method).is_none(), "{id}: {method} {path} is there twice");
        entry[method] = operation.clone().render(is_own, problems);
    }
}

/// Headers of responses. A response that names one always has it.
fn headers() -> Value {
    let optional =
        |description: &str, schema: Value| json!({"description": description, "schema": schema});
    let always = |description: &str, schema: Value| json!({"description": description, "required": true, "schema": schema});
    json!({
        "X-Request-Id": always(
            "The request's own if it is usable, otherwise a new one. Problems and logs have it too.",
            json!({"type": "string", "minLength": 1, "examples": ["c4f1e0a2"]}),
        ),
        "ETag": always(
            "The revision of the task or list in quotes.",
            json!({"type": "string", "pattern": "^\"[0-9]+\"$", "examples": ["\"17\""]}),
        ),
        "Location": always(
            "The path of the new resource.",
            json!({"type": "string", "format": "uri-reference", "examples": ["/api/1/tasks/42"]}),
        ),
        "Link": optional(
            "The next page: `<…>; rel=\"next\"` (RFC 8288). Left out on the last page.",
            json!({
                "type": "string",
                "pattern": "^<[^>]+>; rel=\"next\"$",
                "examples": ["</api/1/tasks?limit=100&cursor=eyJvIjoi>; rel=\"next\""],
            }),
        ),
        "X-Total-Count": optional(
            "The number of all matches. Only with count=true.",
            json!({"type": "integer", "minimum": 0, "examples": [314]}),
        ),
        "X-Total-Estimate": optional(
            "The sum of the estimates of all matches, in minutes. Only with total_estimate=true.",
            json!({"type": "integer", "minimum": 0, "examples": [95]}),
        ),
        "Idempotency-Replayed": optional(
            "true when this is the kept response to an earlier request.",
            json!({"type": "string", "const": "true"}),
        ),
        "Undo-Token": optional(
            "Names the change for `POST /api/{user_id}/undo`. Opaque. Left out if nothing has changed, or the change cannot \
             be undone, and from a kept response.",
            undo::token(),
        ),
        "WWW-Authenticate": always("Bearer", json!({"type": "string", "const": "Bearer"})),
        "RateLimit": optional(
            "The caller's quota (draft-ietf-httpapi-ratelimit-headers): remaining requests, and \
             seconds until there are more.",
            json!({"type": "string", "examples": ["\"user\";r=0;t=1"]}),
        ),
        "RateLimit-Policy": optional(
            "The limit: requests per window, in seconds.",
            json!({"type": "string", "examples": ["\"user\";q=3000;w=60"]}),
        ),
        "Retry-After": always(
            "Seconds to wait.",
            json!({"type": "integer", "minimum": 0, "examples": [5]}),
        ),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_reference_resolves() {
        let document = document();
        let mut references = BTreeSet::new();
        find_references(&document, &mut references);
        assert!(references.len() > 20, "{references:?}");
        for reference in references {
            let pointer = reference.trim_start_matches('#');
            assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
        }
    }

    fn find_references(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(members) => {
                if let Some(Value::String(reference)) = members.get("$ref") {
                    found.insert(reference.clone());
                }
                members.values().for_each(|member| find_references(member, found));
            }
            Value::Array(items) => items.iter().for_each(|item| find_references(item, found)),
            _ => {}
        }
    }

    #[test]
    fn operation_ids_are_unique_and_path_parameters_are_declared() {
        let document = document();
        let mut ids = BTreeSet::new();
        for (path, operations) in document["paths"].as_object().unwrap() {
            for (method, operation) in operations.as_object().unwrap() {
                let id = operation["operationId"].as_str().unwrap();
                assert!(ids.insert(id.to_owned()), "{id} is there twice");
                let declared: BTreeSet<_> = operation["parameters"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .map(|parameter| match parameter["$ref"].as_str() {
                        Some(reference) => document.pointer(&reference[1..]).unwrap(),
                        None => parameter,
                    })
                    .filter(|parameter| parameter["in"] == "path")
                    .map(|parameter| parameter["name"].as_str().unwrap())
                    .collect();
                let used: BTreeSet<_> = path.split(['{', '}']).skip(1).step_by(2).collect();
                assert_eq!(declared, used, "{method} {path}");
            }
        }
    }

    #[test]
    fn everything_has_a_description_and_an_example() {
        let document = document();
        for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
            // The responses of problems have examples of each code.
            let is_shown = schema["examples"].as_array().is_some_and(|list| !list.is_empty());
            assert!(is_shown || matches!(name.as_str(), "Problem" | "FieldError"), "{name}");
        }
        let shared = document["components"]["parameters"].as_object().unwrap().values();
        let operations = document["paths"].as_object().unwrap().values();
        let own = operations
            .flat_map(|of_path| of_path.as_object().unwrap().values())
            .flat_map(|operation| operation["parameters"].as_array().into_iter().flatten());
        for parameter in shared.chain(own).filter(|parameter| parameter.get("$ref").is_none()) {
            assert!(parameter["description"].is_string(), "{parameter}");
        }
    }

    #[test]
    fn some_operation_answers_every_problem_code() {
        let responses = document()["components"]["responses"].to_string();
        for code in ProblemCode::all() {
            let is_general = GENERAL.contains(&code);
            let is_there = responses.contains(&format!("\"{}\":{{\"value\"", code.as_str()));
            assert_ne!(is_general, is_there, "{code:?}");
        }
    }

    /// An example that violates its own schema would mislead.
    #[test]
    fn examples_fit_their_schemas() {
        let document = document();
        for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
            let whole = json!({
                "$ref": format!("#/components/schemas/{name}"),
                "components": document["components"],
            });
            let validator = jsonschema::validator_for(&whole).unwrap();
            for example in schema["examples"].as_array().into_iter().flatten() {
                let errors: Vec<_> =
                    validator.iter_errors(example).map(|e| e.to_string()).collect();
                assert!(errors.is_empty(), "{name}: {errors:?}");
            }
        }
    }
}
