//! Forms of text that several members have in common.

use crate::Violation;
use crate::blank::is_blank;

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
