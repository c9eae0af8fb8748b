//! The schema: `migrations/*.sql`, compiled in, each applied once and in order.

use refinery::Target;
use tokio_postgres::Client;

mod embedded {
    refinery::embed_migrations!("../../migrations");
}

/// Name of the table that tells which files were applied.
const HISTORY_TABLE: &str = "schema_migrations";
/// Key of the advisory lock under which a database is migrated.
const MIGRATION_LOCK: i64 = 0x0072_6f6e_646f_0001;

/// Why the schema is not the program's.
#[derive(Debug, thiserror::Error)]
pub enum MigrationError {
    #[error("the database's schema is at version {found}, older than this program's {expected}: run `rondo migrate up`")]
    Older { found: i32, expected: i32 },
    #[error("the database's schema is at version {found}, newer than this program's {expected}: run a newer rondo")]
    Newer { found: i32, expected: i32 },
    #[error("migration {version} was changed after it had been applied")]
    Changed { version: i32 },
    #[error("a migration failed: {0}")]
    Failed(#[from] refinery::Error),
    #[error("the database failed during the migration: {0}")]
    Database(#[from] tokio_postgres::Error),
}

/// One migration of this program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migration {
    pub version: i32,
    pub name: String,
    pub applied: bool,
}

fn runner() -> refinery::Runner {
    let mut runner = embedded::migrations::runner().set_target(Target::Latest);
    runner.set_migration_table_name(HISTORY_TABLE);
    runner
}

/// The newest version that this program knows.
#[must_use]
pub fn latest() -> i32 {
    runner().get_migrations().iter().map(refinery::Migration::version).max().unwrap_or(0)
}

/// Applies what is missing and tells how many files that were. Two starters do not race: one waits
/// for the other.
///
/// # Errors
/// When the schema is newer than the program, a file was changed, or the database fails.
pub async fn up(client: &mut Client) -> Result<usize, MigrationError> {
    client.execute("SELECT pg_advisory_lock($1)", &[&MIGRATION_LOCK]).await?;
    let result = up_locked(client).await;
    client.execute("SELECT pg_advisory_unlock($1)", &[&MIGRATION_LOCK]).await?;
    result
}

async fn up_locked(client: &mut Client) -> Result<usize, MigrationError> {
    match check(client).await {
        Ok(()) => return Ok(0),
        Err(MigrationError::Older { .. }) => {}
        Err(error) => return Err(error),
    }
    let report = runner().run_async(client).await?;
    // Every program compares the schema with itself at start.
    client.batch_execute(&format!("GRANT SELECT ON {HISTORY_TABLE} TO rondo_bridge, rondo_sync")).await?;
    Ok(report.applied_migrations().len())
}

/// What this program has, and which of it was applied.
///
/// # Errors
/// When the database fails.
pub async fn status(client: &Client) -> Result<Vec<Migration>, MigrationError> {
    let applied = applied(client).await?;
    let mut migrations: Vec<Migration> = runner()
        .get_migrations()
        .iter()
        .map(|migration| Migration {
            version: migration.version(),
            name: migration.name().to_owned(),
            applied: applied.iter().any(|(version, _)| *version == migration.version()),
        })
        .collect();
    migrations.sort_by_key(|migration| migration.version);
    Ok(migrations)
}

/// Whether the schema is exactly this program's.
///
/// # Errors
/// When it is older or newer or was changed, naming what to do; when the database fails.
pub async fn check(client: &Client) -> Result<(), MigrationError> {
    let applied = applied(client).await?;
    let found = applied.iter().map(|(version, _)| *version).max().unwrap_or(0);
    let expected = latest();
    for migration in runner().get_migrations() {
        if let Some((_, checksum)) =
            applied.iter().find(|(version, _)| *version == migration.version())
            && *checksum != migration.checksum().to_string()
        {
            return Err(MigrationError::Changed { version: migration.version() });
        }
    }
    match found.cmp(&expected) {
        std::cmp::Ordering::Less => Err(MigrationError::Older { found, expected }),
        std::cmp::Ordering::Greater => Err(MigrationError::Newer { found, expected }),
        std::cmp::Ordering::Equal => Ok(()),
    }
}

async fn applied(client: &Client) -> Result<Vec<(i32, String)>, MigrationError> {
    let exists: bool = client
        .query_one("SELECT to_regclass($1) IS NOT NULL", &[&HISTORY_TABLE])
        .await?
        .get(0);
    if !exists {
        return Ok(Vec::new());
    }
    let rows =
        client.query(&format!("SELECT version, checksum FROM {HISTORY_TABLE}"), &[]).await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}
