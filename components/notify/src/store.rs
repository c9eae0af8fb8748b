//! What the component reads and the function that it calls.

use rondo_guest::database::{Database, DatabaseError, int, optional, text};

use crate::decision::Firing;
use crate::mail::Mail;

pub struct Store(Database);

impl Store {
    pub fn open() -> Result<Self, DatabaseError> {
        Database::open("database_url").map(Self)
    }

    /// A reminder with its task and its user as they are now.
    pub fn reminder(&self, user: i64, reminder: i64) -> Result<Option<Reminder>, DatabaseError> {
        let parameters = [int(user), int(reminder)];
        let row = self.0.query_optional(include_str!("sql/reminder.sql"), &parameters)?;
        row.map(|mut row| {
            Ok(Reminder {
                fired: row.text("state")? == "fired",
                firing: row.int("firing")?,
                remind_at: row.text("remind_at")?,
                title: row.text("title")?,
                description: row.optional_text("description")?,
                completed: row.text("status")? == "completed",
                due_date: row.optional_text("due_date")?,
                name: row.optional_text("name")?,
                time_zone: row.text("time_zone")?,
                wants_mail: row.boolean("notify_email")?,
                email_verified: row.boolean("email_verified")?,
            })
        })
        .transpose()
    }

    /// Records what is to be said about a firing, once; without a mail, that nothing is.
    pub fn record(
        &self,
        firing: &Firing,
        mail: Option<&Mail>,
        traceparent: &str,
    ) -> Result<(), DatabaseError> {
        let parameters = [
            int(firing.reminder_id),
            int(firing.number),
            text(if mail.is_some() { "pending" } else { "cancelled" }),
            optional(mail, |mail| text(mail.subject.as_str())),
            optional(mail, |mail| text(mail.text.as_str())),
            optional(mail, |mail| text(mail.html.as_str())),
            text(traceparent),
        ];
        self.0.query_one(include_str!("sql/notification_record.sql"), &parameters)?;
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

/// A reminder, its task and its user.
pub struct Reminder {
    /// Not armed anew, and not cancelled, since it came due.
    pub fired: bool,
    pub firing: i64,
    pub remind_at: String,
    pub title: String,
    pub description: Option<String>,
    pub completed: bool,
    pub due_date: Option<String>,
    pub name: Option<String>,
    pub time_zone: String,
    pub wants_mail: bool,
    pub email_verified: bool,
}

/// One page of a list.
pub struct Page {
    /// A JSON array.
    pub items: String,
    /// Where the next page begins, if there is one.
    pub next: Option<i64>,
}
