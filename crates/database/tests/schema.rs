//! Roles, migrations and pools, on a real server.

use std::{collections::BTreeSet, time::Duration};

use futures_util::future::join_all;
use rondo_database::{
    DataFolder, Dsn, PoolOptions, PrivateServer, Role, RoleDsns, Secrets, ServerOptions,
    SessionOptions, admin, explain,
    migration::{self, MigrationError},
    pool,
    provision::{self, ConnectionLimit, ProvisionError},
    server::{self, BinarySource},
};
use sqlx::{
    SqlSafeStr as _,
    migrate::{Migration, MigrationType, Migrator},
};
use tempfile::TempDir;

struct Postgres {
    server: PrivateServer,
    secrets: Secrets,
    // Dropped last, because it contains the server's files.
    _folder: (DataFolder, TempDir),
}

async fn postgres() -> Postgres {
    let folder = tempfile::tempdir().unwrap();
    let data = DataFolder::open(folder.path()).unwrap();
    let secrets = Secrets::load_or_create(data.path()).unwrap();
    let settings = vec![("fsync".to_owned(), "off".to_owned())];
    let options =
        ServerOptions { binaries: BinarySource::System, settings, ..ServerOptions::default() };
    let server = server::start(&data, &secrets, &options).await.unwrap();
    Postgres { server, secrets, _folder: (data, folder) }
}

async fn run(dsn: &Dsn, sql: &str) {
    pool::connect(dsn, &SessionOptions::default()).await.unwrap().batch_execute(sql).await.unwrap();
}

async fn text(dsn: &Dsn, sql: &str) -> String {
    let session = pool::connect(dsn, &SessionOptions::default()).await.unwrap();
    session.query_one(sql, &[]).await.unwrap().get(0)
}

const WHO: &str = "SELECT concat_ws(' ', current_user, current_database(), current_setting('statement_timeout'),
    current_setting('idle_in_transaction_session_timeout'), current_setting('default_transaction_isolation'))";

async fn assert_each_is_its_role(dsns: &RoleDsns, dbname: &str) {
    for role in Role::ALL {
        let seconds = role.limit().statement_timeout_ms / 1000;
        let timeout = if seconds == 60 { "1min".to_owned() } else { format!("{seconds}s") };
        let expected = format!("{role} {dbname} {timeout} 10s read committed");
        assert_eq!(text(dsns.get(role), WHO).await, expected);
    }
}

#[tokio::test]
async fn concurrent_provisioning_creates_each_role_once() {
    let postgres = postgres().await;
    let (dsn, secrets) = (postgres.server.dsn(), &postgres.secrets);
    let session = pool::connect(dsn, &SessionOptions::default()).await.unwrap();
    for number in 0..4 {
        assert!(admin::create_database(&session, &format!("db {number}"), None).await.unwrap());
        assert!(!admin::create_database(&session, &format!("db {number}"), None).await.unwrap());
    }
    let attempts = (0..12).map(|number| async move {
        let admin = dsn.clone().with_dbname(&format!("db {}", number % 4));
        provision::roles(&admin, secrets, ConnectionLimit::Enforced).await
    });
    for (number, dsns) in join_all(attempts).await.into_iter().enumerate() {
        let dsns = dsns.unwrap();
        assert_eq!(dsns.get(Role::Sync).dbname(), Some(format!("db {}", number % 4).as_str()));
        if number == 0 {
            assert_each_is_its_role(&dsns, "db 0").await;
        }
    }
    let limits = "SELECT string_agg(rolconnlimit::text, ' ' ORDER BY rolname) FROM pg_roles WHERE rolname LIKE 'rondo\\_%'";
    assert_eq!(text(dsn, limits).await, "16 24 32 16 16 24 -1 24 24 64");
    // The operator's limits last until the next time.
    let chosen = ConnectionLimit::Chosen("rondo_task_api=128,rondo_audit=48".parse().unwrap());
    provision::roles(dsn, secrets, chosen).await.unwrap();
    assert_eq!(text(dsn, limits).await, "48 24 32 16 16 24 -1 24 24 128");
    provision::roles(dsn, secrets, ConnectionLimit::Enforced).await.unwrap();
    assert_eq!(text(dsn, limits).await, "16 24 32 16 16 24 -1 24 24 64");

    // A role with another password gets ours; correct ones stay.
    run(dsn, "ALTER ROLE rondo_audit PASSWORD 'other'").await;
    let verifier = "SELECT rolpassword FROM pg_authid WHERE rolname = 'rondo_sync'";
    let before = text(dsn, verifier).await;
    let dsns = provision::roles(dsn, secrets, ConnectionLimit::Lifted).await.unwrap();
    assert_each_is_its_role(&dsns, "rondo").await;
    assert_eq!(text(dsn, verifier).await, before);
    assert_eq!(text(dsn, limits).await, "-1 -1 -1 -1 -1 -1 -1 -1 -1 -1");

    admin::drop_database(&session, "db 1").await.unwrap();
    assert!(!admin::has_database(&session, "db 1").await.unwrap());
    assert!(admin::has_database(&session, "db 2").await.unwrap());
}

