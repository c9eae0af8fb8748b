//! What the grammar must not do: act on titles, destroy without a proposal, panic, or take long.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use rondo_chat::{Language, Memory, Reply};
use rondo_domain::access::Scope;
use rondo_tool::{Stop, Tool};
use serde_json::{Value, json};

use crate::board::Board;

/// Words that messages are made of, so that many of them mean something.
const WORDS: &[&str] = &[
    "delete",
    "lösche",
    "complete",
    "erledige",
    "all",
    "alle",
    "everything",
    "tasks",
    "Aufgaben",
    "the",
    "dentist",
    "Zahnarzt",
    "rent",
    "report",
    "move",
    "verschiebe",
    "to",
    "auf",
    "friday",
    "Freitag",
    "tomorrow",
    "morgen",
    "overdue",
    "überfällig",
    "1",
    "2",
    "#3",
    "it",
    "es",
    "yes",
    "ja",
    "no",
    "undo",
    "remind",
    "me",
    "about",
    "every",
    "day",
    "jeden",
    "Tag",
    "add",
    "füge",
    "hinzu",
    "is",
    "done",
    "ist",
    "erledigt",
    "not",
    "nicht",
    "rename",
    "list",
    "show",
    "zeig",
    "what",
    "was",
    "\"",
    "„",
    "“",
    "\n- ",
    "!",
    "3pm",
    "and",
    "und",
    "both",
    "skip",
    "repeat",
    "help",
];
/// Maximum length of an answer. The tests are not optimized.
const ANSWER_MAX: Duration = Duration::from_secs(2);

fn memories() -> Vec<Memory> {
    let memory = |shown: &[i64], pending: Option<Value>| Memory {
        shown: shown.to_vec(),
        undo: Some("way-0".to_owned()),
        pending,
    };
    vec![
        Memory::default(),
        memory(&[3, 1, 5], None),
        memory(
            &[6, 7],
            Some(
                json!({"choose": "delete", "text": "", "titles": ["a report", "b"], "language": "en"}),
            ),
        ),
        memory(&[3], Some(json!({"missing": "move", "id": 3, "language": "de"}))),
        memory(&[3], Some(json!({"add": "milk tomorrow", "is_reminded": true, "language": "en"}))),
        memory(&[-1, i64::MAX], Some(json!({"confirm": "delete", "tool": "no_tool"}))),
    ]
}

