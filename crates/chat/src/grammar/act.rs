//! What is done with the tasks that were found.

use rondo_domain::task::Status;
use serde_json::{Map, Value, json};

use super::change::{Change, NO_DATE};
use super::date::{When, due_of, written};
use super::find::{Found, resolve};
use super::intent::Action;
use super::look;
use super::pending::Pending;
use super::query::INBOX;
use super::say::{ids, listed, numbered, title};
use super::target::Target;
use super::text::unquoted;
use super::turn::{Halt, Turn};
use super::words::Kind;

/// Maximum number of tasks that a question names.
const CHOICES_MAX: usize = 10;
/// The reminder that comes when the task is due.
const AT_DUE: &str = "PT0S";
/// Maximum number of tasks that one message adds.
const LINES_MAX: usize = 25;

/// Carries out the way to read a message that fits.
pub fn act(turn: &mut Turn<'_>, ways: &[(Target, Action)]) -> Result<(), Halt> {
    match resolve(turn, ways)? {
        Found::Tasks(tasks, action) => perform(turn, &tasks, &action),
        Found::Several(tasks, action) if action.kind == Kind::Due => {
            look::dates(turn, &tasks);
            Ok(())
        }
        Found::Several(tasks, action) => {
            let number = turn.words.number(tasks.len());
            let heading = turn.answer().which.replace("{number}", &number);
            choose(turn, &heading, tasks, action);
            Ok(())
        }
        Found::Shown(action) => {
            turn.say(turn.answer().which_number);
            turn.keep(&Pending::Choose { action, titles: Vec::new() });
            Ok(())
        }
        Found::None(name, action) => {
            nothing_named(turn, &name, &action);
            Ok(())
        }
    }
}

/// Asks which of several tasks is meant.
fn choose(turn: &mut Turn<'_>, heading: &str, mut tasks: Vec<Value>, action: Action) {
    let total = tasks.len();
    tasks.truncate(CHOICES_MAX);
    let clock = turn.clock();
    let lines = listed(&clock, &numbered(&clock, &tasks), total);
    // Of tasks that were shown long ago, only the numbers are known.
    let is_known = tasks.iter().all(|task| !title(task).is_empty());
    turn.say(if is_known { format!("{heading}{lines}") } else { heading.to_owned() });
    turn.reply.memory.shown = ids(&tasks);
    let titles = tasks.iter().map(|task| title(task).to_owned()).collect();
    turn.keep(&Pending::Choose { action, titles });
}

fn nothing_named(turn: &mut Turn<'_>, name: &str, action: &Action) {
    let answer = turn.answer();
    let known = match action.kind {
        Kind::Reopen => answer.no_such_completed,
        _ => answer.no_such_task,
    };
    let mut text = known.replace("{name}", name);
    // What somebody wants to be reminded of, or wants to move to a day, may be a task that is not there yet.
    if matches!(action.kind, Kind::Remind | Kind::Move | Kind::Repeat) && !action.text.is_empty() {
        let line = format!("{name} {}", action.text);
        let is_reminded = action.kind == Kind::Remind;
        let found = turn.clock().line(&line);
        if found.is_some_and(|found| !found.title.is_empty() && found.due.is_some()) {
            text = format!("{text} {}", answer.offer);
            turn.keep(&Pending::Add { line, is_reminded });
        }
    }
    turn.say(text);
}

/// Does something with tasks. Of tasks that were shown long ago, only the ids may be known.
pub fn perform(turn: &mut Turn<'_>, tasks: &[Value], action: &Action) -> Result<(), Halt> {
    let kind = action.kind;
    let all = json!({ "ids": ids(tasks) });
    match kind {
        Kind::Complete => Change::new(kind, "complete_task", all).make(turn, None),
        Kind::Reopen => Change::new(kind, "reopen_task", all).make(turn, None),
        Kind::Delete => Change::new(kind, "delete_task", all).make(turn, None),
        Kind::Move | Kind::Shift | Kind::Undate => reschedule(turn, tasks, action),
        _ => match tasks {
            [task] => one(turn, task, action),
            tasks => {
                let heading = turn.answer().one_at_a_time;
                choose(turn, heading, tasks.to_vec(), action.clone());
                Ok(())
            }
        },
    }
}

