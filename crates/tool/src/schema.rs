//! Parts of JSON Schemas. They are as short as a model can understand: it reads all of them in every conversation.

use serde_json::{Value, json};

/// An object with only these members.
pub fn object(properties: Value, required: &[&str]) -> Value {
    let mut schema = json!({
        "type": "object", "properties": properties, "additionalProperties": false,
    });
    if !required.is_empty() {
        schema["required"] = required.into();
    }
    schema
}

/// The result of a tool that changes tasks.
pub fn changed() -> Value {
    let mut schema = found();
    schema["properties"]["undo"] = text();
    schema["properties"]["confirm"] = text();
    schema
}

/// The result of a tool that finds tasks.
pub fn found() -> Value {
    json!({
        "type": "object",
        "properties": { "tasks": { "type": "array", "items": { "type": "object" } } },
        "required": ["tasks"],
    })
}

pub fn text() -> Value {
    json!({ "type": "string" })
}

pub fn said(description: &str) -> Value {
    json!({ "type": "string", "description": description })
}

pub fn id() -> Value {
    json!({ "type": "integer" })
}

pub fn flag() -> Value {
    json!({ "type": "boolean" })
}

pub fn words(words: &[&str]) -> Value {
    json!({ "enum": words })
}

pub fn list(of: &Value) -> Value {
    json!({ "type": "array", "items": of })
}

/// Ids of the tasks that a tool acts on.
pub fn ids() -> Value {
    json!({ "type": "array", "items": id(), "minItems": 1, "maxItems": 100 })
}
