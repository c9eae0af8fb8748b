//! A private Postgres for a machine without a running one: found or fetched, started in the data folder,
//! adopted after a kill -9, stopped at the end.
//!
//! The cluster is DATA/postgres, its log DATA/postgres.log. It listens on 127.0.0.1 only, on a free port,
//! with scram-sha-256; the superuser's password is in DATA/secrets. Its settings differ from Postgres's
//! defaults only where a laptop benefits: a crash of the machine loses nothing.

pub mod account;
mod binary;
mod choice;
mod cluster;
mod error;
mod fetch;
mod postmaster;

use std::{
    fs::{self, File, OpenOptions},
    io,
    net::{Ipv4Addr, TcpListener},
    os::unix::{fs::OpenOptionsExt as _, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use tokio_postgres::error::SqlState;

pub use self::{account::Account, choice::BinarySource, error::ServerError, postmaster::Liveness};
use self::{binary::Binaries, postmaster::Postmaster};
use crate::{
    admin,
    data_folder::DataFolder,
    dsn::Dsn,
    explain,
    pool::{self, ConnectError, SessionOptions},
    secret::{Secret, Secrets},
};

/// The private server's superuser and initial database.
pub const SUPERUSER: &str = "postgres";
pub const DATABASE: &str = "rondo";
/// Oldest supported major version.
pub const MAJOR_MIN: u32 = 14;

/// More than the roles' limits together, so that a role's limit applies before the server's.
const CONNECTIONS_MAX: u32 = 240;
/// How long a start may take; recovery after a crash replays up to `max_wal_size`.
const START_SECONDS_MAX: u64 = 120;
/// How long a fast shutdown may take before it becomes an immediate one.
const STOP_SECONDS_MAX: u64 = 15;
/// Interval between checks of a server that starts or stops.
const POLL_MS: u64 = 15;
/// Number of free ports to try: another process may take one between choosing and using it.
const PORT_ATTEMPTS_MAX: usize = 5;
/// A longer log is renamed to postgres.log.1 at the next start.
const LOG_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// Lines of the server's log that an error quotes.
const LOG_TAIL_LINES: usize = 8;

/// Options of a private server. `Default` is what `rondo up` uses.
#[derive(Clone, Debug, Default)]
pub struct ServerOptions {
    pub binaries: BinarySource,
    /// Where fetched programs are kept; by default `$XDG_CACHE_HOME/rondo` or `~/.cache/rondo`.
    pub cache: Option<PathBuf>,
    /// A free port if absent.
    pub port: Option<u16>,
    /// Further settings as `name` and `value`, which override the defaults (`fsync`, `off` in a test).
    pub settings: Vec<(String, String)>,
}

/// A running private server. Dropping it stops it; [`PrivateServer::stop`] does so without blocking.
#[derive(Debug)]
pub struct PrivateServer {
    dsn: Dsn,
    cluster: PathBuf,
    pid: i32,
    major: u32,
    adopted: bool,
    process: Option<Child>,
    is_stopped: bool,
}

/// Starts the server of `data`, or adopts one that an earlier process left running, and creates database
/// `rondo` in it if missing.
pub async fn start(
    data: &DataFolder,
    secrets: &Secrets,
    options: &ServerOptions,
) -> Result<PrivateServer, ServerError> {
    let account = Account::choose()?;
    let place = cluster::place(data.path(), account.as_ref())?;
    let log = data.path().join("postgres.log");
    let password = secrets.expose(Secret::Superuser);

    let present = cluster::major(&place)?;
    let adopted = match present {
        Some(major) => adopt(&place, major, password).await?,
        None => None,
    };
    let server = match adopted {
        Some(server) => server,
        None => {
            let binaries = choice::find(options, account.as_ref(), present, &place).await?;
            if present.is_none() {
                cluster::init(&binaries, account.as_ref(), &place, password, &log).await?;
            }
            launch(&binaries, account.as_ref(), &place, &log, password, options).await?
        }
    };
    let session =
        pool::connect(&server.dsn.clone().with_dbname(SUPERUSER), &SessionOptions::default())
            .await?;
    admin::create_database(&session, DATABASE, None)
        .await
        .map_err(|source| ServerError::Database { source })?;
    Ok(server)
}

/// The superuser's connection string for the running server of the data folder `data`; none if it does not
/// run.
pub fn running(data: &Path, secrets: &Secrets) -> Result<Option<Dsn>, ServerError> {
    let place = cluster_of(data)?;
    let port = Postmaster::of(&place).filter(Postmaster::is_alive).and_then(|found| found.port);
    let password = secrets.expose(Secret::Superuser);
    Ok(port.map(|port| Dsn::loopback(port, SUPERUSER, password, DATABASE)))
}

/// The major version of the cluster in the data folder `data`; none if there is no cluster.
pub fn major_of(data: &Path) -> Result<Option<u32>, ServerError> {
    cluster::major(&cluster_of(data)?)
}

/// The cluster of the data folder `data`: DATA/postgres, unless the folder says otherwise.
pub fn cluster_of(data: &Path) -> Result<PathBuf, ServerError> {
    cluster::place(data, None)
}

impl PrivateServer {
    /// The superuser's DSN of database `rondo`.
    pub fn dsn(&self) -> &Dsn {
        &self.dsn
    }

    /// Process id of the postmaster.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Major version, for example 15.
    pub fn major(&self) -> u32 {
        self.major
    }

    /// Whether the server was already running.
    pub fn was_adopted(&self) -> bool {
        self.adopted
    }

    /// The cluster's folder: DATA/postgres, unless the server's user cannot reach that.
    pub fn cluster(&self) -> &Path {
        &self.cluster
    }

    /// Whether its process still runs. After it has ended, its id is not used any more, because another
    /// process may get it.
    pub fn is_running(&mut self) -> bool {
        let has_ended = match &mut self.process {
            Some(child) => child.try_wait().is_ok_and(|status| status.is_some()),
            None => postmaster::liveness(self.pid, &self.cluster) != Liveness::Ours,
        };
        self.is_stopped |= has_ended;
        !has_ended
    }

    /// Disconnects all clients and stops; at the time limit, without waiting for the final checkpoint (the
    /// next start then recovers).
    pub async fn stop(mut self) -> Result<(), ServerError> {
        if std::mem::replace(&mut self.is_stopped, true) {
            return Ok(());
        }
        let (pid, cluster, process) = (self.pid, self.cluster.clone(), self.process.take());
        tokio::task::spawn_blocking(move || shut_down(pid, &cluster, process))
            .await
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
    }

    /// Leaves the server running, as a killed process does.
    pub fn leave_running(mut self) {
        self.is_stopped = true;
        if let Some(mut process) = self.process.take() {
            // Reaped when it ends, so that it does not remain as a zombie of this process.
            std::thread::spawn(move || process.wait());
        }
    }
}

impl Drop for PrivateServer {
    fn drop(&mut self) {
        if !self.is_stopped
            && self.is_running()
            && let Err(error) = shut_down(self.pid, &self.cluster, self.process.take())
        {
            tracing::warn!(%error, "the private Postgres may still be running");
        }
    }
}

/// Adopts a running server of this cluster; stops one that does not answer.
async fn adopt(
    place: &Path,
    major: u32,
    password: &str,
) -> Result<Option<PrivateServer>, ServerError> {
    let Some(found) = Postmaster::of(place) else { return Ok(None) };
    let deadline = Instant::now() + Duration::from_secs(START_SECONDS_MAX);
    while found.is_alive() {
        // The port is written a moment after the process id.
        if let Some(port) = Postmaster::of(place).and_then(|postmaster| postmaster.port) {
            let dsn = Dsn::loopback(port, SUPERUSER, password, DATABASE);
            match probe(&dsn).await {
                Ok(()) => {
                    tracing::info!(
                        pid = found.pid,
                        port,
                        "took over the Postgres that an earlier process left running"
                    );
                    let cluster = place.to_owned();
                    let (pid, adopted) = (found.pid, true);
                    return Ok(Some(PrivateServer {
                        dsn,
                        cluster,
                        pid,
                        major,
                        adopted,
                        process: None,
                        is_stopped: false,
                    }));
                }
                Err(error) if is_starting(&error) => {}
                Err(error) => {
                    tracing::warn!(
                        pid = found.pid,
                        error = explain(&error),
                        "the Postgres left running does not let us in; stopping it"
                    );
                    let (pid, cluster) = (found.pid, place.to_owned());
                    tokio::task::spawn_blocking(move || shut_down(pid, &cluster, None))
                        .await
                        .unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))?;
                    // A server that was just killed leaves its pid file.
                    break;
                }
            }
        }
        if Instant::now() > deadline {
            return Err(ServerError::Stuck { pid: found.pid, cluster: place.to_owned() });
        }
        tokio::time::sleep(Duration::from_millis(POLL_MS)).await;
    }
    postmaster::remove_stale(place)
        .map_err(|source| ServerError::Disk { path: place.to_owned(), source })?;
    Ok(None)
}

