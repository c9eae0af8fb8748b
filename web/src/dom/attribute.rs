//! Attributes, classes (`class:`), styles (`style:`) and properties (`prop:`) of an element.

use std::borrow::Cow;

use js_sys::Reflect;
use web_sys::wasm_bindgen::{JsCast as _, JsValue};
use web_sys::{Element, HtmlElement};

use super::{Get as _, Memo, RwSignal, Signal, watch};

/// What an attribute is set to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    Absent,
    /// Without a text, if it is true.
    Flag(bool),
    Text(Cow<'static, str>),
}

/// A value that stays, or one that signals change.
pub enum Attribute {
    Fixed(Value),
    Live(Box<dyn FnMut() -> Value>),
}

impl Attribute {
    /// Sets what `name` says, now and whenever it changes.
    pub fn apply(self, element: &Element, name: &'static str) {
        match self {
            Self::Fixed(value) => set(element, name, &value),
            Self::Live(mut value) => {
                let element = element.clone();
                let mut last = None;
                watch(Box::new(move || {
                    let value = value();
                    // A person may have changed a property since, which only a new value overrules.
                    if last.as_ref() != Some(&value) {
                        set(&element, name, &value);
                        last = Some(value);
                    }
                }));
            }
        }
    }
}

fn set(element: &Element, name: &str, value: &Value) {
    let (kind, rest) = name.split_once(':').unwrap_or(("", name));
    let text = match value {
        Value::Absent | Value::Flag(false) => None,
        Value::Flag(true) => Some(""),
        Value::Text(text) => Some(text.as_ref()),
    };
    // A failure says that the element has no such thing, and would fail each time.
    let _ = match kind {
        "class" => element.class_list().toggle_with_force(rest, text.is_some()).map(drop),
        "style" => {
            let style = element.unchecked_ref::<HtmlElement>().style();
            match text {
                Some(text) => style.set_property(rest, text),
                None => style.remove_property(rest).map(drop),
            }
        }
        "prop" => {
            let value = match value {
                Value::Absent => JsValue::UNDEFINED,
                Value::Flag(is_on) => (*is_on).into(),
                Value::Text(text) => JsValue::from_str(text),
            };
            Reflect::set(element, &JsValue::from_str(rest), &value).map(drop)
        }
        _ => match text {
            Some(text) => element.set_attribute(rest, text),
            None => element.remove_attribute(rest),
        },
    };
}

impl From<&'static str> for Value {
    fn from(text: &'static str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }
}

impl From<bool> for Value {
    fn from(is_on: bool) -> Self {
        Self::Flag(is_on)
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Absent, Into::into)
    }
}

/// What an attribute can be.
pub trait IntoAttribute {
    fn into_attribute(self) -> Attribute;
}

macro_rules! fixed {
    ($($kind:ty),*) => {
        $(impl IntoAttribute for $kind {
            fn into_attribute(self) -> Attribute {
                Attribute::Fixed(self.into())
            }
        })*
    };
}

fixed!(&'static str, String, bool, Option<&'static str>, Option<String>);

impl<T: Into<Value>, F: FnMut() -> T + 'static> IntoAttribute for F {
    fn into_attribute(mut self) -> Attribute {
        Attribute::Live(Box::new(move || self().into()))
    }
}

macro_rules! live {
    ($($signal:ident),*) => {
        $(impl<T: Into<Value> + Clone + Send + Sync + 'static> IntoAttribute for $signal<T> {
            fn into_attribute(self) -> Attribute {
                Attribute::Live(Box::new(move || self.get().into()))
            }
        })*
    };
}

live!(Memo, RwSignal, Signal);
