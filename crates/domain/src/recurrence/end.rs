//! When a series ends.

use jiff::civil::{Date, DateTime};

use crate::instant::Instant;

/// Most occurrences that a rule can ask for by `count`.
pub const COUNT_MAX: u16 = 10_000;

/// When a series is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Never,
    /// At the end of this day in the series' zone.
    OnDate(Date),
    /// After this instant, itself included.
    AtInstant(Instant),
    /// After this wall-clock time in the series' zone, itself included; from an rrule's `UNTIL`.
    AtLocal(DateTime),
    /// After so many occurrences, 1 to 10,000: scheduled ones, or completions on that basis.
    AfterCount(u16),
}
