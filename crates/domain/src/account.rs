//! Limits and formats of an account's values.

use crate::Violation;
use crate::blank::is_blank;

pub const PASSWORD_CHARS_MIN: usize = 8;
pub const PASSWORD_CHARS_MAX: usize = 128;
/// Maximum length of a person's name, after trimming.
pub const NAME_CHARS_MAX: usize = 200;
/// Maximum length of a personal API token's name, after trimming.
pub const TOKEN_NAME_CHARS_MAX: usize = 100;

/// The name of a person or token: trimmed, with a visible character, without control characters.
///
/// # Errors
/// `too_long`, `malformed`, `required`.
pub fn name(text: &str, chars_max: usize) -> Result<String, Violation> {
    let text = text.trim();
    if text.chars().nth(chars_max).is_some() {
        Err(Violation::TooLong { max: chars_max })
    } else if text.chars().any(char::is_control) {
        Err(Violation::Malformed { expected: "free of control characters" })
    } else if is_blank(text) {
        Err(Violation::Required)
    } else {
        Ok(text.to_owned())
    }
}

/// A new password.
///
/// # Errors
/// `out_of_range`.
pub fn new_password(text: &str) -> Result<String, Violation> {
    if (PASSWORD_CHARS_MIN..=PASSWORD_CHARS_MAX).contains(&text.chars().count()) {
        return Ok(text.to_owned());
    }
    Err(Violation::OutOfRange {
        min: PASSWORD_CHARS_MIN as i64,
        max: PASSWORD_CHARS_MAX as i64,
        unit: " characters long",
    })
}

/// A password to compare, truncated one character after the maximum, so that the work of a login does not
/// grow with its input.
#[must_use]
pub fn bounded_password(text: &str) -> String {
    text.chars().take(PASSWORD_CHARS_MAX + 1).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let check = |text: &str, expected: Result<&str, &str>| {
            let found = name(text, 5);
            assert_eq!(
                found.as_deref().map_err(|violation| violation.code()),
                expected,
                "{text:?}"
            );
        };
        check(" Ann ", Ok("Ann"));
        check("Annabel", Err("too_long"));
        check("A\nn", Err("malformed"));
        check(" \u{200b} ", Err("required"));
        check("", Err("required"));
    }

    #[test]
    fn passwords() {
        for (length, accepted) in [(7, false), (8, true), (128, true), (129, false)] {
            let password = "é".repeat(length);
            assert_eq!(new_password(&password).is_ok(), accepted, "{length}");
            assert_eq!(bounded_password(&password).chars().count(), length);
        }
        assert_eq!(bounded_password(&"x".repeat(200)).len(), PASSWORD_CHARS_MAX + 1);
    }
}
