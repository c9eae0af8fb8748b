//! The command line of `rondo`. Every option is an environment variable too; secrets are never options.

use std::path::PathBuf;
use std::sync::LazyLock;

use clap::{Parser, Subcommand, ValueEnum};
use rondo_contract::secret::{self, INVITATION_LIFETIME_S};
use rondo_database::role::RoleConnections;
use rondo_database::{DatabaseOptions, Dsn};
use rondo_setting::CleartextOption;
use rondo_telemetry::log::LogOption;
use rondo_telemetry::{Shutdown, otlp};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;

use crate::backup::{self, BackupArgs, RestoreArgs};
use crate::demo::{self, DemoArgs};
use crate::dlq::{self, Dlq};
use crate::doctor::{self, DoctorArgs};
use crate::environment::EnvArgs;
use crate::option::{BridgeArgs, HostArgs, UpArgs};
use crate::{bridge, environment, host, pipeline, up};

/// Tasks with recurrence, reminders and live sync.
#[derive(Parser)]
#[command(name = "rondo", version = version(), after_help = rondo_telemetry::log::HELP)]
pub struct Cli {
    #[command(flatten)]
    cleartext: CleartextOption,
    #[command(flatten)]
    pub log: LogOption,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run everything in one process, with a private Postgres unless DATABASE_URL is set.
    Up(Box<UpArgs>),
    /// Serve the components of spin.toml alone, as Spin would.
    Host(HostArgs),
    /// Connect Kafka, Postgres and SMTP to components on a Spin host.
    Bridge(Box<BridgeArgs>),
    /// Manage the schema of the database at DATABASE_URL.
    Migrate {
        #[command(subcommand)]
        what: Migrate,
        #[command(flatten)]
        database: DatabaseOptions,
    },
    /// Print the settings of spin.toml, `rondo bridge` and `rondo-sync`, or add them to a .env file.
    Env(EnvArgs),
    /// Inspect events that a consumer could not handle.
    Dlq {
        #[command(subcommand)]
        what: Dlq,
        #[command(flatten)]
        database: DatabaseOptions,
    },
    /// Choose what carries the events of the database at DATABASE_URL.
    Transport {
        #[command(subcommand)]
        what: TransportCommand,
        #[command(flatten)]
        database: DatabaseOptions,
    },
    /// Copy what an installation with a private Postgres keeps, while it runs or not.
    Backup(BackupArgs),
    /// Make a data folder of a backup.
    Restore(RestoreArgs),
    /// Examine a running installation: what is wrong, and what to do. Changes nothing.
    Doctor(DoctorArgs),
    /// Make an account with believable tasks in a running installation.
    Demo(DemoArgs),
    /// Manage accounts.
    User {
        #[command(subcommand)]
        what: User,
        #[command(flatten)]
        database: DatabaseOptions,
    },
}

#[derive(Subcommand)]
enum Migrate {
    /// Create the roles and apply pending migrations.
    Up {
        /// Folder that keeps the secrets of the roles' logins (file mode 0600).
        #[arg(long, env = "RONDO_DATA", default_value = ".rondo", value_name = "FOLDER")]
        data: PathBuf,
        /// Connection limits of roles that more programs need, such as rondo_task_api=128,rondo_auth=48. The
        /// others have their own, also after this was set before. Only a login that may create roles sets them.
        #[arg(long, env = "ROLE_CONNECTIONS", default_value = "", value_name = "LIMITS")]
        role_connections: RoleConnections,
    },
    /// List applied and pending migrations. Exit status 3: some are pending; 4: some are another release's.
    Status,
}

#[derive(Clone, Copy, ValueEnum)]
enum TransportName {
    Local,
    Kafka,
}

#[derive(Subcommand)]
enum TransportCommand {
    /// Wait until no event is left, then switch.
    Switch { to: TransportName },
}

#[derive(Subcommand)]
enum User {
    /// Grant a scope that no account has by itself, with the login of `rondo migrate`.
    Grant {
        email: String,
        #[arg(value_parser = ["admin"])]
        scope: String,
    },
    /// Print an invitation to register, which works once, for a week.
    Invite {
        /// The only address that it works for.
        email: Option<String>,
    },
}

/// The version of the program and of its time zone data.
fn version() -> &'static str {
    static VERSION: LazyLock<String> = LazyLock::new(|| {
        let zones = rondo_domain::zone::database_version();
        format!("{} (time zone data {zones})", env!("CARGO_PKG_VERSION"))
    });
    &VERSION
}

