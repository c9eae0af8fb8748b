//! `rondo backup` and `rondo restore`, for an installation with a private Postgres.
//!
//! ```text
//! BACKUP/manifest.json   release, migrations, and each table's count and checksum of rows
//! BACKUP/secrets         DATA/secrets
//! BACKUP/tables/*.copy   each table's rows
//! ```
//!
//! A backup contains no schema: the migrations create it, and they are never edited. A restore applies the
//! migrations of the backup, loads the rows, compares them, and applies the remaining migrations. So it does
//! not depend on the version of Postgres, and a later release can restore an earlier one's backup.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use rondo_database::content::{self, Table, Tally};
use rondo_database::provision::{self, ConnectionLimit};
use rondo_database::{
    DataFolder, DataFolderError, DatabaseOptions, Dsn, PrivateServer, Secrets, ServerOptions,
    migration, secret, server,
};
use rondo_setting::Cleartext;
use rondo_telemetry::Shutdown;
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

/// Version of the backup's layout. Any other is refused.
const FORMAT: u32 = 1;
const MANIFEST: &str = "manifest.json";
const TABLES: &str = "tables";
/// How far ids and revisions skip ahead after a restore. Anything handed out after the backup, such as a
/// mail's link, then refers to nothing instead of something else.
const GAP: i64 = 1_000_000;

#[derive(Args)]
pub struct BackupArgs {
    /// Folder to make. It gets the installation's secrets, and only its owner can read it.
    #[arg(value_name = "BACKUP")]
    backup: PathBuf,
    /// Folder of the installation.
    #[arg(long, env = "RONDO_DATA", default_value = ".rondo", value_name = "FOLDER")]
    data: PathBuf,
    #[command(flatten)]
    database: DatabaseOptions,
}

#[derive(Args)]
pub struct RestoreArgs {
    /// Folder that `rondo backup` made.
    #[arg(value_name = "BACKUP")]
    backup: PathBuf,
    /// Folder to make, for `rondo up`.
    #[arg(long, env = "RONDO_DATA", default_value = ".rondo", value_name = "FOLDER")]
    data: PathBuf,
}

/// The manifest of a backup.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Manifest {
    format: u32,
    /// The release that made it.
    release: String,
    /// Time of the backup, in RFC 3339.
    at: String,
    /// The last migration of its schema, and a checksum of all up to it.
    migration: usize,
    fingerprint: String,
    tables: Vec<TableCopy>,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct TableCopy {
    #[serde(flatten)]
    table: Table,
    #[serde(flatten)]
    tally: Tally,
}

/// Copies an installation, and restores the copy once into a scratch folder to check it.
///
/// # Errors
/// If there is no private Postgres, its schema is not this program's, or the copy cannot be written or
/// restored. Nothing is left of the backup then.
pub async fn run(
    args: BackupArgs,
    cleartext: &Cleartext,
    shutdown: &Shutdown,
) -> anyhow::Result<()> {
    if args.database.given(cleartext)?.is_some() {
        bail!(
            "DATABASE_URL names a Postgres of your own: back it up with its own tools, such as pg_dump, and keep \
             {} with it; docs/backup.md says more",
            args.data.join(secret::FILE).display()
        );
    }
    tokio::select! {
        result = back_up(&args.data, &args.backup) => result,
        () = shutdown.token().cancelled_owned() => bail!("stopped; nothing is left of the backup"),
    }
}

/// Creates a data folder from a backup.
///
/// # Errors
/// If the folder is in use or not empty, or the backup is incomplete or from a later release. Nothing is left
/// of the folder then.
pub async fn restore(args: RestoreArgs, shutdown: &Shutdown) -> anyhow::Result<()> {
    let backup = Backup::open(&args.backup)?;
    let data = DataFolder::begin_restore(&args.data)?;
    let unfinished = Unfinished(data.path().to_owned());
    backup.copy_secrets(data.path())?;
    tokio::select! {
        result = backup.rebuild(&data, ServerOptions::default(), Purpose::Use) => result?,
        () = shutdown.token().cancelled_owned() => bail!("stopped; nothing is left of the data folder"),
    }
    data.finish_restore()?;
    std::mem::forget(unfinished);
    println!(
        "Restored {} as of {} into {}, and compared it with the backup.",
        backup.manifest.size(),
        backup.manifest.at,
        data.path().display()
    );
    if !backup.has_secrets() {
        println!("The backup has no secrets. New ones were made: everybody has to log in again.");
    }
    println!("Next: start it with `rondo up --data {}`.", data.path().display());
    println!("Devices load everything anew. docs/backup.md says what else a restore changes.");
    Ok(())
}

