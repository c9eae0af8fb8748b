//! The AsyncAPI 3.0 document of the topics and the WebSocket.

use rondo_contract::cloud_event::{DATA_CONTENT_TYPE, SOURCE, SPEC_VERSION};
use rondo_contract::event::{EVENTS, EventFacts};
use rondo_contract::frame::{BEARER_SUBPROTOCOL_PREFIX, SUBPROTOCOL, close};
use rondo_contract::problem::ProblemCode;
use rondo_contract::topic::{TOPICS, Topic};
use serde_json::{Map, Value, json};

use crate::schema;

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
            "description": "What Rondo publishes as it happens: events on Kafka, and changes of tasks \
                            and lists on a WebSocket. Within 1.x a member is only ever added: ignore members \
                            that you do not know.",
            "license": {"name": "MIT OR Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": parts.channels,
        "operations": parts.operations,
        "components": {"messages": parts.messages, "schemas": schema::event::named_schemas()},
    })
}

#[derive(Default)]
struct Parts {
    channels: Map<String, Value>,
    operations: Map<String, Value>,
    messages: Map<String, Value>,
}

impl Parts {
    fn topic(&mut self, topic: &Topic) {
        let carried = || EVENTS.iter().filter(|facts| facts.topics.contains(&topic));
        carried().for_each(|facts| self.event(facts));
        let names: Vec<&str> = carried().map(|facts| facts.name).collect();
        self.channels.insert(
            topic.name.to_owned(),
            json!({
                "address": topic.name,
                "description": "The key is the user's id, so a topic keeps the order of a user's \
                                events. An event can arrive more than once. Its `event_id` stays \
                                the same.",
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

    fn event(&mut self, facts: &EventFacts) {
        let message = json!({
            "name": facts.name,
            "title": facts.name,
            "contentType": DATA_CONTENT_TYPE,
            "headers": event_headers(facts.name),
            "payload": schema::event::value(facts),
        });
        self.messages.insert(facts.name.to_owned(), message);
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

/// Headers of a binary CloudEvent (CloudEvents 1.0, Kafka protocol binding, section 3.2).
fn event_headers(name: &str) -> Value {
    let text = || json!({"type": "string"});
    json!({
        "type": "object",
        "required": ["ce_id", "ce_type", "ce_source", "ce_specversion", "ce_time", "content-type"],
        "properties": {
            "ce_id": {"type": "string", "format": "uuid", "description": "The value's `event_id`."},
            "ce_type": {"const": name},
            "ce_source": {"const": SOURCE},
            "ce_specversion": {"const": SPEC_VERSION},
            "ce_time": {"type": "string", "format": "date-time"},
            "ce_subject": text(),
            "content-type": {"const": DATA_CONTENT_TYPE},
            "traceparent": {
                "type": "string",
                "description": "W3C Trace Context of the request that caused the event.",
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
            "anyOf": [schema::named("Task"), {"type": "null"}],
            "description": "As in the HTTP API. Null when it was deleted.",
        })
    };
    let list = || {
        json!({
            "anyOf": [schema::named("List"), {"type": "null"}],
            "description": "As in the HTTP API. Null when it was deleted.",
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
                    "event_id": schema::event::uuid(),
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
        (
            "list.updated",
            frame(
                "list.updated",
                json!({
                    "event_id": schema::event::uuid(),
                    "event_type": {"type": "string"},
                    "revision": revision(),
                    "list_id": schema::id(),
                    "list": list(),
                }),
            ),
        ),
        (
            "list.snapshot",
            frame(
                "list.snapshot",
                json!({
                    "revision": revision(), "list_id": schema::id(), "list": list(),
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
        "Each text frame is a JSON object. Pass the token as `?token=` or as the subprotocols \
         `{SUBPROTOCOL}, {BEARER_SUBPROTOCOL_PREFIX}<token>`; the server echoes only the first. The \
         first frame is `welcome`. Without `since`, changes follow live from the revision in \
         `welcome`. With `since`, snapshots of the tasks and lists that changed after that \
         revision come first. Revisions only go up. A handshake always succeeds, because browsers do not see an \
         HTTP status. The server then refuses a session by its close code: {} the token is not \
         valid; {} the client reads too slowly; {} `since` is too old or beyond the current \
         revision; {} the user has too many connections; {} the server goes away or the feed was \
         interrupted, so resume with the last revision. A request that is not a WebSocket handshake \
         gets the problem `{}`, with the status 400, 405 or 426.",
        close::UNAUTHENTICATED,
        close::TOO_SLOW,
        close::RESET_REQUIRED,
        close::TOO_MANY_CONNECTIONS,
        close::GOING_AWAY,
        ProblemCode::WebsocketExpected.as_str(),
    )
}

#[cfg(test)]
mod tests {
    use rondo_contract::frame::{ClientFrame, ServerFrame};

    use super::*;

    #[test]
    fn every_event_type_and_reference_is_present() {
        let document = document();
        for facts in EVENTS {
            assert!(document["components"]["messages"].get(facts.name).is_some());
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

    /// Compares the document's frames with those that are sent and read.
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
                task: raw(&schema::event::named_schemas()["Task"]["examples"][0].to_string()),
            },
            ServerFrame::TaskSnapshot { revision: 2, task_id: 3, task: None },
            ServerFrame::ListUpdated {
                event_id: "6f2c0bd6-6c3a-4b4e-9d61-4a3b6d1c9c11".to_owned(),
                event_type: "list.created".to_owned(),
                revision: 2,
                list_id: 3,
                list: raw(&schema::event::named_schemas()["List"]["examples"][0].to_string()),
            },
            ServerFrame::ListSnapshot { revision: 2, list_id: 3, list: None },
            ServerFrame::Pong,
            ServerFrame::TokenExpiring,
            ServerFrame::Error { code: "unknown_frame" },
        ];
        let described = server_frames();
        assert_eq!(frames.len(), described.len());
        for (frame, (name, schema)) in frames.iter().zip(described) {
            let frame = json!(frame);
            let mut whole = schema.clone();
            whole["components"] = json!({"schemas": schema::event::named_schemas()});
            assert!(jsonschema::is_valid(&whole, &frame), "{name}: {frame}");
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
