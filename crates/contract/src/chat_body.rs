//! The chat on the wire: the body of a turn, and the members of conversations and messages in responses.

use rondo_domain::Violation;
use rondo_domain::quick_add::Language;
use rondo_domain::text::{KEY_CHARS_MAX, key, shown};
use rondo_domain::word_enum;
use serde_json::Value;

use crate::body::{Reader, id, text};
use crate::member::{Kind, Member};
use crate::problem::FieldError;
use crate::quick_add_body::LANGUAGE_DEFAULT;

/// Maximum length of a user's message.
pub const MESSAGE_CHARS_MAX: usize = 4_000;
/// Maximum length of an answer; the rest is cut off.
pub const ANSWER_CHARS_MAX: usize = 16_000;
/// Maximum length of a conversation's title, which is the beginning of its first message.
pub const CONVERSATION_TITLE_CHARS_MAX: usize = 80;
/// Maximum number of conversations of a user. A new one takes the place of the one unused for longest.
pub const CONVERSATIONS_MAX: i64 = 100;
/// Maximum number of messages of a conversation; the oldest go.
pub const MESSAGES_MAX: i64 = 1_000;
/// Maximum number of messages in one response.
pub const MESSAGES_SHOWN_MAX: i64 = 100;
/// How many earlier messages a turn knows.
pub const HISTORY_MAX: i64 = 20;

word_enum! {
    /// What has answered.
    pub enum Source {
        Grammar = "grammar",
        Model = "model",
    }
}

word_enum! {
    /// Why the grammar has answered although there is a model.
    pub enum Notice {
        /// The model's server cannot be reached, is too slow or refuses, or its answer broke off.
        ModelUnavailable = "model_unavailable",
        /// The user's turns have used up the tokens of the day.
        TokensUsedUp = "tokens_used_up",
        /// The user has not said that the model may read their tasks.
        NotShared = "not_shared",
    }
}

/// A conversation in responses.
pub const CONVERSATION_MEMBERS: &[Member] = &[
    Member::new("id", Kind::Id),
    Member::new("title", Kind::Text { chars_max: Some(CONVERSATION_TITLE_CHARS_MAX) }),
    Member::new("created_at", Kind::Instant),
    Member::new("updated_at", Kind::Instant),
];

/// A turn of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// None begins a conversation.
    pub conversation: Option<i64>,
    pub said: Said,
    /// Of the user's program.
    pub language: Language,
}

/// What the user says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    Message(String),
    /// The token of a proposal, to which the user agrees.
    Confirmation(String),
}

/// Reads `{conversation_id?, message | confirm, language?}`.
///
/// # Errors
/// All faults.
pub fn parse(body: &Value) -> Result<Turn, Vec<FieldError>> {
    let mut reader = Reader::of(body)?;
    let conversation = reader.optional("conversation_id", id);
    let confirm = reader.optional("confirm", text(key));
    let message = reader.optional("message", text(|text| shown(text, MESSAGE_CHARS_MAX)));
    let language = reader.optional("language", text(Language::parse));
    let has = |name: &str| body.get(name).is_some_and(|value| !value.is_null());
    match (has("message"), has("confirm")) {
        (false, false) => reader.refuse("message", Violation::Required),
        (true, true) => reader.refuse("message", Violation::NotApplicable { with: "confirm" }),
        (false, true) if !has("conversation_id") => {
            reader.refuse("conversation_id", Violation::Required);
        }
        _ => {}
    }
    reader.finish()?;
    let said = match confirm {
        Some(token) => Said::Confirmation(token),
        None => Said::Message(message.unwrap_or_default()),
    };
    Ok(Turn { conversation, said, language: language.unwrap_or(LANGUAGE_DEFAULT) })
}

/// Maximum length of the token of a proposal.
pub const CONFIRM_CHARS_MAX: usize = KEY_CHARS_MAX;

/// The title of a conversation that begins with a message: its first line, as far as a title goes.
#[must_use]
pub fn title(message: &str) -> String {
    let line = message.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    if line.chars().nth(CONVERSATION_TITLE_CHARS_MAX).is_none() {
        return line.to_owned();
    }
    let cut: String = line.chars().take(CONVERSATION_TITLE_CHARS_MAX - 1).collect();
    format!("{}…", cut.trim_end())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn turns() {
        let message = |text: &str| Said::Message(text.to_owned());
        let turn = parse(&json!({"message": "help"})).unwrap();
        let expected =
            Turn { conversation: None, said: message("help"), language: Language::English };
        assert_eq!(turn, expected);
        let turn = parse(&json!({"message": "Hilfe", "conversation_id": 3, "language": "de"}));
        let expected =
            Turn { conversation: Some(3), said: message("Hilfe"), language: Language::German };
        assert_eq!(turn.unwrap(), expected);
        let turn = parse(&json!({"confirm": "1.x", "conversation_id": 3})).unwrap();
        assert_eq!(turn.said, Said::Confirmation("1.x".to_owned()));
    }

    #[test]
    fn faults() {
        for (body, expected) in [
            (json!({}), vec![("/message", "required")]),
            (json!({"message": " \n"}), vec![("/message", "required")]),
            (json!({"message": "a\0"}), vec![("/message", "forbidden_character")]),
            (json!({"message": "a".repeat(4_001)}), vec![("/message", "too_long")]),
            (
                json!({"message": 1, "x": 2}),
                vec![("/message", "malformed"), ("/x", "unknown_member")],
            ),
            (json!({"confirm": "t"}), vec![("/conversation_id", "required")]),
            (
                json!({"confirm": "t", "message": "a", "conversation_id": 1}),
                vec![("/message", "not_applicable")],
            ),
            (
                json!({"confirm": "a b", "conversation_id": 0, "language": "fr"}),
                vec![
                    ("/conversation_id", "out_of_range"),
                    ("/confirm", "malformed"),
                    ("/language", "unknown_value"),
                ],
            ),
        ] {
            let faults = parse(&body).unwrap_err();
            let found: Vec<_> = faults.iter().map(|e| (e.pointer.as_str(), &*e.code)).collect();
            assert_eq!(found, expected, "{body}");
        }
    }

    #[test]
    fn titles() {
        assert_eq!(title("\n  add milk \nand bread"), "add milk");
        let long = title(&"ä".repeat(81));
        assert_eq!(long.chars().count(), CONVERSATION_TITLE_CHARS_MAX);
        assert!(long.ends_with('…'));
    }
}
