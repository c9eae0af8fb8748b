//! Finds the tasks that words name.

use std::collections::BTreeMap;

use rondo_domain::task::Status;
use serde_json::{Map, Value, json};

use super::intent::Action;
use super::query::Query;
use super::say::title;
use super::target::Target;
use super::text::{Text, folded, folded_words};
use super::turn::{Halt, Turn};
use super::words::{Kind, Words};

/// Maximum number of searches of one turn.
const SEARCHES_MAX: usize = 3;
/// Maximum number of tasks that are named one after the other.
const NAMES_MAX: usize = 4;
/// Number of tasks that a search, or a change of many, looks at.
const FOUND_MAX: usize = 100;
/// Maximum length of a word that is searched for, in characters.
const WORD_CHARS_MAX: usize = 100;
/// Minimum length of the beginning of a word, and of a part within it, in characters.
const BEGINNING_CHARS_MIN: usize = 3;
const PART_CHARS_MIN: usize = 4;
/// Maximum number of shown tasks that are read one by one.
const READ_MAX: usize = 5;

const OPEN: [&str; 2] = [Status::Pending.as_str(), Status::InProgress.as_str()];
const COMPLETED: [&str; 1] = [Status::Completed.as_str()];

/// What words have led to.
pub enum Found {
    Tasks(Vec<Value>, Action),
    /// Several tasks fit equally well.
    Several(Vec<Value>, Action),
    /// One of the shown tasks, which are many.
    Shown(Action),
    /// Nothing has this name.
    None(String, Action),
}

/// How well a title fits a name. The greater, the better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    Contains,
    Begins,
    Equals,
}

/// The tasks of the way to read a message that fits best; of equal ones, the first.
pub fn resolve(turn: &mut Turn<'_>, ways: &[(Target, Action)]) -> Result<Found, Halt> {
    // A number or a pronoun needs no search.
    for (target, action) in ways {
        let tasks = match target {
            Target::Named(_) => continue,
            Target::Task(id) => read(turn, *id)?,
            Target::Shown(places) => shown(turn, places)?,
            Target::Both if turn.scene.memory.shown.len() != 2 => {
                return Err(Halt::Say(turn.answer().nothing_shown.to_owned()));
            }
            Target::This if turn.scene.memory.shown.len() > READ_MAX => {
                return Ok(Found::Shown(action.clone()));
            }
            Target::This | Target::These | Target::Both => {
                let shown = turn.scene.memory.shown.clone();
                each_of(turn, &shown)?
            }
            Target::Each(query) => each(turn, query)?,
        };
        return Ok(if matches!(target, Target::This) && tasks.len() > 1 {
            Found::Several(tasks, action.clone())
        } else {
            Found::Tasks(tasks, action.clone())
        });
    }
    named(turn, ways)
}

fn named(turn: &mut Turn<'_>, ways: &[(Target, Action)]) -> Result<Found, Halt> {
    let names = ways.iter().filter_map(|(target, action)| match target {
        Target::Named(name) => Some((name.as_str(), action)),
        _ => None,
    });
    let names: Vec<_> = names.collect();
    let Some(shortest) = names.iter().min_by_key(|(name, _)| name.len()).copied() else {
        return Err(Halt::Say(turn.answer().nothing_shown.to_owned()));
    };
    let mut searched: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    let mut best: Option<(Fit, Vec<Value>, &Action)> = None;
    // What has a longer name contains the words of the shortest, so one search finds all.
    candidates(turn, &mut searched, &wanted(turn.words, shortest.0), shortest.1.kind)?;
    for (name, action) in names.iter().copied() {
        let (words, wanted) = (turn.words, wanted(turn.words, name));
        let found = candidates(turn, &mut searched, &wanted, action.kind)?.unwrap_or_default();
        let (fit, tasks) = best_of(words, name, found);
        if let Some(fit) = fit
            && best.as_ref().is_none_or(|(known, ..)| fit > *known)
        {
            best = Some((fit, tasks, action));
        }
    }
    // The whole of it is what was meant if nothing has any of the names.
    let first = names.first().copied().unwrap_or(shortest);
    if best.is_none()
        && let Some(tasks) = joined(turn, first.0, first.1.kind)?
    {
        return Ok(Found::Tasks(tasks, first.1.clone()));
    }
    Ok(match best {
        Some((_, tasks, action)) if tasks.len() == 1 => Found::Tasks(tasks, action.clone()),
        Some((_, tasks, action)) => Found::Several(tasks, action.clone()),
        None => Found::None(first.0.to_owned(), first.1.clone()),
    })
}

