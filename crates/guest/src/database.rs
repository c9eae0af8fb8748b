//! Postgres through `spin:postgres`: a few types of parameters and columns, and errors classified by whether
//! a retry can help.
//!
//! The interface cannot return timestamps, and JSON only as `jsonb`. So statements take text, int8, bool and
//! text[] (`$1::text::timestamptz`) and return int8, bool and text.
//!
//! A query always returns at least one row: on Spin 4.0 a query without rows never returns
//! (spinframework/spin#3671). A statement without results goes through [`Database::execute`].

use std::cell::RefCell;
use std::rc::Rc;

use serde::de::DeserializeOwned;
pub use spin_sdk::pg4::ParameterValue;
use spin_sdk::pg4::{Column, Connection, DbValue, PgError, QueryError};

use crate::refusal::Refusal;
use crate::variable;

/// A connection from the host's pool.
pub struct Database {
    dsn: String,
    /// None while it is given back.
    connection: RefCell<Option<Rc<Connection>>>,
}

impl Database {
    /// Opens a connection with the DSN in the variable.
    ///
    /// # Errors
    /// [`DatabaseError::Unavailable`] if Postgres cannot be reached.
    pub fn open(dsn_variable: &str) -> Result<Self, DatabaseError> {
        let dsn = variable::get(dsn_variable)
            .map_err(|error| DatabaseError::Failed(Failure::plain(error.to_string())))?;
        let connection = RefCell::new(Some(Rc::new(Connection::open(&dsn)?)));
        Ok(Self { dsn, connection })
    }

    /// Gives the session back, so that others have it while this call waits for something else. The next statement
    /// takes one again.
    pub fn release(&self) {
        self.connection.take();
    }

    fn connection(&self) -> Result<Rc<Connection>, DatabaseError> {
        let mut connection = self.connection.borrow_mut();
        if let Some(connection) = &*connection {
            return Ok(connection.clone());
        }
        let opened = Rc::new(Connection::open(&self.dsn)?);
        Ok(connection.insert(opened).clone())
    }

    /// Runs a statement that returns no rows.
    ///
    /// # Errors
    /// The failure of the statement or the connection.
    pub fn execute(
        &self,
        statement: &str,
        parameters: &[ParameterValue],
    ) -> Result<(), DatabaseError> {
        self.connection()?.execute(statement, parameters)?;
        Ok(())
    }

    /// Runs a statement that returns at least one row.
    ///
    /// # Errors
    /// The failure of the statement or the connection.
    pub fn query(
        &self,
        statement: &str,
        parameters: &[ParameterValue],
    ) -> Result<Rows, DatabaseError> {
        let set = self.connection()?.query(statement, parameters)?;
        Ok(Rows { columns: set.columns, rows: set.rows.into_iter() })
    }

    /// Runs a statement that returns exactly one row, as the functions that write do.
    ///
    /// # Errors
    /// As for [`Database::query`], or if there is no row.
    pub fn query_one(
        &self,
        statement: &str,
        parameters: &[ParameterValue],
    ) -> Result<Row, DatabaseError> {
        let set = self.connection()?.query(statement, parameters)?;
        let Some(values) = set.rows.into_iter().next() else {
            return Err(Failure::plain("the statement answered no row").into());
        };
        Ok(Row { columns: set.columns, values })
    }

    /// Runs a statement that returns exactly one row, whose column `is_known` says whether the requested row
    /// exists. None if it does not.
    ///
    /// # Errors
    /// As for [`Database::query_one`].
    pub fn query_optional(
        &self,
        statement: &str,
        parameters: &[ParameterValue],
    ) -> Result<Option<Row>, DatabaseError> {
        let mut row = self.query_one(statement, parameters)?;
        Ok(row.boolean("is_known")?.then_some(row))
    }
}

/// A parameter of type text, or of whatever the statement casts it to.
#[must_use]
pub fn text(value: impl Into<String>) -> ParameterValue {
    ParameterValue::Str(value.into())
}

/// A parameter of type int8.
#[must_use]
pub const fn int(value: i64) -> ParameterValue {
    ParameterValue::Int64(value)
}

/// A parameter of type bool.
#[must_use]
pub const fn boolean(value: bool) -> ParameterValue {
    ParameterValue::Boolean(value)
}

/// A parameter of type text[], whose elements may be NULL.
#[must_use]
pub fn text_list<T: Into<Option<String>>>(values: impl IntoIterator<Item = T>) -> ParameterValue {
    ParameterValue::ArrayStr(values.into_iter().map(Into::into).collect())
}

/// NULL if there is no value.
pub fn optional<T>(
    value: Option<T>,
    parameter: impl FnOnce(T) -> ParameterValue,
) -> ParameterValue {
    value.map_or(ParameterValue::DbNull, parameter)
}

