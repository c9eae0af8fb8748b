//! Lists: the bodies of `…/lists`, and the members of a list in responses and events.

use rondo_domain::list::{
    LIST_ICON_CHARS_MAX, LIST_NAME_CHARS_MAX, ListFields, parse_icon, parse_name,
};
use rondo_domain::text::color;
use serde_json::{Map, Value};

use crate::body::{Reader, boolean, text};
use crate::member::{Kind, Member};
use crate::problem::FieldError;

/// A list in responses and events.
pub const LIST_MEMBERS: &[Member] = &[
    Member::new("id", Kind::Id),
    Member::new("name", Kind::Shown { chars_max: LIST_NAME_CHARS_MAX }),
    Member::nullable("color", Kind::Color),
    Member::nullable("icon", Kind::Shown { chars_max: LIST_ICON_CHARS_MAX }),
    Member::new("position", Kind::Position),
    Member::new("archived", Kind::Boolean),
    Member::new("created_at", Kind::Instant),
    Member::new("updated_at", Kind::Instant),
    // The user's revision that the last change took.
    Member::new("revision", Kind::Integer { min: 1, max: None }),
];

/// Members that only the server sets. Requests may send them back; they are ignored.
pub const LIST_READ_ONLY: [&str; 5] = ["id", "position", "created_at", "updated_at", "revision"];

/// Reads a whole list: absent members get their defaults.
///
/// # Errors
/// All faults.
pub fn parse(body: &Value) -> Result<ListFields, Vec<FieldError>> {
    read(Reader::of(body)?)
}

/// Applies a merge patch (RFC 7396): absent members stay, null sets the default.
///
/// # Errors
/// All faults.
pub fn patch(current: &ListFields, body: &Value) -> Result<ListFields, Vec<FieldError>> {
    let Value::Object(members) = body else { return parse(body) };
    let mut target = to_json(current);
    target.extend(members.clone());
    read(Reader::new(&target))
}

/// The members that clients set, in the form of responses.
#[must_use]
pub fn to_json(list: &ListFields) -> Map<String, Value> {
    let ListFields { name, color, icon, archived } = list.clone();
    let members = [
        ("name", name.into()),
        ("color", color.into()),
        ("icon", icon.into()),
        ("archived", archived.into()),
    ];
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn read(mut reader: Reader<'_>) -> Result<ListFields, Vec<FieldError>> {
    LIST_READ_ONLY.into_iter().for_each(|name| reader.ignore(name));
    let name = reader.required("name", text(parse_name));
    let color = reader.optional("color", text(color));
    let icon = reader.optional("icon", text(parse_icon));
    let archived = reader.optional("archived", boolean).unwrap_or(false);
    reader.finish()?;
    // A list without a name was refused.
    Ok(ListFields { name: name.unwrap_or_default(), color, icon, archived })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn codes(outcome: Result<ListFields, Vec<FieldError>>) -> Vec<(String, String)> {
        let errors = outcome.unwrap_err();
        errors.into_iter().map(|error| (error.pointer, error.code.into_owned())).collect()
    }

    #[test]
    fn an_answered_list_can_be_sent_back() {
        let list = parse(&json!({"name": " Home ", "color": "#1E90FF"})).unwrap();
        let expected = json!({"name": "Home", "color": "#1e90ff", "icon": null, "archived": false});
        assert_eq!(Value::Object(to_json(&list)), expected);
        let mut answered = expected;
        for name in LIST_READ_ONLY {
            answered[name] = json!("anything");
        }
        let members: Vec<_> = LIST_MEMBERS.iter().map(|member| member.name).collect();
        assert!(members.iter().all(|name| answered.get(name).is_some()), "{answered}");
        assert_eq!(answered.as_object().map(Map::len), Some(members.len()));
        assert_eq!(parse(&answered), Ok(list));
    }

    #[test]
    fn all_faults_are_reported_at_once() {
        let pair = |pointer: &str, code: &str| (pointer.to_owned(), code.to_owned());
        let bad = json!({"name": "", "color": "red", "icon": 7, "archived": 1, "colour": 1});
        assert_eq!(
            codes(parse(&bad)),
            [
                pair("/name", "required"),
                pair("/color", "malformed"),
                pair("/icon", "malformed"),
                pair("/archived", "malformed"),
                pair("/colour", "unknown_member"),
            ]
        );
        assert_eq!(codes(parse(&json!([]))), [pair("", "malformed")]);
        assert_eq!(codes(parse(&json!({}))), [pair("/name", "required")]);
    }

    #[test]
    fn a_patch_keeps_absent_members_and_null_clears() {
        let list = json!({"name": "Home", "color": "#1e90ff", "icon": "house", "archived": true});
        let current = parse(&list).unwrap();
        assert_eq!(patch(&current, &json!({})), Ok(current.clone()));
        let changed =
            patch(&current, &json!({"name": "Work", "icon": null, "archived": null})).unwrap();
        let expected = json!({"name": "Work", "color": "#1e90ff"});
        assert_eq!(changed, parse(&expected).unwrap());
        assert_eq!(codes(patch(&current, &json!({"name": null})))[0].1, "required");
        assert_eq!(codes(patch(&current, &json!([])))[0].1, "malformed");
    }
}
