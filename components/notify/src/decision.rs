//! Whether a reminder that came due is still worth a mail.

use rondo_contract::event::TaskEvent;
use rondo_domain::instant::Instant;

use crate::reminder::Reminder;

/// What `reminder.due` tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Firing {
    pub reminder_id: i64,
    /// How often the reminder has come due, this time included.
    pub number: i64,
    pub remind_at: Instant,
}

impl Firing {
    /// # Errors
    /// When a member is missing or no instant.
    pub fn of(event: &TaskEvent) -> Result<Self, String> {
        let missing = |member: &str| format!("{member} is missing");
        let remind_at = event.remind_at.as_deref().ok_or_else(|| missing("remind_at"))?;
        Ok(Self {
            reminder_id: event.reminder_id.ok_or_else(|| missing("reminder_id"))?,
            number: event.firing.ok_or_else(|| missing("firing"))?.into(),
            remind_at: remind_at.parse().map_err(|_| "remind_at is no instant".to_owned())?,
        })
    }
}

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
