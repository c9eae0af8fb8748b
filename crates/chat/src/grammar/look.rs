//! Answers that change nothing: lists, searches, dates, histories.

use rondo_domain::due::Due;
use rondo_domain::instant::{self, Instant};
use serde_json::{Map, Value, json};

use super::date::{Days, due_of};
use super::find::{self, tasks_of};
use super::pending::Pending;
use super::query::{Query, SHOWN_MAX};
use super::say::{counted, ids, line, listed, numbered, numbered_from, title};
use super::text::unquoted;
use super::turn::{Halt, Turn};

/// The event of a change that is neither a completion nor the like.
const UPDATED: &str = "task.updated";
/// Number of occurrences that an answer names.
const OCCURRENCES_MAX: usize = 5;
/// Number of entries of a history.
const ENTRIES_MAX: usize = 25;
/// Number of entries of a history that are looked at.
const LOOKED_AT_MAX: usize = 100;
/// Maximum length of a phrase that is searched for, in characters.
const SEARCH_CHARS_MAX: usize = 200;

/// Shows the tasks of a question, or says how many there are.
pub fn list(turn: &mut Turn<'_>, query: &Query) -> Result<(), Halt> {
    let clock = turn.clock();
    let is_sifted = query.is_completed && query.days.is_some();
    let limit = if is_sifted { LOOKED_AT_MAX } else { SHOWN_MAX };
    let data = turn.call("list_tasks", query.arguments(&clock, limit))?;
    let mut tasks = tasks_of(&data);
    let mut total = data.get("total").and_then(Value::as_u64).unwrap_or_default() as usize;
    if let Some(days) = query.days.as_ref().filter(|_| query.is_completed) {
        let [first, last] = clock.instants(days);
        tasks.retain(|task| {
            let at = task["completed_at"].as_str().and_then(|at| instant::parse(at).ok());
            at.is_some_and(|at| {
                first.is_none_or(|first| first <= at) && last.is_none_or(|last| at <= last)
            })
        });
        total = tasks.len();
    }
    let labels = query.labels(turn.answer());
    if query.is_next && !tasks.is_empty() {
        let lines = numbered(&clock, &tasks);
        turn.reply.memory.shown = ids(&tasks);
        turn.say(format!("{}{lines}", turn.answer().next));
        return Ok(());
    }
    let total = total.max(tasks.len());
    show(turn, &tasks, total, &labels, query.is_count);
    // What a period of completions leaves out is not on the page.
    if !query.is_count && !is_sifted {
        keep_rest(turn, query.arguments(&clock, SHOWN_MAX), &data, total);
    }
    Ok(())
}

/// Keeps the way to the tasks that a page does not have.
fn keep_rest(
    turn: &mut Turn<'_>,
    mut arguments: Map<String, Value>,
    page: &Map<String, Value>,
    total: usize,
) {
    if let Some(cursor) = page.get("next_cursor") {
        arguments.insert("cursor".to_owned(), cursor.clone());
        turn.keep(&Pending::More { arguments, total });
    }
}

/// Goes on with a list. The numbers go on, too.
pub fn more(turn: &mut Turn<'_>, arguments: &Map<String, Value>, total: usize) -> Result<(), Halt> {
    let data = turn.call("list_tasks", arguments.clone())?;
    let clock = turn.clock();
    let tasks = tasks_of(&data);
    let before = turn.reply.memory.shown.len();
    let lines = numbered_from(&clock, &tasks, before);
    let left = total.saturating_sub(before);
    let text = if tasks.is_empty() {
        turn.answer().no_more.to_owned()
    } else {
        listed(&clock, &lines, left).trim_start().to_owned()
    };
    turn.reply.memory.shown.extend(ids(&tasks));
    turn.say(text);
    keep_rest(turn, arguments.clone(), &data, total);
    Ok(())
}

