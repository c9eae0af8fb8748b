//! What webhook routes are sent, checked member by member.

use rondo_contract::event::EventType;
use rondo_contract::problem::FieldError;
use rondo_contract::webhook::EVENT_TYPES;
use rondo_domain::Violation;
use rondo_domain::destination::{Destination, Loopback};
use serde_json::{Map, Value};

/// What may be subscribed to, for whoever asked for something else.
const EXPECTED: &str = "task.created, task.updated, task.completed, task.reopened, task.skipped, \
                        task.deleted, series.ended, reminder.due, notification.sent, \
                        notification.failed";

/// `POST /api/{user_id}/webhooks`.
#[derive(Debug, PartialEq, Eq)]
pub struct NewWebhook {
    pub url: String,
    pub events: Vec<EventType>,
}

/// `PATCH /api/{user_id}/webhooks/{webhook_id}`: what is to be changed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct WebhookChange {
    pub url: Option<String>,
    pub events: Option<Vec<EventType>>,
    pub enabled: Option<bool>,
}

impl NewWebhook {
    pub fn read(members: Map<String, Value>, loopback: Loopback) -> Result<Self, Vec<FieldError>> {
        let mut form = Form { members, loopback, errors: Vec::new() };
        for member in ["url", "events"] {
            if form.members.get(member).is_none_or(Value::is_null) {
                form.members.remove(member);
                form.refuse(&format!("/{member}"), Violation::Required);
            }
        }
        let (url, events) = (form.url(), form.events());
        form.finish()?;
        // A member that was refused has left an error, so these are there.
        Ok(Self { url: url.unwrap_or_default(), events: events.unwrap_or_default() })
    }
}

impl WebhookChange {
    pub fn read(patch: Value, loopback: Loopback) -> Result<Self, Vec<FieldError>> {
        let Value::Object(members) = patch else {
            let violation = Violation::Malformed { expected: "a JSON object" };
            return Err(vec![FieldError::of("", violation)]);
        };
        let mut form = Form { members, loopback, errors: Vec::new() };
        // None of them can be cleared.
        for member in ["url", "events", "enabled"] {
            if form.members.get(member).is_some_and(Value::is_null) {
                form.members.remove(member);
                form.refuse(&format!("/{member}"), Violation::Required);
            }
        }
        let change = Self { url: form.url(), events: form.events(), enabled: form.enabled() };
        form.finish()?;
        Ok(change)
    }
}

struct Form {
    members: Map<String, Value>,
    loopback: Loopback,
    errors: Vec<FieldError>,
}

impl Form {
    fn url(&mut self) -> Option<String> {
        let url = match self.members.remove("url")? {
            Value::String(url) => Destination::parse(&url, self.loopback).map(|_| url),
            _ => Err(Violation::Malformed { expected: "a string" }),
        };
        url.map_err(|violation| self.refuse("/url", violation)).ok()
    }

    /// Each type once, in the order in which they are given.
    fn events(&mut self) -> Option<Vec<EventType>> {
        let value = self.members.remove("events")?;
        let Value::Array(names) = value else {
            self.refuse("/events", Violation::Malformed { expected: "a list of strings" });
            return None;
        };
        if names.is_empty() {
            self.refuse("/events", Violation::Required);
        }
        if names.len() > EVENT_TYPES.len() {
            self.refuse("/events", Violation::TooMany { max: EVENT_TYPES.len() });
            return None;
        }
        let mut events = Vec::with_capacity(names.len());
        for (place, name) in names.iter().enumerate() {
            let known = name
                .as_str()
                .map(|name| EVENT_TYPES.into_iter().find(|event_type| event_type.as_str() == name));
            match known {
                Some(Some(event_type)) if events.contains(&event_type) => {}
                Some(Some(event_type)) => events.push(event_type),
                Some(None) => {
                    let violation = Violation::UnknownValue { expected: EXPECTED };
                    self.refuse(&format!("/events/{place}"), violation);
                }
                None => {
                    let violation = Violation::Malformed { expected: "a string" };
                    self.refuse(&format!("/events/{place}"), violation);
                }
            }
        }
        Some(events)
    }

