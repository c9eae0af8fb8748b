//! The command line of `rondo`. Every option is an environment variable too.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use lettre::message::Mailbox;
use rondo_database::Dsn;
use rondo_kafka::KafkaOptions;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::mailer::Outlet;
use crate::pipeline::dead_letter::DeadLetters;
use crate::{bridge, host, pipeline, up};

/// Tasks that recur, remind and are kept in sync.
#[derive(Parser)]
#[command(name = "rondo", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run everything in one process, with a private Postgres unless DATABASE_URL is set.
    Up(UpArgs),
    /// Serve the components of spin.toml alone, as Spin would.
    Host(HostArgs),
    /// Connect Kafka, Postgres and SMTP to components on a Spin host.
    Bridge(BridgeArgs),
    /// The schema of the database at DATABASE_URL.
    Migrate {
        #[command(subcommand)]
        what: Migrate,
        #[command(flatten)]
        database: DatabaseArgs,
    },
    /// Events that a consumer could not handle.
    Dlq {
        #[command(subcommand)]
        what: Dlq,
        #[command(flatten)]
        database: DatabaseArgs,
    },
    /// What the events of the database at DATABASE_URL travel by.
    Transport {
        #[command(subcommand)]
        what: TransportCommand,
        #[command(flatten)]
        database: DatabaseArgs,
    },
    /// Accounts.
    User {
        #[command(subcommand)]
        what: User,
        #[command(flatten)]
        database: DatabaseArgs,
    },
}

#[derive(Args)]
pub struct UpArgs {
    /// Where to listen.
    #[arg(long, env = "RONDO_LISTEN", default_value = "127.0.0.1:3000")]
    pub listen: String,
    /// Folder for what this installation keeps.
    #[arg(long, env = "RONDO_DATA", default_value = ".rondo")]
    pub data: PathBuf,
    /// The components and their routes.
    #[arg(long, env = "RONDO_SPIN_TOML", default_value = "spin.toml")]
    pub spin_toml: PathBuf,
    /// A database of yours, with a login that may create roles or is a member of ours; otherwise a
    /// private server is started.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<String>,
    /// Key of access tokens, at least 32 bytes; otherwise made and kept in the data folder.
    #[arg(long, env = "JWT_SECRET", hide_env_values = true)]
    pub jwt_secret: Option<String>,
    #[command(flatten)]
    pub kafka: KafkaOptions,
    #[command(flatten)]
    pub mail: MailArgs,
    #[command(flatten)]
    pub retention: RetentionArgs,
}

#[derive(Args)]
pub struct HostArgs {
    /// Where to listen.
    #[arg(long, env = "RONDO_LISTEN", default_value = "127.0.0.1:3000")]
    pub listen: String,
    /// The components and their routes; their variables come from SPIN_VARIABLE_<NAME>.
    #[arg(long, env = "RONDO_SPIN_TOML", default_value = "spin.toml")]
    pub spin_toml: PathBuf,
}

#[derive(Args)]
pub struct BridgeArgs {
    /// Where to listen for /health and /metrics.
    #[arg(long, env = "RONDO_LISTEN", default_value = "127.0.0.1:3001")]
    pub listen: String,
    /// Login of the role rondo_bridge.
    #[command(flatten)]
    pub database: DatabaseArgs,
    /// Where the components are, such as http://rondo.default.svc:80.
    #[arg(long, env = "COMPONENTS_URL")]
    pub components_url: String,
    /// What the components know the bridge by.
    #[arg(long, env = "EVENT_TOKEN", hide_env_values = true)]
    pub event_token: String,
    #[command(flatten)]
    pub kafka: KafkaOptions,
    #[command(flatten)]
    pub mail: MailArgs,
    #[command(flatten)]
    pub retention: RetentionArgs,
}

#[derive(Args)]
pub struct DatabaseArgs {
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    pub database_url: String,
}

#[derive(Args)]
pub struct MailArgs {
    /// smtp://host:port (`?tls=required` for STARTTLS) or smtps://host:port, with user and password.
    #[arg(long, env = "SMTP_URL", hide_env_values = true)]
    pub smtp_url: Option<String>,
    #[arg(long, env = "SMTP_FROM", default_value = "Rondo <rondo@localhost>")]
    pub smtp_from: String,
}

#[derive(Args)]
pub struct RetentionArgs {
    /// How long audit entries are kept, in days.
    #[arg(long, env = "AUDIT_RETENTION_DAYS", default_value_t = 90,
          value_parser = clap::value_parser!(i32).range(1..))]
    pub audit_retention_days: i32,
}

#[derive(Subcommand)]
enum Migrate {
    /// Make the roles and apply what is missing.
    Up {
        /// File that the logins made for the roles are written to (mode 0600).
        #[arg(long, env = "RONDO_DATA", default_value = ".rondo")]
        data: PathBuf,
    },
    /// Tell what is applied.
    Status,
}

