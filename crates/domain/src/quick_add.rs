//! Quick add: reads a task from one line of text.
//!
//! `Call Bob tomorrow at 9 every friday #home p1 !30 min before // about the roof` is a title and phrases for
//! the other fields. [`parse`] finds the phrases by the words of one language, and leaves in the title
//! whatever may belong there. `docs/quick-add.md` lists what it understands.

mod calendar;
mod date;
mod due;
mod language;
mod list;
mod mark;
mod number;
mod outcome;
mod phrase;
mod reading;
mod relative;
mod reminder;
mod repetition;
mod scan;
mod schedule;
mod span;
mod time;
mod token;

use std::ops::Range;

use jiff::civil::{Date, DateTime};

use crate::Violation;
use crate::instant::Instant;
use crate::offset::ReminderOffset;
use crate::order;
use crate::recurrence::Rule;
use crate::task::{DESCRIPTION_CHARS_MAX, Priority, TITLE_CHARS_MAX};
use crate::zone::Zone;

pub use language::Language;
use language::{ReadingWords, Words};
pub use reading::describe_in;

/// Maximum total length of a line's phrases.
const PHRASE_CHARS_MAX: usize = 800;
/// Maximum length of a line, in Unicode scalar values: a title, phrases and a description.
pub const LINE_CHARS_MAX: usize = TITLE_CHARS_MAX + PHRASE_CHARS_MAX + DESCRIPTION_CHARS_MAX;

/// The context that a line is relative to.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    pub now: Instant,
    /// The zone of days and times in the line.
    pub zone: &'a Zone,
    pub language: Language,
    /// The names of the user's lists. Of two that are alike, the first is meant.
    pub lists: &'a [&'a str],
    /// Byte ranges of the line that belong to the title: a span that overlaps one of them is switched off. No
    /// other phrase takes its place.
    pub ignored: &'a [Range<usize>],
}

/// The result of parsing a line.
#[derive(Debug, Clone, PartialEq)]
pub struct QuickAdd {
    /// The rest of the line, with one space in place of white space or a span. It may be empty, or longer
    /// than a title.
    pub title: String,
    /// Not empty, but possibly longer than a description.
    pub description: Option<String>,
    pub priority: Option<Priority>,
    /// Each tag once, as [`Tags`](crate::task::Tags) takes them.
    pub tags: Vec<String>,
    /// The list that the line names.
    pub list: Option<NamedList>,
    /// The due date of the first occurrence if there is a recurrence.
    pub due: Option<Due>,
    pub recurrence: Option<Recurrence>,
    pub reminders: Vec<Reminder>,
    /// In the order of the line, without overlaps.
    pub spans: Vec<Span>,
    words: &'static ReadingWords,
}

/// One of the user's lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedList {
    /// Its place in [`Context::lists`].
    pub place: usize,
    pub name: String,
}

/// When a task is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// On a day, without a time. The caller decides how to store it.
    Day(Date),
    At(Moment),
}

impl Due {
    #[must_use]
    pub fn date(self) -> Date {
        match self {
            Self::Day(date) => date,
            Self::At(moment) => moment.local.date(),
        }
    }
}

/// An instant, and what the zone's clock shows then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    pub local: DateTime,
    pub utc: Instant,
}

impl Moment {
    /// None at the end of the calendar.
    fn of(local: DateTime, zone: &Zone) -> Option<Self> {
        Some(Self::at(zone.instant_of(local)?, zone))
    }

    fn at(utc: Instant, zone: &Zone) -> Self {
        Self { local: zone.local_of(utc), utc }
    }
}

/// How the task repeats, from its due date on.
#[derive(Debug, Clone, PartialEq)]
pub struct Recurrence {
    pub rule: Rule,
    /// The rule in words, in the line's language.
    pub words: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reminder {
    /// Relative to the due date.
    Offset(ReminderOffset),
    At(Moment),
}

/// A part of the line that does not belong to the title.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// Byte range of the line, including the punctuation that goes with the phrase.
    pub range: Range<usize>,
    pub kind: SpanKind,
    /// The meaning, however it is written: a word of [`Priority`], a tag, the name of a list, a date `2031-03-27`, a local time
    /// `2031-03-27T09:00:00`, a time `09:00:00` whose day is in another span, the rule in words, the day of a
    /// separate start or end, an offset `PT30M`, or the description. Empty for a backslash.
    pub meaning: String,
}

word_enum! {
    /// What a span is about.
    pub enum SpanKind {
        Priority = "priority",
        Tag = "tag",
        List = "list",
        Due = "due",
        Recurrence = "recurrence",
        Reminder = "reminder",
        Description = "description",
        /// A backslash, which keeps the word after it in the title.
        Escape = "escape",
    }
}

/// Reads a line.
///
/// # Errors
/// `too_long` above [`LINE_CHARS_MAX`].
pub fn parse(line: &str, context: &Context<'_>) -> Result<QuickAdd, Violation> {
    parse_in(context.language.words(), line, context)
}

/// [`parse`] by the words of any language.
fn parse_in(
    words: &'static Words,
    line: &str,
    context: &Context<'_>,
) -> Result<QuickAdd, Violation> {
    if line.chars().nth(LINE_CHARS_MAX).is_some() {
        return Err(Violation::TooLong { max: LINE_CHARS_MAX });
    }
    let mut tokens = token::tokens(line);
    let backslashes = mark::make_literal(&mut tokens);
    #[cfg(test)]
    let steps = std::cell::Cell::new(0);
    let lists: Vec<_> = context.lists.iter().copied().map(scan::ListName::of).collect();
    let scan = |tokens| scan::Scan {
        tokens,
        lists: &lists,
        #[cfg(test)]
        steps: &steps,
        words,
        now: context.zone.local_of(context.now),
        zone: context.zone,
    };
    let description = scan(&tokens).description();
    let title = &tokens[..description.unwrap_or(tokens.len())];
    let mut phrases = phrase::phrases(&scan(title), line, context.now);
    phrases.extend(backslashes.into_iter().filter(|at| *at < title.len()).map(phrase::escape));
    phrases.extend(description.map(|at| phrase::description(at, tokens.len())));
    order::sort_by_key(&mut phrases, |phrase| phrase.tokens.start);
    outcome::drop_repeated(&mut phrases, &scan(title));
    let ranges = span::ranges(line, &tokens, &phrases);
    let is_on = |range: &Range<usize>| {
        context.ignored.iter().all(|other| range.end <= other.start || other.end <= range.start)
    };
    let (ranges, phrases): (Vec<_>, Vec<_>) =
        ranges.into_iter().zip(phrases).filter(|(range, _)| is_on(range)).unzip();
    Ok(outcome::quick_add(line, &scan(title), &ranges, phrases))
}

#[cfg(test)]
#[path = "quick_add/dutch_tests.rs"]
mod dutch_tests;

#[cfg(test)]
#[path = "quick_add/property_tests.rs"]
mod property_tests;
