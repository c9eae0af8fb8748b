//! Tasks in answers: one a line, with what matters of them.

use rondo_domain::task::Priority;
use serde_json::Value;

use super::date::{Clock, due_of};
use super::words::AnswerWords;

/// Between the parts of a line.
const SEPARATOR: &str = " · ";

pub fn title(task: &Value) -> &str {
    task["title"].as_str().unwrap_or_default()
}

pub fn ids(tasks: &[Value]) -> Vec<i64> {
    tasks.iter().filter_map(|task| task["id"].as_i64()).collect()
}

/// A task: its title, when it is due, how it repeats, its priority and tags.
pub fn line(clock: &Clock<'_>, task: &Value) -> String {
    let words = &clock.words.answer;
    let mut parts = vec![title(task).to_owned()];
    if task["status"] == "completed" {
        parts.push(words.completed.to_owned());
    }
    parts.extend(due_of(task).map(|due| clock.due_in_words(due)));
    if !task["recurrence_rule"].is_null() {
        parts.push(rule(words, &task["recurrence_rule"]));
    }
    parts.extend(priority(words, task).map(str::to_owned));
    let tags = task["tags"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let tags: Vec<_> = tags.map(|tag| format!("#{tag}")).collect();
    if !tags.is_empty() {
        parts.push(tags.join(" "));
    }
    parts.join(SEPARATOR)
}

fn priority(words: &AnswerWords, task: &Value) -> Option<&'static str> {
    let known = Priority::parse(task["priority"].as_str()?).ok()?;
    words.priorities.iter().find(|(priority, _)| *priority == known).map(|(_, name)| *name)
}

/// A rule in a few words.
fn rule(words: &AnswerWords, rule: &Value) -> String {
    let frequency = words.frequencies.iter().find(|(name, ..)| rule["frequency"] == *name);
    match (frequency, rule["interval"].as_i64().unwrap_or(1)) {
        (None, _) => words.repeats.to_owned(),
        (Some((_, every, _)), 1) => (*every).to_owned(),
        (Some((.., every)), interval) => every.replace("{n}", &interval.to_string()),
    }
}

/// Tasks in numbered lines.
pub fn numbered(clock: &Clock<'_>, tasks: &[Value]) -> String {
    numbered_from(clock, tasks, 0)
}

/// Tasks in numbered lines, behind so many others.
pub fn numbered_from(clock: &Clock<'_>, tasks: &[Value], before: usize) -> String {
    let lines = tasks.iter().zip(before + 1..);
    lines.map(|(task, number)| format!("\n{number}. {}", line(clock, task))).collect()
}

/// The numbered lines that are shown, and how many there are besides.
pub fn listed(clock: &Clock<'_>, lines: &str, total: usize) -> String {
    let shown = lines.matches('\n').count();
    if total <= shown {
        return lines.to_owned();
    }
    let more = clock.words.answer.more.replace("{n}", &(total - shown).to_string());
    format!("{lines}\n{more}")
}

/// A sentence about one or many.
pub fn counted(one: &str, many: &str, number: usize) -> String {
    let template = if number == 1 { one } else { many };
    template.replace("{n}", &number.to_string())
}
