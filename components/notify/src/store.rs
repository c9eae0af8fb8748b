//! The component's statements.

use rondo_domain::instant::{self, Instant};
use rondo_domain::notification::Firing;
use rondo_guest::database::{Database, DatabaseError, Failure, Row, int, optional, text};
use serde_json::Value;

use crate::digest::{Digest, Entry, Group, ITEMS_MAX};
use crate::mail::{Mail, Reader};
use crate::reminder::Reminder;

pub struct Store(Database);

impl Store {
    pub fn open() -> Result<Self, DatabaseError> {
        Database::open("database_url").map(Self)
    }

    /// The current state of a reminder, its task and its user.
    pub fn reminder(&self, user: i64, reminder: i64) -> Result<Option<Reminder>, DatabaseError> {
        let parameters = [int(user), int(reminder)];
        let row = self.0.query_optional(include_str!("sql/reminder.sql"), &parameters)?;
        row.map(|mut row| {
            Ok(Reminder {
                fired: row.text("state")? == "fired",
                planned: row.boolean("planned")?,
                firing: row.int("firing")?,
                remind_at: row.text("remind_at")?,
                task_id: row.int("task_id")?,
                revision: row.int("revision")?,
                title: row.text("title")?,
                description: row.optional_text("description")?,
                completed: row.text("status")? == "completed",
                due_at: row.optional_text("due_at")?,
                due_day: row.optional_text("due_day")?,
                reader: reader(user, &mut row)?,
            })
        })
        .transpose()
    }

    /// Records the mail of a firing once; without a mail, records that none is sent.
    pub fn record(
        &self,
        firing: &Firing,
        mail: Option<&Value>,
        traceparent: &str,
    ) -> Result<(), DatabaseError> {
        let parameters = [
            int(firing.reminder_id),
            int(firing.number),
            optional(mail, |mail| text(mail.to_string())),
            text(traceparent),
        ];
        self.0.query_one(include_str!("sql/notification_record.sql"), &parameters)?;
        Ok(())
    }

    /// The user of a digest, if they want one.
    pub fn digest_reader(&self, user: i64) -> Result<Option<Reader>, DatabaseError> {
        let row = self.0.query_optional(include_str!("sql/digest_reader.sql"), &[int(user)])?;
        row.map(|mut row| reader(user, &mut row)).transpose()
    }

    /// The content of the digest of a day between two instants.
    pub fn digest(
        &self,
        user: i64,
        (start, end): (Instant, Instant),
    ) -> Result<Digest, DatabaseError> {
        let parameters =
            [int(user), text(instant::format(start)), text(instant::format(end)), int(ITEMS_MAX)];
        let mut row = self.0.query_one(include_str!("sql/digest.sql"), &parameters)?;
        let mut group = |items: &str, count: &str| -> Result<Group, DatabaseError> {
            let items: Vec<Entry> = serde_json::from_str(&row.text(items)?)
                .map_err(|error| Failure::plain(format!("{count}: {error}")))?;
            Ok(Group { items, count: row.int(count)? })
        };
        Ok(Digest {
            overdue: group("overdue", "overdue_count")?,
            due: group("due", "due_count")?,
            missed: group("missed", "missed_count")?,
        })
    }

    /// Records the digest of a day, once.
    pub fn record_digest(
        &self,
        user: i64,
        day: &str,
        mail: &Mail,
        missed: &[Entry],
        traceparent: &str,
    ) -> Result<(), DatabaseError> {
        let missed: Vec<_> = missed.iter().map(|entry| entry.id).collect();
        let parameters = [
            int(user),
            text(day),
            text(mail.json().to_string()),
            text(Value::from(missed).to_string()),
            text(traceparent),
        ];
        self.0.query_one(include_str!("sql/digest_record.sql"), &parameters)?;
        Ok(())
    }

    pub fn notifications(
        &self,
        user: i64,
        cursor: Option<i64>,
        limit: i64,
    ) -> Result<Page, DatabaseError> {
        let parameters = [int(user), optional(cursor, int), int(limit)];
        let mut row = self.0.query_one(include_str!("sql/notifications.sql"), &parameters)?;
        let more = row.boolean("more")?;
        let next = row.optional_int("last_id")?.filter(|_| more);
        Ok(Page { items: row.text("items")?, next })
    }
}

fn reader(user_id: i64, row: &mut Row) -> Result<Reader, DatabaseError> {
    Ok(Reader {
        user_id,
        name: row.optional_text("name")?,
        time_zone: row.text("time_zone")?,
        wants_mail: row.boolean("notify_email")?,
        email_verified: row.boolean("email_verified")?,
    })
}

/// One page of a list.
pub struct Page {
    /// A JSON array.
    pub items: String,
    /// The start of the next page, if there is one.
    pub next: Option<i64>,
}
