//! Starts that cannot succeed: each ends with one line that says what to do, and exit status 1.

use std::net::TcpListener;
use std::time::Duration;

use rondo_database::{DataFolder, SessionOptions};
use rondo_testkit::database::TestDatabase;
use rondo_testkit::folder::Folder;
use rondo_testkit::process::root;

const SOON: Duration = Duration::from_secs(30);

#[tokio::test]
async fn the_status_of_migrations_says_what_is_to_do() {
    let check = async |database: &TestDatabase, code: i32, words: &str| {
        let running = tokio::process::Command::new(env!("CARGO_BIN_EXE_rondo"))
            .args(["migrate", "status"])
            .env("DATABASE_URL", database.admin().expose_url())
            .kill_on_drop(true)
            .output();
        let output = tokio::time::timeout(SOON, running).await.expect("an end").unwrap();
        let printed = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert_eq!(output.status.code(), Some(code), "{printed}");
        assert!(printed.contains(words), "{printed}");
    };
    check(&TestDatabase::empty().await, 3, "pending 0001 foundation\n").await;
    let database = TestDatabase::new().await;
    check(&database, 0, "applied 0001 foundation at ").await;
    let dsn = database.admin();
    let session = rondo_database::pool::connect(&dsn, &SessionOptions::default()).await.unwrap();
    let newer =
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
                 VALUES (9999, 'later', true, '', 0)";
    session.batch_execute(newer).await.unwrap();
    check(&database, 4, "foreign 9999 later\n").await;
}

/// Expects `rondo up` with a data folder and further settings to end with one line that has all
/// these words.
async fn fails(folder: &Folder, further: &[(&str, &str)], words: &[&str]) {
    let running = tokio::process::Command::new(env!("CARGO_BIN_EXE_rondo"))
        .arg("up")
        .current_dir(root())
        .env_clear()
        .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
        .env("RONDO_DATA", folder.path().join("data"))
        .env("RONDO_LISTEN", "127.0.0.1:0")
        .envs(further.iter().copied())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(SOON, running).await.expect("an end").unwrap();
    let printed = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert_eq!(output.status.code(), Some(1), "{printed}");
    let lines: Vec<_> = printed.lines().filter(|line| !line.starts_with('{')).collect();
    assert!(lines.len() == 1 && lines[0].starts_with("rondo: "), "{printed}");
    for word in words {
        assert!(lines[0].contains(word), "no {word:?} in {}", lines[0]);
    }
    assert!(!printed.contains("hunter2") && !printed.contains("panic"), "{printed}");
}

#[tokio::test]
async fn a_port_in_use_is_named_before_anything_is_begun() {
    let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let folder = Folder::new("start");
    let words = [&*format!("{address} is in use"), "--listen", "RONDO_LISTEN"];
    fails(&folder, &[("RONDO_LISTEN", &address)], &words).await;
    assert!(!folder.path().join("data").exists());
    let words = ["cannot listen on 192.0.2.1:3000", "--listen"];
    fails(&folder, &[("RONDO_LISTEN", "192.0.2.1:3000")], &words).await;
}

#[tokio::test]
async fn a_data_folder_that_cannot_be_used_is_named() {
    let folder = Folder::new("start");
    let data = folder.path().join("data");
    let held = DataFolder::open(&data).unwrap();
    let holder = format!("in use by process {}", std::process::id());
    fails(&folder, &[], &[&holder, "--data"]).await;
    drop(held);
    std::fs::create_dir(data.join("postgres")).unwrap();
    std::fs::write(data.join("postgres/PG_VERSION"), "13\n").unwrap();
    fails(&folder, &[], &["was made by PostgreSQL 13", "install PostgreSQL 13"]).await;
    std::fs::remove_dir_all(&data).unwrap();
    std::fs::write(&data, "a file").unwrap();
    fails(&folder, &[], &["cannot be used", "--data"]).await;
}

#[tokio::test]
async fn a_database_of_another_kind_is_refused_with_what_to_do() {
    let folder = Folder::new("start");
    let away = "postgres://ada:hunter2@127.0.0.1:1/rondo";
    fails(&folder, &[("DATABASE_URL", away)], &["cannot connect to", "127.0.0.1:1"]).await;
    // One that has no schema yet.
    let empty = TestDatabase::empty().await;
    let url = empty.admin().expose_url();
    fails(&folder, &[("DATABASE_URL", &url)], &["rondo migrate up"]).await;
}
