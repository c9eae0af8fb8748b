//! The bodies of the webhook routes.

use rondo_contract::body::{Reader, boolean, text};
use rondo_contract::problem::FieldError;
use rondo_contract::webhook::EVENT_NAMES;
use rondo_domain::Violation;
use rondo_domain::destination::{Destination, Loopback};
use serde_json::{Map, Value};

/// `POST /api/{user_id}/webhooks`.
#[derive(Debug, PartialEq, Eq)]
pub struct NewWebhook {
    pub url: String,
    pub events: Vec<&'static str>,
}

/// `PATCH /api/{user_id}/webhooks/{webhook_id}`: the requested changes.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct WebhookChange {
    pub url: Option<String>,
    pub events: Option<Vec<&'static str>>,
    pub enabled: Option<bool>,
}

impl NewWebhook {
    pub fn read(members: &Map<String, Value>, loopback: Loopback) -> Result<Self, Vec<FieldError>> {
        let mut reader = Reader::new(members);
        let url = reader.required("url", text(|text| url(text, loopback)));
        let events = reader.required_nested("events", events);
        reader.finish()?;
        // A refused member has left an error, so these are present.
        Ok(Self { url: url.unwrap_or_default(), events: events.unwrap_or_default() })
    }
}

impl WebhookChange {
    pub fn read(patch: &Value, loopback: Loopback) -> Result<Self, Vec<FieldError>> {
        let mut reader = Reader::of(patch)?;
        let url = reader.unclearable("url", text(|text| url(text, loopback)));
        let events = match patch.get("events") {
            None => None,
            Some(_) => reader.required_nested("events", events),
        };
        let enabled = reader.unclearable("enabled", boolean);
        reader.finish()?;
        Ok(Self { url, events, enabled })
    }
}

fn url(text: &str, loopback: Loopback) -> Result<String, Violation> {
    Destination::parse(text, loopback).map(|_| text.to_owned())
}

/// Each type once, in the given order.
fn events(value: &Value) -> Result<Vec<&'static str>, Vec<FieldError>> {
    let refused = |violation| Err(vec![FieldError::of("", violation)]);
    let max = EVENT_NAMES.len();
    let names = match value.as_array() {
        None => return refused(Violation::Malformed { expected: "a list of strings" }),
        Some(names) if names.is_empty() => return refused(Violation::Required),
        Some(names) if names.len() > max => return refused(Violation::TooMany { max }),
        Some(names) => names,
    };
    let (mut events, mut errors) = (Vec::with_capacity(names.len()), Vec::new());
    for (place, name) in names.iter().enumerate() {
        let known = text(|text| {
            let known = EVENT_NAMES.iter().copied().find(|known| *known == text);
            known.ok_or(Violation::UnknownValue { expected: &EVENT_NAMES })
        });
        match known(name) {
            Ok(name) if events.contains(&name) => {}
            Ok(name) => events.push(name),
            Err(violation) => errors.push(FieldError::of(&format!("/{place}"), violation)),
        }
    }
    if errors.is_empty() { Ok(events) } else { Err(errors) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    type Expected<'a> = Result<&'a [&'a str], &'a [(&'a str, &'a str)]>;

    #[track_caller]
    fn compare(found: Result<Vec<&str>, Vec<FieldError>>, expected: Expected) {
        let found = found.map_err(|errors| {
            errors.into_iter().map(|e| (e.pointer, e.code.into_owned())).collect::<Vec<_>>()
        });
        match (found, expected) {
            (Ok(events), Ok(names)) => assert_eq!(events, names),
            (Err(errors), Err(expected)) => {
                let errors: Vec<(&str, &str)> =
                    errors.iter().map(|(at, code)| (at.as_str(), code.as_str())).collect();
                assert_eq!(errors, expected);
            }
            (found, expected) => panic!("{found:?} instead of {expected:?}"),
        }
    }

    #[test]
    fn new_webhooks() {
        let check = |body: Value, expected: Expected| {
            let Value::Object(members) = body else { panic!("an object") };
            let read = NewWebhook::read(&members, Loopback::Refused);
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
        let many = vec!["task.created"; EVENT_NAMES.len() + 1];
        check(
            json!({"url": "https://10.0.0.1", "events": many}),
            Err(&[("/url", "not_public"), ("/events", "too_many")]),
        );
    }

    #[test]
    fn changes() {
        let check = |body: Value, expected: Expected| {
            let read = WebhookChange::read(&body, Loopback::Refused);
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
        let change = WebhookChange::read(&patch, Loopback::Refused).unwrap();
        assert_eq!(
            (change.enabled, change.url.as_deref()),
            (Some(false), Some("https://example.org"))
        );
    }
}
