//! `rondo backup` and `rondo restore` on a private Postgres, which the test holds as `rondo up` would.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rondo_database::content::{self, Tally};
use rondo_database::provision::{self, ConnectionLimit};
use rondo_database::server::{self, PrivateServer};
use rondo_database::{
    DataFolder, Secrets, ServerOptions, Session, SessionOptions, migration, pool,
};
use rondo_testkit::folder::Folder;
use rondo_testkit::population::Population;
use rondo_testkit::process::Program;
use rondo_testkit::wait::eventually;
use tokio::sync::watch;

/// How long a command may take on a busy machine.
const SOON: Duration = Duration::from_secs(120);
/// How far ids and revisions go on after a restore.
const GAP: i64 = 1_000_000;

/// A data folder in use, with some users and tasks.
struct Installation {
    server: PrivateServer,
    data: DataFolder,
}

impl Installation {
    async fn new(path: &Path) -> Self {
        let installation = Self::open(path).await;
        let secrets = Secrets::load_or_create(path).unwrap();
        provision::roles(installation.server.dsn(), &secrets, ConnectionLimit::Enforced)
            .await
            .unwrap();
        let mut session = installation.session().await;
        migration::up(&mut session, migration::embedded()).await.unwrap();
        let population = Population { users: 3, tasks_per_user: 20, busy_user_tasks: 60 };
        population.fill(&session).await.unwrap();
        installation
    }

    async fn open(path: &Path) -> Self {
        let data = DataFolder::open(path).unwrap();
        let secrets = Secrets::load_or_create(path).unwrap();
        let server = server::start(&data, &secrets, &ServerOptions::default()).await.unwrap();
        Self { server, data }
    }

    async fn session(&self) -> Session {
        pool::connect(self.server.dsn(), &SessionOptions::default()).await.unwrap()
    }

    async fn number(&self, sql: &str) -> i64 {
        self.session().await.query_one(sql, &[]).await.unwrap().get(0)
    }

    /// Every table with what is in it.
    async fn tallies(&self) -> Vec<(String, Tally)> {
        let session = self.session().await;
        let mut tallies = Vec::new();
        for table in content::freeze(&session).await.unwrap() {
            let tally = content::tally(&session, &table).await.unwrap();
            tallies.push((table.name, tally));
        }
        tallies
    }

    async fn close(self) {
        self.server.stop().await.unwrap();
        drop(self.data);
    }
}

/// Runs `rondo` in a folder; gives whether it succeeded, and all that it printed.
async fn rondo(folder: &Path, arguments: &[&str], settings: &[(&str, &str)]) -> (bool, String) {
    let running = tokio::process::Command::new(env!("CARGO_BIN_EXE_rondo"))
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .envs(["PATH", "HOME"].iter().filter_map(|name| Some((name, std::env::var_os(name)?))))
        .envs(settings.iter().copied())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(SOON, running).await.expect("an end").unwrap();
    let printed = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(!printed.contains("hunter2") && !printed.contains("panicked"), "{printed}");
    (output.status.success(), printed)
}

async fn succeeds(folder: &Path, arguments: &[&str]) -> String {
    let (is_success, printed) = rondo(folder, arguments, &[]).await;
    assert!(is_success, "{arguments:?}: {printed}");
    printed
}

