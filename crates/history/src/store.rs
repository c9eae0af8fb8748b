//! The statements that read the audit log.

use rondo_guest::database::{Database, DatabaseError, Row, int, optional, text};

pub struct Store(Database);

impl Store {
    pub fn open() -> Result<Self, DatabaseError> {
        Database::open("database_url").map(Self)
    }

    pub fn logs(&self, filter: LogFilter) -> Result<Page, DatabaseError> {
        let parameters = [
            optional(filter.user, int),
            optional(filter.action_type, text),
            optional(filter.task, int),
            optional(filter.first, text),
            optional(filter.last, text),
            optional(filter.cursor, int),
            int(filter.limit),
        ];
        Page::read(self.0.query_one(include_str!("sql/logs.sql"), &parameters)?, "last_id")
    }

    /// The changes of a task, newest first, before a revision.
    pub fn history(
        &self,
        user: i64,
        task: i64,
        before: Option<i64>,
        limit: i64,
    ) -> Result<Page, DatabaseError> {
        let parameters = [int(user), int(task), optional(before, int), int(limit)];
        Page::read(self.0.query_one(include_str!("sql/history.sql"), &parameters)?, "last_revision")
    }

    /// A JSON object.
    pub fn statistics(
        &self,
        user: Option<i64>,
        first: Option<String>,
        last: Option<String>,
    ) -> Result<String, DatabaseError> {
        let parameters = [optional(user, int), optional(first, text), optional(last, text)];
        self.0.query_one(include_str!("sql/statistics.sql"), &parameters)?.text("statistics")
    }
}

/// Filters of a list of logs; none means any.
pub struct LogFilter {
    pub user: Option<i64>,
    pub action_type: Option<String>,
    pub task: Option<i64>,
    /// Range of the events' times, inclusive.
    pub first: Option<String>,
    pub last: Option<String>,
    /// The id that the page continues after.
    pub cursor: Option<i64>,
    pub limit: i64,
}

/// One page of a list.
pub struct Page {
    /// A JSON array.
    pub items: String,
    /// The start of the next page, if there is one.
    pub next: Option<i64>,
}

impl Page {
    /// `last` is the column with the last entry's place in the order.
    fn read(mut row: Row, last: &str) -> Result<Self, DatabaseError> {
        let more = row.boolean("more")?;
        let next = row.optional_int(last)?.filter(|_| more);
        Ok(Self { items: row.text("items")?, next })
    }
}
