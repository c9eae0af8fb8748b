//! The tasks beneath an occurrence, which its successor gets anew.

use rondo_contract::task_body;
use rondo_domain::due::Due;
use rondo_domain::instant::Instant;
use rondo_domain::jiff::civil::{DateTime, Time};
use rondo_domain::offset::ReminderOffset;
use rondo_domain::zone::Zone;
use serde_json::Value;

/// A task beneath an occurrence.
pub struct Step {
    pub id: i64,
    /// The revision that the successor's is planned for.
    pub revision: i64,
    pub due: Option<Due>,
    pub start: Option<Due>,
    pub zone: Zone,
    pub reminder_offset: Option<ReminderOffset>,
}

/// The same task beneath the successor.
pub struct Renewed {
    /// Of the task beneath the occurrence.
    id: i64,
    revision: i64,
    due: Option<Due>,
    start: Option<Due>,
    zone: Zone,
    remind_at: Option<Instant>,
}

impl Step {
    /// The task beneath a successor that is due at the local time `to`, where the occurrence was due at `from`. Reminders
    /// of a day count from `day_time`.
    pub fn renewed(&self, from: DateTime, to: DateTime, day_time: Time) -> Renewed {
        let zone = &self.zone;
        let moved = |moment: Option<Due>| moment.and_then(|moment| moment.moved(from, to, zone));
        let due = moved(self.due);
        let remind_at = due.zip(self.reminder_offset);
        Renewed {
            id: self.id,
            revision: self.revision,
            due,
            start: moved(self.start),
            zone: zone.clone(),
            remind_at: remind_at.map(|(due, offset)| due.remind_at(offset, zone, day_time)),
        }
    }
}

impl Renewed {
    /// As the database takes it.
    pub fn json(&self) -> Value {
        let mut members =
            task_body::moment_members(self.due, self.start, self.remind_at, &self.zone);
        members.insert("id".to_owned(), self.id.into());
        members.insert("revision".to_owned(), self.revision.into());
        members.into()
    }
}