async fn fails(folder: &Path, arguments: &[&str], words: &[&str]) {
    let (is_success, printed) = rondo(folder, arguments, &[]).await;
    assert!(!is_success, "{arguments:?}: {printed}");
    for word in words {
        assert!(printed.contains(word), "no {word:?} in {printed}");
    }
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut entries: Vec<_> = entries.collect();
    entries.sort();
    entries
}

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o777
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_of_one_state_and_a_restore_has_all_of_it() {
    let folder = Folder::new("backup");
    let path = folder.path();
    let installation = Installation::new(&path.join("data")).await;

    // Pairs of rows in two tables, each pair in one transaction, while the backup is made.
    let (stop, stopped) = watch::channel(false);
    let writer = installation.session().await;
    let writing = tokio::spawn(async move {
        let mut pairs: i64 = 0;
        while !*stopped.borrow() {
            pairs += 1;
            let pair = format!(
                "BEGIN;
                 INSERT INTO tags (user_id, key, name, color) VALUES (-1, 'pair {pairs}', 'a\tb\\n', '#000000');
                 INSERT INTO deletions (user_id, revision, task_id, deleted_at) VALUES (-1, {pairs}, 1, now());
                 COMMIT"
            );
            writer.batch_execute(&pair).await.unwrap();
        }
        pairs
    });
    let printed = succeeds(path, &["backup", "kept", "--data", "data"]).await;
    stop.send(true).unwrap();
    let pairs = writing.await.unwrap();
    assert!(printed.contains("restored once"), "{printed}");

    let backup = path.join("kept");
    assert_eq!(mode(&backup), 0o700);
    for file in ["manifest.json", "secrets", "tables/tasks.copy"] {
        assert_eq!(mode(&backup.join(file)), 0o600, "{file}");
    }
    assert_eq!(entries(path), [path.join("data"), backup.clone()], "nothing else is left");

    let printed = succeeds(path, &["restore", "kept", "--data", "restored"]).await;
    assert!(printed.contains("rondo up --data"), "{printed}");
    let secrets = |data: &str| std::fs::read_to_string(path.join(data).join("secrets")).unwrap();
    assert_eq!(secrets("restored"), secrets("data"));
    assert_eq!(mode(&path.join("restored/secrets")), 0o600);

    let restored = Installation::open(&path.join("restored")).await;
    let copied = restored.number("SELECT count(*) FROM tags WHERE user_id = -1").await;
    let also = restored.number("SELECT count(*) FROM deletions WHERE user_id = -1").await;
    assert_eq!(copied, also, "a pair was torn apart");
    assert!((1..=pairs).contains(&copied), "{copied} of {pairs}");
    let odd = "SELECT count(*) FROM tags WHERE user_id = -1 AND name <> E'a\\tb\\\\n'";
    assert_eq!(restored.number(odd).await, 0);

    // Everything else is the same, but for the revisions, which go on higher.
    let cut = format!(
        "DELETE FROM tags WHERE user_id = -1; DELETE FROM deletions WHERE user_id = -1;
         UPDATE user_revisions SET revision = revision - {GAP}; TRUNCATE deletion_horizons"
    );
    let horizons =
        "SELECT count(*) FROM deletion_horizons h JOIN user_revisions r USING (user_id, revision)";
    let users = restored.number("SELECT count(*) FROM user_revisions").await;
    assert_eq!(restored.number(horizons).await, users);
    let next = "SELECT nextval(pg_get_serial_sequence('tasks', 'id'))";
    let last = installation.number("SELECT max(id) FROM tasks").await;
    assert!(restored.number(next).await > last + GAP);
    restored.session().await.batch_execute(&cut).await.unwrap();
    let tidy = cut.replace(&format!("UPDATE user_revisions SET revision = revision - {GAP};"), "");
    installation.session().await.batch_execute(&tidy).await.unwrap();
    let (before, after) = (installation.tallies().await, restored.tallies().await);
    assert!(before.iter().any(|(name, tally)| name == "tasks" && tally.rows == 120), "{before:?}");
    assert_eq!(before, after);
    let session = restored.session().await;
    migration::check(&session, migration::embedded()).await.unwrap();
    restored.close().await;
    installation.close().await;

    // Of an installation that does not run.
    succeeds(path, &["backup", "again", "--data", "restored"]).await;
    assert!(path.join("again/manifest.json").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_backed_up_or_restored_is_refused_and_leaves_nothing() {
    let folder = Folder::new("backup");
    let path = folder.path();
    fails(path, &["backup", "kept"], &[".rondo is no data folder", "--data"]).await;
    let url = [("DATABASE_URL", "postgres://ada:hunter2@127.0.0.1:1/rondo")];
    let (is_success, printed) = rondo(path, &["backup", "kept"], &url).await;
    assert!(!is_success && printed.contains("pg_dump") && printed.contains("secrets"), "{printed}");
    assert!(entries(path).is_empty());

    let installation = Installation::new(&path.join("data")).await;
    fails(path, &["backup", "data", "--data", "data"], &["is there already"]).await;
    succeeds(path, &["backup", "kept", "--data", "data"]).await;
    let in_use = format!("in use by process {}", std::process::id());
    fails(path, &["restore", "kept", "--data", "data"], &[&in_use]).await;
    installation.close().await;
    fails(path, &["restore", "kept", "--data", "data"], &["is not empty"]).await;
    fails(path, &["restore", "data", "--data", "new"], &["is no backup"]).await;

    // A row that was lost, and a digit that was changed.
    let tasks = path.join("kept/tables/tasks.copy");
    let whole = std::fs::read_to_string(&tasks).unwrap();
    let cut = whole.split_once('\n').unwrap().1.to_owned();
    let changed = whole.replacen("2", "3", 1);
    for text in [cut, changed] {
        std::fs::write(&tasks, text).unwrap();
        fails(path, &["restore", "kept", "--data", "new"], &["damaged", "table tasks"]).await;
        assert!(!path.join("new").exists());
    }
    std::fs::write(&tasks, whole).unwrap();

    // Of a later release, and of another build.
    let manifest = path.join("kept/manifest.json");
    let text = std::fs::read_to_string(&manifest).unwrap();
    let mut later: serde_json::Value = serde_json::from_str(&text).unwrap();
    let mut other = later.clone();
    later["migration"] = 9_999.into();
    later["release"] = "9.9.9".into();
    other["fingerprint"] = "0".into();
    let this = format!("this is {}", env!("CARGO_PKG_VERSION"));
    for (manifest_of, words) in
        [(later, ["Rondo 9.9.9", &this]), (other, ["other migrations", "that build"])]
    {
        std::fs::write(&manifest, manifest_of.to_string()).unwrap();
        fails(path, &["restore", "kept", "--data", "new"], &words).await;
        assert!(!path.join("new").exists());
    }
    std::fs::write(&manifest, text).unwrap();
    succeeds(path, &["restore", "kept", "--data", "new"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_is_stopped_leaves_nothing() {
    let folder = Folder::new("backup");
    let path = folder.path();
    let installation = Installation::new(&path.join("data")).await;
    let program = Program::new(env!("CARGO_BIN_EXE_rondo")).directory(path);
    let mut backup = program.arguments(["backup", "kept", "--data", "data"]).start();
    eventually("the check of the backup", SOON, async || {
        let is_running = |folder: &PathBuf| folder.join("postgres/postmaster.pid").exists();
        let is_scratch = |folder: &PathBuf| *folder != path.join("data") && is_running(folder);
        if entries(path).iter().any(is_scratch) { Ok(()) } else { Err(backup.log()) }
    })
    .await;
    let status = backup.terminate(SOON).await;
    assert!(!status.success(), "{}", backup.log());
    assert!(backup.log().contains("nothing is left of the backup"), "{}", backup.log());
    assert_eq!(entries(path), [path.join("data")]);
    installation.close().await;
}
