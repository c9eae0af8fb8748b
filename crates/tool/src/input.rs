//! Arguments that a model writes more freely than the HTTP API takes them: days and times in words, lists by name.

use rondo_domain::instant;
use serde_json::{Map, Value, json};

use crate::api::Call;
use crate::context::{Context, Stop, refused};

/// A title that no phrase contains, so that a phrase that was not understood is noticed.
const PLACEHOLDER: &str = "task";
/// The word for no date. Null means that, too, but few schemas can say so.
const NONE: &str = "none";
/// The languages of quick add, in the order in which a phrase is tried.
const LANGUAGES: [&str; 2] = ["en", "de"];

/// What members are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// The words of a rule may name the first due date.
    Creation,
    /// Only what is named changes.
    Change,
}

/// Members of a task as the API takes them.
///
/// `due` and `start` are a date, an instant or words; `repeat` is an RRULE or words; `reminder` is a duration before the
/// due date; `list` is a name or an id.
pub fn members(
    context: &Context<'_>,
    given: &Map<String, Value>,
    purpose: Use,
) -> Result<Map<String, Value>, Stop> {
    let mut members = Map::new();
    for (name, value) in given {
        match name.as_str() {
            "due" => members.extend(moment(context, "due", value)?),
            "start" => members.extend(moment(context, "start", value)?),
            "repeat" => {
                let (rule, first) = repeat(context, value)?;
                members.insert("recurrence_rule".to_owned(), rule);
                if purpose == Use::Creation && !given.contains_key("due") {
                    members.extend(first);
                }
            }
            "reminder" => {
                members.insert("reminder_offset".to_owned(), value.clone());
            }
            "list" => {
                members.insert("list_id".to_owned(), list(context, value)?);
            }
            name => {
                members.insert(name.to_owned(), value.clone());
            }
        }
    }
    Ok(members)
}

/// `due` or `start`, as the two members that the API has for it.
pub fn moment(
    context: &Context<'_>,
    name: &str,
    value: &Value,
) -> Result<Map<String, Value>, Stop> {
    let pair = |date: Value, day: Value| {
        Map::from_iter([(format!("{name}_date"), date), (format!("{name}_day"), day)])
    };
    let text = match value {
        Value::Null => return Ok(pair(Value::Null, Value::Null)),
        Value::String(text) => text.trim(),
        _ => return refused(format!("{name} must be a string.")),
    };
    if text.eq_ignore_ascii_case(NONE) {
        return Ok(pair(Value::Null, Value::Null));
    }
    if instant::parse_date(text).is_ok() {
        return Ok(Map::from_iter([(format!("{name}_day"), text.into())]));
    }
    if instant::parse(text).is_ok() {
        return Ok(Map::from_iter([(format!("{name}_date"), text.into())]));
    }
    let task = understood(context, text, |task| {
        !task["due_date"].is_null() || !task["due_day"].is_null()
    })?;
    let Some(task) = task else {
        return refused(format!(
            "{name} {text:?} is not understood. Write a day (2031-03-30), an instant with its offset \
             (2031-03-30T15:00:00+02:00), or words such as \"tomorrow 9am\" or \"next friday\"."
        ));
    };
    let found = ["date", "day"].into_iter().filter_map(|part| {
        let value = task[format!("due_{part}")].clone();
        (!value.is_null()).then(|| (format!("{name}_{part}"), value))
    });
    Ok(found.collect())
}

/// A rule, and the due date that its words name.
pub fn repeat(context: &Context<'_>, value: &Value) -> Result<(Value, Map<String, Value>), Stop> {
    let text = match value {
        Value::Null => return Ok((Value::Null, Map::new())),
        Value::Object(_) => return Ok((value.clone(), Map::new())),
        Value::String(text) => text.trim(),
        _ => return refused("repeat must be a string, or null for never."),
    };
    let rrule = text.strip_prefix("RRULE:").unwrap_or(text);
    if rrule.contains("FREQ=") {
        return Ok((json!({ "rrule": rrule }), Map::new()));
    }
    let Some(mut task) = understood(context, text, |task| !task["recurrence_rule"].is_null())?
    else {
        return refused(format!(
            "repeat {text:?} is not understood. Write an RRULE (FREQ=MONTHLY;BYDAY=2TU), or words such as \"every \
             weekday\", \"every 3rd friday\" or \"every! 3 days\", which counts from completion."
        ));
    };
    let first = ["due_date", "due_day"].into_iter().filter_map(|name| {
        let value = task[name].take();
        (!value.is_null()).then(|| (name.to_owned(), value))
    });
    let first = first.collect();
    Ok((task["recurrence_rule"].take(), first))
}

/// What quick add understands of a phrase, if that is all of it.
fn understood(
    context: &Context<'_>,
    phrase: &str,
    is_wanted: impl Fn(&Value) -> bool,
) -> Result<Option<Value>, Stop> {
    for language in LANGUAGES {
        let body = json!({ "text": format!("{PLACEHOLDER} {phrase}"), "language": language });
        let mut found = context.send(&Call::post("quick-add?preview=true", body))?.body;
        let task = found["task"].take();
        if task["title"] == PLACEHOLDER && is_wanted(&task) {
            return Ok(Some(task));
        }
    }
    Ok(None)
}

/// The id of a list by its name or id; null for the inbox.
pub fn list(context: &Context<'_>, value: &Value) -> Result<Value, Stop> {
    let name = match value {
        Value::Null => return Ok(Value::Null),
        Value::Number(_) => return Ok(value.clone()),
        Value::String(name) => name.trim(),
        _ => return refused("list must be the name or the id of a list, or inbox."),
    };
    if name.eq_ignore_ascii_case("inbox") {
        return Ok(Value::Null);
    }
    let lists = context.send(&Call::get("lists?limit=500"))?.body;
    let lists = lists.as_array().map(Vec::as_slice).unwrap_or_default();
    let is_named = |list: &&Value| {
        list["name"].as_str().is_some_and(|own| own.to_lowercase() == name.to_lowercase())
            || name.parse::<i64>().is_ok_and(|id| list["id"] == id)
    };
    match lists.iter().find(is_named) {
        Some(list) => Ok(list["id"].clone()),
        None => {
            let known: Vec<_> = lists.iter().filter_map(|list| list["name"].as_str()).collect();
            refused(format!(
                "There is no list {name:?}. The lists are: inbox, {}.",
                known.join(", ")
            ))
        }
    }
}
