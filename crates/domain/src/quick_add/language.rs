//! The words of each language. The rest of the grammar is shared: another language is another table.
//!
//! Words are in the form of [`fold`](crate::fold::fold), without case and accents. Phrases have one space
//! between words.

mod english;
mod german;

use jiff::civil::Time;

use crate::recurrence::Frequency;
use crate::task::Priority;

word_enum! {
    /// The language of a line, by its ISO 639 code.
    pub enum Language {
        English = "en",
        German = "de",
    }
}

impl Language {
    pub(super) fn words(self) -> &'static Words {
        match self {
            Self::English => &english::WORDS,
            Self::German => &german::WORDS,
        }
    }
}

/// Phrases and their meanings.
pub(super) type Table<T> = &'static [(&'static str, T)];
pub(super) type List = &'static [&'static str];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Minute,
    Hour,
    Day,
    Week,
    Fortnight,
    Month,
    Quarter,
    Year,
}

/// The first or the last day of a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Edge {
    First,
    Last,
}

/// A week, month or year, relative to the current one, which is 0.
pub(super) type Period = (Unit, i32);

/// The repetition that one word means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Adverb {
    /// Every so many units.
    Every(u16, Unit),
    Workdays,
    Weekend,
}

#[derive(Debug)]
pub(super) struct Words {
    pub date: DateWords,
    pub time: TimeWords,
    pub repetition: RepetitionWords,
    /// After a reminder's length.
    pub before: List,
    pub title: TitleWords,
    pub number: NumberWords,
    pub priorities: Table<Priority>,
    pub reading: ReadingWords,
}

#[derive(Debug)]
pub(super) struct NumberWords {
    /// Words for small numbers, including the indefinite article.
    pub cardinals: Table<u32>,
    /// Words for ordinals; -1 is the last.
    pub ordinals: Table<i8>,
    /// Suffixes of an ordinal in digits; empty if the language writes a full stop.
    pub ordinal_suffixes: List,
    pub units: Table<Unit>,
    /// Durations that are not a number and a unit.
    pub lengths: Table<(u32, Unit)>,
    pub and: List,
}

#[derive(Debug)]
pub(super) struct DateWords {
    /// Days from today.
    pub days: Table<i32>,
    /// From Monday, in full; allowed anywhere.
    pub weekdays: [List; 7],
    /// From Monday, abbreviated, possibly with a full stop.
    pub short_weekdays: [List; 7],
    pub months: [List; 12],
    /// Month names that are also other words.
    pub doubtful_months: List,
    /// Between a day and its month.
    pub of: List,
    /// Before a day of the month.
    pub article: List,
    /// Before the date on which something is due.
    pub lead: List,
    pub this: List,
    /// Weeks from now.
    pub next: Table<i32>,
    pub weekend: List,
    /// Periods that mean their first day.
    pub periods: Table<Period>,
    pub edges: Table<Edge>,
    /// Periods after an edge.
    pub edge_periods: Table<Period>,
    /// Edge and period in one word.
    pub edge_words: Table<(Edge, Unit)>,
    /// Before a duration from now.
    pub within: List,
    /// After a duration from now.
    pub from_now: List,
    /// Between a duration and the day that it is counted from.
    pub from: List,
    /// After a duration that is not from now.
    pub relating: List,
    /// Whether 3.5. is a day and a month.
    pub is_dotted: bool,
}

#[derive(Debug)]
pub(super) struct TimeWords {
    pub lead: List,
    pub times: Table<Time>,
    /// After an hour.
    pub clock: List,
    pub before_noon: List,
    pub after_noon: List,
    /// Minutes relative to the following hour.
    pub fractions: Table<i32>,
    /// Parts of the day with their first hour; only next to a day.
    pub parts: Table<i8>,
    /// Before a part of the day.
    pub part_lead: List,
    /// Parts of the day that need no day.
    pub part_adverbs: Table<i8>,
    /// Parts of today.
    pub today_parts: Table<i8>,
}