#[derive(Subcommand)]
enum Dlq {
    /// One JSON object a line, newest first.
    List,
    Show {
        id: i64,
    },
    /// Deliver again, to the consumer that failed.
    Redrive {
        id: i64,
    },
    Discard {
        id: i64,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum TransportName {
    Local,
    Kafka,
}

#[derive(Subcommand)]
enum TransportCommand {
    /// Wait until no event is left, then change over.
    Switch { to: TransportName },
}

#[derive(Subcommand)]
enum User {
    /// Grant a scope beyond those that every account has.
    Grant { email: String, scope: String },
}

/// A setting that is missing or malformed, by its name.
#[derive(Debug, thiserror::Error)]
#[error("{setting} {reason}")]
pub struct SettingError {
    pub setting: &'static str,
    pub reason: String,
}

impl DatabaseArgs {
    /// # Errors
    /// When DATABASE_URL is malformed.
    pub fn dsn(&self) -> Result<Dsn, SettingError> {
        dsn(&self.database_url)
    }
}

/// # Errors
/// When the connection string is malformed.
pub fn dsn(url: &str) -> Result<Dsn, SettingError> {
    Dsn::parse(url)
        .map_err(|error| SettingError { setting: "DATABASE_URL", reason: error.to_string() })
}

impl MailArgs {
    /// Where mails go, `folder` when there is no server, and whom they are from.
    ///
    /// # Errors
    /// The setting that is malformed.
    pub fn outlet(&self, folder: PathBuf) -> Result<(Outlet, Mailbox), SettingError> {
        let from = self.smtp_from.parse().map_err(|_| SettingError {
            setting: "SMTP_FROM",
            reason: "must be an address such as Rondo <rondo@example.org>".to_owned(),
        })?;
        let outlet = match self.smtp_url.as_deref().filter(|url| !url.is_empty()) {
            Some(url) => Outlet::smtp(url)
                .map_err(|error| SettingError { setting: "SMTP_URL", reason: error.to_string() })?,
            None => Outlet::Folder(folder),
        };
        Ok((outlet, from))
    }
}

impl Cli {
    /// Runs the command until it is done or the process is told to stop.
    ///
    /// # Errors
    /// What went wrong, in one line that tells what to do.
    pub async fn run(self) -> anyhow::Result<()> {
        match self.command {
            Command::Up(args) => up::run(args, stop_signal()?).await,
            Command::Host(args) => host::run(args, stop_signal()?).await,
            Command::Bridge(args) => bridge::run(args, stop_signal()?).await,
            Command::Migrate { what, database } => migrate(what, &database.dsn()?).await,
            Command::Dlq { what, database } => dlq(what, &database.dsn()?).await,
            Command::Transport { what: TransportCommand::Switch { to }, database } => {
                let name = match to {
                    TransportName::Local => "local",
                    TransportName::Kafka => "kafka",
                };
                pipeline::transport::switch(&database.dsn()?, name).await
            }
            Command::User { what: User::Grant { email, scope }, database } => {
                anyhow::ensure!(scope == "admin", "the scope that can be granted is admin");
                let session = crate::connect(&database.dsn()?, "rondo user").await?;
                let row = session
                    .query_one(
                        "SELECT outcome FROM scope_grant($1, $2, true)",
                        &[&email.to_lowercase(), &scope],
                    )
                    .await?;
                anyhow::ensure!(row.get::<_, &str>(0) == "granted", "there is no account {email}");
                Ok(())
            }
        }
    }
}

/// Cancelled by SIGTERM or SIGINT.
fn stop_signal() -> anyhow::Result<CancellationToken> {
    let (mut terminate, mut interrupt) =
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let shutdown = CancellationToken::new();
    let token = shutdown.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping");
        token.cancel();
    });
    Ok(shutdown)
}

async fn migrate(what: Migrate, dsn: &Dsn) -> anyhow::Result<()> {
    use rondo_database::{Secrets, migration, role};
    match what {
        Migrate::Up { data } => {
            std::fs::create_dir_all(&data)?;
            let secrets = Secrets::load_or_create(&data)?;
            role::provision(dsn, &secrets, role::ConnectionLimit::Enforced).await?;
            let mut session = crate::connect(dsn, "rondo migrate").await?;
            for applied in migration::up(&mut session, migration::embedded()).await? {
                println!("applied {:04} {}", applied.version, applied.name);
            }
        }
        Migrate::Status => {
            let session = crate::connect(dsn, "rondo migrate").await?;
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
        }
    }
    Ok(())
}

async fn dlq(what: Dlq, dsn: &Dsn) -> anyhow::Result<()> {
    let letters = DeadLetters::new(crate::pool(dsn)?);
    match what {
        Dlq::List => {
            for letter in letters.list(None, None).await? {
                println!("{letter}");
            }
        }
        Dlq::Show { id } => {
            let letter = letters.list(Some(id), None).await?.pop();
            println!("{}", letter.ok_or_else(|| anyhow::anyhow!("there is no dead letter {id}"))?);
        }
        Dlq::Redrive { id } => {
            anyhow::ensure!(letters.mark(id, "redriving").await?, "dead letter {id} is not open");
        }
        Dlq::Discard { id } => {
            anyhow::ensure!(letters.mark(id, "discarded").await?, "dead letter {id} is not open");
        }
    }
    Ok(())
}
