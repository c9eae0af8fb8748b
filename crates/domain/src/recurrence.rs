//! Recurrence: the rule of a series, and its slots from an anchor.
//!
//! A rule is evaluated on the wall clock of the series' zone, and every slot is calculated from the series'
//! anchor, never from a clamped or postponed date: a series from 31 January continues with 28 February and 31
//! March. [`Rule`] holds the rule, [`Series`] puts it on the calendar.

mod completion;
mod date;
mod description;
mod end;
mod frequency;
mod grid;
mod phrase;
mod rrule;
mod rule;
mod series;

pub use description::describe;
pub use end::{COUNT_MAX, End};
pub use frequency::Frequency;
pub use rrule::{RRULE_CHARS_MAX, RRULE_INTERVAL_MAX, Rrule};
pub use rule::{
    Basis, CatchUp, EndDate, INTERVAL_MAX, MonthEnd, Pattern, Rule, RuleDraft, Structured, Weekdays,
};
pub use series::{Anchor, PREVIEW_SLOTS_MAX, SKIPPED_SLOTS_MAX, Series, Slot, Successor};

#[cfg(test)]
#[path = "recurrence/property_tests.rs"]
mod property_tests;
