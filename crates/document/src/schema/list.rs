//! Lists, and moves of tasks and lists.

use rondo_contract::list_body::{LIST_MEMBERS, LIST_READ_ONLY};
use rondo_contract::member::Presence;
use serde_json::{Map, Value, json};

use super::{described, id, ignored, member, nullable, object};

/// A list in responses, events and frames.
pub fn list() -> Value {
    let mut schema = member::object(LIST_MEMBERS);
    schema["examples"] = json!([{
        "id": 7, "name": "Groceries", "color": "#1e90ff", "icon": "🛒",
        "position": "a00000000000007", "archived": false,
        "created_at": "2026-01-05T09:12:44.120391Z", "updated_at": "2026-01-05T09:12:44.120391Z",
        "revision": 12,
    }]);
    schema
}

/// A list in requests. Null means the default.
fn read(required: &[&str]) -> Value {
    let schema = |name: &str| match LIST_MEMBERS.iter().find(|member| member.name == name) {
        Some(member) if member.presence == Presence::Nullable => {
            nullable(member::read(&member.kind))
        }
        Some(member) if !LIST_READ_ONLY.contains(&name) => member::read(&member.kind),
        _ => ignored(),
    };
    let names = LIST_MEMBERS.iter().map(|member| member.name);
    let mut members: Map<String, Value> =
        names.map(|name| (name.to_owned(), schema(name))).collect();
    let archived = nullable(members["archived"].take());
    members["archived"] = described(archived, "Whether clients hide the list.");
    object(members.into(), required)
}

/// A new list, or all of a list that is replaced.
pub fn list_create() -> Value {
    let mut schema = read(&["name"]);
    for (name, default) in
        [("color", Value::Null), ("icon", Value::Null), ("archived", false.into())]
    {
        schema["properties"][name]["default"] = default;
    }
    schema["examples"] = json!([{"name": "Groceries", "color": "#1e90ff", "icon": "🛒"}]);
    described(schema, "Members that are left out get their defaults.")
}

pub fn list_patch() -> Value {
    let mut schema = read(&[]);
    schema["examples"] = json!([{"name": "Shopping", "icon": null}, {"archived": true}]);
    described(
        schema,
        "A merge patch (RFC 7396): members that are left out stay, and null sets the default.",
    )
}

/// A body with at most one neighbour, and other members.
fn beside(mut members: Value, what: &str) -> Value {
    let neighbour = |place: &str| {
        nullable(described(id(), &format!("The {what} that this one comes right {place}.")))
    };
    members["after"] = neighbour("after");
    members["before"] = neighbour("before");
    let mut schema = object(members, &[]);
    schema["dependentSchemas"] = one_neighbour();
    schema
}

/// `after` excludes `before`.
pub fn one_neighbour() -> Value {
    let is_null = |name: &str| json!({"properties": {name: {"type": "null"}}});
    json!({"after": {"anyOf": [is_null("after"), is_null("before")]}})
}

pub fn list_move() -> Value {
    let mut schema = beside(json!({}), "list");
    schema["examples"] = json!([{"after": 7}, {"before": 7}, {}]);
    schema
}

pub fn task_move() -> Value {
    let list = "The list to move it to. Null is the inbox. Left out, the task stays in its list.";
    let list = nullable(described(id(), list));
    let mut schema = beside(json!({"list_id": list}), "task in the list");
    schema["examples"] = json!([{"after": 42}, {"list_id": 7, "before": 42}, {"list_id": null}]);
    schema
}
