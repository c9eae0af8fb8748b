//! The words of each language: what a message can say, and what an answer says. The rest of the grammar is shared, so
//! another language is another table.
//!
//! Words of messages are in the form of [`fold`](rondo_domain::fold::fold), without case and accents, with one space
//! between them. Answers have places in braces.

mod english;
mod german;

use rondo_domain::quick_add::Language;
use rondo_domain::task::Priority;
use rondo_domain::word_enum;

/// Phrases.
pub type List = &'static [&'static str];
/// Phrases and their meanings.
pub type Table<T> = &'static [(&'static str, T)];

word_enum! {
    /// What a message wants. The words are those of a memory.
    pub enum Kind {
        Add = "add",
        /// Adds a task with a reminder at the due moment.
        AddReminded = "add_reminded",
        Complete = "complete",
        Reopen = "reopen",
        Delete = "delete",
        Move = "move",
        /// Moves by a length of time.
        Shift = "shift",
        Undate = "undate",
        Skip = "skip",
        Remind = "remind",
        Unremind = "unremind",
        Repeat = "repeat",
        Unrepeat = "unrepeat",
        Rename = "rename",
        Rank = "rank",
        Tag = "tag",
        Untag = "untag",
        /// Moves into a list.
        File = "file",
        Begin = "begin",
        /// Asks when a task is due.
        Due = "due",
        /// Asks when a recurring task is due next.
        Next = "next",
        History = "history",
        /// Shows all of one task.
        Show = "show",
        /// Asks for everything that happened in a period.
        Events = "events",
        Completed = "completed",
        Search = "search",
        Undo = "undo",
        Help = "help",
        Greet = "greet",
        Thank = "thank",
        Yes = "yes",
        No = "no",
    }
}

/// A period, counted from the current day, week or month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    Day(i64),
    Weekend(i64),
    Week(i64),
    Month(i64),
}

/// The words of a language.
#[derive(Debug)]
pub struct Words {
    pub language: Language,
    /// In the order in which they are tried.
    pub templates: &'static [(Kind, List)],
    /// Openings of a message whose further lines are tasks.
    pub several: List,
    /// What may stand before or after a request.
    pub polite: List,
    /// What may stand behind the first words of a request.
    pub fillers: List,
    /// First words of a question.
    pub questions: List,
    /// Endings of infinitives, as in "daran, Bob anzurufen".
    pub infinitive: Option<Infinitive>,
    /// Priorities by name; none removes it.
    pub ranks: Table<Option<Priority>>,
    pub target: TargetWords,
    pub list: ListWords,
    pub date: DateWords,
    pub answer: AnswerWords,
    /// Words that show the language of a message that was not understood.
    pub telling: List,
}

/// How an infinitive with a particle is written.
#[derive(Debug)]
pub struct Infinitive {
    pub particle: &'static str,
    pub prefixes: List,
    pub ending: &'static str,
}

/// Words for tasks.
#[derive(Debug)]
pub struct TargetWords {
    pub task: List,
    /// Before the number of a shown task.
    pub number: List,
    /// Places among the shown tasks; -1 is the last.
    pub ordinals: Table<i64>,
    /// After an ordinal.
    pub one: List,
    pub articles: List,
    /// The one task that was shown.
    pub this: List,
    /// All tasks that were shown.
    pub these: List,
    /// The two tasks that were shown.
    pub both: List,
    /// The ending of a word that owns something.
    pub genitive: &'static str,
    /// Before filters of tasks.
    pub each: List,
    pub and: List,
}

/// Words of questions for lists.
#[derive(Debug)]
pub struct ListWords {
    pub openings: List,
    /// Before a date.
    pub due: List,
    pub counting: List,
    /// Words that filter nothing.
    pub noise: List,
    pub overdue: List,
    pub undated: List,
    pub completed: List,
    pub begun: List,
    pub next: List,
    pub priorities: Table<&'static [Priority]>,
    pub tagged: List,
    pub in_list: List,
    pub inbox: List,
    /// After the name of a list.
    pub list: List,
    pub until: List,
    /// Before a length of time that begins today.
    pub coming: List,
    /// Asks for the rest of a list.
    pub more: List,
}

