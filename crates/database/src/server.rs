//! A private Postgres server, for a machine on which none is set up.
//!
//! Its cluster lies in a data folder that one program at a time may use. Started as root, the server
//! runs as an unprivileged user, for Postgres refuses to run as root. A server that was left behind
//! by a kill -9 is adopted when it answers to the folder's password, and stopped otherwise.

mod binaries;

use std::fs::{File, Permissions};
use std::io::{Read as _, Seek as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, User};

use crate::dsn::Dsn;
use crate::pool;
use crate::secret::{SecretError, Secrets};
pub use binaries::{Binaries, MAJOR_MIN};

/// Name of the superuser of a private server, and of the database made in it.
const SUPERUSER: &str = "rondo_admin";
const DATABASE: &str = "rondo";

/// How long a server may take to answer after its start, in seconds: recovery after a crash
/// included.
const START_S_MAX: u64 = 60;
/// How long a fast shutdown may take before an immediate one, in seconds.
const STOP_S_MAX: u64 = 15;
/// Pause between two looks at a server that starts or stops, in milliseconds.
const POLL_MS: u64 = 20;
/// Attempts to find a port that stays free until the server has bound it.
const PORT_ATTEMPTS_MAX: u32 = 5;
/// How much of the log an error shows, in bytes.
const LOG_TAIL_BYTES: usize = 600;

/// Why there is no private server. Each tells what to do.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    #[error(
        "no Postgres of version {major_min} or newer on this machine, and none could be fetched \
         ({reason}): install one, or set DATABASE_URL"
    )]
    NoBinaries { major_min: u32, reason: String },
    #[error(
        "the data folder {folder} is in use by process {pid}: stop it, or choose another with --data",
        folder = folder.display()
    )]
    Locked { folder: PathBuf, pid: String },
    #[error(
        "the data folder {folder} was made by Postgres {found}, and this machine has no Postgres \
         {found}: install it, or choose another folder with --data",
        folder = folder.display()
    )]
    OtherVersion { folder: PathBuf, found: u32 },
    #[error(
        "{parent} cannot be entered by the user {user}, as whom Postgres runs when rondo is started \
         as root: choose another folder with --data",
        parent = parent.display()
    )]
    Unreachable { parent: PathBuf, user: String },
    #[error("started as root, Postgres needs an unprivileged user (postgres or nobody): none is there")]
    NoUser,
    #[error("{what} {path}: {source}", path = path.display())]
    Io { what: &'static str, path: PathBuf, source: std::io::Error },
    #[error("Postgres did not start: {tail}")]
    NotStarted { tail: String },
    #[error(transparent)]
    Secret(#[from] SecretError),
}

/// A running private server. Dropped without [`Server::stop`] it goes on running and is adopted by
/// the next start.
pub struct Server {
    admin: Dsn,
    pid: Pid,
    /// Reaps the process when it is ours.
    child: Option<Child>,
    /// Held as long as the data folder is ours.
    _lock: Flock<File>,
}

/// Starts the server of the data folder `data`, making the cluster when it is new. Fetched programs
/// are kept in `cache`.
///
/// # Errors
/// See [`ServerError`].
pub async fn start(data: &Path, cache: &Path) -> Result<Server, ServerError> {
    make_folder(data, 0o755)?;
    let lock = lock(data)?;
    let user = unprivileged_user()?;
    if let Some(user) = &user {
        check_reachable(data, user)?;
    }
    let password = Secrets::load(&data.join("secrets.json"))?.get("postgres_admin")?;
    let cluster = data.join("postgres");
    if let Some((pid, port)) = left_behind(&cluster) {
        let admin = Dsn::loopback(port, SUPERUSER, &password, DATABASE);
        if pool::connect(&admin, "rondo adopt").await.is_ok() {
            tracing::info!(port, "adopted the Postgres of an earlier start");
            return Ok(Server { admin, pid, child: None, _lock: lock });
        }
        stop_process(pid, None).await;
    }
    let made_by = std::fs::read_to_string(cluster.join("PG_VERSION"))
        .ok()
        .and_then(|version| version.trim().parse::<u32>().ok());
    let binaries = binaries::locate(made_by, cache).await.map_err(|error| match made_by {
        Some(found) => ServerError::OtherVersion { folder: data.to_owned(), found },
        None => error,
    })?;
    if made_by.is_none() {
        initialise(&binaries, data, &cluster, user.as_ref(), &password)?;
    }
    let (child, port) = launch(&binaries, data, &cluster, user.as_ref(), &password).await?;
    let admin = Dsn::loopback(port, SUPERUSER, &password, DATABASE);
    create_database(&admin, DATABASE, None)
        .await
        .map_err(|error| ServerError::NotStarted { tail: error.to_string() })?;
    tracing::info!(port, version = binaries.major, "Postgres is up");
    let pid = Pid::from_raw(child.id().cast_signed());
    Ok(Server { admin, pid, child: Some(child), _lock: lock })
}

impl Server {
    /// Connection string of the superuser.
    #[must_use]
    pub fn admin(&self) -> &Dsn {
        &self.admin
    }

    /// Process id of the server.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.pid.as_raw()
    }

    /// Stops the server: connections are closed, what was committed is on disk.
    pub async fn stop(mut self) {
        stop_process(self.pid, self.child.as_mut()).await;
    }
}