    fn enabled(&mut self) -> Option<bool> {
        match self.members.remove("enabled")? {
            Value::Bool(enabled) => Some(enabled),
            _ => {
                self.refuse("/enabled", Violation::Malformed { expected: "true or false" });
                None
            }
        }
    }

    fn refuse(&mut self, pointer: &str, violation: Violation) {
        self.errors.push(FieldError::of(pointer, violation));
    }

    fn finish(mut self) -> Result<(), Vec<FieldError>> {
        for member in self.members.keys() {
            self.errors.push(FieldError::unknown_member(member));
        }
        if self.errors.is_empty() { Ok(()) } else { Err(self.errors) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    type Expected<'a> = Result<&'a [&'a str], &'a [(&'a str, &'a str)]>;

    #[track_caller]
    fn compare(found: Result<Vec<EventType>, Vec<FieldError>>, expected: Expected) {
        let found = found.map_err(|errors| {
            errors.into_iter().map(|e| (e.pointer, e.code.into_owned())).collect::<Vec<_>>()
        });
        match (found, expected) {
            (Ok(events), Ok(names)) => {
                let found: Vec<_> = events.iter().map(|event_type| event_type.as_str()).collect();
                assert_eq!(found, names);
            }
            (Err(errors), Err(expected)) => {
                let errors: Vec<(&str, &str)> =
                    errors.iter().map(|(at, code)| (at.as_str(), code.as_str())).collect();
                assert_eq!(errors, expected);
            }
            (found, expected) => panic!("{found:?} instead of {expected:?}"),
        }
    }

    #[test]
    fn expected_names_all_types() {
        let names: Vec<_> = EVENT_TYPES.iter().map(|event_type| event_type.as_str()).collect();
        assert_eq!(EXPECTED, names.join(", "));
    }

    #[test]
    fn new_webhooks() {
        let check = |body: Value, expected: Expected| {
            let Value::Object(members) = body else { panic!("an object") };
            let read = NewWebhook::read(members, Loopback::Refused);
            compare(read.map(|form| form.events), expected);
        };
        let url = "https://example.org/hook";
        check(json!({"url": url, "events": ["task.created"]}), Ok(&["task.created"]));
        check(
            json!({"url": url, "events": ["reminder.due", "task.created", "reminder.due"]}),
            Ok(&["reminder.due", "task.created"]),
        );
        check(json!({}), Err(&[("/url", "required"), ("/events", "required")]));
        check(
            json!({"url": null, "events": []}),
            Err(&[("/url", "required"), ("/events", "required")]),
        );
        check(
            json!({"url": "http://10.0.0.1", "events": ["task.eaten", 7, "reminder.scheduled"], "secret": "mine"}),
            Err(&[
                ("/url", "malformed"),
                ("/events/0", "unknown_value"),
                ("/events/1", "malformed"),
                ("/events/2", "unknown_value"),
                ("/secret", "unknown_member"),
            ]),
        );
        check(
            json!({"url": 7, "events": "task.created"}),
            Err(&[("/url", "malformed"), ("/events", "malformed")]),
        );
        let many = vec!["task.created"; EVENT_TYPES.len() + 1];
        check(
            json!({"url": "https://10.0.0.1", "events": many}),
            Err(&[("/url", "not_public"), ("/events", "too_many")]),
        );
    }

    #[test]
    fn changes() {
        let check = |body: Value, expected: Expected| {
            let read = WebhookChange::read(body, Loopback::Refused);
            compare(read.map(|change| change.events.unwrap_or_default()), expected);
        };
        check(json!({}), Ok(&[]));
        check(json!({"enabled": true, "events": ["series.ended"]}), Ok(&["series.ended"]));
        check(
            json!({"url": null, "enabled": null, "events": null}),
            Err(&[("/url", "required"), ("/events", "required"), ("/enabled", "required")]),
        );
        check(
            json!({"enabled": "yes", "id": 1}),
            Err(&[("/enabled", "malformed"), ("/id", "unknown_member")]),
        );
        check(json!([]), Err(&[("", "malformed")]));
        let patch = json!({"enabled": false, "url": "https://example.org"});
        let change = WebhookChange::read(patch, Loopback::Refused).unwrap();
        assert_eq!(
            (change.enabled, change.url.as_deref()),
            (Some(false), Some("https://example.org"))
        );
    }
}
