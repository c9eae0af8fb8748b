//! Successive releases on one data folder: an earlier schema is migrated with all its data, the next
//! release's schema is usable, a later one is refused.

use std::path::{Path, PathBuf};

use rondo_database::content::{self, Table};
use rondo_database::migration;
use rondo_database::provision::{self, ConnectionLimit};
use rondo_database::{
    DataFolder, Dsn, Secrets, ServerOptions, SessionOptions, pool, secret, server,
};
use rondo_testkit::folder::Folder;
use rondo_testkit::process::{Program, Signal, root};
use rondo_testkit::wait::eventually;
use rondo_tests::arrangement::STOP;
use rondo_tests::operation::{Running, SOON, audited, create};
use rondo_tests::story::{self, User};
use serde_json::{Value, json};
use sqlx::SqlSafeStr as _;
use sqlx::migrate::{Migration, MigrationType, Migrator};

const ADDRESS: &str = "127.0.0.1:0";
const EMAIL: &str = "ada@example.org";
/// The titles of the tasks in a kept installation.
const OPEN: &str = "Water the plants";
const DONE: &str = "Buy a watering can";

fn releases() -> PathBuf {
    root().join("tests/operation/release")
}

/// The manifest of a backup by `rondo backup`.
fn manifest(backup: &Path) -> Value {
    let text = std::fs::read_to_string(backup.join("manifest.json")).expect("a manifest");
    serde_json::from_str(&text).expect("JSON")
}

/// Creates a data folder with the schema and the rows of a backup, and nothing newer.
async fn make_data_folder(data: &Path, backup: &Path) {
    let manifest = manifest(backup);
    let data = DataFolder::open(data).expect("a folder");
    let secrets = Secrets::load_or_create(data.path()).expect("secrets");
    let server = server::start(&data, &secrets, &ServerOptions::default()).await.expect("Postgres");
    let limit = ConnectionLimit::Enforced;
    provision::roles(server.dsn(), &secrets, limit).await.expect("roles");
    let known = manifest["migration"].as_u64().expect("a number") as usize;
    let migrations = migration::first(known);
    let fingerprint = migration::fingerprint(&migrations);
    assert_eq!(manifest["fingerprint"], fingerprint, "a released migration was edited");
    let mut session =
        pool::connect(server.dsn(), &SessionOptions::default()).await.expect("a session");
    migration::up(&mut session, &migrations).await.expect("a schema");
    let tables: Vec<Table> =
        serde_json::from_value(manifest["tables"].clone()).expect("a list of tables");
    content::load(&mut session, &tables, &backup.join("tables"), 0).await.expect("rows");
    drop(session);
    server.stop().await.expect("an end");
}

/// The user's tasks with this status.
async fn titles(user: &User, status: &str) -> Vec<(i64, String)> {
    let answer = user.client.get(&format!("/api/tasks?status={status}")).await.expect("an answer");
    let answer = answer.expect(200);
    let tasks = answer.json();
    let task = |task: &Value| {
        (task["id"].as_i64().expect("an id"), task["title"].as_str().expect("a title").to_owned())
    };
    tasks.as_array().expect("a list").iter().map(task).collect()
}

