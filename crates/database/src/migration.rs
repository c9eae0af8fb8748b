//! The schema: `migrations/*.sql`, embedded by sqlx, applied in order and never twice.
//!
//! `_sqlx_migrations`, in sqlx's own form, records the applied migrations. Every role can read it, so that
//! each program can refuse a schema that does not fit. Roles come first: [`crate::provision::roles`].
//!
//! Migrations run over tokio-postgres, because sqlx would not honour several hosts, `hostaddr`,
//! `channel_binding`, keepalives, or `sslrootcert` in place of Mozilla's authorities.

use std::{fmt, time::Instant};

use sha2::{Digest as _, Sha256};
use sqlx::migrate::{Migration, Migrator};
use tokio_postgres::{Client, error::ErrorPosition};

/// Advisory lock, per database, for changes of its schema.
const SCHEMA_LOCK_KEY: i64 = 0x526f_6e64_6f00_0002;

/// The release of this program.
const THIS_RELEASE: &str = env!("CARGO_PKG_VERSION");

/// The program's own migrations.
pub fn embedded() -> &'static Migrator {
    static EMBEDDED: Migrator = sqlx::migrate!("../../migrations");
    &EMBEDDED
}

/// The first `count` of the program's own migrations.
pub fn first(count: usize) -> Migrator {
    Migrator::with_migrations(embedded().iter().take(count).cloned().collect())
}

/// A short hash of all of `migrations`, which changes with any text.
pub fn fingerprint(migrations: &Migrator) -> String {
    let all: Vec<&[u8]> = migrations.iter().map(|migration| &*migration.checksum).collect();
    format!("{:x}", Sha256::digest(all.concat()))[..16].to_owned()
}

/// Version and name, displayed like the file's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    pub version: i64,
    pub name: String,
}

impl Label {
    /// sqlx has a description instead of the name, with spaces.
    fn new(version: i64, description: &str) -> Self {
        Self { version, name: description.replace(' ', "_") }
    }

    fn of(migration: &Migration) -> Self {
        Self::new(migration.version, &migration.description)
    }
}

impl fmt::Display for Label {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:04}_{}", self.version, self.name)
    }
}

/// A schema compared with a list of migrations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Applied, with the time in RFC 3339.
    pub applied: Vec<(Label, String)>,
    /// In the list but not applied.
    pub pending: Vec<Label>,
    /// Applied but not in the list: by a newer program.
    pub unknown: Vec<Label>,
    /// Applied with a different text.
    pub changed: Vec<Label>,
}

/// Compares the schema. In an empty database, everything is pending.
pub async fn status(session: &Client, migrations: &Migrator) -> Result<Status, MigrationError> {
    let exists: bool = session
        .query_one("SELECT to_regclass('public._sqlx_migrations') IS NOT NULL", &[])
        .await?
        .get(0);
    let rows = if exists {
        session
            .query(
                "SELECT version, description, checksum,
                        to_char(installed_on AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')
                   FROM public._sqlx_migrations ORDER BY version",
                &[],
            )
            .await?
    } else {
        Vec::new()
    };
    let mut status = Status::default();
    for row in &rows {
        let label = Label::new(row.get(0), row.get(1));
        let checksum: &[u8] = row.get(2);
        match migrations.iter().find(|migration| migration.version == label.version) {
            None => status.unknown.push(label.clone()),
            Some(migration) if *migration.checksum != *checksum => {
                status.changed.push(label.clone());
            }
            Some(_) => {}
        }
        status.applied.push((label, row.get(3)));
    }
    status.pending = pending(&status, migrations).map(Label::of).collect();
    Ok(status)
}

fn pending<'a>(
    status: &Status,
    migrations: &'a Migrator,
) -> impl Iterator<Item = &'a Migration> + use<'a> {
    let applied: Vec<i64> = status.applied.iter().map(|(label, _)| label.version).collect();
    migrations.iter().filter(move |migration| !applied.contains(&migration.version))
}

/// Refuses a schema that a program with `migrations` cannot use: an older one, one with a different text, or
/// a newer one that does not allow it, see [`check_release`].
pub async fn check(session: &Client, migrations: &Migrator) -> Result<(), MigrationError> {
    let status = status(session, migrations).await?;
    refuse_changed(&status)?;
    warn(refuse_newer(session, &status, migrations).await?);
    match status.pending.first() {
        Some(first) => {
            Err(MigrationError::Older { pending: status.pending.len(), first: first.clone() })
        }
        None => Ok(()),
    }
}

/// Refuses a newer schema, unless it allows programs whose last migration is that of `migrations`. Each
/// release allows the one before it, so that an upgrade can be rolled back.
pub async fn check_release(session: &Client, migrations: &Migrator) -> Result<(), MigrationError> {
    let status = status(session, migrations).await?;
    warn(refuse_newer(session, &status, migrations).await?);
    Ok(())
}

/// Applies the pending migrations, each file in its own transaction, and returns them. Concurrent calls wait
/// for each other.
pub async fn up(session: &mut Client, migrations: &Migrator) -> Result<Vec<Label>, MigrationError> {
    session.batch_execute("SET statement_timeout = 0").await?;
    session.execute("SELECT pg_advisory_lock($1)", &[&SCHEMA_LOCK_KEY]).await?;
    let outcome = up_locked(session, migrations).await;
    // If this fails, the session has ended and freed its lock.
    let _ = session.execute("SELECT pg_advisory_unlock($1)", &[&SCHEMA_LOCK_KEY]).await;
    let _ = session.batch_execute("RESET statement_timeout").await;
    outcome
}

