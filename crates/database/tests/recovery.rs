//! A [`Database`] whose server goes away and comes back.

use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rondo_database::server::{self, BinarySource};
use rondo_database::{DataFolder, Database, Secrets, ServerOptions};

/// An answer "at once" on a busy machine; the pool itself would wait for 5 s.
const AT_ONCE: Duration = Duration::from_secs(2);
const CONNECTIONS: u32 = 4;
/// How long anything else may take.
const SOON: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_server_that_is_away_is_told_at_once_and_used_again_when_it_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let data = DataFolder::open(folder.path()).unwrap();
    let secrets = Secrets::load_or_create(data.path()).unwrap();
    let mut options = ServerOptions { binaries: BinarySource::System, ..ServerOptions::default() };
    let server = server::start(&data, &secrets, &options).await.unwrap();
    options.port = Some(server.dsn().port());
    let database = Database::open(server.dsn(), "a test", CONNECTIONS).unwrap();
    let ask =
        async || database.one(sqlx::query_as::<_, (i32,)>("SELECT 1 FROM pg_sleep(0.05)")).await;
    // Every connection is open, and idle.
    let (a, b, c, d) = tokio::join!(ask(), ask(), ask(), ask());
    for answer in [a, b, c, d] {
        answer.unwrap();
    }
    let returned = async {
        while database.usage().idle < CONNECTIONS as usize {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(SOON, returned).await.unwrap();
    database.check().await.unwrap();

    kill(Pid::from_raw(server.pid()), Signal::SIGKILL).unwrap();
    server.leave_running();
    let is_refused = async || {
        let checked = database.check().await;
        checked.is_err_and(|error| error.to_string().contains("Connection refused"))
    };
    // A backend may outlive its postmaster for a moment, and still answer, or take a connection that nobody serves.
    let away = async { while !is_refused().await {} };
    tokio::time::timeout(SOON, away).await.unwrap();
    let before = Instant::now();
    assert!(is_refused().await && before.elapsed() < AT_ONCE, "{:?}", before.elapsed());

    let server = server::start(&data, &secrets, &options).await.unwrap();
    database.check().await.unwrap();
    // No connection to the server that is gone is left to fail.
    let (a, b, c, d) = tokio::join!(ask(), ask(), ask(), ask());
    for answer in [a, b, c, d] {
        answer.unwrap();
    }
    server.stop().await.unwrap();
}
