//! Reads untrusted JSON: at most 32 levels deep, and without duplicate members, of which one would be lost
//! (and parsers differ on which).

use std::fmt;

use rondo_domain::ID_MAX;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Maximum nesting of arrays and objects.
pub const DEPTH_MAX: usize = 32;

/// The start of `serde_json`'s message about such a number.
const NUMBER_OUT_OF_RANGE: &str = "number out of range";

/// Why a JSON text is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JsonError {
    /// The reason and the position, in a sentence that quotes no value.
    Malformed(String),
    /// A number beyond the range of an IEEE 754 double: valid JSON, but no value of the API.
    NumberOutOfRange(String),
}

/// A JSON text without the byte order mark that some editors and libraries write before it (RFC 8259, section
/// 8.1).
#[must_use]
pub fn without_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text)
}

/// Reads a JSON text (RFC 8259), with or without a byte order mark.
///
/// # Errors
/// See [`JsonError`].
pub fn parse(text: &[u8]) -> Result<Value, JsonError> {
    let mut deserializer = serde_json::Deserializer::from_slice(without_mark(text));
    let value = Guard { depth: 0 }
        .deserialize(&mut deserializer)
        .and_then(|value| deserializer.end().map(|()| value));
    value.map_err(|error| match error.classify() {
        serde_json::error::Category::Data => JsonError::Malformed(error.to_string()),
        _ if error.to_string().starts_with(NUMBER_OUT_OF_RANGE) => {
            JsonError::NumberOutOfRange(error.to_string())
        }
        _ => JsonError::Malformed(format!(
            "not JSON at line {}, column {}",
            error.line(),
            error.column()
        )),
    })
}

/// Builds a value and counts its depth.
#[derive(Clone, Copy)]
struct Guard {
    depth: usize,
}

impl Guard {
    fn deeper<E: Error>(self) -> Result<Self, E> {
        if self.depth == DEPTH_MAX {
            return Err(E::custom(format_args!("nested deeper than {DEPTH_MAX}")));
        }
        Ok(Self { depth: self.depth + 1 })
    }
}

impl<'de> DeserializeSeed<'de> for Guard {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Guard {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        // 1.0 is the same integer as 1 (JSON Schema, section 4.2.3), and some clients write it so.
        const EXACT_MAX: f64 = ID_MAX as f64;
        if value.fract() == 0.0 && value.abs() <= EXACT_MAX {
            return Ok(Value::from(value as i64));
        }
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(inner)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut map = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            if map.contains_key(&name) {
                return Err(A::Error::custom("an object has a member twice"));
            }
            map.insert(name, members.next_value_seed(inner)?);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepted_and_refused_texts() {
        assert_eq!(
            parse(br#"{"a":[1,-2,1.5,"x",null,true]}"#).unwrap(),
            serde_json::json!({"a": [1, -2, 1.5, "x", null, true]})
        );
        let whole = parse(br#"[1.0, 1e3, -0.0, 9007199254740991.0, 9007199254740994.0, 0.5]"#);
        assert_eq!(
            whole.unwrap(),
            serde_json::json!([
                1,
                1000,
                0,
                9_007_199_254_740_991_i64,
                9_007_199_254_740_994.0,
                0.5
            ])
        );
        let check = |text: &[u8], expected: &str| {
            let JsonError::Malformed(error) = parse(text).unwrap_err() else {
                panic!("{expected}")
            };
            assert!(error.contains(expected), "{error}");
        };
        assert!(matches!(parse(b"[1e400]"), Err(JsonError::NumberOutOfRange(_))));
        assert!(parse(b"[99999999999999999999, 1e300, -0.0]").is_ok());
        assert_eq!(parse(b"\xef\xbb\xbf{}").unwrap(), serde_json::json!({}));
        check(b"\xef\xbb\xbf\xef\xbb\xbf{}", "not JSON");
        check(b"\xef\xbb{}", "not JSON");
        check(b"{}\xef\xbb\xbf", "not JSON");
        check(br#"{"a":1,"a":2}"#, "twice");
        check(br#"{"a":{"b":1,"b":2}}"#, "twice");
        check(br#"[[{"a":[{"b":1,"b":1}]}]]"#, "twice");
        check(br#"{"a":1,"\u0061":2}"#, "twice");
        check(br#"{"":1,"":2}"#, "twice");
        check(b"{", "not JSON");
        check(b"1 2", "not JSON");
        check(b"\"\xff\"", "not JSON");
        check(br#""\ud800""#, "not JSON");
        let nested = |depth: usize| [vec![b'['; depth], vec![b']'; depth]].concat();
        assert!(parse(&nested(DEPTH_MAX)).is_ok());
        check(&nested(DEPTH_MAX + 1), "deeper");
        check(&nested(100_000), "deeper");
    }
}
