//! Errors of Postgres in Spin 4's form.

use tokio_postgres::error::DbError;

use crate::binding::spin::postgres::postgres as wit;

/// No session was available, whatever the server said.
pub(super) fn of_pool(error: &deadpool_postgres::PoolError) -> wit::Error {
    wit::Error::ConnectionFailed(rondo_database::explain(error))
}

/// A statement failed before its first row.
pub(super) fn of_statement(error: &tokio_postgres::Error) -> wit::Error {
    let as_text = format!("{error:?}");
    wit::Error::QueryFailed(match error.as_db_error() {
        None => wit::QueryError::Text(as_text),
        Some(db) => wit::QueryError::DbError(wit::DbError {
            as_text,
            severity: db.severity().to_owned(),
            code: db.code().code().to_owned(),
            message: db.message().to_owned(),
            detail: db.detail().map(str::to_owned),
            extras: extras(db),
        }),
    })
}

/// A query failed during execution; Spin 4 reports only text there.
pub(super) fn of_rows(error: &tokio_postgres::Error) -> wit::Error {
    wit::Error::QueryFailed(wit::QueryError::Text(format!("{:?}", of_statement(error))))
}

/// A query without rows. Since 4.0.0 such a call never returns on Spin (spinframework/spin#3671), so it is
/// refused here, where it is noticed.
pub(super) fn of_no_row(statement: &str) -> wit::Error {
    wit::Error::QueryFailed(wit::QueryError::Text(format!(
        "a query must answer at least one row, which Spin 4.0 waits for; \
         a statement that answers none goes through execute: {statement}"
    )))
}

/// Under Spin's names.
fn extras(db: &DbError) -> Vec<(String, String)> {
    let line = db.line().map(|line| line.to_string());
    [
        ("column", db.column()),
        ("constraint", db.constraint()),
        ("routine", db.routine()),
        ("hint", db.hint()),
        ("table", db.table()),
        ("datatype", db.datatype()),
        ("schema", db.schema()),
        ("file", db.file()),
        ("line", line.as_deref()),
        ("where_", db.where_()),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
    .collect()
}
