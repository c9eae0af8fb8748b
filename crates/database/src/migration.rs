//! The schema: `migrations/*.sql`, embedded, applied in order and never twice.
//!
//! What was applied stands in `schema_migrations`, readable by every role, so that each program can
//! refuse a schema that is not its own. Roles come first: [`crate::role::provision`].

use std::{borrow::Cow, fmt, sync::LazyLock};

use sha2::{Digest as _, Sha256};
use tokio_postgres::{Client, error::ErrorPosition};

/// Advisory lock of one database under which its schema changes.
const SCHEMA_LOCK_KEY: i64 = 0x526f_6e64_6f00_0002;

/// One file of migrations/.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Migration {
    /// From 1, without gaps.
    pub version: i32,
    pub name: Cow<'static, str>,
    pub sql: Cow<'static, str>,
    /// SHA-256 of the text, in hexadecimal.
    pub checksum: String,
}

impl Migration {
    pub fn new(
        version: i32,
        name: impl Into<Cow<'static, str>>,
        sql: impl Into<Cow<'static, str>>,
    ) -> Self {
        let sql = sql.into();
        Self {
            version,
            name: name.into(),
            checksum: hexadecimal(&Sha256::digest(sql.as_bytes())),
            sql,
        }
    }

    fn label(&self) -> Label {
        Label { version: self.version, name: self.name.to_string() }
    }
}

/// The program's own migrations, in order.
pub fn embedded() -> &'static [Migration] {
    const FILES: &[(i32, &str, &str)] = &include!(concat!(env!("OUT_DIR"), "/migrations.rs"));
    static MIGRATIONS: LazyLock<Vec<Migration>> = LazyLock::new(|| {
        FILES.iter().map(|&(version, name, sql)| Migration::new(version, name, sql)).collect()
    });
    &MIGRATIONS
}

/// A short name for the whole of `migrations`, another one as soon as any text changes.
pub fn fingerprint(migrations: &[Migration]) -> String {
    let all: Vec<&str> = migrations.iter().map(|migration| migration.checksum.as_str()).collect();
    hexadecimal(&Sha256::digest(all.concat()))[..16].to_owned()
}

/// Version and name, shown as the file is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    pub version: i32,
    pub name: String,
}

impl fmt::Display for Label {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:04}_{}", self.version, self.name)
    }
}

/// How a database's schema stands to a list of migrations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Applied, with the moment in RFC 3339.
    pub applied: Vec<(Label, String)>,
    /// In the list and not applied.
    pub pending: Vec<Label>,
    /// Applied and not in the list: by a newer program.
    pub unknown: Vec<Label>,
    /// Applied with another text.
    pub changed: Vec<Label>,
}

/// Reads how the schema stands. An empty database has everything pending.
pub async fn status(session: &Client, migrations: &[Migration]) -> Result<Status, MigrationError> {
    let exists: bool = session
        .query_one("SELECT to_regclass('public.schema_migrations') IS NOT NULL", &[])
        .await?
        .get(0);
    let rows = if exists {
        session
            .query(
                "SELECT version, name, checksum,
                        to_char(applied_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')
                   FROM public.schema_migrations ORDER BY version",
                &[],
            )
            .await?
    } else {
        Vec::new()
    };
    let mut status = Status::default();
    for row in &rows {
        let label = Label { version: row.get(0), name: row.get(1) };
        let checksum: &str = row.get(2);
        match migrations.iter().find(|migration| migration.version == label.version) {
            None => status.unknown.push(label.clone()),
            Some(migration) if migration.checksum != checksum => status.changed.push(label.clone()),
            Some(_) => {}
        }
        status.applied.push((label, row.get(3)));
    }
    let is_applied = |version| status.applied.iter().any(|(label, _)| label.version == version);
    status.pending = migrations
        .iter()
        .filter(|migration| !is_applied(migration.version))
        .map(Migration::label)
        .collect();
    Ok(status)
}

/// Refuses a schema that is not exactly that of `migrations`.
pub async fn check(session: &Client, migrations: &[Migration]) -> Result<(), MigrationError> {
    let status = status(session, migrations).await?;
    refuse_foreign(&status)?;
    match status.pending.first() {
        Some(first) => {
            Err(MigrationError::Older { pending: status.pending.len(), first: first.clone() })
        }
        None => Ok(()),
    }
}

/// Applies what is pending, each file in a transaction of its own, and answers what that was. Two
/// that start at once wait for each other.
pub async fn up(
    session: &mut Client,
    migrations: &[Migration],
) -> Result<Vec<Label>, MigrationError> {
    session.batch_execute("SET statement_timeout = 0").await?;
    session.execute("SELECT pg_advisory_lock($1)", &[&SCHEMA_LOCK_KEY]).await?;
    let outcome = up_locked(session, migrations).await;
    // When this fails, the session is gone and the lock with it.
    let _ = session.execute("SELECT pg_advisory_unlock($1)", &[&SCHEMA_LOCK_KEY]).await;
    let _ = session.batch_execute("RESET statement_timeout").await;
    outcome
}

async fn up_locked(
    session: &mut Client,
    migrations: &[Migration],
) -> Result<Vec<Label>, MigrationError> {
    let status = status(session, migrations).await?;
    refuse_foreign(&status)?;
    if status.applied.is_empty() {
        session
            .batch_execute(
                "CREATE TABLE IF NOT EXISTS public.schema_migrations (
                     version integer CONSTRAINT schema_migrations_pkey PRIMARY KEY,
                     name text NOT NULL,
                     checksum text NOT NULL,
                     applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
                 );
                 GRANT SELECT ON public.schema_migrations TO PUBLIC",
            )
            .await?;
    }
    for label in &status.pending {
        let migration = migrations.iter().find(|migration| migration.version == label.version);
        let Some(migration) = migration else { continue };
        apply(session, migration).await.map_err(|source| MigrationError::Failed {
            line: line_of(&source, &migration.sql),
            label: label.clone(),
            source,
        })?;
        tracing::info!(migration = %label, "applied");
    }
    Ok(status.pending)
}