/// Makes a database, from a template if one is named; one that is there already is left alone.
///
/// # Errors
/// When the server cannot be reached or refuses.
pub async fn create_database(
    admin: &Dsn,
    name: &str,
    template: Option<&str>,
) -> Result<(), tokio_postgres::Error> {
    let client = pool::connect(&admin.with_database("postgres"), "rondo create").await?;
    let exists = client.query_opt("SELECT FROM pg_database WHERE datname = $1", &[&name]).await?;
    if exists.is_some() {
        return Ok(());
    }
    let template = template.map(|name| format!(" TEMPLATE \"{name}\"")).unwrap_or_default();
    client.batch_execute(&format!("CREATE DATABASE \"{name}\"{template}")).await
}

/// Drops a database, ending the connections to it.
///
/// # Errors
/// When the server cannot be reached or refuses.
pub async fn drop_database(admin: &Dsn, name: &str) -> Result<(), tokio_postgres::Error> {
    let client = pool::connect(&admin.with_database("postgres"), "rondo drop").await?;
    client.batch_execute(&format!("DROP DATABASE IF EXISTS \"{name}\" WITH (FORCE)")).await
}

fn io(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> ServerError {
    let path = path.to_owned();
    move |source| ServerError::Io { what, path, source }
}

fn make_folder(folder: &Path, mode: u32) -> Result<(), ServerError> {
    if !folder.exists() {
        std::fs::create_dir_all(folder).map_err(io("cannot make the folder", folder))?;
        std::fs::set_permissions(folder, Permissions::from_mode(mode))
            .map_err(io("cannot set the permissions of", folder))?;
    }
    Ok(())
}

fn lock(data: &Path) -> Result<Flock<File>, ServerError> {
    let path = data.join("lock");
    let file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(io("cannot open", &path))?;
    let mut lock = Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(mut file, _)| {
        let mut pid = String::new();
        let _ = file.read_to_string(&mut pid);
        ServerError::Locked { folder: data.to_owned(), pid: pid.trim().to_owned() }
    })?;
    lock.set_len(0)
        .and_then(|()| lock.rewind())
        .and_then(|()| writeln!(lock, "{}", std::process::id()))
        .map_err(io("cannot write", &path))?;
    Ok(lock)
}

/// The user to run as when this program runs as root.
fn unprivileged_user() -> Result<Option<User>, ServerError> {
    if !nix::unistd::geteuid().is_root() {
        return Ok(None);
    }
    ["postgres", "nobody"]
        .into_iter()
        .find_map(|name| User::from_name(name).ok().flatten())
        .map(Some)
        .ok_or(ServerError::NoUser)
}

/// Every parent of the cluster has to let the server's user pass.
fn check_reachable(data: &Path, user: &User) -> Result<(), ServerError> {
    let data = data.canonicalize().map_err(io("cannot find", data))?;
    for parent in data.ancestors() {
        let mode = std::fs::metadata(parent).map_err(io("cannot look at", parent))?.permissions();
        if mode.mode() & 0o001 == 0 {
            return Err(ServerError::Unreachable {
                parent: parent.to_owned(),
                user: user.name.clone(),
            });
        }
    }
    Ok(())
}

fn command(program: &Path, user: Option<&User>) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::null()).current_dir("/").env("LC_ALL", "C.UTF-8").process_group(0);
    if let Some(user) = user {
        // Setting the user as root clears the supplementary groups as well.
        command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
    }
    command
}