/// The rows of a result.
pub struct Rows {
    columns: Vec<Column>,
    rows: std::vec::IntoIter<Vec<DbValue>>,
}

impl Rows {
    /// Reads each row with `read`.
    ///
    /// # Errors
    /// The first error of `read`.
    pub fn map<T>(
        self,
        mut read: impl FnMut(&mut Row) -> Result<T, DatabaseError>,
    ) -> Result<Vec<T>, DatabaseError> {
        let mut row = Row { columns: self.columns, values: Vec::new() };
        self.rows
            .map(|values| {
                row.values = values;
                read(&mut row)
            })
            .collect()
    }
}

/// One row, read by column name.
pub struct Row {
    columns: Vec<Column>,
    values: Vec<DbValue>,
}

impl Row {
    /// A column of type text that is not NULL.
    ///
    /// # Errors
    /// If there is no such column, or it has another type.
    pub fn text(&mut self, column: &str) -> Result<String, DatabaseError> {
        self.optional_text(column)?.ok_or_else(|| unexpected(column, "NULL"))
    }

    /// A column of type text, NULL as `None`.
    ///
    /// # Errors
    /// As for [`Row::text`].
    pub fn optional_text(&mut self, column: &str) -> Result<Option<String>, DatabaseError> {
        match self.take(column)? {
            DbValue::Str(value) => Ok(Some(value)),
            DbValue::DbNull => Ok(None),
            _ => Err(unexpected(column, "not text")),
        }
    }

    /// A column of JSON as text that is not NULL.
    ///
    /// # Errors
    /// As for [`Row::text`], and if the JSON is not of this type.
    pub fn json<T: DeserializeOwned>(&mut self, column: &str) -> Result<T, DatabaseError> {
        let text = self.text(column)?;
        serde_json::from_str(&text)
            .map_err(|error| unexpected(column, &format!("not the JSON that is read: {error}")))
    }

    /// A column of type int8 that is not NULL.
    ///
    /// # Errors
    /// As for [`Row::text`].
    pub fn int(&mut self, column: &str) -> Result<i64, DatabaseError> {
        self.optional_int(column)?.ok_or_else(|| unexpected(column, "NULL"))
    }

    /// A column of type int8, NULL as `None`.
    ///
    /// # Errors
    /// As for [`Row::text`].
    pub fn optional_int(&mut self, column: &str) -> Result<Option<i64>, DatabaseError> {
        match self.take(column)? {
            DbValue::Int64(value) => Ok(Some(value)),
            DbValue::DbNull => Ok(None),
            _ => Err(unexpected(column, "not int8")),
        }
    }

    /// A column of type bool that is not NULL.
    ///
    /// # Errors
    /// As for [`Row::text`].
    pub fn boolean(&mut self, column: &str) -> Result<bool, DatabaseError> {
        match self.take(column)? {
            DbValue::Boolean(value) => Ok(value),
            _ => Err(unexpected(column, "not bool")),
        }
    }

    /// Moves a value out, because a value can be large.
    fn take(&mut self, column: &str) -> Result<DbValue, DatabaseError> {
        let place = self.columns.iter().position(|known| known.name == column);
        place
            .and_then(|place| self.values.get_mut(place))
            .map(|value| std::mem::replace(value, DbValue::DbNull))
            .ok_or_else(|| unexpected(column, "missing"))
    }
}

fn unexpected(column: &str, what: &str) -> DatabaseError {
    Failure::plain(format!("column {column} of the answer is {what}")).into()
}

/// Why a statement failed.
#[derive(Debug)]
pub enum DatabaseError {
    /// The database was unavailable; a retry may succeed.
    Unavailable(Failure),
    /// The statement or the schema is at fault.
    Failed(Failure),
}

/// The error that Postgres or the host reported.
#[derive(Debug)]
pub struct Failure {
    /// SQLSTATE, if Postgres answered at all.
    pub code: Option<String>,
    pub message: String,
}

impl Failure {
    /// A failure without a code of Postgres.
    #[must_use]
    pub fn plain(message: impl Into<String>) -> Self {
        Self { code: None, message: message.into() }
    }
}

impl From<Failure> for DatabaseError {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl DatabaseError {
    fn of(failure: Failure) -> Self {
        if failure.code.as_deref().is_some_and(is_transient) {
            Self::Unavailable(failure)
        } else {
            Self::Failed(failure)
        }
    }

