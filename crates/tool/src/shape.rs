//! Tasks as a model reads them: without what says nothing, and with times in the task's zone.

use rondo_domain::instant;
use rondo_domain::zone::Zone;
use serde_json::{Map, Value};

/// Members that say nothing to a model.
const LEFT_OUT: [&str; 5] = ["user_id", "position", "created_at", "updated_at", "parent_task_id"];
/// Members that are instants.
const INSTANTS: [&str; 3] = ["due_date", "start_date", "completed_at"];

/// A task of the API.
#[must_use]
pub fn task(task: &Value) -> Value {
    let zone = task["time_zone"].as_str().and_then(|name| Zone::parse(name).ok());
    let mut shaped = Map::new();
    for (name, value) in task.as_object().into_iter().flatten() {
        if LEFT_OUT.contains(&name.as_str()) || is_nothing(value) {
            continue;
        }
        let value = match (name.as_str(), value) {
            ("subtasks", progress) if progress["total"] == 0 => continue,
            ("recurrence_rule", Value::Object(rule)) => {
                let said = rule.iter().filter(|(_, value)| !is_nothing(value));
                Value::Object(said.map(|(name, value)| (name.clone(), value.clone())).collect())
            }
            (name, Value::String(at)) if INSTANTS.contains(&name) => {
                zone.as_ref().and_then(|zone| in_zone(at, zone)).unwrap_or_else(|| value.clone())
            }
            _ => value.clone(),
        };
        shaped.insert(name.clone(), value);
    }
    Value::Object(shaped)
}

/// Tasks of the API.
pub fn tasks(tasks: &[Value]) -> Value {
    tasks.iter().map(task).collect()
}

/// A task in a few words: `#42 Water the plants`.
pub fn name(task: &Value) -> String {
    format!("#{} {}", task["id"], task["title"].as_str().unwrap_or_default())
}

/// A number of tasks in words.
pub fn counted(count: usize) -> String {
    if count == 1 { "1 task".to_owned() } else { format!("{count} tasks") }
}

/// Tasks in a few words, one a line.
pub fn names(tasks: &[Value]) -> String {
    tasks.iter().map(|task| format!("\n- {}", name(task))).collect()
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

/// An instant with the offset of a zone, which is what people call the time.
fn in_zone(at: &str, zone: &Zone) -> Option<Value> {
    let at = instant::parse(at).ok()?;
    let local = zone.local_of(at);
    let utc = Zone::utc().local_of(at);
    let minutes = (utc.until(local).ok()?.total(rondo_domain::jiff::Unit::Minute).ok()?) as i64;
    let sign = if minutes < 0 { '-' } else { '+' };
    let (hours, minutes) = (minutes.abs() / 60, minutes.abs() % 60);
    Some(format!("{local}{sign}{hours:02}:{minutes:02}").into())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_task_without_what_says_nothing() {
        let found = task(&json!({
            "id": 1, "user_id": 2, "title": "a", "tags": [], "due_date": "2031-07-01T22:30:00Z",
            "time_zone": "Asia/Kolkata", "priority": null, "subtasks": {"total": 0, "completed": 0},
            "recurrence_rule": {"frequency": "daily", "rrule": null, "days_of_week": [0]},
        }));
        let expected = json!({
            "id": 1, "title": "a", "due_date": "2031-07-02T04:00:00+05:30", "time_zone": "Asia/Kolkata",
            "recurrence_rule": {"frequency": "daily", "days_of_week": [0]},
        });
        assert_eq!(found, expected);
        let winter = json!({"due_date": "2031-01-01T00:00:00Z", "time_zone": "America/New_York"});
        assert_eq!(task(&winter)["due_date"], "2030-12-31T19:00:00-05:00");
    }
}
