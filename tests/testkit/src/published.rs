//! Checks everything on Kafka as a foreign consumer reads it: topic, key, headers, value, order.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::event_schema::check_event;
use crate::kafka::{Broker, Record};

/// `ce_source` of records that a test itself publishes; they are not checked.
pub const FOREIGN_SOURCE: &str = "/test";

/// The topics, and the prefixes of the types that each carries.
const TOPICS: [(&str, &[&str]); 4] = [
    ("task-events", &["task.", "list.", "series."]),
    ("reminders", &["reminder.", "notification.", "digest."]),
    ("task-updates", &["task.", "list."]),
    ("dlq-events", &["event.dead_lettered"]),
];

/// Reads all topics of Rondo from their beginning, checks every record, and returns them.
///
/// # Panics
/// If a topic is missing, a record violates the contract, an event differs between two topics or two
/// sendings, or a user's events are out of order.
pub async fn assert_published_valid(broker: &Broker) -> BTreeMap<&'static str, Vec<Record>> {
    let mut all = BTreeMap::new();
    let mut values: BTreeMap<String, String> = BTreeMap::new();
    for (topic, families) in TOPICS {
        let records = broker.records(topic).await;
        let mut order = Order::default();
        for record in &records {
            if record.header("ce_source") == Some(FOREIGN_SOURCE) {
                continue;
            }
            let outcome = check_record(record, families).and_then(|event| {
                let id = event["event_id"].as_str().unwrap_or_default().to_owned();
                let first = values.entry(id.clone()).or_insert_with(|| record.value.clone());
                if *first != record.value {
                    return Err(format!("was sent before with another value: {first}"));
                }
                order.check(record, id, &event)
            });
            outcome.unwrap_or_else(|wrong| panic!("{topic}: {wrong}\n{record:#?}"));
        }
        all.insert(topic, records);
    }
    all
}

/// The event in a record, if key, headers and value are valid.
fn check_record(record: &Record, families: &[&str]) -> Result<Value, String> {
    let event: Value = serde_json::from_str(&record.value).map_err(|error| error.to_string())?;
    check_event(&event).map_err(|errors| errors.join("\n"))?;
    let text = |member: &str| event[member].as_str().unwrap_or_default().to_owned();
    let event_type = text("event_type");
    if !families.iter().any(|family| event_type.starts_with(family)) {
        return Err(format!("{event_type} does not belong here"));
    }
    let is_dead = event_type == "event.dead_lettered";
    let key = if is_dead { &event["original"]["key"] } else { &event["user_id"] };
    let key = key.as_str().map_or_else(|| key.to_string(), str::to_owned);
    if record.key.as_deref() != Some(key.as_str()) {
        return Err(format!("the key is not {key}"));
    }
    let mut wanted = vec![
        ("ce_id", text("event_id")),
        ("ce_type", event_type),
        ("ce_source", "/rondo".to_owned()),
        ("ce_specversion", "1.0".to_owned()),
        ("ce_time", text("timestamp")),
        ("content-type", "application/json".to_owned()),
    ];
    if let Some(task) = event["task_id"].as_i64() {
        wanted.push(("ce_subject", format!("tasks/{task}")));
    }
    for (name, value) in wanted {
        if record.header(name) != Some(value.as_str()) {
            return Err(format!("header {name} is not {value:?}"));
        }
    }
    match record.header("traceparent") {
        Some(trace) if is_traceparent(trace) => {}
        // Events that other programs published may lack it.
        None if is_dead => {}
        other => return Err(format!("header traceparent is {other:?}")),
    }
    Ok(event)
}

/// W3C Trace Context, section 3.2.2, version 00.
fn is_traceparent(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let is_hex = |part: &str, length: usize| {
        part.len() == length && part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    matches!(parts[..], ["00", trace, span, flags]
        if is_hex(trace, 32) && is_hex(span, 16) && is_hex(flags, 2))
}

/// Revisions of each user in one topic. After a kill, events may be sent again, but the first sendings are in
/// order.
#[derive(Default)]
struct Order {
    seen: BTreeSet<String>,
    /// The last revision of a user's tasks and lists, and the partition of all of the user's events.
    last: BTreeMap<String, (i32, i64)>,
}

impl Order {
    fn check(&mut self, record: &Record, id: String, event: &Value) -> Result<(), String> {
        let key = record.key.clone().unwrap_or_default();
        let (partition, last) = self.last.get(&key).copied().unwrap_or((record.partition, 0));
        if partition != record.partition {
            return Err(format!("events of user {key} are in partition {partition} too"));
        }
        let is_first = self.seen.insert(id);
        let event_type = event["event_type"].as_str().unwrap_or_default();
        let is_change = ["task.", "list."].iter().any(|family| event_type.starts_with(family));
        let revision = event["revision"].as_i64().unwrap_or_default();
        if is_first && is_change && revision <= last {
            return Err(format!("revision {revision} of user {key} comes after {last}"));
        }
        let newest = if is_first && is_change { revision } else { last };
        self.last.insert(key, (partition, newest));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn record(revision: i64) -> Record {
        let (id, time) =
            (format!("018f3f6e-0000-7000-8000-{revision:012}"), "2031-01-01T00:00:00Z");
        let event = json!({
            "event_id": id, "schema_version": "1.0", "event_type": "task.created",
            "timestamp": time, "task_id": 1, "user_id": 2, "revision": revision,
            "task_data": {"id": 1, "user_id": 2, "uid": "u", "title": "Rest", "status": "pending", "tags": [],
                "time_zone": "UTC", "created_at": time, "updated_at": time, "revision": revision},
        });
        let headers = [
            ("ce_id", id.as_str()),
            ("ce_type", "task.created"),
            ("ce_source", "/rondo"),
            ("ce_specversion", "1.0"),
            ("ce_time", time),
            ("ce_subject", "tasks/1"),
            ("content-type", "application/json"),
            ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        ];
        Record {
            partition: 0,
            offset: revision,
            key: Some("2".to_owned()),
            headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
            value: event.to_string(),
        }
    }

    #[test]
    fn every_fault_of_a_record_is_named() {
        assert!(check_record(&record(1), &["task."]).is_ok());
        let check = |change: fn(&mut Record), expected: &str| {
            let mut record = record(1);
            change(&mut record);
            let wrong = check_record(&record, &["task."]).unwrap_err();
            assert!(wrong.contains(expected), "{wrong}");
        };
        check(|record| record.key = None, "the key is not 2");
        check(|record| record.headers[0].1 = "x".into(), "header ce_id is not");
        check(|record| drop(record.headers.remove(5)), "header ce_subject is not");
        check(|record| record.headers[7].1 = "00-xyz-1-01".into(), "header traceparent");
        check(|record| record.value = "{}".into(), "no schema");
        let wrong = check_record(&record(1), &["reminder."]).unwrap_err();
        assert!(wrong.contains("task.created does not belong here"), "{wrong}");
    }

    #[test]
    fn repeated_events_are_in_order_but_older_revisions_are_not() {
        let mut order = Order::default();
        let mut check = |revision: i64| {
            let record = record(revision);
            let event = serde_json::from_str(&record.value).unwrap();
            order.check(&record, record.header("ce_id").unwrap().to_owned(), &event)
        };
        for revision in [3, 4, 3, 4, 6] {
            check(revision).unwrap();
        }
        let wrong = check(5).unwrap_err();
        assert_eq!(wrong, "revision 5 of user 2 comes after 6");
    }
}
