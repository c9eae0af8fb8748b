//! Lists.

use rondo_contract::list_body::{LIST_MEMBERS, LIST_READ_ONLY};
use rondo_contract::member::Presence;
use serde_json::{Map, Value, json};

use super::{described, ignored, member, nullable, object};

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
