//! The tasks beneath an occurrence, which its successor gets anew.

use rondo_domain::instant::Instant;
use rondo_domain::jiff::civil::DateTime;
use rondo_domain::offset::ReminderOffset;
use rondo_domain::step;
use rondo_domain::zone::Zone;
use serde_json::{Value, json};

/// A task beneath an occurrence.
pub struct Step {
    pub id: i64,
    /// The revision that the successor's is planned for.
    pub revision: i64,
    pub due: Option<Instant>,
    pub zone: Zone,
    pub reminder_offset: Option<ReminderOffset>,
}

/// The same task beneath the successor.
pub struct Renewed {
    /// Of the task beneath the occurrence.
    id: i64,
    revision: i64,
    due: Option<Instant>,
    remind_at: Option<Instant>,
}

impl Step {
    /// The task beneath a successor that is due at the local time `to`, where the occurrence was due at `from`.
    pub fn renewed(&self, from: DateTime, to: DateTime) -> Renewed {
        let due = self.due.and_then(|due| step::due_again(due, &self.zone, from, to));
        let remind_at = due.zip(self.reminder_offset);
        let remind_at = remind_at.map(|(due, offset)| offset.remind_at(due, &self.zone));
        Renewed { id: self.id, revision: self.revision, due, remind_at }
    }
}

impl Renewed {
    /// As the database takes it.
    pub fn json(&self) -> Value {
        json!({
            "id": self.id,
            "revision": self.revision,
            "due": self.due.map(|due| due.to_string()),
            "remind_at": self.remind_at.map(|at| at.to_string()),
        })
    }
}
