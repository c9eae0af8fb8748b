//! Positions: the keys by which a user's lists are ordered. They are compared byte by byte.

/// Length of a new list's key, which the database makes from the list's id (`position_of`).
pub const POSITION_CHARS_MIN: usize = 15;
/// Maximum length of a key.
pub const POSITION_CHARS_MAX: usize = 100;

/// Whether a text has the form of a key: 15 to 100 ASCII letters and digits.
#[must_use]
pub fn is_key(text: &str) -> bool {
    (POSITION_CHARS_MIN..=POSITION_CHARS_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys() {
        for (text, expected) in [
            ("a0000000000002a", true),
            ("a0000000000002aV", true),
            ("a000000000002a", false),
            ("a0000000000002a-", false),
            ("a0000000000002é", false),
            ("", false),
        ] {
            assert_eq!(is_key(text), expected, "{text:?}");
        }
        assert!(is_key(&"z".repeat(POSITION_CHARS_MAX)));
        assert!(!is_key(&"z".repeat(POSITION_CHARS_MAX + 1)));
    }
}
