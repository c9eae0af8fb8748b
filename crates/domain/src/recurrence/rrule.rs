//! RFC 5545 rules (section 3.3.10), daily or slower. [`Expansion`] finds their dates.
//!
//! A slot is a date with one time of day. A rule that repeats more often than once a day is refused, as is
//! what RFC 5545 forbids.

mod description;
mod expansion;
mod parse;
mod position;

use std::fmt;

use jiff::civil::{Time, Weekday};

use super::end::End;
use super::frequency::Frequency;
use crate::Violation;

pub(super) use expansion::Expansion;
use position::Positions;

/// Maximum length of a rule as text.
pub const RRULE_CHARS_MAX: usize = 1_000;
/// Largest `INTERVAL` of an RFC 5545 rule, in units of its frequency.
pub const RRULE_INTERVAL_MAX: u16 = 9_999;

/// Days of a month, weeks of a year, or positions of weekdays in a month or year: up to 53.
type Numbers = Positions<1>;
/// Days of a year, or positions in a set: up to 366.
type LargeNumbers = Positions<6>;

/// A rule without its end. Two rules are equal if their texts are.
#[derive(Debug, Clone)]
pub struct Rrule {
    /// As given, in upper case, without a leading `RRULE:` and a trailing `;`.
    text: String,
    frequency: Frequency,
    /// 1 to [`RRULE_INTERVAL_MAX`].
    interval: u16,
    week_start: Weekday,
    /// Bit n for month n; 0 when the rule names none.
    months: u16,
    month_days: Numbers,
    year_days: LargeNumbers,
    weeks: Numbers,
    /// Bit n for each weekday without a number; Monday is 0.
    weekdays: u8,
    /// Numbered weekdays, by weekday: the second Tuesday, the last Friday.
    numbered_weekdays: [Numbers; 7],
    set_positions: LargeNumbers,
    hour: Option<i8>,
    minute: Option<i8>,
    second: Option<i8>,
}

impl Rrule {
    /// Reads a rule, with or without a leading `RRULE:` and a trailing `;`, and its end: `UNTIL` or `COUNT`.
    ///
    /// # Errors
    /// `too_long`, `malformed`; `too_frequent` for a rule that repeats more often
    /// than once a day; `conflict` or `not_applicable` for parts that RFC 5545 does not allow
    /// together.
    pub fn parse(text: &str) -> Result<(Self, End), Violation> {
        parse::rule(text)
    }

    /// The text as answered and stored, including the end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the text has `COUNT` or `UNTIL`.
    #[must_use]
    pub fn names_end(&self) -> bool {
        self.text.split(';').any(|part| part.starts_with("COUNT=") || part.starts_with("UNTIL="))
    }

    /// Replaces `COUNT`, if the rule has it.
    pub(super) fn set_count(&mut self, count: u16) {
        let parts: Vec<_> = self
            .text
            .split(';')
            .map(|part| match part.strip_prefix("COUNT=") {
                Some(_) => format!("COUNT={count}"),
                None => part.to_owned(),
            })
            .collect();
        self.text = parts.join(";");
    }

    #[must_use]
    pub fn frequency(&self) -> Frequency {
        self.frequency
    }

    #[must_use]
    pub fn interval(&self) -> u16 {
        self.interval
    }

    /// The time of day of the slots; `anchor` is the anchor's time of day.
    #[must_use]
    pub(super) fn time(&self, anchor: Time) -> Time {
        let (hour, minute) = (self.hour.unwrap_or(anchor.hour()), self.minute);
        let second = self.second.unwrap_or(anchor.second());
        Time::new(hour, minute.unwrap_or(anchor.minute()), second, anchor.subsec_nanosecond())
            .unwrap_or(anchor)
    }

    /// Whether the rule sets a part of that time itself.
    pub(super) fn names_time(&self) -> bool {
        self.hour.is_some() || self.minute.is_some() || self.second.is_some()
    }

    /// Whether the rule has only a frequency and an interval, so that it repeats the anchor's own day.
    #[must_use]
    pub(super) fn repeats_its_anchor(&self) -> bool {
        self.months == 0 && !self.names_days() && self.weeks.is_empty()
    }

    /// Whether the rule names days other than by weeks.
    fn names_days(&self) -> bool {
        !self.month_days.is_empty() || !self.year_days.is_empty() || self.names_weekdays()
    }

    fn names_weekdays(&self) -> bool {
        self.weekdays != 0 || self.numbers_weekdays()
    }

    fn numbers_weekdays(&self) -> bool {
        self.numbered_weekdays.iter().any(|numbers| !numbers.is_empty())
    }
}

impl PartialEq for Rrule {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Rrule {}

impl fmt::Display for Rrule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
