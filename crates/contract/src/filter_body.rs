//! Saved filters: the bodies of `…/filters`, and the members of a filter in responses.

use rondo_domain::Violation;
use rondo_domain::list::{LIST_ICON_CHARS_MAX, LIST_NAME_CHARS_MAX, parse_icon, parse_name};
use serde_json::{Map, Value};

use crate::body::{Reader, text};
use crate::member::{Kind, Member};
use crate::problem::FieldError;
use crate::task_query::TaskQuery;

/// Maximum number of filters of a user.
pub const FILTERS_MAX: i64 = 50;
/// Maximum length of a query.
pub const QUERY_CHARS_MAX: usize = 2_000;

/// Up to which number the tasks of a filter are counted.
pub const COUNT_MAX: i64 = 1_000;

/// A filter in responses.
pub const FILTER_MEMBERS: &[Member] = &[
    Member::new("id", Kind::Id),
    Member::new("name", Kind::Shown { chars_max: LIST_NAME_CHARS_MAX }),
    Member::nullable("icon", Kind::Shown { chars_max: LIST_ICON_CHARS_MAX }),
    Member::new("query", Kind::Text { chars_max: Some(QUERY_CHARS_MAX) }),
    Member::new("created_at", Kind::Instant),
    Member::new("updated_at", Kind::Instant),
    // Counts the filter's changes. The `ETag` is made of it.
    Member::new("version", Kind::Integer { min: 1, max: None }),
];

/// Members that only the server sets. Requests may send them back; they are ignored.
pub const FILTER_READ_ONLY: [&str; 5] = ["id", "created_at", "updated_at", "version", "count"];

/// The members that a client may write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterFields {
    /// As a list's.
    pub name: String,
    /// As a list's.
    pub icon: Option<String>,
    /// What [`TaskQuery::parse_stored`] accepts.
    pub query: String,
}

/// Reads a whole filter: absent members get their defaults.
///
/// # Errors
/// All faults.
pub fn parse(body: &Value) -> Result<FilterFields, Vec<FieldError>> {
    read(Reader::of(body)?)
}

/// Applies a merge patch (RFC 7396): absent members stay, null sets the default.
///
/// # Errors
/// All faults.
pub fn patch(current: &FilterFields, body: &Value) -> Result<FilterFields, Vec<FieldError>> {
    let Value::Object(members) = body else { return parse(body) };
    let mut target = to_json(current);
    target.extend(members.clone());
    read(Reader::new(&target))
}

/// The members that clients set, in the form of responses.
#[must_use]
pub fn to_json(filter: &FilterFields) -> Map<String, Value> {
    let FilterFields { name, icon, query } = filter.clone();
    let members = [("name", name.into()), ("icon", icon.into()), ("query", query.into())];
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn read(mut reader: Reader<'_>) -> Result<FilterFields, Vec<FieldError>> {
    FILTER_READ_ONLY.into_iter().for_each(|name| reader.ignore(name));
    let name = reader.required("name", text(parse_name));
    let icon = reader.optional("icon", text(parse_icon));
    let query = reader.required_nested("query", query);
    reader.finish()?;
    // Without a name or a query it was refused.
    Ok(FilterFields { name: name.unwrap_or_default(), icon, query: query.unwrap_or_default() })
}

fn query(value: &Value) -> Result<String, Vec<FieldError>> {
    let refused = |violation| vec![FieldError::of("", violation)];
    let text =
        value.as_str().ok_or(Violation::Malformed { expected: "a string" }).map_err(refused)?;
    if text.chars().nth(QUERY_CHARS_MAX).is_some() {
        return Err(refused(Violation::TooLong { max: QUERY_CHARS_MAX }));
    }
    // All at the member, and the parameter in the text.
    let faults = |errors: Vec<FieldError>| {
        let of_member = |error: FieldError| {
            let parameter = error.pointer.trim_start_matches('?');
            let detail = format!("{parameter}: {}", error.detail);
            FieldError { pointer: String::new(), detail, ..error }
        };
        errors.into_iter().map(of_member).collect::<Vec<_>>()
    };
    TaskQuery::parse_stored(text).map_err(faults)?;
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn filters_are_read_and_sent_back() {
        let filter = json!({"name": " Soon ", "query": "status=pending&due_date_end=%2B7d"});
        let filter = parse(&filter).unwrap();
        let mut answered = Value::Object(to_json(&filter));
        assert_eq!(answered["name"], "Soon");
        for name in FILTER_READ_ONLY {
            answered[name] = json!("anything");
        }
        let members = FILTER_MEMBERS.iter().map(|member| member.name);
        assert!(members.into_iter().all(|name| answered.get(name).is_some()), "{answered}");
        assert_eq!(parse(&answered), Ok(filter.clone()));
        let patched = patch(&filter, &json!({"icon": "🌱", "query": ""})).unwrap();
        assert_eq!((patched.name.as_str(), patched.query.as_str()), ("Soon", ""));
    }

    #[test]
    fn what_a_list_would_refuse_is_refused_when_it_is_stored() {
        let check = |query: Value, code: &str, detail: &str| {
            let errors = parse(&json!({"name": "f", "query": query})).unwrap_err();
            assert_eq!((errors[0].pointer.as_str(), &*errors[0].code), ("/query", code));
            assert!(errors[0].detail.contains(detail), "{errors:?}");
        };
        check(json!("status=eaten"), "unknown_value", "status: ");
        check(json!("due_date_start=soon"), "malformed", "due_date_start: ");
        check(json!("colour=red"), "unknown_parameter", "colour: ");
        for parameter in ["limit=1", "offset=1", "cursor=a", "count=true", "total_estimate=true"] {
            check(json!(parameter), "not_applicable", parameter.split('=').next().unwrap());
        }
        check(json!(7), "malformed", "a string");
        check(json!("a".repeat(QUERY_CHARS_MAX + 1)), "too_long", "");
        let errors = parse(&json!({"query": "status=eaten"})).unwrap_err();
        assert_eq!(errors.len(), 2);
        assert_eq!(parse(&json!({"name": "f"})).unwrap_err()[0].pointer, "/query");
    }
}
