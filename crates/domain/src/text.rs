//! Text formats that several members share.

use crate::Violation;
use crate::blank::is_blank;

/// Maximum length of a key that a client chooses.
pub const KEY_CHARS_MAX: usize = 255;

/// A key that a client chooses: 1 to 255 visible ASCII characters.
///
/// # Errors
/// `malformed`.
pub fn key(text: &str) -> Result<String, Violation> {
    let is_key = (1..=KEY_CHARS_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_graphic());
    let expected = "1 to 255 visible ASCII characters";
    is_key.then(|| text.to_owned()).ok_or(Violation::Malformed { expected })
}

/// Text of 1 to `max` characters, at least one of which is visible.
///
/// # Errors
/// `required`, `too_long`, `forbidden_character`.
pub fn shown(text: &str, max: usize) -> Result<String, Violation> {
    let text = limited(text, max)?;
    if is_blank(&text) { Err(Violation::Required) } else { Ok(text) }
}

/// Text of at most `max` characters without U+0000, which Postgres cannot store.
///
/// # Errors
/// `too_long`, `forbidden_character`.
pub fn limited(text: &str, max: usize) -> Result<String, Violation> {
    if text.contains('\0') {
        Err(Violation::ForbiddenCharacter)
    } else if text.chars().nth(max).is_some() {
        Err(Violation::TooLong { max })
    } else {
        Ok(text.to_owned())
    }
}

/// A colour: `#` and six hexadecimal digits, in lower case.
///
/// # Errors
/// `malformed`.
pub fn color(text: &str) -> Result<String, Violation> {
    let is_color = text.strip_prefix('#').is_some_and(|digits| {
        digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
    });
    let malformed = Violation::Malformed { expected: "a colour such as #1e90ff" };
    is_color.then(|| text.to_ascii_lowercase()).ok_or(malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys() {
        for (text, accepted) in [
            ("!", true),
            ("~a-1", true),
            ("", false),
            ("a b", false),
            ("é", false),
            ("\u{7f}", false),
        ] {
            assert_eq!(key(text).is_ok(), accepted, "{text:?}");
        }
        assert!(key(&"x".repeat(255)).is_ok());
        assert!(key(&"x".repeat(256)).is_err());
    }

    #[test]
    fn colors() {
        assert_eq!(color("#1E90FF").as_deref(), Ok("#1e90ff"));
        for text in ["#12345", "#1234567", "123456", "#12345g", "#１２３４５６", "", "red"] {
            assert_eq!(color(text).map_err(Violation::code), Err("malformed"), "{text}");
        }
    }
}
