//! Databases for tests. Each test has its own, copied in some 50 ms from a template with all migrations and
//! dropped at the end.
//!
//! All test programs of one `cargo xtask test` share a Postgres; a program that runs alone starts its own.
//! Roles belong to the server, so they are made once; they have no connection limits here.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use anyhow::Context;
use rondo_database::provision::{self, ConnectionLimit};
use rondo_database::secret::Secret;
use rondo_database::server::{self, BinarySource, SUPERUSER, ServerOptions};
use rondo_database::{
    DataFolder, Dsn, PrivateServer, Role, RoleDsns, Secrets, Session, SessionOptions, admin,
    migration, pool,
};
use tokio::sync::OnceCell;

use crate::folder::Folder;

/// The data folder of the shared server; `cargo xtask test` sets it.
const SERVER_VARIABLE: &str = "RONDO_TEST_POSTGRES";

/// In the data folder: the port that the server listens on.
const PORT_FILE: &str = "port";

/// Advisory lock, in database `postgres`, under which the template is made.
const TEMPLATE_LOCK_KEY: i64 = 0x526f_6e64_6f00_0010;

/// The prefix of a test database's name; the process id follows.
const TEST_PREFIX: &str = "rondo_test_";

/// A test's own database.
#[derive(Debug)]
pub struct TestDatabase {
    server: &'static TestServer,
    name: String,
}

impl TestDatabase {
    /// A fresh database with the schema of this build.
    ///
    /// # Panics
    /// When there is no Postgres, or a migration fails.
    pub async fn new() -> Self {
        Self::copy_of(Some(&TestServer::get().await.template)).await
    }

    /// A fresh database with nothing in it, for tests of migrations.
    ///
    /// # Panics
    /// When there is no Postgres.
    pub async fn empty() -> Self {
        Self::copy_of(None).await
    }

    async fn copy_of(template: Option<&str>) -> Self {
        let server = TestServer::get().await;
        let random = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), ());
        let name = format!("{TEST_PREFIX}{}_{random:016x}", std::process::id());
        let session = server.session(SUPERUSER).await;
        admin::create_database(&session, &name, template)
            .await
            .unwrap_or_else(|error| panic!("database {name}: {error}"));
        Self { server, name }
    }

    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The superuser's connection string.
    #[must_use]
    pub fn admin(&self) -> Dsn {
        self.server.admin.clone().with_dbname(&self.name)
    }

    /// The connection string of one component or service.
    #[must_use]
    pub fn dsn(&self, role: Role) -> Dsn {
        self.server.roles.get(role).clone().with_dbname(&self.name)
    }

    /// A superuser's session.
    ///
    /// # Panics
    /// When the server does not answer.
    pub async fn session(&self) -> Session {
        self.server.session(&self.name).await
    }

    /// A session of one component or service.
    ///
    /// # Panics
    /// When the server does not answer.
    pub async fn session_as(&self, role: Role) -> Session {
        connect(&self.dsn(role)).await
    }
}

impl Drop for TestDatabase {
    /// Also ends every session that is still in the database.
    fn drop(&mut self) {
        let (server, name) = (self.server, self.name.clone());
        // The test's own runtime may be ending, and cannot block on itself.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let session = pool::connect(&server.admin, &SessionOptions::default()).await?;
                admin::drop_database(&session, &name).await?;
                anyhow::Ok(())
            })
        });
        // The next run sweeps what is left, or it goes with the server.
        if let Ok(Err(error)) = dropping.join() {
            eprintln!("database {} could not be dropped: {error:#}", self.name);
        }
    }
}

/// The folder with the programs of the Postgres that tests run on.
///
/// # Panics
/// When there is no Postgres.
pub async fn program_folder() -> PathBuf {
    let session = TestServer::get().await.session(SUPERUSER).await;
    let folder = "SELECT setting FROM pg_config WHERE name = 'BINDIR'";
    let row = session.query_one(folder, &[]).await.expect("Postgres knows where it is");
    PathBuf::from(row.get::<_, String>(0))
}