async fn apply(session: &mut Client, migration: &Migration) -> Result<(), tokio_postgres::Error> {
    let transaction = session.transaction().await?;
    transaction.batch_execute(&migration.sql).await?;
    transaction
        .execute(
            "INSERT INTO public.schema_migrations (version, name, checksum) VALUES ($1, $2, $3)",
            &[&migration.version, &migration.name.as_ref(), &migration.checksum],
        )
        .await?;
    transaction.commit().await
}

fn refuse_foreign(status: &Status) -> Result<(), MigrationError> {
    if let Some(last) = status.unknown.last() {
        return Err(MigrationError::Newer { last: last.clone() });
    }
    match status.changed.first() {
        Some(first) => Err(MigrationError::Changed { first: first.clone() }),
        None => Ok(()),
    }
}

/// Why a schema was refused or could not be changed.
#[derive(Debug, thiserror::Error)]
pub enum MigrationError {
    #[error(
        "the database's schema is newer than this program: it has {last}, which is unknown here. Run the release of \
         Rondo that applied it, or a later one"
    )]
    Newer { last: Label },
    #[error(
        "the database's schema is older than this program: {pending} to apply, from {first} on. Run `rondo migrate up`"
    )]
    Older { pending: usize, first: Label },
    #[error(
        "{first} was applied with another text than this program has: the database was made by another build. Run that \
         build, or move to a fresh database"
    )]
    Changed { first: Label },
    #[error("{label}{} failed", line.map(|line| format!(", line {line}")).unwrap_or_default())]
    Failed { label: Label, line: Option<usize>, source: tokio_postgres::Error },
    #[error("the schema's state cannot be read")]
    Query(#[from] tokio_postgres::Error),
}

/// Where in the file the server saw the error, from 1. Its positions count characters.
fn line_of(error: &tokio_postgres::Error, sql: &str) -> Option<usize> {
    match error.as_db_error()?.position()? {
        ErrorPosition::Original(position) => {
            let before = sql.chars().take(usize::try_from(*position).ok()?);
            Some(before.filter(|character| *character == '\n').count() + 1)
        }
        ErrorPosition::Internal { .. } => None,
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_embedded_in_order() {
        let files =
            std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../../migrations")).unwrap();
        let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        let mut expected: Vec<String> = names.filter(|name| name.ends_with(".sql")).collect();
        expected.sort();
        let found: Vec<String> =
            embedded().iter().map(|migration| format!("{}.sql", migration.label())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_fingerprint_follows_the_texts() {
        let one = [Migration::new(1, "a", "SELECT 1")];
        let other = [Migration::new(1, "a", "SELECT 2")];
        assert_ne!(fingerprint(&one), fingerprint(&other));
        assert_eq!(fingerprint(&one).len(), 16);
    }
}
