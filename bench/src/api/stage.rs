//! A database, and the programs that serve it.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use rondo_contract::token::{Claims, HmacKey, sign};
use rondo_database::provision::{self, ConnectionLimit};
use rondo_database::{
    DataFolder, Dsn, PrivateServer, Role, RoleDsns, Secrets, ServerOptions, Session,
    SessionOptions, migration, pool, server,
};
use rondo_testkit::folder::Folder;
use rondo_testkit::http::Client;
use rondo_testkit::population::Population;
use rondo_testkit::port;
use rondo_testkit::process::{Process, Program, root, target_directory};
use rondo_testkit::wait::eventually;

use super::{BUSY_USER_TASKS, TASKS_PER_USER};

/// Of this benchmark alone.
const JWT_SECRET: &str = "a key of access tokens for the benchmark alone";
const LINK_SECRET: &str = "a key of links in mails for the benchmark alone";
const EVENT_TOKEN: &str = "a service token for the benchmark alone";
/// What a login's token may do.
const SCOPE: &str = "tasks:read tasks:write audit:read";
/// How long tokens are valid, in seconds: longer than a run.
const TOKEN_S: i64 = 6 * 3600;
/// How long a program's start may take; the first one compiles the components.
const START: Duration = Duration::from_secs(120);

pub struct Stage {
    pub busy: i64,
    /// Accounts with a few tasks each.
    pub users: i64,
    roles: RoleDsns,
    /// The superuser's.
    pub session: Session,
    key: HmacKey,
    /// The product's.
    program: Program,
    postgres: PrivateServer,
    // In the order in which they go: the folder has the data of the server.
    _data: DataFolder,
    pub folder: Folder,
}

/// A running program.
pub struct Server {
    pub name: &'static str,
    pub address: SocketAddr,
    pub process: Process,
}

impl Stage {
    /// Starts Postgres as `rondo up` does, and fills it.
    pub async fn start(users: i64) -> anyhow::Result<Self> {
        let program = deployed()?;
        let folder = Folder::new("bench-api");
        let data = DataFolder::open(folder.path())?;
        let secrets = Secrets::load_or_create(folder.path())?;
        let postgres = server::start(&data, &secrets, &ServerOptions::default()).await?;
        let admin = postgres.dsn();
        let roles = provision::roles(admin, &secrets, ConnectionLimit::Enforced).await?;
        let mut session = pool::connect(admin, &SessionOptions::default()).await?;
        migration::up(&mut session, migration::embedded()).await?;
        let population =
            Population { users, tasks_per_user: TASKS_PER_USER, busy_user_tasks: BUSY_USER_TASKS };
        session.batch_execute("SET statement_timeout = 0").await?;
        let busy = population.fill(&session).await?;
        session.batch_execute("CHECKPOINT").await?;
        let key = HmacKey::new(JWT_SECRET.as_bytes())?;
        Ok(Self { busy, users, roles, session, key, program, postgres, _data: data, folder })
    }

    /// Ids of the accounts with a few tasks each.
    pub fn ids(&self) -> impl Iterator<Item = i64> + use<> {
        self.busy + 1..=self.busy + self.users
    }

    pub async fn tasks(&self) -> anyhow::Result<i64> {
        Ok(self.session.query_one("SELECT count(*) FROM tasks", &[]).await?.get(0))
    }

    pub async fn empty_outbox(&self) -> anyhow::Result<()> {
        self.session.batch_execute("TRUNCATE outbox").await?;
        Ok(self.session.batch_execute("VACUUM ANALYZE tasks, user_revisions").await?)
    }

    /// The process of Postgres from which all its others come.
    pub async fn postmaster(&self) -> anyhow::Result<u32> {
        let row = self.session.query_one("SELECT pg_backend_pid()", &[]).await?;
        let backend: i32 = row.get(0);
        super::processor::parent(u32::try_from(backend)?)
    }

    pub fn token(&self, user: i64) -> String {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let now_s = i64::try_from(now.as_secs()).unwrap_or_default();
        let scope = SCOPE.to_owned();
        let claims =
            Claims { user_id: user, issued_at_s: now_s, expires_at_s: now_s + TOKEN_S, scope };
        sign(&claims, &self.key)
    }