/// The server of this test program.
#[derive(Debug)]
struct TestServer {
    /// The superuser's DSN of database `postgres`.
    admin: Dsn,
    roles: RoleDsns,
    template: String,
    /// Present only if this program started the server. A static is never dropped, see [`crate::leash`].
    _own: Option<(PrivateServer, DataFolder, Folder)>,
}

impl TestServer {
    async fn get() -> &'static Self {
        static SERVER: OnceCell<TestServer> = OnceCell::const_new();
        SERVER
            .get_or_init(|| async {
                Self::open().await.unwrap_or_else(|error| panic!("no Postgres: {error:#}"))
            })
            .await
    }

    async fn open() -> anyhow::Result<Self> {
        let shared = std::env::var_os(SERVER_VARIABLE).filter(|folder| !folder.is_empty());
        let (data, own) = match shared {
            Some(shared) => (PathBuf::from(shared), None),
            None => {
                let folder = Folder::new("postgres");
                let started = start(folder.path(), BinarySource::System).await;
                let (server, data) = started.context(
                    "tests never download; `cargo xtask test` does, and `cargo xtask postgres` \
                     runs one whose line goes into RONDO_TEST_POSTGRES",
                )?;
                (folder.path().to_owned(), Some((server, data, folder)))
            }
        };
        let secrets = Secrets::load_or_create(&data)?;
        let port = std::fs::read_to_string(data.join(PORT_FILE))?.trim().parse()?;
        let admin = Dsn::loopback(port, SUPERUSER, secrets.expose(Secret::Superuser), SUPERUSER);
        let roles = provision::roles(&admin, &secrets, ConnectionLimit::Lifted).await?;
        let session = pool::connect(&admin, &SessionOptions::default()).await?;
        let template = template(&admin, &session).await?;
        sweep(&session).await?;
        Ok(Self { admin, roles, template, _own: own })
    }

    async fn session(&self, database: &str) -> Session {
        connect(&self.admin.clone().with_dbname(database)).await
    }
}

async fn connect(dsn: &Dsn) -> Session {
    pool::connect(dsn, &SessionOptions::default()).await.unwrap_or_else(|error| panic!("{error}"))
}

/// Starts a private Postgres in a folder, for the tests of one program or one run. Its data does not
/// survive a crash of the machine, which saves time.
///
/// # Errors
/// When there are no Postgres binaries, or they do not start.
pub async fn start(
    folder: &Path,
    binaries: BinarySource,
) -> anyhow::Result<(PrivateServer, DataFolder)> {
    start_at(folder, binaries, None).await
}

/// The same at a port; a free one when absent.
///
/// # Errors
/// As [`start`], and when the port is taken.
pub async fn start_at(
    folder: &Path,
    binaries: BinarySource,
    port: Option<u16>,
) -> anyhow::Result<(PrivateServer, DataFolder)> {
    start_with(folder, binaries, port, &[]).await
}

/// The same at port 5432 of an address as well, for every client there with a password.
///
/// # Errors
/// As [`start`], and when the port is taken.
pub async fn start_for(
    folder: &Path,
    address: Ipv4Addr,
) -> anyhow::Result<(PrivateServer, DataFolder)> {
    let addresses = format!("127.0.0.1,{address}");
    let further = [("listen_addresses", addresses.as_str()), ("max_connections", "300")];
    let source = BinarySource::SystemOrFetched;
    let started = start_with(folder, source, Some(5432), &further).await?;
    let rules = started.0.cluster().join("pg_hba.conf");
    let rule = "host all all all scram-sha-256\n";
    if !std::fs::read_to_string(&rules)?.ends_with(rule) {
        OpenOptions::new().append(true).open(rules)?.write_all(rule.as_bytes())?;
        let session = pool::connect(started.0.dsn(), &SessionOptions::default()).await?;
        session.batch_execute("SELECT pg_reload_conf()").await?;
    }
    Ok(started)
}