/// The tasks of "rent and the dentist". None unless each of the names fits one task best.
fn joined(turn: &mut Turn<'_>, name: &str, kind: Kind) -> Result<Option<Vec<Value>>, Halt> {
    let is_of_many =
        matches!(kind, Kind::Complete | Kind::Reopen | Kind::Delete | Kind::Move | Kind::Undate);
    let text = Text::new(name);
    let is_between = |at: &usize| turn.words.target.and.contains(&text.word(*at));
    let mut ends: Vec<_> = (1..text.len()).filter(is_between).collect();
    if ends.is_empty() || ends.len() >= NAMES_MAX || !is_of_many {
        return Ok(None);
    }
    ends.push(text.len());
    let mut tasks: Vec<Value> = Vec::new();
    let mut start = 0;
    for end in ends {
        for name in text.slice(start..end).split(',') {
            let wanted = wanted(turn.words, name);
            let words = turn.words;
            let mut searched = BTreeMap::new();
            let found = candidates(turn, &mut searched, &wanted, kind)?.unwrap_or_default();
            let [task] = &best_of(words, name, found).1[..] else { return Ok(None) };
            if tasks.contains(task) || tasks.len() >= NAMES_MAX {
                return Ok(None);
            }
            tasks.push(task.clone());
        }
        start = end + 1;
    }
    Ok(Some(tasks))
}

/// The tasks that fit a name best, and how well.
fn best_of(words: &Words, name: &str, tasks: &[Value]) -> (Option<Fit>, Vec<Value>) {
    let fits = tasks.iter().filter_map(|task| Some((fit(words, name, title(task))?, task)));
    let fits: Vec<_> = fits.collect();
    let best = fits.iter().map(|(fit, _)| *fit).max();
    let tasks = fits.into_iter().filter(|(fit, _)| Some(*fit) == best);
    (best, open_first(tasks.map(|(_, task)| task.clone()).collect()))
}

/// Of open and completed tasks, the open ones.
fn open_first(tasks: Vec<Value>) -> Vec<Value> {
    let is_open = |task: &Value| task["status"] != Status::Completed.as_str();
    if tasks.iter().any(is_open) { tasks.into_iter().filter(is_open).collect() } else { tasks }
}

/// Tasks whose text contains the longest of these words.
fn candidates<'s>(
    turn: &mut Turn<'_>,
    searched: &'s mut BTreeMap<String, Vec<Value>>,
    wanted: &[String],
    kind: Kind,
) -> Result<Option<&'s [Value]>, Halt> {
    let known = wanted.iter().find(|word| searched.contains_key(*word)).cloned();
    let word = match known {
        Some(word) => word,
        None if searched.len() >= SEARCHES_MAX => return Ok(None),
        None => {
            let Some(longest) = wanted.iter().max_by_key(|word| word.chars().count()) else {
                return Ok(None);
            };
            let search: String = longest.chars().take(WORD_CHARS_MAX).collect();
            let mut arguments = Map::from_iter([
                ("search".to_owned(), search.into()),
                ("deferred".to_owned(), "true".into()),
                ("limit".to_owned(), FOUND_MAX.into()),
            ]);
            if let Some(status) = statuses(kind) {
                arguments.insert("status".to_owned(), json!(status));
            }
            let found = turn.call("list_tasks", arguments)?;
            searched.insert(longest.clone(), tasks_of(&found));
            longest.clone()
        }
    };
    Ok(searched.get(&word).map(Vec::as_slice))
}

