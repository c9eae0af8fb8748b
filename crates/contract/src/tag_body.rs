//! The body of `PUT …/tags/{name}`: a new name, a new colour.

use rondo_domain::task::parse_tag;
use rondo_domain::text::color;
use serde_json::{Map, Value};

use crate::body::{Reader, text};
use crate::problem::FieldError;

/// The requested change of a tag.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TagChange {
    /// None keeps the name.
    pub name: Option<String>,
    /// None keeps the colour, `Some(None)` removes it. As `#rrggbb` in lower case.
    pub color: Option<Option<String>>,
}

/// Reads `{name?, color?}`. The count that a response contains may be sent back.
///
/// # Errors
/// All faults.
pub fn parse(members: &Map<String, Value>) -> Result<TagChange, Vec<FieldError>> {
    let mut reader = Reader::new(members);
    reader.ignore("count");
    let name = reader.member("name", text(parse_tag));
    let color = reader.clearable("color", text(color));
    reader.finish().map(|()| TagChange { name, color })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_and_colours() {
        let read = |body: Value| parse(body.as_object().unwrap());
        let change = read(json!({"name": " Home ", "color": "#1E90FF", "count": 3})).unwrap();
        assert_eq!(change.name.as_deref(), Some("Home"));
        assert_eq!(change.color, Some(Some("#1e90ff".to_owned())));
        assert_eq!(read(json!({})).unwrap(), TagChange::default());
        assert_eq!(read(json!({"color": null})).unwrap().color, Some(None));
        let codes = |body: Value| -> Vec<(String, String)> {
            let errors = read(body).unwrap_err();
            errors.into_iter().map(|e| (e.pointer, e.code.into_owned())).collect()
        };
        let pair = |pointer: &str, code: &str| (pointer.to_owned(), code.to_owned());
        assert_eq!(
            codes(json!({"name": "", "color": "red", "colour": "#000000"})),
            [
                pair("/name", "required"),
                pair("/color", "malformed"),
                pair("/colour", "unknown_member")
            ]
        );
        assert_eq!(codes(json!({"name": null})), [pair("/name", "malformed")]);
    }
}
