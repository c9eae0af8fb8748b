//! Changes: the calls that carry them out, what is asked before, and what is said after.

use serde_json::{Map, Value, json};

use super::date::{due_of, unwritten};
use super::look;
use super::pending::Pending;
use super::query::SHOWN_MAX;
use super::say::{counted, ids, line, listed, numbered, title};
use super::turn::{Halt, Turn};
use super::words::Kind;

/// What the tool that moves tasks calls no date.
pub const NO_DATE: &str = "none";

/// A call of a tool that changes tasks.
pub struct Change {
    pub kind: Kind,
    /// What the tasks change to, if the answer says so.
    pub text: String,
    pub tool: &'static str,
    pub arguments: Map<String, Value>,
}

impl Change {
    /// `arguments` is an object.
    pub fn new(kind: Kind, tool: &'static str, arguments: Value) -> Self {
        let arguments = match arguments {
            Value::Object(arguments) => arguments,
            _ => Map::new(),
        };
        Self { kind, text: String::new(), tool, arguments }
    }

    /// A change of the members of one task.
    pub fn of_members(kind: Kind, task: &Value, changes: &Value) -> Self {
        Self::new(kind, "update_task", json!({ "id": task["id"], "changes": changes }))
    }

    pub fn saying(self, text: impl Into<String>) -> Self {
        Self { text: text.into(), ..self }
    }

    /// Calls the tool. If it asks, the user is asked.
    pub fn make(self, turn: &mut Turn<'_>, agreed: Option<&str>) -> Result<(), Halt> {
        match turn.call_agreed(self.tool, self.arguments.clone(), agreed) {
            Ok(data) => report(turn, self.kind, &self.text, &data),
            Err(Halt::Ask(effect)) => {
                ask(turn, self, effect);
                Ok(())
            }
            Err(halt) => Err(halt),
        }
    }
}

/// Says what has changed.
fn report(
    turn: &mut Turn<'_>,
    kind: Kind,
    said: &str,
    data: &Map<String, Value>,
) -> Result<(), Halt> {
    let clock = turn.clock();
    let tasks = super::find::tasks_of(data);
    let known = turn.answer().changes.iter().find(|(known, ..)| *known == kind);
    let (one, many) = known.map_or(("{task}", "{n}"), |(_, one, many)| (*one, *many));
    let (one, many) = (one.replace("{text}", said), many.replace("{text}", said));
    let (one, many) = (one.as_str(), many.as_str());
    let mut text = match &tasks[..] {
        [task] => one.replace("{task}", &line(&clock, task)).replace("{title}", title(task)),
        [] => turn.answer().undone.to_owned(),
        tasks if kind == Kind::Delete => counted(one, many, tasks.len()),
        tasks => {
            let heading = counted(one, many, tasks.len());
            let shown = tasks.len().min(SHOWN_MAX);
            format!("{heading}{}", listed(&clock, &numbered(&clock, &tasks[..shown]), tasks.len()))
        }
    };
    turn.reply.memory.shown = ids(&tasks);
    match (kind, &tasks[..]) {
        (Kind::Complete, [task]) if !task["recurrence_rule"].is_null() => {
            text += &following(turn, task)?;
        }
        (Kind::Delete, _) => {
            turn.reply.memory.shown.clear();
            if turn.reply.memory.undo.is_some() {
                text = format!("{text} {}", turn.answer().may_undo);
            }
        }
        _ => {}
    }
    turn.say(text);
    Ok(())
}

/// When the next occurrence of a completed task is due. What counts from the completion, or would have been due by now,
/// is for the server to say.
fn following(turn: &mut Turn<'_>, task: &Value) -> Result<String, Halt> {
    let answer = turn.answer();
    let goes_on = Ok(format!(" {}", answer.series_goes_on));
    let Some(due) = due_of(task).filter(|_| task["recurrence_rule"]["basis"] != "completion")
    else {
        return goes_on;
    };
    let arguments =
        Map::from_iter([("id".to_owned(), task["id"].clone()), ("count".to_owned(), 2.into())]);
    let data = match turn.call("preview_recurrence", arguments) {
        Ok(data) => data,
        Err(Halt::Failed(status)) => return Err(Halt::Failed(status)),
        // The task is completed all the same.
        Err(_) => return goes_on,
    };
    let clock = turn.clock();
    let dates: Vec<_> = look::occurrences(&data).collect();
    if dates.len() < 2 {
        // This was the last one.
        return Ok(String::new());
    }
    let next = dates.into_iter().find(|next| next.start(clock.zone) > due.end(clock.zone));
    match next.filter(|next| next.end(clock.zone) > clock.now) {
        Some(next) => {
            Ok(format!(" {}", answer.next_date.replace("{date}", &clock.due_in_words(next))))
        }
        None => goes_on,
    }
}

/// Asks for a confirmation, in the words of the user. The tool's own are what they confirm.
fn ask(turn: &mut Turn<'_>, change: Change, effect: String) {
    let answer = turn.answer();
    let named = effect.lines().filter_map(|line| line.strip_prefix("- "));
    let is_new = matches!(change.kind, Kind::Add | Kind::AddReminded);
    let named = named.map(|name| if is_new { (None, name) } else { numbered_name(name) });
    let named: Vec<_> = named.collect();
    // A date, or words for one; none removes it.
    let due = change.arguments.get("due").and_then(Value::as_str).filter(|due| *due != NO_DATE);
    let asked = match (change.kind, due) {
        (Kind::Move, None) => Kind::Undate,
        (kind, _) => kind,
    };
    let known = answer.asks.iter().find(|(kind, ..)| *kind == asked);
    let mut text = match (known, &named[..]) {
        // What a task becomes stands only in the tool's words.
        (None, _) | (_, []) => answer.ask_other.replace("{effect}", effect.trim()),
        (Some((_, one, _)), [(_, title)]) => one.replace("{title}", title),
        (Some((.., many)), named) => {
            let lines = named.iter().enumerate().take(SHOWN_MAX);
            let lines: String =
                lines.map(|(at, (_, title))| format!("\n{}. {title}", at + 1)).collect();
            let heading = many.replace("{n}", &named.len().to_string());
            format!("{heading}{}", listed(&turn.clock(), &lines, named.len()))
        }
    };
    let beneath = effect.lines().filter_map(|line| line.strip_prefix("with ")).find_map(|line| {
        let digits: String = line.chars().take_while(char::is_ascii_digit).collect();
        digits.parse::<usize>().ok()
    });
    if let Some(due) = due {
        let clock = turn.clock();
        let date = unwritten(due).map_or_else(|| due.to_owned(), |due| clock.due_in_words(due));
        text = text.replace("{date}", &date);
    }
    if let Some(beneath) = beneath {
        let between = if named.len() == 1 { " " } else { "\n" };
        let subtasks = answer.with_subtasks.replace("{n}", &beneath.to_string());
        text = format!("{text}{between}{subtasks}");
    }
    let shown: Vec<_> = named.iter().filter_map(|(id, _)| *id).collect();
    if !shown.is_empty() {
        turn.reply.memory.shown = shown;
    }
    turn.say(text);
    let Change { kind, tool, arguments, .. } = change;
    turn.propose(&Pending::Confirm { kind, tool, arguments, effect });
}

/// `#42 Water the plants` as id and title.
fn numbered_name(name: &str) -> (Option<i64>, &str) {
    let numbered = name.strip_prefix('#').and_then(|rest| rest.split_once(' '));
    match numbered.and_then(|(id, title)| Some((id.parse().ok()?, title))) {
        Some((id, title)) => (Some(id), title),
        None => (None, name),
    }
}