/// The states of tasks that a change is for; none for any.
const fn statuses(kind: Kind) -> Option<&'static [&'static str]> {
    match kind {
        Kind::Reopen => Some(&COMPLETED),
        Kind::Delete
        | Kind::History
        | Kind::Show
        | Kind::Search
        | Kind::Rename
        | Kind::Tag
        | Kind::Untag
        | Kind::Due => None,
        _ => Some(&OPEN),
    }
}

pub fn tasks_of(data: &Map<String, Value>) -> Vec<Value> {
    let tasks = data.get("tasks").and_then(Value::as_array).cloned();
    // A tool for one task answers that one.
    tasks.unwrap_or_else(|| data.get("task").cloned().into_iter().collect())
}

/// The words of a name that its task must have.
fn wanted(words: &Words, name: &str) -> Vec<String> {
    let all = folded_words(name).into_iter();
    let all = all.map(|word| {
        word.strip_suffix(words.target.genitive).map(str::to_owned).unwrap_or(word.clone())
    });
    let all: Vec<_> = all.collect();
    let without: Vec<_> = without_frame(words, &all).to_vec();
    if without.is_empty() { all } else { without }
}

/// A name without its article, and without the word for tasks around it: "the task rent", "the rent task".
fn without_frame<'n>(words: &Words, name: &'n [String]) -> &'n [String] {
    let mut name = name;
    let known = &words.target;
    while let [first, rest @ ..] = name {
        if rest.is_empty() || !known.articles.contains(&first.as_str()) {
            break;
        }
        name = rest;
    }
    match name {
        [first, rest @ ..] if !rest.is_empty() && known.task.contains(&first.as_str()) => rest,
        [rest @ .., last] if !rest.is_empty() && known.task.contains(&last.as_str()) => rest,
        name => name,
    }
}

/// How a title fits a name: as it is written, or without article and the like.
fn fit(words: &Words, name: &str, title: &str) -> Option<Fit> {
    let owned = |word: String| match word.strip_suffix(words.target.genitive) {
        Some(owner) => owner.to_owned(),
        None => word,
    };
    let name: Vec<_> = folded_words(name).into_iter().map(owned).collect();
    let title: Vec<_> = folded_words(title).into_iter().map(owned).collect();
    let bare = without_frame(words, &title);
    let [of_all, of_bare] = [name.as_slice(), without_frame(words, &name)].map(|name| {
        if name.is_empty() {
            return None;
        }
        let [said, known, bare] = [name, &title, bare].map(|words| words.join(" "));
        if said == known || said == bare {
            Some(Fit::Equals)
        } else if begins(&known, &said) || begins(&bare, &said) {
            Some(Fit::Begins)
        } else {
            let is_there = |word: &&String| title.iter().any(|other| has(other, word));
            let says = |word: &&String| !words.date.joining.contains(&word.as_str());
            let mut said = name.iter().filter(says).peekable();
            (said.peek().is_some() && said.all(|word| is_there(&word))).then_some(Fit::Contains)
        }
    });
    of_all.max(of_bare)
}

/// Whether a title begins with a name. A few letters alone have to be a word.
fn begins(title: &str, name: &str) -> bool {
    let rest = title.strip_prefix(name);
    rest.is_some_and(|rest| rest.starts_with(' ') || name.chars().count() >= BEGINNING_CHARS_MIN)
}

/// Whether a word of a title is a word of a name, begins with it, or contains it as compounds do.
fn has(word: &str, part: &str) -> bool {
    let length = part.chars().count();
    word == part
        || length >= BEGINNING_CHARS_MIN && word.starts_with(part)
        || length >= PART_CHARS_MIN && word.contains(part)
}