async fn launch(
    binaries: &Binaries,
    account: Option<&Account>,
    place: &Path,
    log: &Path,
    password: &str,
    options: &ServerOptions,
) -> Result<PrivateServer, ServerError> {
    let mut taken = options.port.unwrap_or_default();
    for _ in 0..PORT_ATTEMPTS_MAX {
        let port = match options.port {
            Some(port) => port,
            None => free_port()?,
        };
        taken = port;
        let (output, offset) = open_log(log)?;
        let process = spawn(binaries, account, place, port, output, &options.settings)?;
        // From here on, dropping the future stops the server.
        let mut server = PrivateServer {
            dsn: Dsn::loopback(port, SUPERUSER, password, DATABASE),
            cluster: place.to_owned(),
            pid: process.id().cast_signed(),
            major: binaries.major,
            adopted: false,
            process: Some(process),
            is_stopped: false,
        };
        match wait_until_ready(&mut server, log, offset).await {
            Ok(()) => {
                let pid = server.pid;
                tracing::info!(pid, port, major = binaries.major, "private Postgres is up");
                return Ok(server);
            }
            Err(ServerError::PortInUse { .. }) if options.port.is_none() => {}
            // A server that refuses the connection is stopped with the attempt.
            Err(error) => return Err(error),
        }
    }
    Err(ServerError::PortInUse { port: taken })
}