#[derive(Debug)]
pub(super) struct RepetitionWords {
    pub every: List,
    /// Counts from the completion; only before a length of time.
    pub after: List,
    /// Every second one.
    pub other: List,
    /// Allowed anywhere in the line.
    pub adverbs: Table<Adverb>,
    /// Only at the end of the title, because they may be adjectives.
    pub doubtful_adverbs: Table<Adverb>,
    /// The suffix of a weekday that means each of them.
    pub weekday_suffix: &'static str,
    /// Whether such a weekday is a noun, which needs a lead-in, a time or an end.
    pub is_weekday_noun: bool,
    pub workday: List,
    pub of_month: List,
    /// After a day of the month or a numbered weekday, which repeats by these words alone.
    pub of_every_month: List,
    /// Between the first and the last weekday of a range.
    pub range: List,
    /// Before a repetition's days.
    pub on: List,
    pub start: List,
    /// Words for a start that are certain even apart from the repetition.
    pub start_apart: List,
    pub until: List,
    /// Before and after a duration.
    pub during: List,
    pub long: List,
    pub times: List,
    /// Words that say "so many times", before a repetition that no rule can express: "twice daily".
    pub multiples: List,
    /// After a repetition that counts from the completion.
    pub from_completion: List,
    /// Whether "every second Monday" is every other Monday rather than the second of a month.
    pub ordinal_is_interval: bool,
}

/// Words that keep a phrase in the title.
#[derive(Debug)]
pub(super) struct TitleWords {
    /// Words that bind a following date to the title.
    pub binding: List,
    /// Words that join two dates into one expression: "monday to friday".
    pub joining: List,
    /// Words that show that the phrase before them has ended.
    pub linking: List,
    /// Names that contain a date.
    pub names: List,
    /// Whether only names and titles are capitalised.
    pub is_capital_telling: bool,
}

/// Texts of [`reading`](super::QuickAdd::reading).
#[derive(Debug, PartialEq)]
pub(super) struct ReadingWords {
    pub weekdays: [&'static str; 7],
    pub months: [&'static str; 12],
    /// `{weekday}`, `{day}`, `{month}`, `{year}`.
    pub date: &'static str,
    /// Between a date and a time.
    pub at: &'static str,
    pub due: &'static str,
    pub remind: &'static str,
    /// `{length}`.
    pub before: &'static str,
    pub at_due: &'static str,
    pub priority: &'static str,
    pub priorities: Table<Priority>,
    pub list: &'static str,
    pub tags: &'static str,
    pub and: &'static str,
    pub description: &'static str,
    /// Singular and plural of minute, hour and day.
    pub lengths: [(&'static str, &'static str); 3],
    /// None if the rule describes itself in this language.
    pub rule: Option<RuleWords>,
}

/// Texts for a rule.
#[derive(Debug, PartialEq)]
pub(super) struct RuleWords {
    /// Singular and plural of each frequency; `{n}`.
    pub every: &'static [(Frequency, &'static str, &'static str)],
    /// `{days}`.
    pub on_weekdays: &'static str,
    pub from_monday_to_friday: &'static str,
    pub on_days: &'static str,
    /// `{n}`: a day of the month, with `{month}` a day of the year.
    pub day: &'static str,
    pub last_day: &'static str,
    pub on_date: &'static str,
    pub shorter_month: &'static str,
    /// `{nth}`, `{weekday}`.
    pub numbered_weekday: &'static str,
    pub workday: &'static str,
    pub last: &'static str,
    /// `{n}`.
    pub nth: &'static str,
    pub after_completion: &'static str,
    /// `{date}`.
    pub until: &'static str,
    pub once: &'static str,
    /// `{n}`.
    pub times: &'static str,
}

#[cfg(test)]
#[path = "language_tests.rs"]
mod tests;