fn reschedule(turn: &mut Turn<'_>, tasks: &[Value], action: &Action) -> Result<(), Halt> {
    let clock = turn.clock();
    let from = match tasks {
        [task] => due_of(task),
        _ => None,
    };
    let due = match action.kind {
        Kind::Undate => NO_DATE.to_owned(),
        Kind::Move if action.text.is_empty() => {
            if let [task] = tasks {
                turn.reply.memory.shown = ids(tasks);
                let id = task["id"].as_i64().unwrap_or_default();
                turn.keep(&Pending::Missing { kind: Kind::Move, id });
            }
            return Err(Halt::Say(turn.answer().move_when.to_owned()));
        }
        Kind::Shift if tasks.len() > 1 => {
            return Err(Halt::Say(turn.answer().one_at_a_time.to_owned()));
        }
        kind => {
            let due = match kind {
                Kind::Shift => clock.shifted(&action.text, from),
                _ => clock.moved(&action.text, from),
            };
            let Some(due) = due else {
                return Err(Halt::Say(turn.answer().move_when.to_owned()));
            };
            written(due)
        }
    };
    let kind = if action.kind == Kind::Shift { Kind::Move } else { action.kind };
    let arguments = json!({ "ids": ids(tasks), "due": due });
    Change::new(kind, "reschedule_task", arguments).make(turn, None)
}

/// What is done with one task at a time.
fn one(turn: &mut Turn<'_>, task: &Value, action: &Action) -> Result<(), Halt> {
    let (kind, text) = (action.kind, action.text.as_str());
    let members = |changes: Value| Change::of_members(kind, task, &changes);
    match kind {
        Kind::Skip => {
            if task["recurrence_rule"].is_null() {
                return not_repeating(turn, task);
            }
            let arguments = json!({ "ids": [task["id"]], "skip": true });
            Change::new(kind, "reschedule_task", arguments).make(turn, None)
        }
        Kind::Remind => remind(turn, task, text),
        Kind::Unremind => unremind(turn, task),
        Kind::Repeat => {
            let Some(first) = turn.clock().repetition(text) else {
                turn.reply.memory.shown = ids(std::slice::from_ref(task));
                let id = task["id"].as_i64().unwrap_or_default();
                turn.keep(&Pending::Missing { kind, id });
                return Err(Halt::Say(turn.answer().repeat_how.to_owned()));
            };
            let mut changes = json!({ "repeat": text });
            if due_of(task).is_none() {
                changes["due"] = written(first).into();
            }
            members(changes).make(turn, None)
        }
        Kind::Unrepeat if task["recurrence_rule"].is_null() => not_repeating(turn, task),
        Kind::Unrepeat => members(json!({ "repeat": null })).make(turn, None),
        Kind::Rename => members(json!({ "title": text })).make(turn, None),
        Kind::Rank => {
            let priority = Some(text).filter(|text| *text != "none");
            members(json!({ "priority": priority })).make(turn, None)
        }
        Kind::Tag => members(json!({ "tags": with_tags(task, text) })).make(turn, None),
        Kind::Untag => {
            let left = without_tags(task, text);
            if left.len() == tags(task).len() {
                let said = turn.answer().no_tag.replace("{tag}", text);
                return Err(Halt::Say(said.replace("{title}", title(task))));
            }
            members(json!({ "tags": left })).make(turn, None)
        }
        Kind::File => {
            let name = if text == INBOX { turn.answer().inbox } else { text };
            members(json!({ "list": text })).saying(name).make(turn, None)
        }
        Kind::Begin => members(json!({ "status": Status::InProgress.as_str() })).make(turn, None),
        Kind::Due => look::due(turn, task),
        Kind::Next if task["recurrence_rule"].is_null() => look::due(turn, task),
        Kind::Next => look::next(turn, task),
        Kind::History => look::history(turn, task),
        Kind::Show => look::details(turn, task),
        _ => Err(Halt::Say(turn.answer().not_understood.to_owned())),
    }
}

fn not_repeating(turn: &mut Turn<'_>, task: &Value) -> Result<(), Halt> {
    turn.reply.memory.shown = ids(std::slice::from_ref(task));
    Err(Halt::Say(turn.answer().not_repeating.replace("{title}", title(task))))
}

fn tags(task: &Value) -> Vec<String> {
    let tags = task["tags"].as_array().into_iter().flatten().filter_map(Value::as_str);
    tags.map(str::to_owned).collect()
}

fn with_tags(task: &Value, added: &str) -> Vec<String> {
    let mut all = tags(task);
    for tag in added.split_whitespace() {
        if all.iter().all(|known| !is_same(known, tag)) {
            all.push(tag.to_owned());
        }
    }
    all
}

fn without_tags(task: &Value, removed: &str) -> Vec<String> {
    let stays = |tag: &String| removed.split_whitespace().all(|other| !is_same(tag, other));
    tags(task).into_iter().filter(stays).collect()
}

fn is_same(tag: &str, other: &str) -> bool {
    rondo_domain::task::tag_key(tag) == rondo_domain::task::tag_key(other)
}