async fn back_up(data: &Path, target: &Path) -> anyhow::Result<()> {
    let parent = match target.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    ensure!(!target.exists(), "{} is there already: choose a new folder", target.display());
    ensure!(
        server::major_of(data)?.is_some() && data.join(secret::FILE).is_file(),
        "{} is no data folder of `rondo up` with a private Postgres: choose it with --data (RONDO_DATA)",
        data.display()
    );
    let secrets = Secrets::load_or_create(data)?;
    // It gets its name when it is complete.
    let folder = closed(".rondo-backup-", parent)?;
    let source = Source::open(data, &secrets).await?;
    let copied = copy(source.dsn(), data, folder.path()).await;
    source.close().await?;
    let manifest = copied?;

    let scratch = Scratch(closed(".rondo-check-", parent)?);
    let backup = Backup::open(folder.path())?;
    let checked = backup.check(scratch.0.path()).await;
    drop(scratch);
    checked.context("the backup could not be restored, so it was not kept")?;

    let cannot = || format!("cannot write into {}", parent.display());
    fs::rename(folder.path(), target).with_context(cannot)?;
    let _ = folder.keep();
    File::open(parent).and_then(|parent| parent.sync_all()).with_context(cannot)?;
    println!("Backed up {} as of {} to {}.", manifest.size(), manifest.at, target.display());
    println!(
        "It was restored once and compared. It has secrets: keep it where only you can read it."
    );
    Ok(())
}

/// A folder in `parent` that only its owner can read, removed when dropped.
fn closed(prefix: &str, parent: &Path) -> anyhow::Result<TempDir> {
    let mode = Permissions::from_mode(0o700);
    let folder = tempfile::Builder::new().prefix(prefix).permissions(mode).tempdir_in(parent);
    folder.with_context(|| format!("cannot write into {}", parent.display()))
}

/// The running server of a data folder, or one started for the backup.
enum Source {
    Running(Dsn),
    /// The folder is locked while the server runs.
    Started(PrivateServer, DataFolder),
}

impl Source {
    async fn open(data: &Path, secrets: &Secrets) -> anyhow::Result<Self> {
        match DataFolder::open(data) {
            Ok(folder) => {
                let server = server::start(&folder, secrets, &ServerOptions::default()).await?;
                Ok(Self::Started(server, folder))
            }
            Err(error @ DataFolderError::Locked { .. }) => match server::running(data, secrets)? {
                Some(dsn) => Ok(Self::Running(dsn)),
                None => Err(error).context("its Postgres does not run: try again when it does"),
            },
            Err(error) => Err(error.into()),
        }
    }

    fn dsn(&self) -> &Dsn {
        match self {
            Self::Running(dsn) => dsn,
            Self::Started(server, _) => server.dsn(),
        }
    }

    async fn close(self) -> anyhow::Result<()> {
        match self {
            Self::Running(_) => Ok(()),
            Self::Started(server, _folder) => Ok(server.stop().await?),
        }
    }
}

/// Copies one state of the database, and the secrets, into `folder`.
async fn copy(dsn: &Dsn, data: &Path, folder: &Path) -> anyhow::Result<Manifest> {
    let session = crate::database::connect(dsn, "rondo backup").await?;
    let tables = content::freeze(&session).await?;
    // Within the transaction, so that schema and rows belong together.
    let status = migration::status(&session, migration::embedded()).await?;
    let known = status.applied.len();
    if !status.unknown.is_empty() || !status.changed.is_empty() {
        migration::check(&session, migration::embedded()).await?;
    }
    let now = "SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')";
    let at = session.query_one(now, &[]).await?.get(0);
    let rows = folder.join(TABLES);
    DirBuilder::new().mode(0o700).create(&rows)?;
    let mut copies = Vec::new();
    for table in tables {
        let tally = content::dump(&session, &table, &content::file_of(&rows, &table)).await?;
        copies.push(TableCopy { table, tally });
    }
    let manifest = Manifest {
        format: FORMAT,
        release: env!("CARGO_PKG_VERSION").to_owned(),
        at,
        migration: known,
        fingerprint: migration::fingerprint(&migration::first(known)),
        tables: copies,
    };
    write(&folder.join(secret::FILE), &fs::read(data.join(secret::FILE))?)?;
    write(&folder.join(MANIFEST), &serde_json::to_vec_pretty(&manifest)?)?;
    for folder in [&rows, folder] {
        File::open(folder)?.sync_all()?;
    }
    Ok(manifest)
}

fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

impl Manifest {
    fn size(&self) -> String {
        let rows: u64 = self.tables.iter().map(|copy| copy.tally.rows).sum();
        format!("{rows} rows of {} tables", self.tables.len())
    }
}

/// The purpose of a restored data folder.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// Checking that the backup can be restored.
    Check,
    Use,
}