impl Cli {
    /// Runs the command until it completes or a signal stops it.
    ///
    /// # Errors
    /// What went wrong and what to do, in one line.
    pub async fn run(self) -> anyhow::Result<()> {
        let cleartext = self.cleartext.allowed();
        match self.command {
            Command::Up(args) => {
                let export = otlp::Setting::from_environment(&cleartext)?;
                let shutdown = Shutdown::on_signal()?;
                otlp::during(export, "rondo", up::run(*args, &cleartext, &shutdown)).await
            }
            Command::Host(args) => {
                let export = otlp::Setting::from_environment(&cleartext)?;
                let shutdown = Shutdown::on_signal()?;
                otlp::during(export, "rondo-host", host::run(args, &cleartext, &shutdown)).await
            }
            Command::Bridge(args) => {
                let export = otlp::Setting::from_environment(&cleartext)?;
                let shutdown = Shutdown::on_signal()?;
                otlp::during(export, "rondo-bridge", bridge::run(*args, &cleartext, &shutdown))
                    .await
            }
            Command::Migrate { what, database } => migrate(what, &database.dsn(&cleartext)?).await,
            Command::Env(args) => environment::run(args, &cleartext).await,
            Command::Dlq { what, database } => dlq::run(what, &database.dsn(&cleartext)?).await,
            Command::Transport { what: TransportCommand::Switch { to }, database } => {
                let name = match to {
                    TransportName::Local => "local",
                    TransportName::Kafka => "kafka",
                };
                let dsn = database.dsn(&cleartext)?;
                crate::database::check_schema(&dsn, "rondo transport").await?;
                pipeline::transport::switch(&dsn, name).await
            }
            Command::Backup(args) => backup::run(args, &cleartext, &Shutdown::on_signal()?).await,
            Command::Restore(args) => backup::restore(args, &Shutdown::on_signal()?).await,
            Command::Doctor(args) => doctor::run(args, &cleartext).await,
            Command::Demo(args) => demo::run(args).await,
            Command::User { what, database } => user(what, &database.dsn(&cleartext)?).await,
        }
    }
}

async fn user(what: User, dsn: &Dsn) -> anyhow::Result<()> {
    crate::database::check_schema(dsn, "rondo user").await?;
    let session = crate::database::connect(dsn, "rondo user").await?;
    match what {
        // No service's login may call this, so that no service can create an administrator.
        User::Grant { email, scope } => {
            let sql = "SELECT outcome FROM scope_grant($1, $2, true)";
            let parameters: [&(dyn ToSql + Sync); 2] = [&rondo_domain::email::key(&email), &scope];
            let row = session.query_one(sql, &parameters).await.map_err(with_advice)?;
            anyhow::ensure!(row.get::<_, &str>(0) == "granted", "there is no account {email}");
        }
        User::Invite { email } => {
            let token = rondo_database::secret::generate().map_err(anyhow::Error::msg)?;
            let key = email.as_deref().map(rondo_domain::email::key);
            let parameters: [&(dyn ToSql + Sync); 3] =
                [&secret::hash(&token), &key, &INVITATION_LIFETIME_S];
            let sql = "SELECT invitation_make($1, $2, $3)";
            let row = session.query_one(sql, &parameters).await.map_err(with_advice)?;
            println!("{token}");
            let whom = email.as_deref().unwrap_or("anyone");
            eprintln!("works once, for {whom}, until {}", row.get::<_, &str>(0));
        }
    }
    Ok(())
}

fn with_advice(error: tokio_postgres::Error) -> anyhow::Error {
    if error.code() != Some(&SqlState::INSUFFICIENT_PRIVILEGE) {
        return error.into();
    }
    anyhow::anyhow!("the login in DATABASE_URL may not do this: use the one of `rondo migrate`")
}

/// What `rondo migrate status` found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SchemaDiffers {
    #[error("migrations are pending: run `rondo migrate up`")]
    Pending,
    #[error("the schema has migrations of another release")]
    Foreign,
}

impl SchemaDiffers {
    #[must_use]
    pub const fn exit_status(self) -> u8 {
        match self {
            Self::Pending => 3,
            Self::Foreign => 4,
        }
    }
}

async fn migrate(what: Migrate, dsn: &Dsn) -> anyhow::Result<()> {
    use rondo_database::{Secrets, migration, provision};
    match what {
        Migrate::Up { data, role_connections } => {
            std::fs::create_dir_all(&data)?;
            let secrets = Secrets::load_or_create(&data)?;
            let limit = provision::ConnectionLimit::Chosen(role_connections);
            provision::roles(dsn, &secrets, limit).await?;
            let mut session = crate::database::connect(dsn, "rondo migrate").await?;
            for applied in migration::up(&mut session, migration::embedded()).await? {
                println!("applied {:04} {}", applied.version, applied.name);
            }
        }
        Migrate::Status => {
            let session = crate::database::connect(dsn, "rondo migrate").await?;
            let status = migration::status(&session, migration::embedded()).await?;
            for (label, at) in &status.applied {
                println!("applied {:04} {} at {at}", label.version, label.name);
            }
            for label in &status.pending {
                println!("pending {:04} {}", label.version, label.name);
            }
            for label in status.unknown.iter().chain(&status.changed) {
                println!("foreign {:04} {}", label.version, label.name);
            }
            if !status.unknown.is_empty() || !status.changed.is_empty() {
                return Err(SchemaDiffers::Foreign.into());
            }
            if !status.pending.is_empty() {
                return Err(SchemaDiffers::Pending.into());
            }
        }
    }
    Ok(())
}
