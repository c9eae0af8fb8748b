//! The AsyncAPI 3.0 document of the topics and the WebSocket.

use rondo_contract::event::EventType;
use rondo_contract::frame::{BEARER_SUBPROTOCOL_PREFIX, SUBPROTOCOL, close};
use rondo_contract::topic::{TOPICS, Topic, topics_of};
use serde_json::{Map, Value, json};

use crate::schema;

/// Where shared definitions of the events' schemas stand in the document.
const DEFINITIONS: &str = "#/components/schemas/";

/// The whole document.
#[must_use]
pub fn document() -> Value {
    let mut parts = Parts::default();
    for topic in TOPICS {
        parts.topic(topic);
    }
    parts.socket();
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Rondo",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "What Rondo tells others as it happens: events on Kafka, and changes of \
                            tasks on a WebSocket. Within 1.x a member is only ever added, so readers \
                            ignore what they do not know.",
            "license": {"name": "MIT OR Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": parts.channels,
        "operations": parts.operations,
        "components": {"messages": parts.messages, "schemas": parts.schemas},
    })
}

#[derive(Default)]
struct Parts {
    channels: Map<String, Value>,
    operations: Map<String, Value>,
    messages: Map<String, Value>,
    schemas: Map<String, Value>,
}

impl Parts {
    fn topic(&mut self, topic: &Topic) {
        let carried: Vec<EventType> = EventType::ALL
            .into_iter()
            .filter(|event_type| topics_of(*event_type).contains(&topic))
            .collect();
        for event_type in &carried {
            self.event(*event_type);
        }
        let names: Vec<&str> = carried.iter().map(|event_type| event_type.as_str()).collect();
        self.channels.insert(
            topic.name.to_owned(),
            json!({
                "address": topic.name,
                "description": "The key is the user's id; the order of a user's events holds in it. \
                                An event may come more than once: event_id tells.",
                "messages": references(&names),
                "bindings": {"kafka": {
                    "topic": topic.name,
                    "partitions": topic.partitions,
                    "topicConfiguration": {
                        "retention.ms": u64::from(topic.retention_days) * 86_400_000,
                    },
                }},
            }),
        );
        self.operation(&format!("send {}", topic.name), "send", topic.name, &names);
    }

    fn event(&mut self, event_type: EventType) {
        let name = event_type.as_str();
        if self.messages.contains_key(name) {
            return;
        }
        let mut payload: Value = serde_json::from_str(event_type.schema())
            .unwrap_or_else(|error| panic!("the schema of {name}: {error}"));
        // The definitions of all schemas are the same, and stand in one place.
        if let Some(members) = payload.as_object_mut() {
            members.remove("$id");
            members.remove("$schema");
            if let Some(Value::Object(definitions)) = members.remove("$defs") {
                for (definition, mut schema) in definitions {
                    relocate(&mut schema);
                    if let Some(known) = self.schemas.get(&definition) {
                        assert_eq!(*known, schema, "{definition} of {name}");
                    }
                    self.schemas.insert(definition, schema);
                }
            }
        }
        relocate(&mut payload);
        let message = json!({
            "name": name,
            "title": name,
            "contentType": "application/json",
            "headers": event_headers(event_type),
            "payload": payload,
        });
        self.messages.insert(name.to_owned(), message);
    }

    fn socket(&mut self) {
        let frames = [server_frames(), client_frames()];
        let names = frames.each_ref().map(|frames| {
            frames.iter().map(|(name, _)| format!("frame {name}")).collect::<Vec<_>>()
        });
        for (name, schema) in frames.into_iter().flatten() {
            let message = json!({"name": name, "title": name, "payload": schema});
            self.messages.insert(format!("frame {name}"), message);
        }
        let all: Vec<&str> = names.iter().flatten().map(String::as_str).collect();
        self.channels.insert(
            "live".to_owned(),
            json!({
                "address": "/ws",
                "description": socket_description(),
                "messages": references(&all),
                "bindings": {"ws": {"method": "GET", "query": {
                    "type": "object",
                    "properties": {
                        "token": {"type": "string", "description": "An access token."},
                        "since": {"type": "integer", "minimum": 0},
                    },
                }}},
            }),
        );
        let names =
            names.each_ref().map(|names| names.iter().map(String::as_str).collect::<Vec<_>>());
        self.operation("send frames", "send", "live", &names[0]);
        self.operation("receive frames", "receive", "live", &names[1]);
    }

    fn operation(&mut self, name: &str, action: &str, channel: &str, messages: &[&str]) {
        let messages: Vec<Value> = messages
            .iter()
            .map(|name| json!({"$ref": format!("#/channels/{channel}/messages/{name}")}))
            .collect();
        let operation = json!({
            "action": action,
            "channel": {"$ref": format!("#/channels/{channel}")},
            "messages": messages,
        });
        self.operations.insert(name.replace(' ', "-"), operation);
    }
}

fn references(messages: &[&str]) -> Map<String, Value> {
    messages
        .iter()
        .map(|name| ((*name).to_owned(), json!({"$ref": format!("#/components/messages/{name}")})))
        .collect()
}

/// Points references of a schema's own definitions to those of the document.
fn relocate(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            if let Some(Value::String(reference)) = members.get_mut("$ref")
                && let Some(name) = reference.strip_prefix("#/$defs/")
            {
                *reference = format!("{DEFINITIONS}{name}");
            }
            members.values_mut().for_each(relocate);
        }
        Value::Array(items) => items.iter_mut().for_each(relocate),
        _ => {}
    }
}

