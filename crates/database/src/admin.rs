//! Creates and drops whole databases. Needs a DSN with that right.

use tokio_postgres::{Client, error::SqlState};

/// Creates database `name`, as a copy of `template` if given. True if it was created, false if it existed.
///
/// Copying a template requires that nobody is connected to it.
pub async fn create_database(
    admin: &Client,
    name: &str,
    template: Option<&str>,
) -> Result<bool, tokio_postgres::Error> {
    let mut statement = format!("CREATE DATABASE {}", quote(name));
    if let Some(template) = template {
        statement.push_str(" TEMPLATE ");
        statement.push_str(&quote(template));
    }
    match admin.batch_execute(&statement).await {
        Ok(()) => Ok(true),
        // Concurrent creations of the same name conflict in the catalogue's index.
        Err(error)
            if error.code() == Some(&SqlState::DUPLICATE_DATABASE)
                || error.code() == Some(&SqlState::UNIQUE_VIOLATION) =>
        {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// Drops database `name` if it exists, closing its connections.
pub async fn drop_database(admin: &Client, name: &str) -> Result<(), tokio_postgres::Error> {
    admin.batch_execute(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", quote(name))).await
}

/// Whether database `name` exists.
pub async fn has_database(admin: &Client, name: &str) -> Result<bool, tokio_postgres::Error> {
    let row = admin
        .query_one("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", &[&name])
        .await?;
    Ok(row.get(0))
}

/// A name as a quoted SQL identifier.
pub fn quote(identifier: &str) -> String {
    format!("\"{}\"", identifier.replace('"', "\"\""))
}
