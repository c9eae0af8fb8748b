//! The grammar's tables of phrases, its dialogues and its limits, on a dozen tasks in memory.

mod board;
mod limit;

use rondo_chat::{Language, Memory, Reply};
use rondo_domain::access::Scope;
use serde_json::{Map, Value};

use board::Board;

/// What a reply has come to, as the tables write it: the tool that changes, that is proposed (`?`), or that reads last,
/// with its arguments; or the answer's first line (`|`).
fn outcome(reply: &Reply) -> String {
    if let Some(proposal) = reply.proposals.first() {
        return format!("? {} {}", proposal.tool, written(&proposal.arguments));
    }
    let writes = |tool: &str| {
        rondo_tool::named(tool).is_some_and(|tool| tool.scopes.contains(&Scope::TasksWrite))
    };
    let used = reply.uses.iter().find(|used| writes(used.tool)).or(reply.uses.last());
    let is_unknown = UNKNOWN.iter().any(|words| reply.text.contains(words));
    let asks = reply.memory.pending.as_ref().is_some_and(|asked| asked.get("more").is_none());
    match used.filter(|_| !asks && !is_unknown) {
        Some(used) => format!("{} {}", used.tool, written(&used.arguments)),
        None => format!("| {}", reply.text.lines().next().unwrap_or_default()),
    }
}

/// What answers say that have understood nothing.
const UNKNOWN: [&str; 2] = ["have not understood", "nicht verstanden"];

fn written(arguments: &Map<String, Value>) -> String {
    let mut parts: Vec<_> = arguments
        .iter()
        .map(|(name, value)| match value {
            Value::String(text) => format!("{name}={text}"),
            value => format!("{name}={value}"),
        })
        .collect();
    parts.sort();
    parts.join(" ")
}

/// Checks a table: `message => outcome` in each line.
fn check(language: Language, table: &str, min: usize) {
    let memory = Memory { shown: vec![3, 1, 5], undo: Some("way-0".to_owned()), pending: None };
    let mut wrong = String::new();
    let mut count = 0;
    for row in table.lines().filter(|row| !row.is_empty() && !row.starts_with("//")) {
        let (message, expected) = row.split_once(" => ").unwrap_or((row, ""));
        let message = message.replace("\\n", "\n");
        let reply = Board::new().turn(language, &memory, &message);
        let found = outcome(&reply);
        count += 1;
        if found.trim() != expected.trim() {
            wrong += &format!("{row}\n    found: {found}\n    said:  {}\n", reply.text);
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(count >= min, "{count} phrases");
}

#[test]
fn english_phrases() {
    check(Language::English, include_str!("english.txt"), 150);
}

#[test]
fn german_phrases() {
    check(Language::German, include_str!("german.txt"), 120);
}

#[test]
fn dialogues() {
    let mut wrong = String::new();
    let mut count = 0;
    for dialogue in include_str!("dialogue.txt").split("\n\n") {
        let lines: Vec<_> = dialogue.lines().filter(|line| !line.starts_with("//")).collect();
        let [language, lines @ ..] = &lines[..] else { continue };
        let language = Language::parse(language).unwrap();
        let board = Board::new();
        let mut reply = Reply::default();
        count += 1;
        for line in lines {
            if let Some(message) = line.strip_prefix("you: ") {
                // As it is kept with a message.
                let memory = Memory::of_json(&reply.memory.to_json());
                let message = &message.replace("\\n", "\n");
                reply = board.turn(language, &memory, message);
            } else if let Some(said) = line.strip_prefix("says: ") {
                if !reply.text.contains(said) {
                    wrong += &format!("{dialogue}\n    at: {line}\n    said: {}\n", reply.text);
                }
            } else if outcome(&reply) != *line {
                let found = outcome(&reply);
                wrong += &format!(
                    "{dialogue}\n    at: {line}\n    found: {found}\n    said: {}\n",
                    reply.text
                );
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(count > 20, "{count} dialogues");
}

#[test]
fn long_lists_go_on() {
    let board = Board::new();
    let turn = |memory: &Memory, message: &str| board.turn(Language::English, memory, message);
    let lines: String = (1..=25).map(|number| format!("\n- errand {number}")).collect();
    let asked = turn(&Memory::default(), &format!("add:{lines}"));
    let added = turn(&asked.memory, "yes");
    let listed = turn(&added.memory, "show my tasks");
    assert!(listed.text.starts_with("38 open tasks:\n1. "), "{}", listed.text);
    assert!(listed.text.ends_with("and 13 more") && listed.memory.shown.len() == 25);
    let kept = Memory::of_json(&listed.memory.to_json());
    let more = turn(&kept, "show more");
    assert!(more.text.starts_with("26. ") && !more.text.contains("more"), "{}", more.text);
    assert_eq!(more.memory.shown.len(), 38);
    let last = turn(&more.memory, "complete 38");
    assert_eq!(last.memory.shown, more.memory.shown[37..]);
    let dropped = turn(&last.memory, "show more");
    assert!(!dropped.text.starts_with("26."), "{}", dropped.text);
}

/// The examples of the documentation are understood, in the language of their column.
#[test]
fn documented_examples() {
    let page = include_str!("../../../../docs/assistants.md");
    let section = page.split("\n### ").find(|part| part.starts_with("Without a model")).unwrap();
    let memory = Memory { shown: vec![3, 1, 5], undo: Some("way-0".to_owned()), pending: None };
    let mut count = 0;
    for row in section.lines().filter(|line| line.starts_with('|')) {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        for (cell, language) in [(2, Language::English), (3, Language::German)] {
            for example in cells[cell].split('`').skip(1).step_by(2) {
                let reply = Board::new().turn(language, &memory, example);
                let offers = ["Shall I add", "Soll ich"];
                let unknown = UNKNOWN.iter().chain(&offers).any(|words| reply.text.contains(words));
                let is_known = !reply.proposals.is_empty() || !unknown;
                assert!(is_known, "{example}: {}", reply.text);
                count += 1;
            }
        }
    }
    assert!(count > 70, "{count} examples");
}