fn remind(turn: &mut Turn<'_>, task: &Value, text: &str) -> Result<(), Halt> {
    let clock = turn.clock();
    let due = due_of(task);
    let answer = turn.answer();
    let (name, value) = match clock.reminder(text, due) {
        Some(When::At(at)) if at <= clock.now => {
            turn.reply.memory.shown = ids(std::slice::from_ref(task));
            let id = task["id"].as_i64().unwrap_or_default();
            turn.keep(&Pending::Missing { kind: Kind::Remind, id });
            return Err(Halt::Say(answer.reminder_past.to_owned()));
        }
        Some(When::At(at)) => ("at", at.to_string()),
        _ if due.is_none() => {
            turn.reply.memory.shown = ids(std::slice::from_ref(task));
            let id = task["id"].as_i64().unwrap_or_default();
            turn.keep(&Pending::Missing { kind: Kind::Remind, id });
            return Err(Halt::Say(answer.reminder_needs_due.replace("{title}", title(task))));
        }
        Some(When::Before(offset)) => ("before", offset.to_string()),
        None => ("before", AT_DUE.to_owned()),
    };
    let arguments = Map::from_iter([
        ("id".to_owned(), task["id"].clone()),
        (name.to_owned(), value.clone().into()),
    ]);
    let data = turn.call("set_reminder", arguments)?;
    let reminders = data.get("reminders").and_then(Value::as_array).into_iter().flatten();
    let at = reminders.filter(|reminder| name == "at" || reminder["offset"] == *value).find_map(
        |reminder| {
            let at = reminder["remind_at"].as_str()?.parse().ok()?;
            (name == "before" || written(rondo_domain::due::Due::At(at)) == value).then_some(at)
        },
    );
    let date = match (at, due) {
        (Some(at), _) => clock.moment(at),
        (None, Some(due)) => clock.due_in_words(due),
        (None, None) => String::new(),
    };
    turn.reply.memory.shown = ids(std::slice::from_ref(task));
    turn.say(answer.reminder.replace("{title}", title(task)).replace("{date}", &date));
    Ok(())
}

fn unremind(turn: &mut Turn<'_>, task: &Value) -> Result<(), Halt> {
    let arguments = Map::from_iter([("id".to_owned(), task["id"].clone())]);
    let data = turn.call("get_task", arguments)?;
    let reminders = data.get("reminders").and_then(Value::as_array).cloned().unwrap_or_default();
    turn.reply.memory.shown = ids(std::slice::from_ref(task));
    let answer = turn.answer();
    let [reminder] = &reminders[..] else {
        let said = if reminders.is_empty() { answer.no_reminder } else { answer.several_reminders };
        let number = turn.words.number(reminders.len());
        return Err(Halt::Say(said.replace("{title}", title(task)).replace("{number}", &number)));
    };
    let removal = json!({ "id": task["id"], "remove": true, "reminder_id": reminder["id"] });
    let removal = removal.as_object().cloned().unwrap_or_default();
    turn.call("set_reminder", removal)?;
    turn.say(answer.reminder_removed.replace("{title}", title(task)));
    Ok(())
}

/// Adds tasks, one a line.
pub fn add(turn: &mut Turn<'_>, lines: &[String], is_reminded: bool) -> Result<(), Halt> {
    let answer = turn.answer();
    if lines.len() > LINES_MAX {
        return Err(Halt::Say(answer.too_many_lines.to_owned()));
    }
    let mut lacks_date = false;
    let mut tasks = Vec::with_capacity(lines.len());
    for line in lines {
        let line = line.trim();
        if let Some(title) = unquoted(line) {
            tasks.push(json!({ "title": title }));
            lacks_date |= is_reminded;
            continue;
        }
        let line = without_stop(line);
        let clock = turn.clock().likeliest(line);
        if clock.line(line).is_some_and(|found| found.title.is_empty()) {
            return Err(Halt::Say(answer.no_title.to_owned()));
        }
        let mut task = json!({ "text": line, "language": clock.words.language.as_str() });
        if is_reminded {
            let found = clock.line(line);
            match found.filter(|found| found.due.is_some()) {
                Some(found) if found.reminders.is_empty() => task["reminder"] = AT_DUE.into(),
                Some(_) => {}
                None => lacks_date = true,
            }
        }
        tasks.push(task);
    }
    let kind = if is_reminded && !lacks_date { Kind::AddReminded } else { Kind::Add };
    Change::new(kind, "add_task", json!({ "tasks": tasks })).make(turn, None)?;
    if lacks_date && turn.reply.proposals.is_empty() {
        turn.reply.text = format!("{} {}", turn.reply.text, answer.no_reminder_yet);
        if let [id] = turn.reply.memory.shown[..] {
            turn.keep(&Pending::Missing { kind: Kind::Remind, id });
        }
    }
    Ok(())
}

/// A line without the full stop of a sentence. One after a number or an abbreviation belongs to the word.
fn without_stop(line: &str) -> &str {
    const WORD_CHARS_MIN: usize = 4;
    let Some(rest) = line.strip_suffix('.') else { return line };
    let last = rest.split_whitespace().next_back().unwrap_or_default();
    let is_word = last.chars().all(char::is_alphabetic) && last.chars().count() >= WORD_CHARS_MIN;
    if is_word { rest } else { line }
}