/// A name as it is written, without its article and a full stop.
pub fn bare<'n>(words: &Words, name: &'n str) -> &'n str {
    let mut name = name.trim().trim_end_matches(['?', '.', '!']);
    while let Some((first, rest)) = name.split_once(char::is_whitespace) {
        if !words.target.articles.contains(&folded(first).as_str()) {
            break;
        }
        name = rest.trim_start();
    }
    name
}

/// Tasks whose titles have all words of a name.
pub fn containing(turn: &mut Turn<'_>, name: &str) -> Result<Vec<Value>, Halt> {
    let wanted = wanted(turn.words, name);
    let mut searched = BTreeMap::new();
    let words = turn.words;
    let found = candidates(turn, &mut searched, &wanted, Kind::Search)?.unwrap_or_default();
    Ok(found.iter().filter(|task| fit(words, name, title(task)).is_some()).cloned().collect())
}

fn read(turn: &mut Turn<'_>, id: i64) -> Result<Vec<Value>, Halt> {
    let arguments = Map::from_iter([("id".to_owned(), id.into())]);
    match turn.call("get_task", arguments) {
        Ok(mut data) => Ok(data.remove("task").into_iter().collect()),
        Err(Halt::Say(_)) if turn.reply.uses.last().is_some_and(|used| used.result.is_err()) => {
            Err(Halt::Say(turn.answer().no_such_id.replace("{id}", &id.to_string())))
        }
        Err(halt) => Err(halt),
    }
}

/// Shown tasks by their ids. Few of them are read; of many, only the ids are known.
pub fn each_of(turn: &mut Turn<'_>, shown: &[i64]) -> Result<Vec<Value>, Halt> {
    match shown {
        [] => Err(Halt::Say(turn.answer().nothing_shown.to_owned())),
        few if few.len() <= READ_MAX => {
            let mut tasks = Vec::with_capacity(few.len());
            for id in few {
                tasks.extend(read(turn, *id)?);
            }
            Ok(tasks)
        }
        many => Ok(many.iter().map(|id| json!({ "id": id })).collect()),
    }
}

/// Shown tasks by their places.
fn shown(turn: &mut Turn<'_>, places: &[i64]) -> Result<Vec<Value>, Halt> {
    let chosen = chosen(&turn.scene.memory.shown, places);
    let chosen = chosen.map_err(|place| {
        let answer = turn.answer();
        Halt::Say(if turn.scene.memory.shown.is_empty() {
            answer.nothing_shown.to_owned()
        } else {
            answer.no_such_number.replace("{number}", &place.to_string())
        })
    })?;
    each_of(turn, &chosen)
}

/// The ids at these places, or the place where none is.
pub fn chosen(shown: &[i64], places: &[i64]) -> Result<Vec<i64>, i64> {
    let mut ids = Vec::with_capacity(places.len());
    for place in places {
        let found = match usize::try_from(*place) {
            Ok(place) => place.checked_sub(1).and_then(|at| shown.get(at)),
            Err(_) => shown.last(),
        };
        let id = *found.ok_or(*place)?;
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    Ok(ids)
}

/// All tasks of a query.
fn each(turn: &mut Turn<'_>, query: &Query) -> Result<Vec<Value>, Halt> {
    let clock = turn.clock();
    let data = turn.call("list_tasks", query.arguments(&clock, FOUND_MAX))?;
    let tasks = tasks_of(&data);
    if data.contains_key("next_cursor") {
        return Err(Halt::Say(turn.answer().too_many.to_owned()));
    }
    if tasks.is_empty() {
        let labels = query.labels(turn.answer()).join(" ");
        let said = if labels.is_empty() {
            turn.answer().nothing_open.to_owned()
        } else {
            turn.answer().nothing.replace("{what}", &labels)
        };
        return Err(Halt::Say(said));
    }
    Ok(tasks)
}
