//! The values of events.

use rondo_contract::actor;
use rondo_contract::event::{EventFacts, EventType, TaskData};
use rondo_domain::task::Status;
use serde_json::{Map, Value, json};

use super::{answered, described, id, instant, list, member, named, rule, task};

/// The named schemas that the values refer to, and those of a frame's task and list.
pub fn named_schemas() -> Map<String, Value> {
    let schemas = [
        ("Task", task::task()),
        ("EventTask", task::event_task()),
        ("List", list::list()),
        ("RecurrenceRule", rule::answered_rule()),
    ];
    schemas.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect()
}

/// The schema of a type's value.
pub fn value(facts: &EventFacts) -> Value {
    let mut members = json!({
        "event_id": described(uuid(), "The same on every topic and at every delivery."),
        "schema_version": {"type": "string", "pattern": r"^1\.[0-9]+$"},
        "event_type": {"const": facts.name},
        "timestamp": described(instant(), "When the fact became true."),
    });
    if let Some(task) = task_data(facts.task_data) {
        members["task_id"] = id();
        members["user_id"] = id();
        members["task_data"] = task;
        members["revision"] = if facts.takes_revision {
            described(id(), "The user's revision that the change took.")
        } else {
            let revision = json!({"type": "integer", "minimum": 0});
            described(revision, "The task's revision. 0 when the task is gone.")
        };
    }
    let mut schema = answered(members);
    if facts.has_actor {
        let actor = member::object(actor::MEMBERS);
        schema["properties"]["actor"] = described(
            actor["properties"]["actor"].clone(),
            "The kind of program that acted for the user. Absent for a client of the HTTP API.",
        );
        schema["properties"]["client"] = described(
            actor["properties"]["client"].clone(),
            "The name that the program gives itself.",
        );
    }
    let own = member::object(facts.members);
    for (name, member) in own["properties"].as_object().into_iter().flatten() {
        schema["properties"][name] = member.clone();
    }
    if let (Some(required), Some(more)) =
        (schema["required"].as_array_mut(), own["required"].as_array())
    {
        required.extend(more.iter().cloned());
    }
    schema
}

fn task_data(data: TaskData) -> Option<Value> {
    match data {
        TaskData::None => None,
        TaskData::Whole(statuses) if statuses == Status::WORDS => Some(named("EventTask")),
        TaskData::Whole(statuses) => Some(json!({"allOf": [
            named("EventTask"),
            {"properties": {"status": {"enum": statuses}}},
        ]})),
        TaskData::UnlessDeleted => Some(json!({"anyOf": [
            named("EventTask"),
            {"type": "object", "maxProperties": 0, "description": "The task is gone."},
        ]})),
    }
}

pub fn uuid() -> Value {
    json!({"type": "string", "format": "uuid"})
}

/// The JSON Schema of a type's value as a self-contained file.
pub fn file(event_type: EventType) -> Value {
    let facts = event_type.facts();
    let mut schema = value(facts);
    inline(&mut schema, &named_schemas());
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema".into();
    schema["$id"] = format!("urn:rondo:event:{}", facts.name).into();
    schema["title"] = facts.name.into();
    schema
}

/// Replaces references by the schemas that they name.
fn inline(schema: &mut Value, known: &Map<String, Value>) {
    if let Some(name) =
        schema.get("$ref").and_then(Value::as_str).and_then(|path| path.rsplit('/').next())
    {
        *schema = known[name].clone();
    }
    match schema {
        Value::Object(members) => members.values_mut().for_each(|member| inline(member, known)),
        Value::Array(items) => items.iter_mut().for_each(|item| inline(item, known)),
        _ => {}
    }
}
