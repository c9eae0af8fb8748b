//! What a turn of a conversation begins with, and what it comes to.

use rondo_domain::instant::Instant;
use rondo_domain::quick_add::Language;
use rondo_domain::zone::Zone;
use rondo_tool::{Api, Tool};
use serde_json::{Map, Value, json};

/// What a turn begins with.
pub struct Scene<'a> {
    /// The API, on behalf of the user.
    pub api: &'a dyn Api,
    pub now: Instant,
    /// The user's zone: of days and times in the message, and of those in the answer.
    pub zone: &'a Zone,
    /// The language of the user's program. A message in another one that is known gets its answer in that one.
    pub language: Language,
    /// What the turn before has left.
    pub memory: &'a Memory,
    /// Whether a tool may be called with the caller's token.
    pub permits: &'a dyn Fn(&Tool) -> bool,
}

/// What a turn has come to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reply {
    /// For the user: plain text, in the language of the message.
    pub text: String,
    /// The tools that were called, in order.
    pub uses: Vec<Use>,
    /// What waits for the user's confirmation. Nothing of it has happened.
    pub proposals: Vec<Proposal>,
    /// What the next message may refer to.
    pub memory: Memory,
}

/// A call of a tool.
#[derive(Debug, Clone, PartialEq)]
pub struct Use {
    pub tool: &'static str,
    pub arguments: Map<String, Value>,
    /// The tool's data, which fits its output schema; or why nothing was done.
    pub result: Result<Map<String, Value>, String>,
}

/// A call of a tool that its user has to confirm.
#[derive(Debug, Clone, PartialEq)]
pub struct Proposal {
    pub tool: &'static str,
    pub arguments: Map<String, Value>,
    /// What would happen, in the words of the tool. The confirmation is bound to them.
    pub effect: String,
}

/// What a message may refer to: "the second", "it", "undo", "yes".
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Memory {
    /// The tasks shown last, in the order of their numbers.
    pub shown: Vec<i64>,
    /// The way back of the last change.
    pub undo: Option<String>,
    /// What the grammar has asked about: an object of its own form.
    pub pending: Option<Value>,
}

/// Maximum number of tasks that a message can refer to.
const SHOWN_MAX: usize = 100;

impl Memory {
    /// The memory as it is kept with a message.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({ "shown": self.shown, "undo": self.undo, "pending": self.pending })
    }

    /// Reads what [`Memory::to_json`] has written; anything else is forgotten.
    #[must_use]
    pub fn of_json(kept: &Value) -> Self {
        let shown = kept["shown"].as_array().into_iter().flatten().filter_map(Value::as_i64);
        Self {
            shown: shown.take(SHOWN_MAX).collect(),
            undo: kept["undo"].as_str().map(str::to_owned),
            pending: kept.get("pending").filter(|pending| pending.is_object()).cloned(),
        }
    }
}