/// Finds tasks by words.
pub fn search(turn: &mut Turn<'_>, words: &str) -> Result<(), Halt> {
    let trimmed = find::bare(turn.words, unquoted(words).unwrap_or(words));
    let phrase: String = trimmed.chars().take(SEARCH_CHARS_MAX).collect();
    let arguments =
        json!({ "search": phrase, "deferred": "true", "limit": SHOWN_MAX, "count": true });
    let data = turn.call("list_tasks", arguments.as_object().cloned().unwrap_or_default())?;
    let mut tasks = tasks_of(&data);
    let mut total = data.get("total").and_then(Value::as_u64).unwrap_or_default() as usize;
    if tasks.is_empty() && phrase.contains(' ') {
        // The words may stand apart.
        tasks = find::containing(turn, &phrase)?;
        total = tasks.len();
    }
    let label = turn.answer().label_search.replace("{text}", &phrase);
    show(turn, &tasks, total.max(tasks.len()), &[label], false);
    Ok(())
}

/// Shows the tasks of a name, if there are any.
pub fn named(turn: &mut Turn<'_>, words: &str) -> Result<bool, Halt> {
    let name = find::bare(turn.words, unquoted(words).unwrap_or(words));
    let tasks = match find::containing(turn, name) {
        Ok(tasks) => tasks,
        Err(Halt::Failed(status)) => return Err(Halt::Failed(status)),
        // Then it is not understood.
        Err(_) => Vec::new(),
    };
    if !tasks.is_empty() {
        let label = turn.answer().label_search.replace("{text}", name);
        show(turn, &tasks, tasks.len(), &[label], false);
    }
    Ok(!tasks.is_empty())
}

/// All of one task.
pub fn details(turn: &mut Turn<'_>, task: &Value) -> Result<(), Halt> {
    let arguments = Map::from_iter([("id".to_owned(), task["id"].clone())]);
    let data = turn.call("get_task", arguments)?;
    let (clock, answer) = (turn.clock(), turn.answer());
    let task = data.get("task").unwrap_or(task);
    let mut lines = vec![line(&clock, task)];
    lines.extend(task["description"].as_str().map(str::to_owned));
    let several = |name: &str| data.get(name).and_then(Value::as_array).into_iter().flatten();
    for reminder in several("reminders") {
        if let Some(at) = reminder["remind_at"].as_str().and_then(|at| instant::parse(at).ok()) {
            lines.push(answer.reminder_at.replace("{date}", &clock.moment(at)));
        }
    }
    let subtasks: Vec<_> =
        several("subtasks").map(|task| format!("- {}", line(&clock, task))).collect();
    if !subtasks.is_empty() {
        lines.push(answer.subtasks.to_owned());
        lines.extend(subtasks.into_iter().take(SHOWN_MAX));
    }
    turn.reply.memory.shown = ids(std::slice::from_ref(task));
    turn.say(lines.join("\n"));
    Ok(())
}

fn show(turn: &mut Turn<'_>, tasks: &[Value], total: usize, labels: &[String], is_count: bool) {
    let (clock, answer) = (turn.clock(), turn.answer());
    let what = labels.join(" ");
    let text = if total == 0 {
        let template = if labels.is_empty() { answer.nothing_open } else { answer.nothing };
        template.replace("{what}", &what)
    } else {
        let (one, many) = if labels.is_empty() { answer.open_tasks } else { answer.tasks };
        let heading = counted(one, many, total).replace("{what}", &what);
        if is_count {
            format!("{heading}.")
        } else {
            let shown = &tasks[..tasks.len().min(SHOWN_MAX)];
            format!("{heading}:{}", listed(&clock, &numbered(&clock, shown), total))
        }
    };
    let shown = &tasks[..if is_count { 0 } else { tasks.len().min(SHOWN_MAX) }];
    turn.reply.memory.shown = ids(shown);
    turn.say(text);
}

/// When each of several tasks is due.
pub fn dates(turn: &mut Turn<'_>, tasks: &[Value]) {
    show(turn, tasks, tasks.len(), &[], false);
}

/// When a task is due.
pub fn due(turn: &mut Turn<'_>, task: &Value) -> Result<(), Halt> {
    let answer = turn.answer();
    let text = match due_of(task) {
        Some(due) => answer.due.replace("{date}", &turn.clock().due_in_words(due)),
        None => answer.no_due.to_owned(),
    };
    turn.reply.memory.shown = ids(std::slice::from_ref(task));
    turn.say(text.replace("{title}", title(task)));
    Ok(())
}

