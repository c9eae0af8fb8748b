//! Notifications: their statuses, and what becomes of a claimed mail.

use rondo_domain::instant::Instant;
use rondo_domain::notification::{self, Decision, Firing, ReminderNow, Version};
use serde::Deserialize;

/// What has become of a notification.
pub const STATUSES: [&str; 5] = ["pending", "sent", "failed", "cancelled", "missed"];

/// `facts` of `notifications_claim`: what the mail says, and how things are now.
#[derive(Deserialize)]
#[serde(untagged)]
enum Facts {
    Digest {
        wants_mail: bool,
        wants_digest: bool,
    },
    Reminder {
        wants_mail: bool,
        reminder_id: i64,
        firing: i64,
        remind_at: String,
        revision: i64,
        due_date: Option<String>,
        /// None if the reminder or its task is gone.
        now: Option<Now>,
    },
}

#[derive(Deserialize)]
struct Now {
    is_fired: bool,
    is_planned: bool,
    firing: i64,
    remind_at: String,
    is_completed: bool,
    revision: i64,
    due_date: Option<String>,
}

/// Decides about a claimed mail.
///
/// # Errors
/// If `facts` have another form.
pub fn decide(facts: &str) -> Result<Decision, String> {
    match serde_json::from_str(facts).map_err(|error| error.to_string())? {
        Facts::Digest { wants_mail, wants_digest } => {
            Ok(notification::decide_digest(wants_digest, wants_mail))
        }
        Facts::Reminder { wants_mail, reminder_id, firing, remind_at, revision, due_date, now } => {
            let firing = Firing { reminder_id, number: firing, remind_at: instant(&remind_at)? };
            let rendered = version(revision, due_date)?;
            let now = now.map(Now::read).transpose()?;
            Ok(notification::decide(&firing, rendered, now.as_ref(), wants_mail))
        }
    }
}

impl Now {
    fn read(self) -> Result<ReminderNow, String> {
        Ok(ReminderNow {
            is_fired: self.is_fired,
            is_planned: self.is_planned,
            firing: self.firing,
            remind_at: instant(&self.remind_at)?,
            is_completed: self.is_completed,
            task: version(self.revision, self.due_date)?,
        })
    }
}

fn version(revision: i64, due_date: Option<String>) -> Result<Version, String> {
    Ok(Version { revision, due_date: due_date.as_deref().map(instant).transpose()? })
}

fn instant(text: &str) -> Result<Instant, String> {
    text.parse().map_err(|_| format!("{text:?} is not an instant"))
}
