//! JSON bodies: a reader that takes an object's members by name and collects all faults, each with its
//! pointer.

use rondo_domain::{ID_MAX, Violation};
use serde_json::{Map, Value};

use crate::problem::FieldError;

/// How long the response to a body sent with an idempotency key is kept, in hours: SQL's
/// `idempotency_lifetime`.
pub const IDEMPOTENCY_HOURS: u32 = 24;
/// The violation of a body that is not an object.
pub const NOT_AN_OBJECT: Violation = Violation::Malformed { expected: "a JSON object" };

/// Reads the members of an object. [`Reader::finish`] refuses members that were not read, so that a misspelt
/// one is never silently lost.
pub struct Reader<'a> {
    members: &'a Map<String, Value>,
    known: Vec<&'static str>,
    errors: Vec<FieldError>,
}

impl<'a> Reader<'a> {
    #[must_use]
    pub const fn new(members: &'a Map<String, Value>) -> Self {
        Self { members, known: Vec::new(), errors: Vec::new() }
    }

    /// # Errors
    /// `malformed` if the value is not an object.
    pub fn of(value: &'a Value) -> Result<Self, Vec<FieldError>> {
        value.as_object().map(Self::new).ok_or_else(|| vec![FieldError::of("", NOT_AN_OBJECT)])
    }

    /// Accepts a member without reading it.
    pub fn ignore(&mut self, name: &'static str) {
        self.known.push(name);
    }

    /// The value of a member that is neither absent nor null.
    pub fn given(&mut self, name: &'static str) -> Option<&'a Value> {
        self.ignore(name);
        self.members.get(name).filter(|value| !value.is_null())
    }

    /// An optional member; null is a value like any other.
    pub fn member<T>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&'a Value) -> Result<T, Violation>,
    ) -> Option<T> {
        self.ignore(name);
        let parsed = parse(self.members.get(name)?);
        self.accept(name, parsed)
    }

    /// An optional member; null counts as absent.
    pub fn optional<T>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&'a Value) -> Result<T, Violation>,
    ) -> Option<T> {
        let parsed = parse(self.given(name)?);
        self.accept(name, parsed)
    }

    /// A required member, which must not be null.
    pub fn required<T>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&'a Value) -> Result<T, Violation>,
    ) -> Option<T> {
        let parsed = self.given(name).ok_or(Violation::Required).and_then(parse);
        self.accept(name, parsed)
    }

    /// A member of a merge patch (RFC 7396) that null clears. None if it is absent.
    pub fn clearable<T>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&'a Value) -> Result<T, Violation>,
    ) -> Option<Option<T>> {
        self.member(name, |value| match value {
            Value::Null => Ok(None),
            value => parse(value).map(Some),
        })
    }

    /// A member of a merge patch that null cannot clear.
    pub fn unclearable<T>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&'a Value) -> Result<T, Violation>,
    ) -> Option<T> {
        self.member(name, |value| match value {
            Value::Null => Err(Violation::Required),
            value => parse(value),
        })
    }

    /// A member that is an object or list; the pointers of its faults are relative to it.
    pub fn nested<T>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&'a Value) -> Result<T, Vec<FieldError>>,
    ) -> Option<T> {
        match parse(self.given(name)?) {
            Ok(value) => Some(value),
            Err(faults) => {
                let pointer = format!("/{name}");
                self.errors.extend(faults.into_iter().map(|fault| fault.under(&pointer)));
                None
            }
        }
    }

    /// A required member that is an object or list.
    pub fn required_nested<T>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&'a Value) -> Result<T, Vec<FieldError>>,
    ) -> Option<T> {
        if self.given(name).is_none() {
            self.refuse(name, Violation::Required);
        }
        self.nested(name, parse)
    }

    /// Adds a fault of a member. `path` may lead into the member: `events/0`.
    pub fn refuse(&mut self, path: &str, violation: Violation) {
        self.errors.push(FieldError::of(&pointer(path), violation));
    }

    /// Whether there is a fault at exactly this path.
    #[must_use]
    pub fn is_refused(&self, path: &str) -> bool {
        self.errors.iter().any(|error| error.pointer == pointer(path))
    }

    /// # Errors
    /// All faults, unknown members included.
    pub fn finish(mut self) -> Result<(), Vec<FieldError>> {
        let unknown = self.members.keys().filter(|name| !self.known.contains(&name.as_str()));
        self.errors.extend(unknown.map(|name| FieldError::unknown_member(name)));
        if self.errors.is_empty() { Ok(()) } else { Err(self.errors) }
    }

    fn accept<T>(&mut self, name: &str, parsed: Result<T, Violation>) -> Option<T> {
        parsed.map_err(|violation| self.refuse(name, violation)).ok()
    }
}

/// The RFC 6901 pointer of a path; empty for the object itself.
fn pointer(path: &str) -> String {
    if path.is_empty() { String::new() } else { format!("/{path}") }
}

/// Turns a parser of text into one of JSON strings.
pub fn text<T>(
    parse: impl FnOnce(&str) -> Result<T, Violation>,
) -> impl FnOnce(&Value) -> Result<T, Violation> {
    |value| parse(value.as_str().ok_or(Violation::Malformed { expected: "a string" })?)
}

/// # Errors
/// `malformed`.
pub fn integer(value: &Value) -> Result<i64, Violation> {
    value.as_i64().ok_or(Violation::Malformed { expected: "an integer" })
}

/// An id, at least 1.
///
/// # Errors
/// `malformed`, `out_of_range`.
pub fn id(value: &Value) -> Result<i64, Violation> {
    let range = Violation::OutOfRange { min: 1, max: ID_MAX, unit: "" };
    let id = integer(value)?;
    (1..=ID_MAX).contains(&id).then_some(id).ok_or(range)
}

/// # Errors
/// `malformed`.
pub fn boolean(value: &Value) -> Result<bool, Violation> {
    value.as_bool().ok_or(Violation::Malformed { expected: "true or false" })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_fault_is_reported_with_its_pointer() {
        let body = json!({"a": 1, "b": null, "c": {"d": "x"}, "e": null, "f": 0, "x/y": 0});
        let mut reader = Reader::of(&body).unwrap();
        let owned = |text: &str| Ok(text.to_owned());
        assert_eq!(reader.optional("a", text(owned)), None);
        assert_eq!(reader.required("b", text(owned)), None);
        let inner = reader.nested("c", |value| {
            let mut reader = Reader::of(value)?;
            let number = reader.required("d", integer);
            reader.finish().map(|()| number)
        });
        assert_eq!(inner, None);
        assert_eq!(reader.clearable("e", boolean), Some(None));
        assert_eq!(reader.unclearable("e", boolean), None);
        reader.ignore("f");
        assert_eq!(reader.optional("left_out", boolean), None);
        assert!(reader.is_refused("c/d") && !reader.is_refused("c"));
        let errors = reader.finish().unwrap_err();
        let found: Vec<_> = errors.iter().map(|e| (e.pointer.as_str(), &*e.code)).collect();
        let expected = [
            ("/a", "malformed"),
            ("/b", "required"),
            ("/c/d", "malformed"),
            ("/e", "required"),
            ("/x~1y", "unknown_member"),
        ];
        assert_eq!(found, expected);
        assert_eq!(Reader::of(&json!([])).err().unwrap()[0].pointer, "");
    }
}