    /// The components alone: nobody relays events meanwhile, as nobody does for the twins.
    pub async fn product(&self) -> Server {
        let address = self.postgres.dsn().port();
        let mut program = self
            .program
            .clone()
            .argument("host")
            .env("SPIN_VARIABLE_DATABASE_HOST", format!("127.0.0.1:{address}"))
            .env("SPIN_VARIABLE_JWT_SECRET", JWT_SECRET)
            .env("SPIN_VARIABLE_LINK_SECRET", LINK_SECRET)
            .env("SPIN_VARIABLE_EVENT_TOKEN", EVENT_TOKEN);
        for role in Role::ALL.into_iter().filter(|role| role.component().is_some()) {
            let variable = format!("SPIN_VARIABLE_{}", role.dsn_variable().to_uppercase());
            program = program.env(&variable, self.roles.get(role).expose_url());
        }
        start("product", |listen| program.env("RONDO_LISTEN", listen)).await
    }

    /// Everything in one process, with its events on the way to their effects.
    pub async fn whole_product(&self) -> Server {
        let program = self
            .program
            .clone()
            .arguments(["up", "--data"])
            .argument(self.folder.path().join("up"))
            .env("DATABASE_URL", self.postgres.dsn().expose_url())
            .env("JWT_SECRET", JWT_SECRET)
            // All users come from one address.
            .env("RATE_LIMITS", "off");
        start("whole product", |listen| program.env("RONDO_LISTEN", listen)).await
    }

    /// The native twin.
    pub async fn native(&self) -> Server {
        let program = Program::new(target_directory().join("bench-api/release/rondo-twin"))
            .env("DATABASE_URL", self.roles.get(Role::TaskApi).expose_url())
            .env("JWT_SECRET", JWT_SECRET);
        start("native", |listen| program.env("LISTEN", listen)).await
    }

    /// The twin in Python, a worker for each processor.
    pub async fn python(&self) -> Server {
        let workers = std::thread::available_parallelism().map_or(1, usize::from).to_string();
        let program = Program::new(target_directory().join("bench-twin/bin/python"))
            .arguments(["-m", "uvicorn", "app:app", "--no-access-log", "--log-level", "warning"])
            .directory(root().join("bench/twin"))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("WEB_CONCURRENCY", workers)
            .env("DATABASE_URL", sqlalchemy_url(self.postgres.dsn()))
            .env("JWT_SECRET", JWT_SECRET);
        start("python", |listen| {
            let (host, port) = listen.split_once(':').unwrap_or_default();
            program.arguments(["--host", host, "--port", port])
        })
        .await
    }
}

/// The product's program as it is deployed.
fn deployed() -> anyhow::Result<Program> {
    let path = target_directory().join("dist/rondo");
    anyhow::ensure!(path.is_file(), "`cargo xtask build --dist` builds what is measured");
    Ok(Program::new(path).directory(root()))
}

/// As SQLAlchemy writes it: the driver in the scheme, without the settings of others.
fn sqlalchemy_url(dsn: &Dsn) -> String {
    let url = dsn.expose_url();
    let url = url.split_once('?').map_or(url.as_str(), |(url, _)| url);
    url.replacen("postgres://", "postgresql+asyncpg://", 1)
}

/// Starts a program that listens where it is told, and waits until it answers.
async fn start(name: &'static str, program: impl FnOnce(&str) -> Program) -> Server {
    let address = SocketAddr::from(([127, 0, 0, 1], port::free()));
    let mut process = program(&address.to_string()).start();
    let http = Client::of_twin(format!("http://{address}"));
    eventually(name, START, async || {
        if let Some(status) = process.exited() {
            panic!("{name} ended with {status}:\n{}", process.log());
        }
        match http.get("/api/tasks").await {
            Ok(response) if response.status == 401 => Ok(()),
            Ok(response) => Err(response.text()),
            Err(error) => Err(format!("{error}\n{}", process.log())),
        }
    })
    .await;
    Server { name, address, process }
}

impl Server {
    pub fn client(&self, token: &str) -> Client {
        Client::of_twin(format!("http://{}", self.address)).with_token(token)
    }

    /// What the program has said and is worse than usual, for an error: under load it tells of each slow
    /// request.
    pub fn said(&self) -> String {
        let log = self.process.log();
        let lines: Vec<&str> =
            log.lines().filter(|line| !line.contains(r#""level":"info""#)).collect();
        lines.join("\n")
    }
}

/// The path of the load program.
pub fn load_program() -> anyhow::Result<std::path::PathBuf> {
    let path = target_directory().join("bench-api/release/rondo-load");
    path.is_file().then_some(path).context("`cargo xtask bench api` builds the load program")
}
