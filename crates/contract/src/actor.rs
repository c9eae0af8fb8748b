//! Through which program a user acted, if it was not a client of the HTTP API: members of the events that follow.

use rondo_domain::word_enum;
use serde_json::Value;

use crate::member;
use crate::member::Member;

/// Maximum length of a client's name, in characters; the rest is cut off.
pub const CLIENT_CHARS_MAX: usize = 100;

word_enum! {
    /// The kind of program.
    pub enum Kind {
        /// A client of the Model Context Protocol.
        Mcp = "mcp",
        /// The chat.
        Chat = "chat",
    }
}

/// The members of an event that a program has caused.
pub const MEMBERS: &[Member] = &[
    Member::optional("actor", member::Kind::Words(Kind::WORDS)),
    Member::optional("client", member::Kind::Text { chars_max: Some(CLIENT_CHARS_MAX) }),
];

/// A program that acts for a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    pub kind: Kind,
    /// The name that the program gives itself, such as `claude-code`. Nobody has verified it.
    pub client: Option<String>,
}

impl Actor {
    /// An actor with a client's name, as far as an event can have it.
    #[must_use]
    pub fn new(kind: Kind, client: Option<&str>) -> Self {
        let name = |client: &str| {
            let shown = client.chars().filter(|c| !c.is_control());
            let name: String = shown.take(CLIENT_CHARS_MAX).collect();
            name.trim().to_owned()
        };
        Self { kind, client: client.map(name).filter(|name| !name.is_empty()) }
    }

    /// The argument `p_trace` of the functions that write: the trace, then the members of the actor, each preceded by a
    /// comma (`actor_members` in the migrations).
    #[must_use]
    pub fn after(&self, traceparent: &str) -> String {
        let mut trace = format!("{traceparent},\"actor\":\"{}\"", self.kind);
        if let Some(client) = &self.client {
            trace += &format!(",\"client\":{}", Value::from(client.as_str()));
        }
        trace
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_actor_follows_the_trace() {
        let after = |client| Actor::new(Kind::Mcp, client).after("00-a-b-01");
        assert_eq!(after(None), r#"00-a-b-01,"actor":"mcp""#);
        assert_eq!(after(Some(" \u{7} ")), after(None));
        assert_eq!(after(Some("a\"b\n")), r#"00-a-b-01,"actor":"mcp","client":"a\"b""#);
        let long = "é".repeat(CLIENT_CHARS_MAX + 1);
        assert!(after(Some(&long)).ends_with(&format!("\"{}\"", &long[2..])));
    }
}
