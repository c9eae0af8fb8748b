//! Several changes of tasks in one request.

use rondo_contract::batch_body::{OPERATIONS_MAX, Verb};
use rondo_domain::step::SubtaskFate;
use rondo_domain::task::EditScope;
use serde_json::{Value, json};

use super::{described, id, named, nullable, object};

fn operation(verb: Verb) -> Value {
    let mut members = json!({"op": {"type": "string", "const": verb.as_str()}});
    let mut required = vec!["op"];
    if verb != Verb::Create {
        members["id"] = id();
        members["revision"] =
            nullable(described(id(), "The revision that the task must have, as by `If-Match`."));
        required.push("id");
    }
    if matches!(verb, Verb::Patch | Verb::Delete) {
        members["scope"] = nullable(json!({"type": "string", "enum": EditScope::WORDS}));
    }
    if matches!(verb, Verb::Patch | Verb::Complete) {
        members["subtasks"] = nullable(json!({"type": "string", "enum": SubtaskFate::WORDS}));
    }
    match verb {
        Verb::Create | Verb::Patch => {
            let body = if verb == Verb::Create { "TaskCreate" } else { "TaskPatch" };
            members["task"] = named(body);
            required.push("task");
        }
        Verb::Move => {
            for name in ["list_id", "after", "before"] {
                members[name] = nullable(id());
            }
        }
        Verb::Complete | Verb::Reopen | Verb::Delete => {}
    }
    let mut schema = object(members, &required);
    if verb == Verb::Move {
        schema["dependentSchemas"] = super::list::one_neighbour();
    }
    schema
}

pub fn task_batch() -> Value {
    let operations: Vec<Value> = Verb::ALL.iter().map(|verb| operation(*verb)).collect();
    let mut schema = object(
        json!({
            "atomic": {
                "type": ["boolean", "null"],
                "default": true,
                "description": "Whether all operations happen, or none. Otherwise each for itself.",
            },
            "operations": {
                "type": "array",
                "minItems": 1,
                "maxItems": OPERATIONS_MAX,
                "items": {"oneOf": operations},
                "description": "In this order, each as the route of one task would do it.",
            },
        }),
        &["operations"],
    );
    schema["examples"] = json!([{
        "operations": [
            {"op": "create", "task": {"title": "Milk"}},
            {"op": "patch", "id": 7, "task": {"priority": "high"}},
            {"op": "complete", "id": 8, "revision": 17},
            {"op": "move", "id": 9, "list_id": 3, "after": 7},
            {"op": "delete", "id": 10},
        ],
    }]);
    schema
}

pub fn task_batch_results() -> Value {
    let result = json!({
        "type": "object",
        "properties": {
            "status": {"type": "integer", "description": "As the route of one task would answer."},
            "task": named("Task"),
            "problem": named("Problem"),
        },
        "required": ["status"],
    });
    json!({
        "type": "object",
        "properties": {"results": {"type": "array", "maxItems": OPERATIONS_MAX, "items": result}},
        "required": ["results"],
        "description": "A result for each operation, in their order.",
        "examples": [{"results": [{"status": 204}]}],
    })
}
