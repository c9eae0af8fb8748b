//! Reminders: an exclamation mark, followed by an offset from the due date or a moment.

use super::due::When;
use super::scan::Scan;
use crate::instant::Instant;
use crate::offset::ReminderOffset;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReminderPhrase {
    Offset(ReminderOffset),
    When(When),
}

impl Scan<'_> {
    /// "!30 min before", "!1h", "!tomorrow 9am", "!17:00".
    pub fn reminder(&self, at: usize, now: Instant) -> Option<(ReminderPhrase, usize)> {
        let start = at + 1;
        if !self.mark(at, '!') || !self.is_glued(start) {
            return None;
        }
        if let Some(found) = self.when(start, now)
            && self.ends(found.end)
        {
            return Some((ReminderPhrase::When(found.value), found.end));
        }
        let (lengths, end) = self.lengths(start)?;
        let (mut days, mut seconds) = (0, 0);
        for length in lengths {
            let (more, elapsed) = length.fixed()?;
            days += more;
            seconds += u64::try_from(elapsed.as_secs()).ok()?;
        }
        let offset = ReminderOffset::new(days, seconds).ok()?;
        let end = self.any(end, self.words.before).unwrap_or(end);
        self.ends(end).then_some((ReminderPhrase::Offset(offset), end))
    }
}
