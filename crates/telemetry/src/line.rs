//! Limits on log lines about failures that repeat, such as those during an outage.

use std::fmt::Display;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Window in which lines of one kind are counted, in seconds, and their maximum number.
const WINDOW_S: u64 = 10;
const WINDOW_LINES_MAX: u32 = 200;
/// Interval between lines about a failure that lasts, in seconds.
const REPEAT_S: u64 = 60;

/// Limits the lines of one kind, each about another request, event or session. Metrics count those left out.
#[derive(Debug)]
pub struct LineLimit(Mutex<Window>);

#[derive(Debug)]
struct Window {
    begun: Option<Instant>,
    lines: u32,
    suppressed: u64,
}

/// Logs the failures of a loop: one line when they begin, one per minute while they last, and one when they end.
#[derive(Debug)]
pub struct Outage {
    what: &'static str,
    begun: Option<Begun>,
}

#[derive(Debug)]
struct Begun {
    at: Instant,
    failures: u64,
    told_at: Instant,
}

impl Default for LineLimit {
    fn default() -> Self {
        Self::new()
    }
}

impl LineLimit {
    #[must_use]
    pub const fn new() -> Self {
        Self(Mutex::new(Window { begun: None, lines: 0, suppressed: 0 }))
    }

    /// The number of lines left out since the last one; none if this line should be left out, too.
    pub fn line(&self) -> Option<u64> {
        self.line_at(Instant::now())
    }

    fn line_at(&self, now: Instant) -> Option<u64> {
        let mut window = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_over = |begun| now.duration_since(begun) >= Duration::from_secs(WINDOW_S);
        if window.begun.is_none_or(is_over) {
            window.begun = Some(now);
            window.lines = 0;
        }
        if window.lines < WINDOW_LINES_MAX {
            window.lines += 1;
            return Some(std::mem::take(&mut window.suppressed));
        }
        window.suppressed += 1;
        None
    }
}

impl Outage {
    /// `what` is the message of its lines, such as `cannot fire reminders`.
    #[must_use]
    pub const fn new(what: &'static str) -> Self {
        Self { what, begun: None }
    }

    /// Records a failure.
    pub fn failed(&mut self, error: impl Display) {
        if let Some(failures) = self.failed_at(Instant::now()) {
            tracing::warn!(%error, failures, "{}", self.what);
        }
    }

    /// Records a success.
    pub fn ended(&mut self) {
        if let Some(Begun { at, failures, .. }) = self.begun.take() {
            let lasted_ms = u64::try_from(at.elapsed().as_millis()).unwrap_or(u64::MAX);
            tracing::info!(lasted_ms, failures, "over: {}", self.what);
        }
    }

    /// The number of failures so far, if a line is due.
    fn failed_at(&mut self, now: Instant) -> Option<u64> {
        let Some(begun) = &mut self.begun else {
            self.begun = Some(Begun { at: now, failures: 1, told_at: now });
            return Some(1);
        };
        begun.failures += 1;
        let is_due = now.duration_since(begun.told_at) >= Duration::from_secs(REPEAT_S);
        is_due.then(|| {
            begun.told_at = now;
            begun.failures
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_a_bound_and_say_how_many_were_left_out() {
        let (limit, begin) = (LineLimit::new(), Instant::now());
        let at = |s| begin + Duration::from_secs(s);
        for _ in 0..WINDOW_LINES_MAX {
            assert_eq!(limit.line_at(at(1)), Some(0));
        }
        for _ in 0..7 {
            assert_eq!(limit.line_at(at(2)), None);
        }
        assert_eq!(limit.line_at(at(1 + WINDOW_S)), Some(7));
        assert_eq!(limit.line_at(at(1 + WINDOW_S)), Some(0));
    }

    #[test]
    fn an_outage_is_told_at_its_begin_and_once_a_minute() {
        let (mut outage, begin) = (Outage::new("cannot x"), Instant::now());
        let told: Vec<_> =
            (0..=120).filter_map(|s| outage.failed_at(begin + Duration::from_secs(s))).collect();
        assert_eq!(told, [1, 61, 121]);
        outage.ended();
        assert_eq!(outage.failed_at(begin), Some(1), "another one");
    }
}
