//! The private server, with the real programs of this machine.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::TcpListener,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::{Pid, geteuid},
};
use rondo_database::{
    DataFolder, PrivateServer, Secrets, ServerError, ServerOptions, SessionOptions, pool,
    server::{self, BinarySource},
};
use tempfile::TempDir;

/// Variable with the data folder for the process that is killed.
const HOLDER_DATA: &str = "RONDO_TEST_HOLDER_DATA";

/// Starts with the machine's programs only: a test never downloads.
async fn start(data: &DataFolder) -> Result<PrivateServer, ServerError> {
    start_with(data, &ServerOptions { binaries: BinarySource::System, ..ServerOptions::default() })
        .await
}

async fn start_with(
    data: &DataFolder,
    options: &ServerOptions,
) -> Result<PrivateServer, ServerError> {
    let secrets = Secrets::load_or_create(data.path()).unwrap();
    server::start(data, &secrets, options).await
}

fn folder() -> (TempDir, DataFolder) {
    let folder = closed_folder();
    let data = DataFolder::open(folder.path()).unwrap();
    (folder, data)
}

/// Like an operator's data folder, closed to everyone else.
fn closed_folder() -> TempDir {
    tempfile::Builder::new().permissions(fs::Permissions::from_mode(0o700)).tempdir().unwrap()
}

async fn query(server: &PrivateServer, sql: &str) -> String {
    let session = pool::connect(server.dsn(), &SessionOptions::default()).await.unwrap();
    session.query_one(sql, &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn a_second_start_finds_the_data_of_the_first() {
    let (_folder, data) = folder();
    let first = start(&data).await.unwrap();
    assert!(!first.was_adopted());
    let facts = query(
        &first,
        "SELECT concat_ws(' ', current_database(), current_user, current_setting('fsync'), current_setting('timezone'),
                current_setting('server_encoding'), current_setting('data_checksums'), upper('ä'))",
    )
    .await;
    assert_eq!(facts, "rondo postgres on UTC UTF8 on Ä");
    let session = pool::connect(first.dsn(), &SessionOptions::default()).await.unwrap();
    session.batch_execute("CREATE TABLE kept AS SELECT 42 AS value").await.unwrap();
    let ended = session.ended();
    let pid = first.pid();
    first.stop().await.unwrap();
    // The holder of a lock learns that its session has ended.
    ended.cancelled().await;
    assert!(kill(Pid::from_raw(pid), None).is_err(), "process {pid} has ended");

    let second = start(&data).await.unwrap();
    assert_eq!(query(&second, "SELECT value::text FROM kept").await, "42");
    second.stop().await.unwrap();
}

#[tokio::test]
async fn a_server_left_by_a_killed_process_is_adopted() {
    let folder = closed_folder();
    let mut holder = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "holder", "--ignored", "--nocapture"])
        .env(HOLDER_DATA, folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(holder.stdout.take().unwrap()).lines().map(Result::unwrap);
    let pid = lines.filter_map(|line| line.split_once("server ")?.1.parse::<i32>().ok()).next();
    let refusal = DataFolder::open(folder.path()).unwrap_err().to_string();
    holder.kill().unwrap();
    holder.wait().unwrap();
    let pid = pid.expect("the holder started a server");
    assert!(refusal.contains(&format!("process {}:", holder.id())), "{refusal}");

    // The kernel frees the lock of a killed process.
    let data = DataFolder::open(folder.path()).unwrap();
    let adopted = start(&data).await.unwrap();
    assert!(adopted.was_adopted());
    assert_eq!(adopted.pid(), pid);
    assert_eq!(query(&adopted, "SELECT value::text FROM kept").await, "7");

    // The server itself is killed and leaves a pid file.
    kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
    adopted.leave_running();
    let recovered = start(&data).await.unwrap();
    assert!(!recovered.was_adopted());
    assert_eq!(query(&recovered, "SELECT value::text FROM kept").await, "7");
    recovered.stop().await.unwrap();
}