async fn start_with(
    folder: &Path,
    binaries: BinarySource,
    port: Option<u16>,
    further: &[(&str, &str)],
) -> anyhow::Result<(PrivateServer, DataFolder)> {
    let data = DataFolder::open(folder)?;
    let secrets = Secrets::load_or_create(folder)?;
    let unsafe_settings = [("fsync", "off"), ("full_page_writes", "off")];
    let settings = unsafe_settings.iter().chain(further);
    let options = ServerOptions {
        binaries,
        port,
        settings: settings.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        ..ServerOptions::default()
    };
    let server = server::start(&data, &secrets, &options).await?;
    std::fs::write(folder.join(PORT_FILE), server.dsn().port().to_string())?;
    Ok((server, data))
}

/// The name of the template for this build's migrations, which is made first when there is none. It gets
/// its name when it is complete.
async fn template(admin: &Dsn, session: &Session) -> anyhow::Result<String> {
    let migrations = migration::embedded();
    let name = format!("rondo_template_{}", migration::fingerprint(migrations));
    session.execute("SELECT pg_advisory_lock($1)", &[&TEMPLATE_LOCK_KEY]).await?;
    if !admin::has_database(session, &name).await? {
        let unfinished = format!("{name}_unfinished");
        admin::drop_database(session, &unfinished).await?;
        admin::create_database(session, &unfinished, None).await?;
        let mut filling =
            pool::connect(&admin.clone().with_dbname(&unfinished), &SessionOptions::default())
                .await?;
        migration::up(&mut filling, migrations).await?;
        let has_ended = filling.ended();
        drop(filling);
        has_ended.cancelled().await;
        // Closed to sessions, because Postgres cannot copy a database in use.
        session
            .batch_execute(&format!(
                "ALTER DATABASE {unfinished} ALLOW_CONNECTIONS false;
                 SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = '{unfinished}';
                 ALTER DATABASE {unfinished} RENAME TO {name}"
            ))
            .await?;
    }
    session.execute("SELECT pg_advisory_unlock($1)", &[&TEMPLATE_LOCK_KEY]).await?;
    Ok(name)
}

/// Drops the databases of test programs that are gone.
async fn sweep(session: &Session) -> anyhow::Result<()> {
    let pattern = format!("{TEST_PREFIX}%");
    let rows = session
        .query("SELECT datname::text FROM pg_database WHERE datname LIKE $1", &[&pattern])
        .await?;
    for row in rows {
        let name: String = row.get(0);
        let pid = name[TEST_PREFIX.len()..].split('_').next().and_then(|pid| pid.parse().ok());
        let is_alive = pid.is_some_and(|pid| {
            nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), None).is_ok()
        });
        if !is_alive {
            admin::drop_database(session, &name).await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_database_is_its_own_and_is_dropped() {
        let (one, other) = tokio::join!(TestDatabase::new(), TestDatabase::new());
        let insert = "INSERT INTO transport (name, since) VALUES ('local', now())";
        one.session().await.batch_execute(insert).await.unwrap();
        let count = "SELECT count(*) FROM transport";
        let session = other.session_as(Role::Bridge).await;
        let found: i64 = session.query_one(count, &[]).await.unwrap().get(0);
        assert_eq!(found, 0);

        let (server, name) = (one.server, one.name().to_owned());
        drop(one);
        let session = server.session(SUPERUSER).await;
        assert!(!admin::has_database(&session, &name).await.unwrap());
        assert!(admin::has_database(&session, other.name()).await.unwrap());
    }

    #[tokio::test]
    async fn databases_of_a_killed_program_are_swept() {
        let server = TestServer::get().await;
        let session = server.session(SUPERUSER).await;
        // Above the highest process id of any system.
        let left = format!("{TEST_PREFIX}99999999_left");
        admin::create_database(&session, &left, None).await.unwrap();
        sweep(&session).await.unwrap();
        assert!(!admin::has_database(&session, &left).await.unwrap());
    }

    #[tokio::test]
    async fn an_empty_database_has_no_schema() {
        let database = TestDatabase::empty().await;
        let session = database.session().await;
        let status = migration::status(&session, migration::embedded()).await.unwrap();
        assert!(status.applied.is_empty());
    }
}
