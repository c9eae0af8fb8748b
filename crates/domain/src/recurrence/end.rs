//! When a series ends.

use jiff::civil::{Date, DateTime};

use crate::instant::Instant;

/// Maximum number of occurrences that a rule can request with `count`.
pub const COUNT_MAX: u16 = 10_000;

/// When a series ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Never,
    /// At the end of this day in the series' zone.
    OnDate(Date),
    /// After this instant, inclusive.
    AtInstant(Instant),
    /// After this wall-clock time in the series' zone, inclusive; from an rrule's `UNTIL`.
    AtLocal(DateTime),
    /// After this many occurrences, 1 to 10,000: scheduled ones, or completions on that basis.
    AfterCount(u16),
}
