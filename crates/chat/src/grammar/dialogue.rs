//! A message within its conversation: the answer to a question, a new request, or neither.

use rondo_domain::quick_add::Language;
use serde_json::{Value, json};

use super::act::{act, add, perform};
use super::change::Change;
use super::find::{chosen, each_of};
use super::intent::{Action, Intent, request, says, understand};
use super::look;
use super::pending::Pending;
use super::target::places;
use super::text::{Text, folded_words};
use super::turn::{Halt, Turn};
use super::words::{Kind, Words};
use crate::reply::{Proposal, Reply, Scene};

/// Maximum length of a message, in characters.
const MESSAGE_CHARS_MAX: usize = 4_000;
/// Maximum number of words that may be the name of a task.
const NAME_WORDS_MAX: usize = 6;

/// Answers a message. An error is the status of a server that cannot answer.
pub fn answer(scene: &Scene<'_>, message: &str) -> Result<Reply, u16> {
    let kept = scene.memory.pending.as_ref().and_then(Pending::of_json);
    let language = kept.as_ref().map_or(scene.language, |(_, language)| *language);
    let pending = kept.map(|(pending, _)| pending);
    let message = message.trim();
    if message.chars().nth(MESSAGE_CHARS_MAX).is_some() {
        let mut turn = Turn::new(scene, Words::of(language));
        turn.say(turn.answer().too_long);
        return Ok(turn.reply);
    }
    let others = Language::ALL.iter().copied().filter(|other| *other != language);
    let languages: Vec<_> = [language].into_iter().chain(others).collect();
    let turn = |language| Turn::new(scene, Words::of(language));
    if let Some(pending) = &pending {
        for language in &languages {
            let mut turn = turn(*language);
            if let Some(outcome) = answered(&mut turn, pending, message) {
                return end(turn, outcome);
            }
        }
    }
    for language in &languages {
        let mut turn = turn(*language);
        if let Some(intent) = understand(&turn.clock(), message) {
            let outcome = carry_out(&mut turn, intent);
            return end(turn, outcome);
        }
    }
    let mut turn = turn(told(message, &languages));
    let outcome = match &pending {
        Some(Pending::Choose { action, titles }) => told_apart(&mut turn, action, titles, message),
        _ => None,
    };
    let outcome = outcome.unwrap_or_else(|| offer(&mut turn, message));
    end(turn, outcome)
}

/// Does what the user has agreed to; if it would have another effect by now, asks again.
pub fn confirm(scene: &Scene<'_>, proposal: &Proposal) -> Result<Reply, u16> {
    let mut turn = Turn::new(scene, Words::of(scene.language));
    let Proposal { tool, arguments, effect } = proposal;
    let kind = match *tool {
        "complete_task" => Kind::Complete,
        "reopen_task" => Kind::Reopen,
        "delete_task" => Kind::Delete,
        "reschedule_task" => Kind::Move,
        "add_task" | "add_recurring_task" => Kind::Add,
        "update_task" if arguments.contains_key("undo") => Kind::Undo,
        _ => Kind::Rank,
    };
    let change = Change::new(kind, tool, arguments.clone().into());
    let outcome = change.make(&mut turn, Some(effect));
    end(turn, outcome)
}

/// The reply of a turn that has ended.
fn end(mut turn: Turn<'_>, outcome: Result<(), Halt>) -> Result<Reply, u16> {
    match outcome {
        Ok(()) => {}
        Err(Halt::Say(text)) => turn.say(text),
        // Each change asks by itself; no other tool does.
        Err(Halt::Ask(_)) => turn.say(turn.answer().not_understood),
        Err(Halt::Failed(status)) => return Err(status),
    }
    Ok(turn.reply)
}

/// The language that most words of a message show; of equals, the first.
fn told(message: &str, languages: &[Language]) -> Language {
    let said = folded_words(message);
    let count = |language: &Language| {
        let telling = Words::of(*language).telling;
        said.iter().filter(|word| telling.contains(&word.as_str())).count()
    };
    let first = languages.first().copied().unwrap_or(Language::English);
    languages
        .iter()
        .fold((first, 0), |best, language| match count(language) {
            found if found > best.1 => (*language, found),
            _ => best,
        })
        .0
}

