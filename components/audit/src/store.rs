//! The statement that appends to the audit log.

use rondo_guest::database::{Database, DatabaseError, text_list};

use crate::record::Record;

pub struct Store(Database);

impl Store {
    pub fn open() -> Result<Self, DatabaseError> {
        Database::open("database_url").map(Self)
    }

    /// Appends records that do not exist yet.
    pub fn append(&self, records: Vec<Record>) -> Result<(), DatabaseError> {
        let rows = records.len();
        let mut columns: [Vec<Option<String>>; 7] =
            std::array::from_fn(|_| Vec::with_capacity(rows));
        for record in records {
            let row = [
                Some(record.event_id.to_string()),
                Some(record.action_type),
                record.user_id.map(|id| id.to_string()),
                record.task_id.map(|id| id.to_string()),
                Some(record.occurred_at),
                Some(record.topic),
                Some(record.payload),
            ];
            for (column, value) in columns.iter_mut().zip(row) {
                column.push(value);
            }
        }
        self.0.execute(include_str!("sql/append.sql"), &columns.map(text_list))
    }
}