/// A backup that this program can restore.
struct Backup {
    folder: PathBuf,
    manifest: Manifest,
}

impl Backup {
    fn open(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join(MANIFEST);
        let text = fs::read(&path)
            .with_context(|| format!("{} is no backup: it has no {MANIFEST}", folder.display()))?;
        let manifest: Manifest = serde_json::from_slice(&text)
            .with_context(|| format!("{} is not as `rondo backup` writes it", path.display()))?;
        let (this, known) = (env!("CARGO_PKG_VERSION"), migration::embedded().iter().count());
        ensure!(
            manifest.format == FORMAT && manifest.migration <= known,
            "{} was made by Rondo {}, and this is {this}, which does not know all of it: restore it with Rondo {} or \
             later",
            folder.display(),
            manifest.release,
            manifest.release
        );
        ensure!(
            migration::fingerprint(&migration::first(manifest.migration)) == manifest.fingerprint,
            "{} was made by a build of Rondo {} with other migrations than this one: restore it with that build",
            folder.display(),
            manifest.release
        );
        Ok(Self { folder: folder.to_owned(), manifest })
    }

    fn has_secrets(&self) -> bool {
        self.folder.join(secret::FILE).exists()
    }

    fn copy_secrets(&self, data: &Path) -> anyhow::Result<()> {
        match fs::read(self.folder.join(secret::FILE)) {
            Ok(secrets) => Ok(write(&data.join(secret::FILE), &secrets)?),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error).context("the backup's secrets cannot be read"),
        }
    }

    /// Restores it into a scratch folder.
    async fn check(&self, scratch: &Path) -> anyhow::Result<()> {
        self.copy_secrets(scratch)?;
        let data = DataFolder::open(scratch)?;
        // This cluster is thrown away, so it needs no durability.
        let settings = ["fsync", "full_page_writes", "synchronous_commit"]
            .map(|name| (name.to_owned(), "off".to_owned()));
        let options = ServerOptions { settings: settings.into(), ..ServerOptions::default() };
        self.rebuild(&data, options, Purpose::Check).await
    }

    /// Creates a cluster in a data folder that already has the secrets, and stops it again.
    async fn rebuild(
        &self,
        data: &DataFolder,
        options: ServerOptions,
        purpose: Purpose,
    ) -> anyhow::Result<()> {
        let secrets = Secrets::load_or_create(data.path())?;
        let server = server::start(data, &secrets, &options).await?;
        let filled = self.fill(server.dsn(), &secrets, purpose).await;
        let stopped = server.stop().await;
        filled?;
        Ok(stopped?)
    }

    async fn fill(&self, dsn: &Dsn, secrets: &Secrets, purpose: Purpose) -> anyhow::Result<()> {
        provision::roles(dsn, secrets, ConnectionLimit::Enforced).await?;
        let mut session = crate::database::connect(dsn, "rondo restore").await?;
        migration::up(&mut session, &migration::first(self.manifest.migration)).await?;
        let tables: Vec<Table> =
            self.manifest.tables.iter().map(|copy| copy.table.clone()).collect();
        let gap = if purpose == Purpose::Use { GAP } else { 0 };
        content::load(&mut session, &tables, &self.folder.join(TABLES), gap).await?;
        for TableCopy { table, tally } in &self.manifest.tables {
            let found = content::tally(&session, table).await?;
            ensure!(
                found == *tally,
                "the backup is damaged: table {} should have {} rows with checksum {}, and has {} with {}",
                table.name,
                tally.rows,
                tally.checksum,
                found.rows,
                found.checksum
            );
        }
        if purpose == Purpose::Use {
            migration::up(&mut session, migration::embedded()).await?;
            session.execute("SELECT revisions_restart($1)", &[&GAP]).await?;
        }
        Ok(())
    }
}

/// A scratch data folder and its cluster, wherever that is.
struct Scratch(TempDir);

impl Drop for Scratch {
    fn drop(&mut self) {
        remove_cluster(self.0.path());
    }
}

/// A data folder that is removed unless its restore is finished.
struct Unfinished(PathBuf);

impl Drop for Unfinished {
    fn drop(&mut self) {
        remove_cluster(&self.0);
        if let Err(error) = fs::remove_dir_all(&self.0) {
            tracing::warn!(path = %self.0.display(), %error, "remove this folder: it is half restored");
        }
    }
}

/// Removes the cluster of a data folder if it is outside the folder.
fn remove_cluster(data: &Path) {
    if let Ok(cluster) = server::cluster_of(data)
        && !cluster.starts_with(data)
        && let Some(own) = cluster.parent()
    {
        let _ = fs::remove_dir_all(own);
    }
}