fn spawn(
    binaries: &Binaries,
    account: Option<&Account>,
    place: &Path,
    port: u16,
    output: File,
    settings: &[(String, String)],
) -> Result<Child, ServerError> {
    let mut command = binaries.command("postgres", account);
    command.arg("-D").arg(place);
    let connections_max = CONNECTIONS_MAX.to_string();
    let port = port.to_string();
    let ours = [
        ("listen_addresses", "127.0.0.1"),
        ("port", port.as_str()),
        // The path of a socket may have at most 107 bytes, which a data folder's path easily exceeds.
        ("unix_socket_directories", ""),
        ("max_connections", connections_max.as_str()),
        ("password_encryption", "scram-sha-256"),
        // Enough for a few thousand users' tasks; unused buffers take no memory.
        ("shared_buffers", "256MB"),
        ("wal_buffers", "4MB"),
        ("min_wal_size", "80MB"),
        ("max_wal_size", "512MB"),
        ("checkpoint_completion_target", "0.9"),
        // Disables processes that would only idle: nothing replicates from here, and queries are small.
        ("wal_level", "minimal"),
        ("max_wal_senders", "0"),
        ("max_parallel_workers_per_gather", "0"),
        ("jit", "off"),
        // The outbox is constantly written and emptied, and its dead rows slow it down.
        ("autovacuum_naptime", "10s"),
        ("timezone", "UTC"),
        ("log_timezone", "UTC"),
        ("lc_messages", "C"),
        ("log_line_prefix", "%m [%p] %u "),
        // A statement could contain user data.
        ("log_min_error_statement", "panic"),
        ("log_parameter_max_length_on_error", "0"),
    ];
    let further = settings.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    for (name, value) in ours.into_iter().chain(further) {
        command.arg("-c").arg(format!("{name}={value}"));
    }
    let error_output = output
        .try_clone()
        .map_err(|source| ServerError::Disk { path: place.to_owned(), source })?;
    command
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(error_output)
        // Ctrl-C in the terminal is for the program, which stops the server last.
        .process_group(0)
        .spawn()
        .map_err(|source| ServerError::Program { program: binaries.program("postgres"), source })
}