/// Headers of a binary CloudEvent (CloudEvents 1.0, Kafka protocol binding, section 3.2).
fn event_headers(event_type: EventType) -> Value {
    let text = || json!({"type": "string"});
    json!({
        "type": "object",
        "required": ["ce_id", "ce_type", "ce_source", "ce_specversion", "ce_time", "content-type"],
        "properties": {
            "ce_id": {"type": "string", "format": "uuid", "description": "event_id of the value."},
            "ce_type": {"const": event_type.as_str()},
            "ce_source": text(),
            "ce_specversion": {"const": "1.0"},
            "ce_time": {"type": "string", "format": "date-time"},
            "ce_subject": text(),
            "content-type": {"const": "application/json"},
            "traceparent": {
                "type": "string",
                "description": "W3C Trace Context of the request that it began with.",
            },
        },
    })
}

fn frame(kind: &str, members: Value) -> Value {
    let mut properties = json!({"type": {"const": kind}});
    let mut required = vec!["type".to_owned()];
    for (name, schema) in members.as_object().into_iter().flatten() {
        properties[name] = schema.clone();
        required.push(name.clone());
    }
    json!({"type": "object", "properties": properties, "required": required})
}

fn server_frames() -> Vec<(&'static str, Value)> {
    let task = || {
        json!({
            "type": ["object", "null"],
            "description": "As in the HTTP API; null when it was deleted.",
        })
    };
    let revision = || json!({"type": "integer", "minimum": 0});
    vec![
        ("welcome", frame("welcome", json!({"revision": revision()}))),
        (
            "task.updated",
            frame(
                "task.updated",
                json!({
                    "event_id": {"type": "string", "format": "uuid"},
                    "event_type": {"type": "string"},
                    "revision": revision(),
                    "task_id": schema::id(),
                    "task": task(),
                }),
            ),
        ),
        (
            "task.snapshot",
            frame(
                "task.snapshot",
                json!({
                    "revision": revision(), "task_id": schema::id(), "task": task(),
                }),
            ),
        ),
        ("pong", frame("pong", json!({}))),
        ("token.expiring", frame("token.expiring", json!({}))),
        ("error", frame("error", json!({"code": {"type": "string"}}))),
    ]
}

fn client_frames() -> Vec<(&'static str, Value)> {
    vec![
        ("ping", frame("ping", json!({}))),
        ("auth", frame("auth", json!({"token": {"type": "string"}}))),
    ]
}

fn socket_description() -> String {
    format!(
        "Text frames with a JSON object each. The token is given as ?token= or as the subprotocols \
         `{SUBPROTOCOL}, {BEARER_SUBPROTOCOL_PREFIX}<token>`, of which only the first is echoed. \
         welcome comes first. Without since, live from its revision on; with since, first snapshots \
         of what was missed. Revisions only go up. The handshake always succeeds; then close codes: \
         {} no valid token, {} too slow, {} since too old or beyond, {} too many connections of this \
         user, {} going away or feed interrupted (resume).",
        close::UNAUTHENTICATED,
        close::TOO_SLOW,
        close::RESET_REQUIRED,
        close::TOO_MANY_CONNECTIONS,
        close::GOING_AWAY,
    )
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rondo_contract::frame::{ClientFrame, ServerFrame};

    use super::*;

    #[test]
    fn the_kept_document_is_this_one() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/asyncapi.json");
        let kept = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            kept == crate::rendered(&document()),
            "docs/asyncapi.json is not what the types say; `cargo xtask document` writes it anew"
        );
    }

    #[test]
    fn every_type_of_event_and_every_reference_is_there() {
        let document = document();
        for event_type in EventType::ALL {
            assert!(document["components"]["messages"].get(event_type.as_str()).is_some());
        }
        let mut references = Vec::new();
        collect(&document, &mut references);
        for reference in references {
            assert!(document.pointer(&reference[1..]).is_some(), "{reference} leads nowhere");
        }
    }

    fn collect(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(members) => {
                if let Some(Value::String(reference)) = members.get("$ref") {
                    found.push(reference.clone());
                }
                members.values().for_each(|member| collect(member, found));
            }
            Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
            _ => {}
        }
    }

    /// The document's frames against those that are sent and read.
    #[test]
    fn frames_fit() {
        let raw = |text: &str| serde_json::value::RawValue::from_string(text.to_owned()).ok();
        let frames = [
            ServerFrame::Welcome { revision: 1 },
            ServerFrame::TaskUpdated {
                event_id: "6f2c0bd6-6c3a-4b4e-9d61-4a3b6d1c9c11".to_owned(),
                event_type: "task.created".to_owned(),
                revision: 2,
                task_id: 3,
                task: raw("{}"),
            },
            ServerFrame::TaskSnapshot { revision: 2, task_id: 3, task: None },
            ServerFrame::Pong,
            ServerFrame::TokenExpiring,
            ServerFrame::Error { code: "unknown_frame" },
        ];
        let described = server_frames();
        assert_eq!(frames.len(), described.len());
        for (frame, (name, schema)) in frames.iter().zip(described) {
            let frame = json!(frame);
            assert!(jsonschema::is_valid(&schema, &frame), "{name}: {frame}");
            let members = frame.as_object().map(Map::len);
            assert_eq!(members, schema["required"].as_array().map(Vec::len), "{name}");
        }
        for (name, _) in client_frames() {
            let frame = json!({"type": name, "token": "t"});
            let bare = json!({"type": name});
            let reads = |frame: Value| serde_json::from_value::<ClientFrame>(frame).is_ok();
            assert!(reads(frame) || reads(bare), "{name}");
        }
    }
}