/// When a recurring task is due next.
pub fn next(turn: &mut Turn<'_>, task: &Value) -> Result<(), Halt> {
    let arguments = Map::from_iter([
        ("id".to_owned(), task["id"].clone()),
        ("count".to_owned(), OCCURRENCES_MAX.into()),
    ]);
    let data = turn.call("preview_recurrence", arguments)?;
    let clock = turn.clock();
    let dates: String =
        occurrences(&data).map(|due| format!("\n- {}", clock.due_in_words(due))).collect();
    let heading = turn.answer().occurrences.replace("{title}", title(task));
    turn.reply.memory.shown = ids(std::slice::from_ref(task));
    turn.say(format!("{heading}{dates}"));
    Ok(())
}

/// The moments of a preview.
pub fn occurrences(data: &Map<String, Value>) -> impl Iterator<Item = Due> {
    let found = data.get("occurrences").and_then(Value::as_array).into_iter().flatten();
    found.filter_map(|at| Due::parse(at["utc"].as_str(), at["due_day"].as_str()).ok().flatten())
}

/// What happened to a task.
pub fn history(turn: &mut Turn<'_>, task: &Value) -> Result<(), Halt> {
    let arguments = Map::from_iter([
        ("id".to_owned(), task["id"].clone()),
        ("limit".to_owned(), ENTRIES_MAX.into()),
    ]);
    let data = turn.call("search_history", arguments)?;
    let lines = entries(turn, &data).into_iter().map(|(at, what, _)| format!("\n- {at}: {what}"));
    let lines: String = lines.collect();
    turn.reply.memory.shown = ids(std::slice::from_ref(task));
    let answer = turn.answer();
    turn.say(if lines.is_empty() {
        answer.nothing_happened.to_owned()
    } else {
        format!("{}{lines}", answer.history_of.replace("{title}", title(task)))
    });
    Ok(())
}

/// What happened in a period.
pub fn events(turn: &mut Turn<'_>, days: &Days) -> Result<(), Halt> {
    let mut arguments = Map::from_iter([("limit".to_owned(), LOOKED_AT_MAX.into())]);
    let bounds = turn.clock().instants(days);
    for (name, at) in ["start_date", "end_date"].into_iter().zip(bounds) {
        if let Some(at) = at {
            arguments.insert(name.to_owned(), instant::format(at).into());
        }
    }
    let data = turn.call("search_history", arguments)?;
    let found = entries(turn, &data);
    let answer = turn.answer();
    let lines = found
        .iter()
        .filter_map(|(_, what, title)| title.as_ref().map(|title| format!("\n- {title}: {what}")));
    let lines: Vec<_> = lines.collect();
    turn.reply.memory.shown.clear();
    turn.say(if lines.is_empty() {
        answer.nothing_happened.to_owned()
    } else {
        let shown: String = lines.iter().take(ENTRIES_MAX).map(String::as_str).collect();
        let heading = answer.history_in.replace("{period}", &days.name);
        format!("{heading}{}", listed(&turn.clock(), &shown, lines.len()))
    });
    Ok(())
}

/// What members a change has changed.
fn members(turn: &Turn<'_>, changes: &Value) -> String {
    let mut names: Vec<&str> = Vec::new();
    for (member, name) in turn.answer().members {
        if changes.get(member).is_some() && !names.contains(name) {
            names.push(name);
        }
    }
    names.join(", ")
}

/// The entries of a history that have words: when, what, and the title of the task.
fn entries(turn: &Turn<'_>, data: &Map<String, Value>) -> Vec<(String, String, Option<String>)> {
    let clock = turn.clock();
    let found = data.get("entries").and_then(Value::as_array).into_iter().flatten();
    found
        .filter_map(|entry| {
            let kind = entry["event_type"].as_str()?;
            let (_, what) = turn.answer().events.iter().find(|(name, _)| *name == kind)?;
            let at: Instant = instant::parse(entry["occurred_at"].as_str()?).ok()?;
            let title = entry["title"].as_str().map(str::to_owned);
            let members = members(turn, &entry["changes"]);
            let is_plain = members.is_empty() || kind != UPDATED;
            let what = if is_plain { (*what).to_owned() } else { format!("{what} ({members})") };
            Some((clock.moment(at), what, title))
        })
        .collect()
}