async fn wait_until_ready(
    server: &mut PrivateServer,
    log: &Path,
    offset: u64,
) -> Result<(), ServerError> {
    let deadline = Instant::now() + Duration::from_secs(START_SECONDS_MAX);
    loop {
        if !server.is_running() {
            let tail = log_tail(log, offset);
            if tail.contains("Address already in use") || tail.contains("could not bind") {
                return Err(ServerError::PortInUse { port: server.dsn.port() });
            }
            return Err(ServerError::Start { log: log.to_owned(), tail });
        }
        // Another server may answer at the port while this one is about to give up.
        let is_ours = Postmaster::of(&server.cluster).is_some_and(|postmaster| {
            postmaster.pid == server.pid && postmaster.port == Some(server.dsn.port())
        });
        if is_ours {
            match probe(&server.dsn).await {
                Ok(()) => return Ok(()),
                Err(error) if is_password(&error) => {
                    return Err(ServerError::Password { cluster: server.cluster.clone() });
                }
                Err(_) => {}
            }
        }
        if Instant::now() > deadline {
            return Err(ServerError::Start { log: log.to_owned(), tail: log_tail(log, offset) });
        }
        tokio::time::sleep(Duration::from_millis(POLL_MS)).await;
    }
}

/// Whether the server accepts our password.
async fn probe(dsn: &Dsn) -> Result<(), ConnectError> {
    pool::connect(&dsn.clone().with_dbname(SUPERUSER), &SessionOptions::default()).await.map(drop)
}

fn is_starting(error: &ConnectError) -> bool {
    match error.sql_state() {
        Some(state) => *state == SqlState::CANNOT_CONNECT_NOW,
        // It does not listen yet.
        None => {
            matches!(error, ConnectError::Failed { source, .. } if !source.is_closed() && is_refused(source))
        }
    }
}

fn is_refused(error: &tokio_postgres::Error) -> bool {
    use std::error::Error as _;
    let cause = error.source().and_then(|source| source.downcast_ref::<io::Error>());
    cause.is_some_and(|cause| cause.kind() == io::ErrorKind::ConnectionRefused)
}

fn is_password(error: &ConnectError) -> bool {
    matches!(
        error.sql_state(),
        Some(&SqlState::INVALID_PASSWORD | &SqlState::INVALID_AUTHORIZATION_SPECIFICATION)
    )
}

/// Fast shutdown; immediate at the time limit. Blocks.
fn shut_down(pid: i32, cluster: &Path, mut process: Option<Child>) -> Result<(), ServerError> {
    use nix::sys::signal::Signal;
    for signal in [Signal::SIGINT, Signal::SIGQUIT] {
        postmaster::signal(pid, signal);
        let deadline = Instant::now() + Duration::from_secs(STOP_SECONDS_MAX);
        while Instant::now() < deadline {
            let is_gone = match &mut process {
                Some(child) => child.try_wait().is_ok_and(|status| status.is_some()),
                None => postmaster::liveness(pid, cluster) != Liveness::Ours,
            };
            if is_gone {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(POLL_MS));
        }
    }
    Err(ServerError::Stuck { pid, cluster: cluster.to_owned() })
}

fn free_port() -> Result<u16, ServerError> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|source| ServerError::NoPort { source })
}

/// Opens the log for appending, and returns the position at which this start's lines begin.
fn open_log(log: &Path) -> Result<(File, u64), ServerError> {
    let failed = |source| ServerError::Disk { path: log.to_owned(), source };
    if fs::metadata(log).is_ok_and(|metadata| metadata.len() > LOG_BYTES_MAX) {
        fs::rename(log, log.with_extension("log.1")).map_err(failed)?;
    }
    let file =
        OpenOptions::new().create(true).append(true).mode(0o600).open(log).map_err(failed)?;
    let offset = file.metadata().map_err(failed)?.len();
    Ok((file, offset))
}

fn log_tail(log: &Path, offset: u64) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(
        text.get(usize::try_from(offset).unwrap_or(0)..).unwrap_or_default(),
    )
    .into_owned();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LOG_TAIL_LINES)..].join("\n")
}