#[tokio::test]
async fn without_createrole_a_member_acts_as_the_roles_and_others_learn_what_to_run() {
    let postgres = postgres().await;
    let (superuser, secrets) = (postgres.server.dsn(), &postgres.secrets);
    run(superuser, "CREATE ROLE \"some body\" LOGIN PASSWORD 'p'").await;
    run(superuser, "CREATE DATABASE theirs OWNER \"some body\"").await;
    let theirs = superuser.clone().with_user("some body", "p").with_dbname("theirs");
    let refusal = provision::roles(&theirs, secrets, ConnectionLimit::Enforced).await.unwrap_err();
    let ProvisionError::MayNotCreate { advice, .. } = &refusal else { panic!("{refusal}") };
    assert!(
        !refusal
            .to_string()
            .contains(secrets.expose(rondo_database::secret::Secret::Role(Role::Sync)))
    );

    // The error's advice is sufficient.
    run(superuser, advice).await;
    let dsns = provision::roles(&theirs, secrets, ConnectionLimit::Enforced).await.unwrap();
    assert_each_is_its_role(&dsns, "theirs").await;
    // Cleaning a pooled connection keeps its role.
    let session = pool::connect(dsns.get(Role::Sync), &SessionOptions::default()).await.unwrap();
    session.batch_execute("DISCARD ALL").await.unwrap();
    let user: String = session.query_one("SELECT current_user::text", &[]).await.unwrap().get(0);
    assert_eq!(user, "rondo_sync");
    drop(session);
    let mut session = pool::connect(&theirs, &SessionOptions::default()).await.unwrap();
    migration::up(&mut session, migration::embedded()).await.unwrap();
}

#[tokio::test]
async fn createrole_without_superuser_is_sufficient() {
    let postgres = postgres().await;
    run(postgres.server.dsn(), "CREATE ROLE maker LOGIN CREATEROLE PASSWORD 'p'").await;
    run(postgres.server.dsn(), "CREATE DATABASE made OWNER maker").await;
    let made = postgres.server.dsn().clone().with_user("maker", "p").with_dbname("made");
    let dsns = provision::roles(&made, &postgres.secrets, ConnectionLimit::Enforced).await.unwrap();
    let mut session = pool::connect(&made, &SessionOptions::default()).await.unwrap();
    migration::up(&mut session, migration::embedded()).await.unwrap();
    assert_each_is_its_role(&dsns, "made").await;
}

#[tokio::test]
async fn concurrent_migrations_run_once() {
    let postgres = postgres().await;
    let dsn = postgres.server.dsn();
    let dsns = provision::roles(dsn, &postgres.secrets, ConnectionLimit::Enforced).await.unwrap();
    let options = SessionOptions::default();
    let mut sessions = join_all((0..3).map(|_| pool::connect(dsn, &options)))
        .await
        .into_iter()
        .map(Result::unwrap);
    let (mut one, mut two, three) =
        (sessions.next().unwrap(), sessions.next().unwrap(), sessions.next().unwrap());
    let all = migration::embedded();
    let refusal = migration::check(&three, all).await.unwrap_err();
    assert!(
        refusal.to_string().contains("from 0001_")
            && refusal.to_string().contains("rondo migrate up"),
        "{refusal}"
    );

    let (first, second) = tokio::join!(migration::up(&mut one, all), migration::up(&mut two, all));
    let applied = [first.unwrap().len(), second.unwrap().len()];
    let count = all.iter().count();
    assert_eq!(BTreeSet::from(applied), BTreeSet::from([0, count]));
    migration::check(&three, all).await.unwrap();
    // Every program checks with its own role.
    let sync = pool::connect(dsns.get(Role::Sync), &SessionOptions::default()).await.unwrap();
    migration::check(&sync, all).await.unwrap();
    let status = migration::status(&sync, all).await.unwrap();
    assert_eq!((status.applied.len(), status.pending.len()), (count, 0));
    assert!(status.applied[0].1.ends_with('Z'));
}