/// Asserts that each release's user still has everything and can continue.
async fn assert_is_whole(rondo: &Running) {
    let user = story::login(rondo.http.base(), EMAIL).await;
    let pending = titles(&user, "pending").await;
    assert_eq!(pending.iter().filter(|(_, title)| title == OPEN).count(), 1, "{pending:?}");
    let done = titles(&user, "completed").await;
    for title in [OPEN, DONE] {
        assert!(done.iter().any(|(_, found)| found == title), "{title}: {done:?}");
    }
    let (id, _) = pending.into_iter().find(|(_, title)| title == OPEN).expect("counted above");
    let path = format!("/api/tasks/{id}/complete");
    user.client.post(&path, &json!({})).await.expect("an answer").expect(200);
    audited(&user, id, "task.completed").await;
    eventually("the next occurrence", SOON, async || {
        let pending = titles(&user, "pending").await;
        let is_next = |(found, title): &(i64, String)| title == OPEN && *found != id;
        pending.iter().any(is_next).then_some(()).ok_or_else(|| format!("{pending:?}"))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_releases_installation_is_migrated_with_its_data() {
    let folders = std::fs::read_dir(releases()).expect("releases are kept");
    let backups: Vec<PathBuf> = folders.map(|entry| entry.expect("a folder").path()).collect();
    assert!(backups.iter().any(|backup| backup.ends_with("0.1.0")), "{backups:?}");
    for backup in backups {
        let folder = Folder::new("release");
        make_data_folder(&folder.path().join("data"), &backup).await;
        let rondo = Running::start_in(folder, ADDRESS, &[]).await;
        assert_is_whole(&rondo).await;
        let dsn = Dsn::parse(&rondo.database_url()).expect("a connection string");
        let session = pool::connect(&dsn, &SessionOptions::default()).await.expect("a session");
        migration::check(&session, migration::embedded()).await.expect("the newest schema");
        drop(session);
        rondo.stop().await;
    }
}

/// Writes the installation of this release; see migrations/README.md, "Releases".
#[tokio::test(flavor = "multi_thread")]
#[ignore = "writes tests/operation/release/<version>, once per release"]
async fn write_the_installation_of_this_release() {
    let rondo = Running::start("release", &[]).await;
    let user = story::register(rondo.http.base(), EMAIL).await;
    let done = json!({"title": DONE, "tags": ["shop"], "priority": "high"});
    let every_day = json!({
        "title": OPEN, "due_date": "2026-01-01T08:00:00Z", "reminder_offset": "P1D",
        "recurrence_rule": {"frequency": "daily"}
    });
    for body in [done, every_day] {
        let answer = user.client.post("/api/tasks", &body).await.expect("an answer").expect(201);
        let id = answer.json()["id"].as_i64().expect("an id");
        let path = format!("/api/tasks/{id}/complete");
        user.client.post(&path, &json!({})).await.expect("an answer").expect(200);
        audited(&user, id, "task.completed").await;
    }
    eventually("the next occurrence", SOON, async || {
        let pending = titles(&user, "pending").await;
        if pending.len() == 1 { Ok(()) } else { Err(format!("{pending:?}")) }
    })
    .await;
    let target = releases().join(env!("CARGO_PKG_VERSION"));
    std::fs::create_dir_all(releases()).expect("a folder");
    let mut backup = Program::built("rondo")
        .arguments(["backup", "--data"])
        .argument(rondo.data())
        .argument(&target)
        .start();
    assert!(backup.exit(4 * SOON).await.success(), "{}", backup.log());
    // Each restore generates new ones.
    std::fs::remove_file(target.join(secret::FILE)).expect("it was there");
    rondo.stop().await;
}

/// Applies further migrations after this program's, as later releases would.
async fn migrate(rondo: &Folder, further: &[&'static str]) {
    let data = DataFolder::open(&rondo.path().join("data")).expect("its data");
    let secrets = Secrets::load_or_create(data.path()).expect("secrets");
    let server = server::start(&data, &secrets, &ServerOptions::default()).await.expect("Postgres");
    let mut migrations: Vec<_> = migration::embedded().iter().cloned().collect();
    for sql in further {
        let last = migrations.iter().map(|migration| migration.version).max();
        let version = last.expect("a migration") + 1;
        let (simple, sql) = (MigrationType::Simple, sql.into_sql_str());
        migrations.push(Migration::new(version, "later".into(), simple, sql, false));
    }
    let migrations = Migrator::with_migrations(migrations);
    let mut session =
        pool::connect(server.dsn(), &SessionOptions::default()).await.expect("a session");
    migration::up(&mut session, &migrations).await.expect("a later schema");
    drop(session);
    server.stop().await.expect("an end");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_releases_schema_is_accepted_and_a_later_one_refused() {
    let rondo = Running::start("upgrade", &[]).await;
    let user = story::register(rondo.http.base(), EMAIL).await;
    let task_id = create(&user).await;
    audited(&user, task_id, "task.created").await;
    let folder = rondo.stop_by(Signal::SIGTERM).await;

    // The next release only adds to the schema: this one still works with the data, and can write.
    let expand = "ALTER TABLE tasks ADD COLUMN later text;
                  UPDATE schema_release SET release = '9.8.0', runs_from =
                      (SELECT max(version) FROM _sqlx_migrations)";
    migrate(&folder, &[expand]).await;
    let rondo = Running::start_in(folder, ADDRESS, &[]).await;
    assert_eq!(rondo.logged("the schema is newer than this program").len(), 1);
    let user = story::login(rondo.http.base(), EMAIL).await;
    let path = format!("/api/tasks/{task_id}");
    user.client.get(&path).await.expect("an answer").expect(200);
    let another = create(&user).await;
    audited(&user, another, "task.created").await;
    let folder = rondo.stop_by(Signal::SIGTERM).await;

    // The release after that removes from the schema.
    let contract = "ALTER TABLE tasks DROP COLUMN later;
                    UPDATE schema_release SET release = '9.9.0', runs_from =
                        (SELECT max(version) FROM _sqlx_migrations)";
    migrate(&folder, &[expand, contract]).await;
    let mut refused = Program::built("rondo")
        .arguments(["up", "--listen", ADDRESS, "--data"])
        .argument(folder.path().join("data"))
        .start();
    let status = refused.exit(SOON + STOP).await;
    let log = refused.log();
    assert_eq!(status.code(), Some(1), "{log}");
    let this = format!("this is {}", env!("CARGO_PKG_VERSION"));
    for word in ["Rondo 9.9.0", &this, "restore a backup"] {
        assert!(log.contains(word), "no {word:?} in {log}");
    }
}