/// Words for days and times.
#[derive(Debug)]
pub struct DateWords {
    /// Between the name of a task and a date.
    pub joining: List,
    /// Before the length of time by which a task moves.
    pub by: List,
    /// After it.
    pub later: List,
    /// Before the date that a task has had.
    pub from: List,
    /// Before a length of time from now, as quick add has it.
    pub within: &'static str,
    /// Phrases of each period, and what answers call it.
    pub periods: &'static [(Period, List, &'static str)],
    /// Before a month that is meant as a whole.
    pub month_lead: List,
    /// `{month}`.
    pub in_month: &'static str,
    /// `{day}`.
    pub on: &'static str,
    pub until: &'static str,
    pub weekdays: [&'static str; 7],
    pub months: [&'static str; 12],
    /// `{weekday}`, `{day}`, `{month}`.
    pub date: &'static str,
    /// And `{year}`.
    pub date_with_year: &'static str,
}

/// What answers say.
#[derive(Debug)]
pub struct AnswerWords {
    pub help: &'static str,
    pub greeting: &'static str,
    pub welcome: &'static str,
    pub not_understood: &'static str,
    pub too_long: &'static str,
    pub too_many_lines: &'static str,
    pub no_title: &'static str,
    /// `{title}`.
    pub shall_add: &'static str,
    pub nothing_asked: &'static str,
    pub left: &'static str,
    pub nothing_to_undo: &'static str,
    pub undone: &'static str,
    /// `{reason}`.
    pub refused: &'static str,
    pub changed_meanwhile: &'static str,
    pub may_not_read: &'static str,
    pub may_not_write: &'static str,
    pub may_not_audit: &'static str,
    /// `{name}`.
    pub no_such_task: &'static str,
    pub no_such_completed: &'static str,
    pub offer: &'static str,
    /// `{id}`.
    pub no_such_id: &'static str,
    /// `{number}`.
    pub no_such_number: &'static str,
    pub nothing_shown: &'static str,
    /// `{number}`: a word or digits.
    pub which: &'static str,
    pub which_number: &'static str,
    pub numbers: List,
    pub one_at_a_time: &'static str,
    pub too_many: &'static str,
    /// Each change: of one task, with `{task}` or `{title}`, and of several, with `{n}`. `{text}` is what they changed to.
    pub changes: &'static [(Kind, &'static str, &'static str)],
    /// `{title}` or `{n}`, and `{date}`, for changes that need a confirmation.
    pub asks: &'static [(Kind, &'static str, &'static str)],
    /// For any other: `{effect}`.
    pub ask_other: &'static str,
    pub with_subtasks: &'static str,
    pub may_undo: &'static str,
    /// `{date}`.
    pub next_date: &'static str,
    pub series_goes_on: &'static str,
    pub no_reminder_yet: &'static str,
    /// `{title}`, `{date}`.
    pub reminder: &'static str,
    pub reminder_needs_due: &'static str,
    pub no_reminder: &'static str,
    pub reminder_past: &'static str,
    pub reminder_removed: &'static str,
    pub several_reminders: &'static str,
    pub move_when: &'static str,
    pub repeat_how: &'static str,
    pub not_repeating: &'static str,
    pub due: &'static str,
    pub no_due: &'static str,
    pub occurrences: &'static str,
    pub no_tag: &'static str,
    /// The heading of a list: `{n}`, `{what}`.
    pub tasks: (&'static str, &'static str),
    pub open_tasks: (&'static str, &'static str),
    pub nothing: &'static str,
    pub nothing_open: &'static str,
    /// `{n}`.
    pub more: &'static str,
    pub no_more: &'static str,
    /// What lists are called: `{period}`, `{tag}`, `{list}`, `{priority}`, `{text}`.
    pub label_due: &'static str,
    pub label_overdue: &'static str,
    pub label_undated: &'static str,
    pub label_completed: &'static str,
    pub label_begun: &'static str,
    pub label_tagged: &'static str,
    pub label_list: &'static str,
    pub label_inbox: &'static str,
    pub inbox: &'static str,
    pub label_priority: &'static str,
    pub label_search: &'static str,
    /// Between priorities.
    pub or: &'static str,
    pub next: &'static str,
    pub priorities: &'static [(Priority, &'static str)],
    /// Each frequency: every one, and every so many, with `{n}`.
    pub frequencies: &'static [(&'static str, &'static str, &'static str)],
    pub repeats: &'static str,
    pub completed: &'static str,
    pub events: Table<&'static str>,
    /// What members of tasks are called.
    pub members: Table<&'static str>,
    pub nothing_happened: &'static str,
    /// `{title}` or `{period}`.
    pub history_of: &'static str,
    pub history_in: &'static str,
    /// `{date}`.
    pub reminder_at: &'static str,
    pub subtasks: &'static str,
}

impl Words {
    pub const fn of(language: Language) -> &'static Self {
        match language {
            Language::English => &english::WORDS,
            Language::German => &german::WORDS,
        }
    }

    /// How many, in words if there is a word.
    pub fn number(&self, number: usize) -> String {
        let word = self.answer.numbers.get(number).filter(|word| !word.is_empty());
        word.map_or_else(|| number.to_string(), |word| (*word).to_owned())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rondo_domain::fold::fold;

    use super::*;

    /// Names of places in templates.
    const PLACES: &[&str] = &[
        "{task}",
        "{number}",
        "{rest}",
        "{text}",
        "{infinitive}",
        "{verb}",
        "{when}",
        "{length}",
        "{rule}",
        "{period}",
        "{priority}",
        "{tags}",
        "{marks}",
    ];

    #[test]
    fn templates_are_in_the_form_of_messages() {
        for language in Language::ALL {
            let words = Words::of(*language);
            for template in words.templates.iter().flat_map(|(_, templates)| templates.iter()) {
                for part in template.split(' ') {
                    if part.starts_with('{') {
                        assert!(PLACES.contains(&part), "{template}");
                        continue;
                    }
                    let any = part.strip_suffix('?').unwrap_or(part).split('|');
                    for word in any {
                        assert!(!word.is_empty() && fold(word) == word, "{template}: {word}");
                    }
                }
            }
        }
    }

    #[test]
    fn each_language_can_say_the_same() {
        let english = Words::of(Language::English);
        for language in Language::ALL {
            let words = Words::of(*language);
            assert_eq!(words.language, *language);
            let kinds = |words: &Words| -> BTreeSet<Kind> {
                words.templates.iter().map(|(kind, _)| *kind).collect()
            };
            assert_eq!(kinds(words), kinds(english), "{language}");
            let said = |table: &[(Kind, &str, &str)]| -> Vec<Kind> {
                table.iter().map(|(kind, ..)| *kind).collect()
            };
            assert_eq!(said(words.answer.changes), said(english.answer.changes), "{language}");
            assert_eq!(said(words.answer.asks), said(english.answer.asks), "{language}");
            let names = |table: Table<&'static str>| -> Vec<&str> {
                table.iter().map(|(name, _)| *name).collect()
            };
            assert_eq!(names(words.answer.events), names(english.answer.events), "{language}");
            assert_eq!(names(words.answer.members), names(english.answer.members), "{language}");
        }
    }
}