fn migrator(files: &[(i64, &'static str, &'static str)]) -> Migrator {
    let migration = |&(version, name, sql): &(i64, &'static str, &'static str)| {
        Migration::new(version, name.into(), MigrationType::Simple, sql.into_sql_str(), false)
    };
    Migrator::with_migrations(files.iter().map(migration).collect())
}

#[tokio::test]
async fn another_schema_is_refused_and_a_broken_file_changes_nothing() {
    let postgres = postgres().await;
    let mut session =
        pool::connect(postgres.server.dsn(), &SessionOptions::default()).await.unwrap();
    let one = (1, "one", "CREATE TABLE one ();");
    let broken = (2, "number two", "CREATE TABLE two ();\n-- Ärger\nSELECT * FROM nowhere;");
    let refusal = migration::up(&mut session, &migrator(&[one, broken])).await.unwrap_err();
    let refusal = explain(&refusal);
    assert!(refusal.starts_with("0002_number_two, line 3 failed: "), "{refusal}");
    assert!(refusal.contains("nowhere"), "{refusal}");
    let tables = "SELECT concat_ws(' ', to_regclass('one'), to_regclass('two'))";
    assert_eq!(text(postgres.server.dsn(), tables).await, "one");

    let two = (2, "number two", "CREATE TABLE two ();");
    let applied = migration::up(&mut session, &migrator(&[one, two])).await.unwrap();
    assert_eq!(applied.iter().map(ToString::to_string).collect::<Vec<_>>(), ["0002_number_two"]);
    let older = migrator(&[one]);
    let newer = migration::check(&session, &older).await.unwrap_err();
    assert!(matches!(&newer, MigrationError::Newer { last, .. } if last.version == 2), "{newer}");
    let refused = migration::up(&mut session, &older).await.unwrap_err();
    assert!(matches!(refused, MigrationError::Newer { .. }), "{refused}");
    // A newer schema can allow an older program.
    let say = |sql: &'static str| run(postgres.server.dsn(), sql);
    say("CREATE TABLE schema_release (release text, runs_from bigint)").await;
    say("INSERT INTO schema_release VALUES ('9.8.0', 1)").await;
    migration::check(&session, &older).await.unwrap();
    assert_eq!(migration::up(&mut session, &older).await.unwrap(), []);
    say("UPDATE schema_release SET release = '9.9.0', runs_from = 2").await;
    let newer = migration::check(&session, &older).await.unwrap_err().to_string();
    let this = format!("this is {}", env!("CARGO_PKG_VERSION"));
    assert!(newer.contains("Rondo 9.9.0") && newer.contains(&this), "{newer}");
    let other = migrator(&[(1, "one", "CREATE TABLE other ();"), two]);
    let changed = migration::check(&session, &other).await.unwrap_err();
    assert!(
        matches!(&changed, MigrationError::Changed { first } if first.version == 1),
        "{changed}"
    );
}

#[tokio::test]
async fn a_pool_is_bounded_and_configures_its_sessions() {
    let postgres = postgres().await;
    let options = PoolOptions {
        connections_max: 1,
        session: SessionOptions {
            application_name: Some("a pool".to_owned()),
            statement_timeout: Some(Duration::from_millis(1500)),
        },
    };
    let pool = pool::open(postgres.server.dsn(), &options).unwrap();
    let held = pool.get().await.unwrap();
    let row = held
        .query_one("SELECT concat_ws(' ', current_setting('application_name'), current_setting('statement_timeout'))", &[])
        .await
        .unwrap();
    assert_eq!(row.get::<_, &str>(0), "a pool 1500ms");
    let waiting = tokio::time::timeout(Duration::from_millis(50), pool.get()).await;
    assert!(waiting.is_err(), "the second one waits");
    drop(held);
    assert!(pool.get().await.is_ok());
}
