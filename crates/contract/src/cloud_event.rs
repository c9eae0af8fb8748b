//! CloudEvents 1.0: an event on its way to a consumer (a Kafka record in binary mode, an HTTP batch as
//! `application/cloudevents-batch+json`, or a typed call) and the consumer's answer.

use serde::{Deserialize, Deserializer, Serialize, Serializer, ser};
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

/// One event on one topic. In JSON, `data` is the value itself and not a string.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloudEvent {
    /// UUID, the same on every topic that carries the event.
    pub id: String,
    /// As the sender wrote it: a newer sender may know more types than this program.
    pub event_type: String,
    /// For example `tasks/42`.
    pub subject: Option<String>,
    /// RFC 3339 in UTC.
    pub time: String,
    /// W3C trace context (CloudEvents distributed tracing extension).
    pub traceparent: Option<String>,
    /// Extension: the topic that carried the event.
    pub topic: String,
    /// The value: a JSON object, unparsed.
    pub data: String,
}

/// The JSON form of an event, with borrowed members for writing and owned ones for reading.
#[derive(Serialize, Deserialize)]
struct Envelope<Text, Data> {
    specversion: Text,
    id: Text,
    source: Text,
    #[serde(rename = "type")]
    event_type: Text,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<Text>,
    time: Text,
    datacontenttype: Option<Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    traceparent: Option<Text>,
    topic: Text,
    data: Data,
}

impl Serialize for CloudEvent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let data: &RawValue = serde_json::from_str(&self.data)
            .map_err(|error| ser::Error::custom(format!("the value is not JSON: {error}")))?;
        Envelope {
            specversion: SPEC_VERSION,
            id: &self.id,
            source: SOURCE,
            event_type: &self.event_type,
            subject: self.subject.as_deref(),
            time: &self.time,
            datacontenttype: Some(DATA_CONTENT_TYPE),
            traceparent: self.traceparent.as_deref(),
            topic: &self.topic,
            data,
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for CloudEvent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Envelope { id, event_type, subject, time, traceparent, topic, data, .. } =
            Envelope::<String, Box<RawValue>>::deserialize(deserializer)?;
        let data = Box::<str>::from(data).into_string();
        Ok(Self { id, event_type, subject, time, traceparent, topic, data })
    }
}

/// The outcome of one event of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "disposition", rename_all = "snake_case")]
pub enum Disposition {
    /// The effect is recorded, or there was nothing to do.
    Done,
    /// A retry may succeed.
    Retry { reason: String },
    /// No retry can succeed.
    Reject { reason: String },
}

/// Body of the 200 response to a batch: one disposition per event, in the batch's order.
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
        assert_eq!(parsed[0].data, r#"{"n":1.50,"a":  "é"}"#);
        assert_eq!(serde_json::to_string(&parsed).unwrap(), batch);
    }

    #[test]
    fn dispositions_are_tagged() {
        let answer = BatchAnswer {
            dispositions: vec![Disposition::Done, Disposition::Reject { reason: "bad".into() }],
        };
        assert_eq!(
            serde_json::to_string(&answer).unwrap(),
            r#"{"dispositions":[{"disposition":"done"},{"disposition":"reject","reason":"bad"}]}"#
        );
    }
}
