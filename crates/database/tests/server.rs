//! A private server on this machine's programs: made, found again, adopted, locked, refused.

use std::path::Path;

use rondo_database::server::{self, ServerError};
use rondo_database::{migration, pool, role, secret};

/// A data folder that an unprivileged server can reach, also when the tests run as root.
fn folder() -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

async fn start(data: &Path) -> Result<server::Server, ServerError> {
    server::start(data, &data.join("cache")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_start_finds_the_data_and_a_server_left_behind_is_adopted() {
    let data = folder();
    let first = start(data.path()).await.unwrap();
    let client = pool::connect(first.admin(), "test").await.unwrap();
    client.batch_execute("CREATE TABLE kept AS SELECT 42 AS answer").await.unwrap();

    // One program at a time.
    let Err(ServerError::Locked { pid, .. }) = start(data.path()).await else {
        panic!("a second start of a folder in use must be refused");
    };
    assert_eq!(pid, std::process::id().to_string());

    // As after a kill -9 of the program: the server runs on, the lock is free.
    let pid = first.pid();
    drop(client);
    drop(first);
    let adopted = start(data.path()).await.unwrap();
    assert_eq!(adopted.pid(), pid);
    adopted.stop().await;

    let again = start(data.path()).await.unwrap();
    let client = pool::connect(again.admin(), "test").await.unwrap();
    let answer: i32 = client.query_one("SELECT answer FROM kept", &[]).await.unwrap().get(0);
    assert_eq!(answer, 42);
    drop(client);
    again.stop().await;

    std::fs::write(data.path().join("postgres/PG_VERSION"), "9\n").unwrap();
    assert!(matches!(start(data.path()).await, Err(ServerError::OtherVersion { found: 9, .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_and_schema_are_made_once_by_many_starters() {
    let data = folder();
    let server = start(data.path()).await.unwrap();
    let password = secret::random();
    let provision = || role::provision(server.admin(), |_| password.clone());
    let (first, second, third) = tokio::join!(provision(), provision(), provision());
    let logins = first.unwrap();
    second.unwrap();
    third.unwrap();
    let migrate = || async {
        let mut client = pool::connect(server.admin(), "test").await.unwrap();
        migration::up(&mut client).await.unwrap()
    };
    let (one, two) = tokio::join!(migrate(), migrate());
    assert_eq!(one + two, usize::try_from(migration::latest()).unwrap());

    let bridge = pool::connect(&logins[role::BRIDGE.name], "test").await.unwrap();
    migration::check(&bridge).await.unwrap();
    let refused = bridge.execute("DELETE FROM outbox", &[]).await.unwrap_err();
    assert_eq!(refused.code(), Some(&tokio_postgres::error::SqlState::INSUFFICIENT_PRIVILEGE));

    let admin = pool::connect(server.admin(), "test").await.unwrap();
    admin
        .execute("UPDATE schema_migrations SET version = 9000 WHERE version = $1", &[&migration::latest()])
        .await
        .unwrap();
    let error = migration::check(&admin).await.unwrap_err().to_string();
    assert!(error.contains("newer than this program's"), "{error}");
    drop((bridge, admin));
    server.stop().await;
}
