//! Checks every event that a test sees against the published JSON Schemas, and for data that no event may
//! contain.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::OnceLock;

use jsonschema::Validator;
use serde_json::Value;

use crate::process::root;

/// Members that no event may have, at any depth.
const FORBIDDEN_MEMBERS: [&str; 4] = ["password", "password_hash", "token", "email"];

/// Parts of e-mail addresses, connection strings, bearer tokens and JSON Web Tokens.
const FORBIDDEN_TEXT: [&str; 3] = ["@", "Bearer ", "eyJ"];

/// Members with text of the user, which proves nothing about the program.
const USERS_OWN_MEMBERS: [&str; 5] = ["title", "description", "tags", "name", "icon"];

/// # Panics
/// If the event's type has no schema, the event does not match it, or it contains a secret.
#[track_caller]
pub fn assert_event_valid(event: &Value) {
    if let Err(errors) = check_event(event) {
        panic!("an event that breaks its schema: {errors:#?}\n{event:#}");
    }
}

/// # Errors
/// The faults, one per line.
pub fn check_event(event: &Value) -> Result<(), Vec<String>> {
    let event_type = event["event_type"].as_str().unwrap_or_default();
    let Some(schema) = schemas().get(event_type) else {
        return Err(vec![format!("there is no schema for event_type {event_type:?}")]);
    };
    let mut errors: Vec<_> = schema
        .iter_errors(event)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    find_forbidden(event, "", &mut errors);
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

/// The types that have a schema.
#[must_use]
pub fn known_types() -> Vec<&'static str> {
    schemas().keys().map(String::as_str).collect()
}

/// A user's text may contain anything; no other text may look like an address or a token.
fn find_forbidden(value: &Value, path: &str, errors: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                if FORBIDDEN_MEMBERS.contains(&name.as_str()) {
                    errors.push(format!("{path}/{name}: may not be in an event"));
                }
                if !USERS_OWN_MEMBERS.contains(&name.as_str()) {
                    find_forbidden(member, &format!("{path}/{name}"), errors);
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                find_forbidden(item, &format!("{path}/{index}"), errors);
            }
        }
        Value::String(text) => {
            // JSON within a string is a dead letter's original event.
            match serde_json::from_str(text) {
                Ok(inner @ Value::Object(_)) => find_forbidden(&inner, path, errors),
                _ if FORBIDDEN_TEXT.iter().any(|forbidden| text.contains(forbidden)) => {
                    errors.push(format!("{path}: looks like an address or a token"));
                }
                _ => {}
            }
        }
        _ => {}
    }
}

/// One schema per event type, in a file of the type's name that refers to nothing outside it.
fn schemas() -> &'static BTreeMap<String, Validator> {
    static SCHEMAS: OnceLock<BTreeMap<String, Validator>> = OnceLock::new();
    SCHEMAS.get_or_init(|| {
        let files = read_folder(&root().join("docs/schemas"));
        files
            .iter()
            .map(|(name, schema)| {
                let validator = jsonschema::options()
                    .should_validate_formats(true)
                    .build(schema)
                    .unwrap_or_else(|error| panic!("{name}: {error}"));
                (name.clone(), validator)
            })
            .collect()
    })
}

/// The JSON files of a folder, by name without extension.
fn read_folder(folder: &PathBuf) -> BTreeMap<String, Value> {
    let entries =
        std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    entries
        .map(|entry| entry.expect("a folder that can be read").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .map(|path| {
            let text = std::fs::read_to_string(&path).expect("a file that can be read");
            let schema = serde_json::from_str(&text)
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            (name.trim_end_matches(".schema").to_owned(), schema)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event() -> Value {
        let time = "2031-01-01T00:00:00Z";
        json!({
            "event_id": "018f3f6e-0000-7000-8000-000000000000", "schema_version": "1.0",
            "event_type": "task.created", "timestamp": time,
            "task_id": 1, "user_id": 2, "revision": 3,
            "task_data": {"id": 1, "user_id": 2, "uid": "u", "title": "Rest", "status": "pending", "tags": [],
                "time_zone": "UTC", "created_at": time, "updated_at": time, "revision": 3},
        })
    }

    #[test]
    fn a_good_event_passes() {
        assert_event_valid(&event());
    }

    #[test]
    fn every_fault_is_named() {
        for (change, expected) in [
            (json!({"event_type": "task.eaten"}), "no schema for event_type \"task.eaten\""),
            (json!({"user_id": "2"}), "/user_id"),
            (json!({"timestamp": "yesterday"}), "/timestamp"),
            (json!({"note": {"password": "x"}}), "/note/password: may not be in an event"),
            (json!({"note": ["me@example.org"]}), "/note/0: looks like an address or a token"),
            (json!({"note": {"value": "{\"token\":1}"}}), "/note/value/token: may not be"),
        ] {
            let mut event = event();
            for (name, value) in change.as_object().unwrap() {
                event[name] = value.clone();
            }
            let errors = check_event(&event).unwrap_err().join("\n");
            assert!(errors.contains(expected), "{errors}");
        }
    }
}
