//! CloudEvents 1.0: the envelope of an event, as Kafka headers (binary mode) and as one element of
//! an HTTP batch (`application/cloudevents-batch+json`), and the answer to such a batch.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Media type of a batch of events (CloudEvents HTTP protocol binding, section 3.3).
pub const BATCH_MEDIA_TYPE: &str = "application/cloudevents-batch+json";
/// `ce_source` of every event.
pub const SOURCE: &str = "/rondo";
pub const SPEC_VERSION: &str = "1.0";
/// Media type of the value.
pub const DATA_CONTENT_TYPE: &str = "application/json";

/// Names of the Kafka headers (CloudEvents Kafka protocol binding, section 3.2).
pub mod header {
    pub const ID: &str = "ce_id";
    pub const TYPE: &str = "ce_type";
    pub const SOURCE: &str = "ce_source";
    pub const SPEC_VERSION: &str = "ce_specversion";
    pub const TIME: &str = "ce_time";
    pub const SUBJECT: &str = "ce_subject";
    pub const CONTENT_TYPE: &str = "content-type";
    pub const TRACEPARENT: &str = "traceparent";
}

/// One event on its way to a consumer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CloudEvent {
    pub specversion: String,
    /// UUID, the same on every topic that carries the event.
    pub id: String,
    pub source: String,
    #[serde(rename = "type")]
    pub event_type: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// RFC 3339 in UTC.
    pub time: String,
    #[serde(default = "json_content_type")]
    pub datacontenttype: String,
    /// W3C trace context (CloudEvents distributed tracing extension).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// Extension: the topic that carried the event.
    pub topic: String,
    /// The value, unparsed.
    pub data: Box<RawValue>,
}

fn json_content_type() -> String {
    DATA_CONTENT_TYPE.to_owned()
}

/// What became of one event of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "disposition", rename_all = "snake_case")]
pub enum Disposition {
    /// The effect is recorded, or there was nothing to do.
    Done,
    /// Worth another try.
    Retry { reason: String },
    /// Will never succeed.
    Reject { reason: String },
}

/// Body of the 200 answer to a batch: one disposition per event, in the batch's order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchAnswer {
    pub dispositions: Vec<Disposition>,
}

/// Subject of events about a task.
#[must_use]
pub fn task_subject(task_id: i64) -> String {
    format!("tasks/{task_id}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_value_passes_through_untouched() {
        let batch = r#"[{"specversion":"1.0","id":"e","source":"/rondo","type":"task.created","time":"2031-01-01T00:00:00Z","datacontenttype":"application/json","topic":"task-events","data":{"n":1.50,"a":  "é"}}]"#;
        let parsed: Vec<CloudEvent> = serde_json::from_str(batch).unwrap();
        assert_eq!(parsed[0].data.get(), r#"{"n":1.50,"a":  "é"}"#);
        assert_eq!(serde_json::to_string(&parsed).unwrap(), batch);
    }

    #[test]
    fn dispositions_name_themselves() {
        let answer = BatchAnswer {
            dispositions: vec![Disposition::Done, Disposition::Reject { reason: "bad".into() }],
        };
        assert_eq!(
            serde_json::to_string(&answer).unwrap(),
            r#"{"dispositions":[{"disposition":"done"},{"disposition":"reject","reason":"bad"}]}"#
        );
    }
}