async fn up_locked(
    session: &mut Client,
    migrations: &Migrator,
) -> Result<Vec<Label>, MigrationError> {
    let status = status(session, migrations).await?;
    refuse_changed(&status)?;
    refuse_newer(session, &status, migrations).await?;
    if status.applied.is_empty() {
        session
            .batch_execute(
                "CREATE TABLE IF NOT EXISTS public._sqlx_migrations (
                     version bigint CONSTRAINT _sqlx_migrations_pkey PRIMARY KEY,
                     description text NOT NULL,
                     installed_on timestamptz NOT NULL DEFAULT now(),
                     success boolean NOT NULL,
                     checksum bytea NOT NULL,
                     execution_time bigint NOT NULL
                 );
                 GRANT SELECT ON public._sqlx_migrations TO PUBLIC",
            )
            .await?;
    }
    for migration in pending(&status, migrations) {
        let label = Label::of(migration);
        apply(session, migration).await.map_err(|source| MigrationError::Failed {
            line: line_of(&source, migration.sql.as_str()),
            label: label.clone(),
            source,
        })?;
        tracing::info!(migration = %label, "applied");
    }
    Ok(status.pending)
}

async fn apply(session: &mut Client, migration: &Migration) -> Result<(), tokio_postgres::Error> {
    let start = Instant::now();
    let transaction = session.transaction().await?;
    transaction.batch_execute(migration.sql.as_str()).await?;
    let elapsed_ns = i64::try_from(start.elapsed().as_nanos()).unwrap_or(i64::MAX);
    transaction
        .execute(
            "INSERT INTO public._sqlx_migrations (version, description, success, checksum, execution_time)
             VALUES ($1, $2, true, $3, $4)",
            &[&migration.version, &&*migration.description, &&*migration.checksum, &elapsed_ns],
        )
        .await?;
    transaction.commit().await
}

fn refuse_changed(status: &Status) -> Result<(), MigrationError> {
    match status.changed.first() {
        Some(first) => Err(MigrationError::Changed { first: first.clone() }),
        None => Ok(()),
    }
}

/// The release of a newer schema that allows `migrations`; none if the schema is not newer.
async fn refuse_newer(
    session: &Client,
    status: &Status,
    migrations: &Migrator,
) -> Result<Option<String>, MigrationError> {
    let Some(last) = status.unknown.last() else { return Ok(None) };
    let exists = "SELECT to_regclass('public.schema_release') IS NOT NULL";
    let row = if session.query_one(exists, &[]).await?.get(0) {
        session.query_opt("SELECT release, runs_from FROM public.schema_release", &[]).await?
    } else {
        None
    };
    let known = migrations.iter().map(|migration| migration.version).max().unwrap_or_default();
    let may_run = row.as_ref().is_some_and(|row| row.get::<_, i64>(1) <= known);
    let release = row.map_or_else(|| "a later release".to_owned(), |row| row.get(0));
    if may_run && status.pending.is_empty() {
        return Ok(Some(release));
    }
    Err(MigrationError::Newer { last: last.clone(), release })
}

fn warn(newer: Option<String>) {
    if let Some(schema) = newer {
        tracing::warn!(
            schema,
            program = THIS_RELEASE,
            "the schema is newer than this program, which still runs on it; the release before does not"
        );
    }
}

/// Why a schema is refused or could not be changed.
#[derive(Debug, thiserror::Error)]
pub enum MigrationError {
    #[error(
        "the database's schema is of Rondo {release}, and this is {THIS_RELEASE}, which does not know {last} and cannot \
         run on it: run Rondo {release} or later, or restore a backup from before the upgrade"
    )]
    Newer { last: Label, release: String },
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

/// The line of the file at which the server reported the error, from 1. The server's positions count
/// characters.
fn line_of(error: &tokio_postgres::Error, sql: &str) -> Option<usize> {
    match error.as_db_error()?.position()? {
        ErrorPosition::Original(position) => {
            let before = sql.chars().take(usize::try_from(*position).ok()?);
            Some(before.filter(|character| *character == '\n').count() + 1)
        }
        ErrorPosition::Internal { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use sqlx::{SqlSafeStr as _, migrate::MigrationType};

    use super::*;

    #[test]
    fn every_file_is_embedded_in_order() {
        let files =
            std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../../migrations")).unwrap();
        let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        let mut expected: Vec<String> = names.filter(|name| name.ends_with(".sql")).collect();
        expected.sort();
        let found: Vec<String> = embedded()
            .iter()
            .zip(1..)
            .map(|(migration, version)| {
                assert_eq!(migration.version, version, "versions count from 1 without a gap");
                format!("{}.sql", Label::of(migration))
            })
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_fingerprint_follows_the_texts() {
        let of = |sql: &'static str| {
            let (simple, sql) = (MigrationType::Simple, sql.into_sql_str());
            let one = Migration::new(1, "a".into(), simple, sql, false);
            fingerprint(&Migrator::with_migrations(vec![one]))
        };
        assert_ne!(of("SELECT 1"), of("SELECT 2"));
        assert_eq!(of("SELECT 1").len(), 16);
    }
}
