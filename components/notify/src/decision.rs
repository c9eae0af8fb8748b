//! Reads `reminder.due`, and decides whether to send a mail.

use rondo_contract::event::TaskEvent;
use rondo_domain::notification::{self, Firing, ReminderNow, Version};

use crate::reminder::Reminder;

/// The firing of an event.
///
/// # Errors
/// If a member is missing or not an instant.
pub fn firing(event: &TaskEvent) -> Result<Firing, String> {
    let missing = |member: &str| format!("{member} is missing");
    let remind_at = event.remind_at.as_deref().ok_or_else(|| missing("remind_at"))?;
    Ok(Firing {
        reminder_id: event.reminder_id.ok_or_else(|| missing("reminder_id"))?,
        number: event.firing.ok_or_else(|| missing("firing"))?.into(),
        remind_at: remind_at.parse().map_err(|_| "remind_at is not an instant".to_owned())?,
    })
}

/// Whether the reminder, as it is now, deserves a mail. With `verified_only`, the address must be verified.
#[must_use]
pub fn is_current(reminder: &Reminder, firing: &Firing, verified_only: bool) -> bool {
    let Ok(remind_at) = reminder.remind_at.parse() else { return false };
    let due_date = reminder.due_at.as_deref().and_then(|due| due.parse().ok());
    let now = ReminderNow {
        is_fired: reminder.fired,
        is_planned: reminder.planned,
        firing: reminder.firing,
        remind_at,
        is_completed: reminder.completed,
        task: Version { revision: reminder.revision, due_date },
    };
    notification::is_current(firing, &now, reminder.reader.is_reachable(verified_only))
}