fn initialise(
    binaries: &Binaries,
    data: &Path,
    cluster: &Path,
    user: Option<&User>,
    password: &str,
) -> Result<(), ServerError> {
    // An initdb that was cut off leaves a folder without PG_VERSION.
    if cluster.exists() {
        std::fs::remove_dir_all(cluster).map_err(io("cannot clear", cluster))?;
    }
    std::fs::create_dir_all(cluster).map_err(io("cannot make the folder", cluster))?;
    std::fs::set_permissions(cluster, Permissions::from_mode(0o700))
        .map_err(io("cannot set the permissions of", cluster))?;
    // The password goes through a file, for a command line can be read by anyone.
    let password_file = data.join("postgres.password");
    std::fs::write(&password_file, password).map_err(io("cannot write", &password_file))?;
    std::fs::set_permissions(&password_file, Permissions::from_mode(0o600))
        .map_err(io("cannot set the permissions of", &password_file))?;
    if let Some(user) = user {
        for path in [cluster, &password_file] {
            nix::unistd::chown(path, Some(user.uid), Some(user.gid))
                .map_err(|errno| io("cannot give away", path)(errno.into()))?;
        }
    }
    let output = command(&binaries.program("initdb"), user)
        .arg("--pgdata")
        .arg(cluster)
        .args(["--username", SUPERUSER, "--auth", "scram-sha-256"])
        .args(["--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync"])
        .arg("--pwfile")
        .arg(&password_file)
        .output();
    std::fs::remove_file(&password_file).map_err(io("cannot remove", &password_file))?;
    let output = output.map_err(io("cannot run initdb in", cluster))?;
    if !output.status.success() {
        let tail = tail(&String::from_utf8_lossy(&output.stderr));
        let _ = std::fs::remove_dir_all(cluster);
        return Err(ServerError::NotStarted { tail });
    }
    Ok(())
}

/// Starts the server on a free port of the loopback interface and waits until it answers.
async fn launch(
    binaries: &Binaries,
    data: &Path,
    cluster: &Path,
    user: Option<&User>,
    password: &str,
) -> Result<(Child, u16), ServerError> {
    let log_path = data.join("postgres.log");
    for attempt in 1.. {
        let port = TcpListener::bind(("127.0.0.1", 0))
            .and_then(|listener| listener.local_addr())
            .map_err(io("cannot find a free port for", cluster))?
            .port();
        let log = File::create(&log_path).map_err(io("cannot write", &log_path))?;
        let log_too = log.try_clone().map_err(io("cannot write", &log_path))?;
        let mut child = command(&binaries.program("postgres"), user)
            .arg("-D")
            .arg(cluster)
            .args(["-p", &port.to_string()])
            .args(["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="])
            .args(["-c", "max_connections=300", "-c", "shared_buffers=128MB"])
            .args(["-c", "max_wal_size=1GB", "-c", "checkpoint_timeout=15min"])
            .args(["-c", "password_encryption=scram-sha-256", "-c", "jit=off"])
            .stdout(log)
            .stderr(log_too)
            .spawn()
            .map_err(io("cannot start Postgres in", cluster))?;
        let admin = Dsn::loopback(port, SUPERUSER, password, "postgres");
        let deadline = Instant::now() + Duration::from_secs(START_S_MAX);
        loop {
            if pool::connect(&admin, "rondo start").await.is_ok() {
                return Ok((child, port));
            }
            let exited = child.try_wait().map_err(io("cannot watch Postgres in", cluster))?;
            if exited.is_some() || Instant::now() > deadline {
                let _ = child.kill();
                let _ = child.wait();
                break;
            }
            tokio::time::sleep(Duration::from_millis(POLL_MS)).await;
        }
        let log = std::fs::read_to_string(&log_path).unwrap_or_default();
        // Somebody else may have taken the port in between.
        if !log.contains("Address already in use") || attempt == PORT_ATTEMPTS_MAX {
            return Err(ServerError::NotStarted { tail: tail(&log) });
        }
    }
    unreachable!("the last attempt returns")
}

fn tail(log: &str) -> String {
    let start = log.len().saturating_sub(LOG_TAIL_BYTES);
    let start = (start..log.len()).find(|at| log.is_char_boundary(*at)).unwrap_or(0);
    log[start..].trim().replace('\n', " | ")
}

/// Process id and port of a server that still runs on the cluster, from its postmaster.pid (lines 1
/// and 4).
fn left_behind(cluster: &Path) -> Option<(Pid, u16)> {
    let file = std::fs::read_to_string(cluster.join("postmaster.pid")).ok()?;
    let lines: Vec<&str> = file.lines().collect();
    let pid = Pid::from_raw(lines.first()?.trim().parse().ok()?);
    let port = lines.get(3)?.trim().parse().ok()?;
    kill(pid, None).ok()?;
    Some((pid, port))
}

/// Fast shutdown (SIGINT), then an immediate one (SIGQUIT).
async fn stop_process(pid: Pid, mut child: Option<&mut Child>) {
    for (signal, patience_s) in [(Signal::SIGINT, STOP_S_MAX), (Signal::SIGQUIT, STOP_S_MAX)] {
        let _ = kill(pid, signal);
        let deadline = Instant::now() + Duration::from_secs(patience_s);
        while Instant::now() < deadline {
            let gone = match child.as_deref_mut() {
                Some(child) => matches!(child.try_wait(), Ok(Some(_))),
                None => kill(pid, None).is_err(),
            };
            if gone {
                return;
            }
            tokio::time::sleep(Duration::from_millis(POLL_MS)).await;
        }
    }
    tracing::warn!(pid = pid.as_raw(), "Postgres did not stop in time");
}