    /// Since 3.6.2, Spin reports a failure during a query only as text: 4.0 the debug form of an error, which
    /// contains the SQLSTATE, 3.6 the severity followed by the server's message.
    fn from_text(text: &str) -> Self {
        if let Some(code) = quoted(text, &["SqlState(E", "code: \""]) {
            let message = quoted(text, &["message: \""]).unwrap_or(text);
            return Self::of(Failure {
                code: code.get(..5).map(str::to_owned),
                message: message.to_owned(),
            });
        }
        // The server's detail may contain values of rows.
        let message = text.split("\nDETAIL:").next().unwrap_or_default();
        let can_retry = TRANSIENT_TEXTS.iter().any(|sign| message.contains(sign));
        let failure = Failure::plain(message);
        if can_retry { Self::Unavailable(failure) } else { Self::Failed(failure) }
    }
}

impl From<PgError> for DatabaseError {
    fn from(error: PgError) -> Self {
        match error {
            PgError::ConnectionFailed(message) => Self::Unavailable(Failure::plain(message)),
            PgError::QueryFailed(QueryError::DbError(error)) => {
                Self::of(Failure { code: Some(error.code), message: error.message })
            }
            PgError::QueryFailed(QueryError::Text(text)) => Self::from_text(&text),
            PgError::BadParameter(message)
            | PgError::ValueConversionFailed(message)
            | PgError::Other(message) => Self::Failed(Failure::plain(message)),
        }
    }
}

/// Text of transient failures: how the hosts' Postgres client reports a broken connection, and the server's
/// messages for conditions in [`is_transient`], unless its `lc_messages` is another language.
const TRANSIENT_TEXTS: [&str; 10] = [
    "kind: Closed",
    "kind: Io",
    "connection closed",
    "error communicating with the server",
    "FATAL: ",
    "PANIC: ",
    "ERROR: canceling statement due to",
    "ERROR: deadlock detected",
    "ERROR: could not serialize access",
    "ERROR: could not obtain lock",
];

/// The text after one of the leads, up to the next quote or parenthesis.
fn quoted<'a>(text: &'a str, leads: &[&str]) -> Option<&'a str> {
    let rest = leads.iter().find_map(|lead| Some(text.split_once(lead)?.1))?;
    rest.split(['"', ')']).next()
}

/// Whether a condition is transient, or is resolved by an operator's work on the database rather than by
/// another request: connection lost, login refused, no such database, too many connections, shutting down or
/// starting, statement timeout, lock not available, deadlock, serialisation failure (PostgreSQL manual,
/// appendix A).
fn is_transient(sqlstate: &str) -> bool {
    ["08", "28", "3D", "57P"].iter().any(|class| sqlstate.starts_with(class))
        || matches!(sqlstate, "53300" | "57014" | "55P03" | "40P01" | "40001")
}

impl std::fmt::Display for DatabaseError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (what, failure) = match self {
            Self::Unavailable(failure) => ("database unavailable", failure),
            Self::Failed(failure) => ("database error", failure),
        };
        match &failure.code {
            Some(code) => write!(f, "{what}: {code}: {}", failure.message),
            None => write!(f, "{what}: {}", failure.message),
        }
    }
}

impl std::error::Error for DatabaseError {}

impl From<DatabaseError> for Refusal {
    fn from(error: DatabaseError) -> Self {
        match error {
            DatabaseError::Unavailable(_) => Self::unavailable(error.to_string()),
            DatabaseError::Failed(_) => Self::internal(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transient_conditions() {
        for code in [
            "08006", "28000", "28P01", "3D000", "53300", "57P01", "57P03", "57014", "55P03",
            "40P01", "40001",
        ] {
            assert!(is_transient(code), "{code}");
        }
        for code in ["23505", "42501", "22P02", "53100", "P0001", "57000"] {
            assert!(!is_transient(code), "{code}");
        }
    }

    #[test]
    fn text_is_classified_like_a_code() {
        let check = |text: &str, unavailable: bool, code: Option<&str>| {
            let error = DatabaseError::from_text(text);
            let (DatabaseError::Unavailable(failure) | DatabaseError::Failed(failure)) = &error;
            assert_eq!(failure.code.as_deref(), code, "{text}");
            assert_eq!(matches!(error, DatabaseError::Unavailable(_)), unavailable, "{text}");
        };
        check(
            "Error { kind: Db, cause: Some(DbError { code: SqlState(E57014), .. }) }",
            true,
            Some("57014"),
        );
        check(r#"DbError { as-text: "", severity: "ERROR", code: "23505" }"#, false, Some("23505"));
        check("Error { kind: Closed, cause: None }", true, None);
        check("query result exceeds limit of 1 bytes", false, None);
        let spin_3 =
            |said: &str| format!("db error\n\nCaused by:\n    {said}\nDETAIL: Key (email)=(a@b)");
        for said in [
            "ERROR: deadlock detected",
            "ERROR: canceling statement due to statement timeout",
            "FATAL: terminating connection due to administrator command",
        ] {
            check(&spin_3(said), true, None);
        }
        check(&spin_3("ERROR: division by zero"), false, None);
        for text in
            [&*spin_3("ERROR: x"), r#"DbError { code: "23505", message: "x", detail: "a@b" }"#]
        {
            assert!(!DatabaseError::from_text(text).to_string().contains("a@b"), "{text}");
        }
    }
}