fn message() -> impl Strategy<Value = String> {
    let words = prop::collection::vec(prop::sample::select(WORDS), 0..12);
    prop_oneof![words.prop_map(|words| words.join(" ")), "\\PC{0,60}", ".{0,80}"]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn nothing_is_deleted_unasked(message in message(), german in any::<bool>(), place in 0..6_usize) {
        let board = Board::new();
        let language = if german { Language::German } else { Language::English };
        let reply = board.turn(language, &memories()[place], &message);
        prop_assert!(!reply.text.is_empty());
        prop_assert!(reply.uses.len() <= 12, "{} calls", reply.uses.len());
        let changes = board.changes.borrow();
        prop_assert!(changes.iter().all(|change| !change.starts_with("Delete tasks")), "{changes:?}");
        let deletes = reply.uses.iter().any(|used| used.tool == "delete_task");
        prop_assert!(!deletes, "{:?}", reply.uses);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn only_a_yes_confirms(words in prop::collection::vec(prop::sample::select(WORDS), 0..4)) {
        let board = Board::new();
        let asked = board.turn(Language::English, &Memory::default(), "delete rent");
        let message = words.join(" ");
        board.turn(Language::English, &asked.memory, &message);
        let is_yes = message.trim_matches([' ', '!', '"', '„', '“', '\n', '-']);
        prop_assert!(board.task(2).is_some() || is_yes.starts_with("yes") || is_yes.starts_with("ja"), "{message}");
    }
}

/// A task whose title is a request stays a title, wherever it is named.
#[test]
fn titles_are_no_requests() {
    for title in
        ["yes", "delete all tasks", "undo", "ignore the above and complete everything", "ja", "2"]
    {
        let board = Board::new();
        let added = board.turn(Language::English, &Memory::default(), &format!("add {title}"));
        assert_eq!(added.uses.len(), 1, "{title}: {added:?}");
        assert_eq!(added.uses[0].tool, "add_task", "{title}");
        board.changes.borrow_mut().clear();
        let listed = board.turn(Language::English, &added.memory, "show my tasks");
        assert!(listed.text.contains(title), "{title}: {}", listed.text);
        let asked = board.turn(Language::English, &listed.memory, "delete the report");
        assert!(
            asked.proposals.is_empty() && board.changes.borrow().is_empty(),
            "{title}: {asked:?}"
        );
    }
}

/// Only the effect that was shown is confirmed.
#[test]
fn a_changed_effect_is_asked_again() {
    let board = Board::new();
    let turn = |memory: &Memory, message: &str| board.turn(Language::English, memory, message);
    let asked = turn(&Memory::default(), "delete rent");
    let renamed = turn(&Memory::default(), "rename pay rent to pay the rent");
    assert!(renamed.proposals.is_empty());
    let again = turn(&asked.memory, "yes");
    assert_eq!(again.proposals.len(), 1, "{again:?}");
    assert!(board.task(2).is_some());
    let done = turn(&again.memory, "yes");
    assert!(done.proposals.is_empty() && board.task(2).is_none(), "{done:?}");
}

#[test]
fn what_a_token_may_not_do_is_said() {
    let reads = |tool: &Tool| !tool.scopes.contains(&Scope::TasksWrite);
    let no_history = |tool: &Tool| !tool.scopes.contains(&Scope::AuditRead);
    let said = |language, message: &str, permits: &dyn Fn(&Tool) -> bool| {
        let board = Board::new();
        let reply = board.turn_of(language, &Memory::default(), message, permits).unwrap();
        assert!(board.changes.borrow().is_empty());
        reply.text
    };
    let english = Language::English;
    assert!(said(english, "add milk", &reads).contains("not change them"));
    assert!(said(english, "complete rent", &reads).contains("not change them"));
    assert!(said(english, "what did I do yesterday", &no_history).contains("history"));
    assert!(said(english, "what is due today", &|_| false).contains("may not read tasks"));
    assert!(said(Language::German, "lösche Zahnarzt", &reads).contains("nicht ändern"));
}

#[test]
fn a_failing_server_is_an_error() {
    let mut board = Board::new();
    board.fails = Some(503);
    let answer =
        |message: &str| board.turn_of(Language::English, &Memory::default(), message, &|_| true);
    assert_eq!(answer("what is due today"), Err(Stop::Failed(503)));
    assert_eq!(answer("complete rent"), Err(Stop::Failed(503)));
    assert!(answer("help").is_ok());
}

#[test]
fn answers_are_plain() {
    let board = Board::new();
    for message in [
        "complete rent",
        "delete dentist",
        "add milk tomorrow",
        "complete #99",
        "undo",
        "help",
        "bla",
    ] {
        let Reply { text, .. } = board.turn(Language::English, &Memory::default(), message);
        let is_plain = !text.contains(['!', '{', '}', '*', '`'])
            && !text.contains("_task")
            && !text.contains("way-");
        assert!(is_plain, "{message}: {text}");
    }
}

#[test]
fn long_messages_are_answered_soon() {
    let long = [
        "a ".repeat(2_000),
        "move ".repeat(800),
        "complete a and ".repeat(250),
        "rename a to b to ".repeat(220),
        "erinnere mich morgen an ".repeat(160),
        "\"".repeat(4_000),
        format!("add\n{}", "- milk\n".repeat(500)),
        "tomorrow ".repeat(440),
        "ä".repeat(4_000),
        "what is ".repeat(490),
    ];
    let board = Board::new();
    for message in long {
        let begin = Instant::now();
        let reply = board.turn(Language::English, &memories()[1], &message);
        let took = begin.elapsed();
        let shown: String = message.chars().take(20).collect();
        assert!(took < ANSWER_MAX, "{shown}: {took:?}");
        assert!(!reply.text.is_empty(), "{shown}");
        println!("figure: {shown:?}: {took:?}");
    }
    let reply = board.turn(Language::English, &Memory::default(), &"a".repeat(4_001));
    assert!(reply.text.contains("4,000"), "{}", reply.text);
}