/// Run by the test above in a process of its own, to be killed.
#[tokio::test]
#[ignore = "a part of another test"]
async fn holder() {
    let folder = PathBuf::from(std::env::var_os(HOLDER_DATA).expect("run by another test"));
    let data = DataFolder::open(&folder).unwrap();
    let server = start(&data).await.unwrap();
    let session = pool::connect(server.dsn(), &SessionOptions::default()).await.unwrap();
    session.batch_execute("CREATE TABLE kept AS SELECT 7 AS value").await.unwrap();
    println!("server {}", server.pid());
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn a_reused_process_id_does_not_prevent_a_start() {
    let (_folder, data) = folder();
    let server = start(&data).await.unwrap();
    let cluster = server.cluster().to_owned();
    server.stop().await.unwrap();
    let me = std::process::id();
    let stale = format!("{me}\n{}\n1\n1\n\n127.0.0.1\n  0  0\nready   \n", cluster.display());
    fs::write(cluster.join("postmaster.pid"), stale).unwrap();
    start(&data).await.unwrap().stop().await.unwrap();
}

#[tokio::test]
async fn a_cluster_of_another_version_is_refused() {
    let (folder, data) = folder();
    fs::create_dir(folder.path().join("postgres")).unwrap();
    fs::write(folder.path().join("postgres/PG_VERSION"), "13\n").unwrap();
    let refusal = start(&data).await.unwrap_err();
    assert!(
        matches!(&refusal, ServerError::OtherVersion { cluster_major: 13, found, .. } if !found.is_empty())
    );
    assert!(refusal.to_string().contains("install PostgreSQL 13"), "{refusal}");
}

#[tokio::test]
async fn a_port_in_use_and_missing_programs_are_named() {
    let (folder, data) = folder();
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let options = ServerOptions {
        binaries: BinarySource::System,
        port: Some(port),
        ..ServerOptions::default()
    };
    let refusal = start_with(&data, &options).await.unwrap_err();
    assert!(refusal.to_string().starts_with(&format!("port {port} is in use")), "{refusal}");

    let (_other, data) = self::folder();
    let options = ServerOptions {
        binaries: BinarySource::Folder(folder.path().join("none")),
        ..ServerOptions::default()
    };
    let refusal = start_with(&data, &options).await.unwrap_err();
    assert!(matches!(refusal, ServerError::NoBinaries { .. }), "{refusal}");
}

#[tokio::test]
async fn a_setting_that_postgres_refuses_shows_the_end_of_its_log() {
    let (_folder, data) = folder();
    let settings = vec![("shared_buffers".to_owned(), "plenty".to_owned())];
    let options =
        ServerOptions { binaries: BinarySource::System, settings, ..ServerOptions::default() };
    let refusal = start_with(&data, &options).await.unwrap_err().to_string();
    assert!(refusal.contains("postgres.log") && refusal.contains("\"plenty\""), "{refusal}");
}

#[tokio::test]
async fn secrets_of_another_folder_are_refused_and_no_server_is_left() {
    let (folder, data) = folder();
    let server = start(&data).await.unwrap();
    let pid = server.pid();
    server.leave_running();
    let secrets = folder.path().join("secrets");
    let kept = fs::read(&secrets).unwrap();
    fs::remove_file(&secrets).unwrap();
    let refusal = start(&data).await.unwrap_err();
    assert!(matches!(refusal, ServerError::Password { .. }), "{refusal}");
    assert!(!is_running(pid), "the server left running is stopped");
    fs::write(&secrets, kept).unwrap();
    fs::set_permissions(&secrets, fs::Permissions::from_mode(0o600)).unwrap();
    start(&data).await.unwrap().stop().await.unwrap();
}

#[tokio::test]
async fn below_a_closed_folder_only_root_keeps_the_cluster_elsewhere() {
    let outer = closed_folder();
    let data = DataFolder::open(&outer.path().join("data")).unwrap();
    let server = start(&data).await.unwrap();
    let cluster = server.cluster().to_owned();
    if !geteuid().is_root() {
        // The folder's owner runs Postgres.
        assert_eq!(cluster, data.path().join("postgres"));
        return server.stop().await.unwrap();
    }
    let _removed = RemovedFolder(cluster.parent().unwrap());
    assert!(cluster.starts_with("/var/lib/rondo"), "{}", cluster.display());
    let record = fs::read_to_string(data.path().join("postgres.place")).unwrap();
    assert_eq!(Path::new(record.trim()), cluster);
    server.stop().await.unwrap();
    let again = start(&data).await.unwrap();
    assert_eq!(again.cluster(), cluster);
    again.stop().await.unwrap();
}

/// Downloads, so it is not run with the others: `cargo test -p rondo-database -- --ignored fetched`.
#[tokio::test]
#[ignore = "downloads PostgreSQL"]
async fn fetched_programs_start_and_are_kept() {
    let (_folder, data) = folder();
    let cache = tempfile::tempdir().unwrap();
    let cache_folder = cache.path().join("cache");
    fs::set_permissions(cache.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let options = ServerOptions {
        binaries: BinarySource::Fetched,
        cache: Some(cache_folder.clone()),
        ..ServerOptions::default()
    };
    let server = start_with(&data, &options).await.unwrap();
    let facts = query(
        &server,
        "SELECT concat_ws(' ', current_setting('server_version_num')::int / 10000, upper('ä'))",
    )
    .await;
    assert_eq!(facts, format!("{} Ä", server.major()));
    server.stop().await.unwrap();
    let kept: Vec<_> = fs::read_dir(cache_folder.join("postgres"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(kept.len(), 2, "one version and the lock: {kept:?}");
    start_with(&data, &options).await.unwrap().stop().await.unwrap();
}

fn is_running(pid: i32) -> bool {
    kill(Pid::from_raw(pid), None).is_ok()
}

struct RemovedFolder<'a>(&'a Path);

impl Drop for RemovedFolder<'_> {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(self.0);
        // Stays if a real cluster is there too.
        let _ = self.0.parent().map(fs::remove_dir);
    }
}
