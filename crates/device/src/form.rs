//! What is kept and sent as JSON objects, by a table of members. Derived readers of so many types would take a twentieth
//! of a page's bytes.

use serde_json::{Map, Value};

pub type Members = Map<String, Value>;

/// Members of these names and values.
pub fn members(pairs: impl IntoIterator<Item = (String, Value)>) -> Members {
    // Not collected, which would compile a sort for each use.
    let mut members = Members::new();
    members.extend(pairs);
    members
}

/// What has the form of a JSON object.
pub trait Form: Sized {
    /// None if a member is missing that has no default.
    fn of(value: &Value) -> Option<Self>;
    fn to_value(&self) -> Value;

    /// With a merge patch (RFC 7396) applied.
    fn patched(&self, patch: &Members) -> Option<Self> {
        let mut value = self.to_value();
        if let Value::Object(members) = &mut value {
            merge(members, patch);
        }
        Self::of(&value)
    }
}

/// What a member can be.
pub(crate) trait Member: Sized + Clone + Into<Value> {
    fn of(value: &Value) -> Option<Self>;
}

impl Member for i64 {
    fn of(value: &Value) -> Option<Self> {
        value.as_i64()
    }
}

impl Member for usize {
    fn of(value: &Value) -> Option<Self> {
        value.as_u64()?.try_into().ok()
    }
}

impl Member for bool {
    fn of(value: &Value) -> Option<Self> {
        value.as_bool()
    }
}

impl Member for String {
    fn of(value: &Value) -> Option<Self> {
        value.as_str().map(str::to_owned)
    }
}

impl Member for Option<String> {
    fn of(value: &Value) -> Option<Self> {
        Some(value.as_str().map(str::to_owned))
    }
}

/// Members that have to be there; then those with a default.
macro_rules! form {
    ($name:ident { $($needed:ident),*; $($other:ident),* }) => {
        impl crate::form::Form for $name {
            fn of(value: &serde_json::Value) -> Option<Self> {
                Some(Self {
                    $($needed: crate::form::Member::of(&value[stringify!($needed)])?,)*
                    $($other: crate::form::Member::of(&value[stringify!($other)]).unwrap_or_default(),)*
                })
            }

            fn to_value(&self) -> serde_json::Value {
                crate::form::object(vec![
                    $((stringify!($needed), self.$needed.clone().into()),)*
                    $((stringify!($other), self.$other.clone().into()),)*
                ])
            }
        }
    };
}

pub(crate) use form;

pub(crate) fn object(named: Vec<(&str, Value)>) -> Value {
    members(named.into_iter().map(|(name, value)| (name.to_owned(), value))).into()
}

/// Merges a patch (RFC 7396).
pub(crate) fn merge(target: &mut Members, patch: &Members) {
    for (name, value) in patch {
        match (target.get_mut(name), value) {
            (Some(Value::Object(inner)), Value::Object(patch)) => merge(inner, patch),
            _ => {
                target.insert(name.clone(), value.clone());
            }
        }
    }
}
