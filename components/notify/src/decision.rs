//! Whether a reminder that came due is still worth a mail.

use crate::reminder::{Firing, Reminder};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    Send,
    /// Stale, or not wanted.
    Cancel,
}

/// Decides by the reminder as it is now: a task that was completed or moved in the meantime gets no
/// stale mail, nor does a user who wants none or, where that is asked for, has not verified the
/// address.
#[must_use]
pub fn decide(reminder: &Reminder, firing: &Firing, verified_only: bool) -> Decision {
    let moved = reminder.remind_at.parse().ok() != Some(firing.remind_at);
    let current = reminder.fired && reminder.firing == firing.number && !moved;
    let reachable = reminder.reader.is_reachable(verified_only);
    if current && !reminder.completed && reachable { Decision::Send } else { Decision::Cancel }
}
