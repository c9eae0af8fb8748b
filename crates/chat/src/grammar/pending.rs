//! What the grammar has asked about: the form of [`Memory::pending`](crate::reply::Memory::pending).

use rondo_domain::quick_add::Language;
use serde_json::{Map, Value, json};

use super::intent::Action;
use super::words::Kind;

/// A question that the next message may answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Pending {
    /// Whether to call a tool that has asked. The confirmation is for exactly this effect.
    Confirm { kind: Kind, tool: &'static str, arguments: Map<String, Value>, effect: String },
    /// Which of the shown tasks is meant. They have these titles.
    Choose { action: Action, titles: Vec<String> },
    /// Whether to add a task.
    Add { line: String, is_reminded: bool },
    /// Whether to go on with a list: the call that reads on, and how many tasks there are.
    More { arguments: Map<String, Value>, total: usize },
    /// When, how often: what is missing of an action for a task.
    Missing { kind: Kind, id: i64 },
}

impl Pending {
    pub fn to_json(&self, language: Language) -> Value {
        let mut kept = match self {
            Self::Confirm { kind, tool, arguments, effect } => json!({
                "confirm": kind.as_str(), "tool": tool, "arguments": arguments, "effect": effect,
            }),
            Self::Choose { action, titles } => json!({
                "choose": action.kind.as_str(), "text": action.text, "titles": titles,
            }),
            Self::Add { line, is_reminded } => json!({ "add": line, "is_reminded": is_reminded }),
            Self::More { arguments, total } => json!({ "more": arguments, "total": total }),
            Self::Missing { kind, id } => json!({ "missing": kind.as_str(), "id": id }),
        };
        kept["language"] = language.as_str().into();
        kept
    }

    /// Reads what [`to_json`](Self::to_json) has written, with the language of the question.
    pub fn of_json(kept: &Value) -> Option<(Self, Language)> {
        let language = Language::parse(kept["language"].as_str()?).ok()?;
        let kind = |name: &str| kept[name].as_str().and_then(|word| Kind::parse(word).ok());
        if let Some(kind) = kind("confirm") {
            let tool = rondo_tool::named(kept["tool"].as_str()?)?.name;
            let arguments = kept["arguments"].as_object()?.clone();
            let effect = kept["effect"].as_str()?.to_owned();
            return Some((Self::Confirm { kind, tool, arguments, effect }, language));
        }
        if let Some(kind) = kind("choose") {
            let titles = kept["titles"].as_array()?.iter();
            let titles = titles.map(|title| title.as_str().unwrap_or_default().to_owned());
            let action = Action::new(kind, kept["text"].as_str()?);
            return Some((Self::Choose { action, titles: titles.collect() }, language));
        }
        if let Some(line) = kept["add"].as_str() {
            let is_reminded = kept["is_reminded"] == true;
            return Some((Self::Add { line: line.to_owned(), is_reminded }, language));
        }
        if let Some(arguments) = kept["more"].as_object() {
            let total = kept["total"].as_u64().and_then(|total| usize::try_from(total).ok())?;
            return Some((Self::More { arguments: arguments.clone(), total }, language));
        }
        let missing = Self::Missing { kind: kind("missing")?, id: kept["id"].as_i64()? };
        Some((missing, language))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_comes_back() {
        let arguments = Map::from_iter([("ids".to_owned(), json!([1]))]);
        for pending in [
            Pending::Confirm {
                kind: Kind::Delete,
                tool: "delete_task",
                arguments: arguments.clone(),
                effect: "Deletes:\n- #1 a".to_owned(),
            },
            Pending::Choose {
                action: Action::new(Kind::Move, "friday"),
                titles: vec!["a".to_owned(), "b".to_owned()],
            },
            Pending::Add { line: "a tomorrow".to_owned(), is_reminded: true },
            Pending::More { arguments, total: 40 },
            Pending::Missing { kind: Kind::Move, id: 7 },
        ] {
            let kept = pending.to_json(Language::German);
            assert_eq!(Pending::of_json(&kept), Some((pending, Language::German)));
        }
    }

    #[test]
    fn anything_else_is_forgotten() {
        for kept in [
            json!({}),
            json!([]),
            json!({"language": "en", "confirm": "delete", "tool": "format_disk", "arguments": {}, "effect": ""}),
            json!({"language": "en", "confirm": "delete", "tool": "delete_task"}),
            json!({"language": "xx", "add": "a"}),
            json!({"language": "en", "choose": "eat", "text": "", "titles": []}),
            json!({"language": "en", "missing": "move"}),
        ] {
            assert_eq!(Pending::of_json(&kept), None, "{kept}");
        }
    }
}
