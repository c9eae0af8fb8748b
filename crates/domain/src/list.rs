//! A list: a named collection of a user's tasks. A task that is in no list is in the inbox.

use crate::Violation;
use crate::text::shown;

/// Maximum number of lists of a user.
pub const LISTS_MAX: i64 = 200;
/// Maximum length of a list's name, in Unicode scalar values, after trimming.
pub const LIST_NAME_CHARS_MAX: usize = 100;
/// Maximum length of a list's icon, likewise: an emoji, or the name of an icon that clients know.
pub const LIST_ICON_CHARS_MAX: usize = 50;

/// The fields that a client may write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListFields {
    pub name: String,
    /// As [`color`](crate::text::color) returns it.
    pub color: Option<String>,
    pub icon: Option<String>,
    /// Whether clients hide the list. Its tasks stay as they are.
    pub archived: bool,
}

word_enum! {
    /// What becomes of a deleted list's tasks.
    pub enum TaskFate {
        /// They move to the inbox.
        Inbox = "inbox",
        /// They are deleted too, and their series end.
        Delete = "delete",
    }
}

/// A list's name: trimmed, 1 to 100 characters, at least one of them visible.
///
/// # Errors
/// `required`, `too_long`, `forbidden_character`.
pub fn parse_name(text: &str) -> Result<String, Violation> {
    shown(text.trim(), LIST_NAME_CHARS_MAX)
}

/// A list's icon: trimmed, 1 to 50 characters, at least one of them visible.
///
/// # Errors
/// `required`, `too_long`, `forbidden_character`.
pub fn parse_icon(text: &str) -> Result<String, Violation> {
    shown(text.trim(), LIST_ICON_CHARS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_icons() {
        let check = |text: &str, name: Result<&str, &str>, icon: Result<&str, &str>| {
            let found = [parse_name(text), parse_icon(text)];
            let [found_name, found_icon] = found.map(|read| read.map_err(Violation::code));
            assert_eq!(found_name.as_deref().map_err(|code| *code), name, "{text:?}");
            assert_eq!(found_icon.as_deref().map_err(|code| *code), icon, "{text:?}");
        };
        let [fifty, hundred] = [50, 100].map(|count| "é".repeat(count));
        let (longer, too_long) = (format!("{fifty}x"), format!("{hundred}x"));
        check(" Groceries ", Ok("Groceries"), Ok("Groceries"));
        check("🛒", Ok("🛒"), Ok("🛒"));
        check(&fifty, Ok(&fifty), Ok(&fifty));
        check(&longer, Ok(&longer), Err("too_long"));
        check(&hundred, Ok(&hundred), Err("too_long"));
        check(&too_long, Err("too_long"), Err("too_long"));
        check(" \u{200b} ", Err("required"), Err("required"));
        check("a\0", Err("forbidden_character"), Err("forbidden_character"));
    }
}