/// Takes a message as the answer to a question. None if it is not.
fn answered(turn: &mut Turn<'_>, pending: &Pending, message: &str) -> Option<Result<(), Halt>> {
    if says(&turn.clock(), message, Kind::No) {
        turn.say(turn.answer().left);
        return Some(Ok(()));
    }
    let agrees = says(&turn.clock(), message, Kind::Yes);
    match pending {
        Pending::Confirm { kind, tool, arguments, effect } => agrees.then(|| {
            let change = Change::new(*kind, tool, Value::Object(arguments.clone()));
            change.make(turn, Some(effect))
        }),
        Pending::Add { line, is_reminded } => {
            agrees.then(|| add(turn, std::slice::from_ref(line), *is_reminded))
        }
        Pending::More { arguments, total } => {
            let asks = agrees || Text::new(message).is_any(turn.words.list.more);
            asks.then(|| look::more(turn, arguments, *total))
        }
        Pending::Choose { .. } | Pending::Missing { .. } if agrees => {
            // That says neither which nor when.
            let answer = turn.answer();
            turn.say(match pending {
                Pending::Choose { .. } => answer.which_number,
                Pending::Missing { kind: Kind::Repeat, .. } => answer.repeat_how,
                _ => answer.move_when,
            });
            turn.keep(pending);
            Some(Ok(()))
        }
        Pending::Choose { action, .. } => {
            let text = Text::new(message);
            let shown = &turn.scene.memory.shown;
            let known = &turn.words.target;
            let is_both = shown.len() == 2 && text.is_any(known.both);
            let ids = if is_both || text.is_any(known.these) {
                shown.clone()
            } else {
                match chosen(shown, &places(&turn.clock(), &text)?) {
                    Ok(ids) => ids,
                    Err(place) => {
                        let said = turn.answer().no_such_number;
                        turn.say(said.replace("{number}", &place.to_string()));
                        turn.keep(pending);
                        return Some(Ok(()));
                    }
                }
            };
            Some(perform_on(turn, &ids, action))
        }
        Pending::Missing { kind, id } => {
            match kind {
                Kind::Remind => turn.clock().reminder(message, None).map(|_| ())?,
                Kind::Repeat => turn.clock().repetition(message).map(|_| ())?,
                _ => turn.clock().due(message).map(|_| ())?,
            }
            Some(perform_on(turn, &[*id], &Action::new(*kind, message)))
        }
    }
}

/// The tasks of a question whose titles have all words of a message.
fn told_apart(
    turn: &mut Turn<'_>,
    action: &Action,
    titles: &[String],
    message: &str,
) -> Option<Result<(), Halt>> {
    let said = folded_words(message);
    let known = &turn.words.target;
    let said = said.iter().filter(|word| {
        let word = word.as_str();
        let is_between = turn.words.date.joining.contains(&word);
        !known.articles.contains(&word) && !known.one.contains(&word) && !is_between
    });
    let said: Vec<_> = said.collect();
    let fits = |title: &String| {
        let title = folded_words(title);
        said.iter().all(|word| title.iter().any(|other| other.contains(word.as_str())))
    };
    let ids = turn.scene.memory.shown.iter().zip(titles).filter(|(_, title)| fits(title));
    let ids: Vec<_> = ids.map(|(id, _)| *id).collect();
    match ids[..] {
        [_] if !said.is_empty() => Some(perform_on(turn, &ids, action)),
        _ => None,
    }
}

fn perform_on(turn: &mut Turn<'_>, ids: &[i64], action: &Action) -> Result<(), Halt> {
    let tasks = each_of(turn, ids)?;
    perform(turn, &tasks, action)
}

fn carry_out(turn: &mut Turn<'_>, intent: Intent) -> Result<(), Halt> {
    match intent {
        Intent::Add { lines, is_reminded } => add(turn, &lines, is_reminded),
        Intent::List(query) => look::list(turn, &query),
        Intent::Search(words) => look::search(turn, &words),
        Intent::Act(ways) => act(turn, &ways),
        Intent::Events(days) => look::events(turn, &days),
        Intent::Simple(Kind::Undo) => undo(turn),
        Intent::Simple(kind) => {
            let answer = turn.answer();
            turn.say(match kind {
                Kind::Help => answer.help,
                Kind::Greet => answer.greeting,
                Kind::Thank => answer.welcome,
                Kind::Yes | Kind::No => answer.nothing_asked,
                _ => answer.not_understood,
            });
            Ok(())
        }
    }
}

fn undo(turn: &mut Turn<'_>) -> Result<(), Halt> {
    let Some(token) = turn.scene.memory.undo.clone() else {
        return Err(Halt::Say(turn.answer().nothing_to_undo.to_owned()));
    };
    Change::new(Kind::Undo, "update_task", json!({ "undo": token })).make(turn, None)
}

/// Offers to add what has a date or a mark; otherwise says that the message was not understood.
fn offer(turn: &mut Turn<'_>, message: &str) -> Result<(), Halt> {
    let text = Text::new(message);
    let asks = message.ends_with('?') || turn.words.questions.contains(&text.word(0));
    let is_line = !message.contains('\n') && !asks;
    let message = &*request(turn.words, message);
    let clock = turn.clock().likeliest(message);
    if is_line && clock.marks(message) > 0 {
        let title = clock.line(message).map(|found| found.title).unwrap_or_default();
        turn.say(turn.answer().shall_add.replace("{title}", &title));
        turn.keep(&Pending::Add { line: message.to_owned(), is_reminded: false });
        return Ok(());
    }
    // A few words alone may be the name of a task.
    if is_line && text.len() <= NAME_WORDS_MAX && look::named(turn, message)? {
        return Ok(());
    }
    turn.say(turn.answer().not_understood);
    Ok(())
}
