//! Saved filters.

use rondo_contract::filter_body::{COUNT_MAX, FILTER_MEMBERS, FILTER_READ_ONLY};
use rondo_contract::member::Presence;
use serde_json::{Map, Value, json};

use super::{described, ignored, member, nullable, object};

const QUERY: &str = "Parameters of `/tasks` as in a URL, but for those that choose a part of the list (`limit`, `offset`, \
                     `cursor`, `count`, `total_estimate`). Checked when it is stored.";

/// A filter in responses.
pub fn filter() -> Value {
    let mut schema = member::object(FILTER_MEMBERS);
    schema["properties"]["query"] = described(schema["properties"]["query"].take(), QUERY);
    schema["properties"]["count"] = json!({
        "type": "integer", "minimum": 0, "maximum": COUNT_MAX,
        "description": format!(
            "How many tasks the filter finds; {COUNT_MAX} stands for that many or more. Only with count=true."
        ),
    });
    schema["examples"] = json!([{
        "id": 3, "name": "This week", "icon": "📅", "query": "status=pending&due_date_end=end_of_week",
        "created_at": "2026-01-05T09:12:44.120391Z", "updated_at": "2026-01-05T09:12:44.120391Z",
        "version": 1,
    }]);
    schema
}

/// A filter in requests. Null means the default.
fn read(required: &[&str]) -> Value {
    let schema = |name: &str| match FILTER_MEMBERS.iter().find(|member| member.name == name) {
        Some(member) if member.presence == Presence::Nullable => {
            nullable(member::read(&member.kind))
        }
        Some(member) if !FILTER_READ_ONLY.contains(&name) => member::read(&member.kind),
        _ => ignored(),
    };
    let names = FILTER_MEMBERS.iter().map(|member| member.name).chain(["count"]);
    let mut members: Map<String, Value> =
        names.map(|name| (name.to_owned(), schema(name))).collect();
    let query = members["query"].take();
    members["query"] = described(query, QUERY);
    object(members.into(), required)
}

/// A new filter, or all of a filter that is replaced.
pub fn filter_create() -> Value {
    let mut schema = read(&["name", "query"]);
    schema["properties"]["icon"]["default"] = Value::Null;
    schema["examples"] = json!([{"name": "This week", "icon": "📅", "query": "status=pending&due_date_end=end_of_week"}]);
    described(schema, "Members that are left out get their defaults.")
}

pub fn filter_patch() -> Value {
    let mut schema = read(&[]);
    schema["examples"] = json!([{"name": "Soon", "icon": null}, {"query": "priority=high"}]);
    described(
        schema,
        "A merge patch (RFC 7396): members that are left out stay, and null sets the default.",
    )
}
