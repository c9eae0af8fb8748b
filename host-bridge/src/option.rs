//! Options of the commands, each with an environment variable, and the checks before anything starts. Secrets
//! come from the environment or from files, never from arguments.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::Args;
use lettre::message::Mailbox;
use rondo_contract::token::SECRET_BYTES_MIN;
use rondo_database::{DatabaseOptions, Dsn};
use rondo_kafka::{KafkaOptions, KafkaSettings};
use rondo_setting::{
    Cleartext, Service, SettingError, environment, is_this_machine, refusal, required, secret,
};
use rondo_telemetry::operations;
use rondo_wasm_host::Manifest;
use rondo_wasm_host::app::POOL_SESSIONS_MAX;
use rondo_wasm_host::engine::INSTANCES_MAX;

use crate::account::{AccountArgs, hmac_secret};
use crate::cors::CorsOrigins;
use crate::jwks::ProviderArgs;
use crate::language_model::LanguageModelArgs;
use crate::mail_transport::{Authority, MailTransport, exposed_to, is_tls};
use crate::rate_limit::RateSetting;
use crate::webhook::WebhookArgs;

const SMTP_URL: &str = "SMTP_URL";
/// Longest retention of audit entries, in days.
const AUDIT_RETENTION_DAYS_MAX: i64 = 36_500;
/// Greatest lateness of a reminder, in minutes: a year.
const LATENESS_MINUTES_MAX: i64 = 366 * 24 * 60;

#[derive(Args)]
pub struct UpArgs {
    /// Address to listen on.
    #[arg(long, env = "RONDO_LISTEN", default_value = "127.0.0.1:3000", value_name = "HOST:PORT", value_parser = host_and_port)]
    pub listen: String,
    /// Address for operators only: /metrics, and the reasons in /health/ready. Unless set, they are served at
    /// RONDO_LISTEN if that is on loopback, else at 127.0.0.1:3009.
    #[arg(long, env = operations::SETTING, value_name = "HOST:PORT", value_parser = host_and_port)]
    pub operations_listen: Option<String>,
    /// Folder for the data of this installation.
    #[arg(long, env = "RONDO_DATA", default_value = ".rondo", value_name = "FOLDER")]
    pub data: PathBuf,
    /// Manifest of the components and their routes.
    #[arg(long, env = "RONDO_SPIN_TOML", default_value = "spin.toml", value_name = "FILE")]
    pub spin_toml: PathBuf,
    /// Your own database, with a login that may create roles or is a member of Rondo's. Unless set, a
    /// private server is started.
    #[command(flatten)]
    pub database: DatabaseOptions,
    #[arg(skip = environment("LINK_SECRET"))]
    pub link_secret: Option<OsString>,
    /// File with the key that signs links in mails, at least 32 bytes, instead of LINK_SECRET. Unless set, a
    /// key is generated and kept in the data folder.
    #[arg(long, env = "LINK_SECRET_FILE", value_name = "FILE")]
    pub link_secret_file: Option<PathBuf>,
    #[arg(skip = environment("LINK_SECRET_PREVIOUS"))]
    pub link_secret_previous: Option<OsString>,
    /// File with the previous key, whose links still work, instead of LINK_SECRET_PREVIOUS.
    #[arg(long, env = "LINK_SECRET_PREVIOUS_FILE", value_name = "FILE")]
    pub link_secret_previous_file: Option<PathBuf>,
    /// Requests per minute for each user and each address, such as user=3000,address=6000; or off, which
    /// also lifts the limit on registrations.
    #[arg(long, env = "RATE_LIMITS", default_value = "", value_name = "LIMITS")]
    pub rate_limits: RateSetting,
    #[command(flatten)]
    pub web: WebArgs,
    #[command(flatten)]
    pub account: AccountArgs,
    #[command(flatten)]
    pub kafka: KafkaOptions,
    #[command(flatten)]
    pub mail: MailArgs,
    #[command(flatten)]
    pub webhook: WebhookArgs,
    #[command(flatten)]
    pub reminder: ReminderArgs,
    #[command(flatten)]
    pub retention: RetentionArgs,
    #[command(flatten)]
    pub language_model: LanguageModelArgs,
}

#[derive(Args)]
pub struct HostArgs {
    /// Address to listen on.
    #[arg(long, env = "RONDO_LISTEN", default_value = "127.0.0.1:3000", value_name = "HOST:PORT", value_parser = host_and_port)]
    pub listen: String,
    /// Address for operators only: /health and /metrics. Unless set, they are served at RONDO_LISTEN if that is on
    /// loopback, else at 127.0.0.1:3011.
    #[arg(long, env = operations::SETTING, value_name = "HOST:PORT", value_parser = host_and_port)]
    pub operations_listen: Option<String>,
    /// Manifest of the components and their routes. Their variables come from SPIN_VARIABLE_<NAME>.
    #[arg(long, env = "RONDO_SPIN_TOML", default_value = "spin.toml", value_name = "FILE")]
    pub spin_toml: PathBuf,
    /// Most connections of each component to Postgres. The limits of the roles have to fit: ROLE_CONNECTIONS of
    /// `rondo migrate up`.
    #[arg(long, env = "COMPONENT_CONNECTIONS", default_value_t = POOL_SESSIONS_MAX, value_name = "NUMBER",
          value_parser = component_connections)]
    pub component_connections: usize,
    #[command(flatten)]
    pub web: WebArgs,
}

#[derive(Args)]
#[command(next_help_heading = "Web clients")]
pub struct WebArgs {
    /// Other origins whose scripts may call the API, such as https://app.example.org, comma-separated.
    #[arg(long, env = "CORS_ORIGINS", default_value = "", value_name = "ORIGINS")]
    pub cors_origins: CorsOrigins,
}

#[derive(Args)]
pub struct BridgeArgs {
    /// Address for /health, /health/ready with reasons, and /metrics. Only operators should reach it.
    #[arg(long, env = "RONDO_LISTEN", default_value = "127.0.0.1:3001", value_name = "HOST:PORT", value_parser = host_and_port)]
    pub listen: String,
    /// Folder that mail is written to unless SMTP_URL is set.
    #[arg(long, env = "RONDO_DATA", default_value = ".rondo", value_name = "FOLDER")]
    pub data: PathBuf,
    /// BRIDGE_DATABASE_URL, which `rondo env` writes, takes precedence.
    #[command(flatten)]
    pub database: DatabaseOptions,
    /// Address of the components, such as http://rondo.default.svc:80.
    #[arg(long, env = "COMPONENTS_URL", value_name = "URL", value_parser = components_url)]
    pub components_url: String,
    #[arg(skip = environment("EVENT_TOKEN"))]
    pub event_token: Option<OsString>,
    /// File with the token that authenticates the bridge to the components, at least 32 bytes, instead of
    /// EVENT_TOKEN.
    #[arg(long, env = "EVENT_TOKEN_FILE", value_name = "FILE")]
    pub event_token_file: Option<PathBuf>,
    #[command(flatten)]
    pub kafka: KafkaOptions,
    #[command(flatten)]
    pub provider: ProviderArgs,
    #[command(flatten)]
    pub mail: MailArgs,
    #[command(flatten)]
    pub webhook: WebhookArgs,
    #[command(flatten)]
    pub reminder: ReminderArgs,
    #[command(flatten)]
    pub retention: RetentionArgs,
}

#[derive(Args)]
#[command(next_help_heading = "Mail")]
pub struct MailArgs {
    #[arg(skip = environment("SMTP_URL"))]
    pub smtp_url: Option<OsString>,
    /// File with the mail server's URL, instead of SMTP_URL: smtps://user:password@host:port, or
    /// smtp://user:password@host:port?tls=required for STARTTLS.
    #[arg(long, env = "SMTP_URL_FILE", value_name = "FILE")]
    pub smtp_url_file: Option<PathBuf>,
    /// PEM file of certificate authorities to trust for the mail server, besides the public ones.
    #[arg(long, env = "SMTP_CA", value_name = "FILE")]
    pub smtp_ca: Option<PathBuf>,
    /// Sender of the mails.
    #[arg(long, env = "SMTP_FROM", default_value = "Rondo <rondo@localhost>", value_name = "ADDRESS", value_parser = mailbox)]
    pub smtp_from: Mailbox,
}

#[derive(Args)]
#[command(next_help_heading = "Reminders")]
pub struct ReminderArgs {
    /// How late a reminder or a digest may still be sent, in minutes. A later reminder is recorded as
    /// missed, and the next digest names it.
    #[arg(long, env = "REMINDER_LATENESS_MINUTES", default_value_t = 1_440, value_name = "MINUTES",
          value_parser = clap::value_parser!(i32).range(1..=LATENESS_MINUTES_MAX))]
    pub reminder_lateness_minutes: i32,
}

#[derive(Args)]
#[command(next_help_heading = "Retention")]
pub struct RetentionArgs {
    /// How long audit entries are kept, in days.
    #[arg(long, env = "AUDIT_RETENTION_DAYS", default_value_t = 90, value_name = "DAYS",
          value_parser = clap::value_parser!(i32).range(1..=AUDIT_RETENTION_DAYS_MAX))]
    pub audit_retention_days: i32,
}

impl UpArgs {
    /// The database of DATABASE_URL, when it is set.
    ///
    /// # Errors
    /// When it is malformed, or components cannot reach it.
    pub fn database(&self, cleartext: &Cleartext) -> Result<Option<Dsn>, SettingError> {
        self.database.given(cleartext)?.map(reachable_by_components).transpose()
    }

    /// The key of LINK_SECRET, when it is set.
    ///
    /// # Errors
    /// When it is too short, or cannot be read.
    pub fn link_secret(&self) -> Result<Option<String>, SettingError> {
        hmac_secret("LINK_SECRET", self.link_secret.as_deref(), self.link_secret_file.as_deref())
    }

    /// The key of LINK_SECRET_PREVIOUS, when it is set.
    ///
    /// # Errors
    /// As [`UpArgs::link_secret`].
    pub fn link_secret_previous(&self) -> Result<Option<String>, SettingError> {
        let file = self.link_secret_previous_file.as_deref();
        hmac_secret("LINK_SECRET_PREVIOUS", self.link_secret_previous.as_deref(), file)
    }
}

impl BridgeArgs {
    /// # Errors
    /// When EVENT_TOKEN is missing, too short, or cannot be in a header.
    pub fn event_token(&self) -> Result<String, SettingError> {
        const SETTING: &str = "EVENT_TOKEN";
        let file = self.event_token_file.as_deref();
        let token = required(SETTING, secret(SETTING, self.event_token.as_deref(), file)?)?;
        if token.len() < SECRET_BYTES_MIN {
            let reason = format!("is shorter than {SECRET_BYTES_MIN} bytes: generate a random one");
            return Err(refusal(SETTING, reason));
        }
        if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(refusal(SETTING, "must be visible ASCII characters"));
        }
        Ok(token)
    }

    /// # Errors
    /// When a setting of Kafka is missing or malformed.
    pub fn kafka(&self, cleartext: &Cleartext) -> Result<KafkaSettings, SettingError> {
        self.kafka.settings(cleartext)?.ok_or_else(|| {
            refusal("KAFKA_BROKERS", "is missing: set it, since the bridge reads events from Kafka")
        })
    }
}

/// Refuses a database that components can't reach.
///
/// # Errors
/// When it is at several hosts, or at a Unix socket.
pub fn reachable_by_components(dsn: Dsn) -> Result<Dsn, SettingError> {
    if dsn.tcp_address().is_none() {
        let reason =
            "must name one host and port: components can't reach several hosts, or a Unix socket";
        return Err(refusal("DATABASE_URL", reason));
    }
    Ok(dsn)
}

impl MailArgs {
    /// The mail transport (the folder `mail` in `data` if there is no server) and the sender.
    ///
    /// # Errors
    /// The first malformed setting, or a login that would be sent without TLS although that is not allowed.
    pub fn transport(
        &self,
        data: &Path,
        cleartext: &Cleartext,
    ) -> Result<(MailTransport, Mailbox), SettingError> {
        let transport = match self.smtp_url()? {
            Some(url) => {
                let authority = self.authority()?;
                let transport = MailTransport::smtp(&url, authority);
                let transport = transport.map_err(|error| refusal(SMTP_URL, error))?;
                let remedy = "begin it with smtps:// or add ?tls=required";
                cleartext.check(Service::Smtp, SMTP_URL, exposed_to(&url), remedy)?;
                transport
            }
            None => MailTransport::Folder(data.join("mail")),
        };
        Ok((transport, self.smtp_from.clone()))
    }

    /// Whether no mail leaves this machine, as far as the setting shows.
    ///
    /// # Errors
    /// When the setting cannot be read.
    pub fn is_local(&self) -> Result<bool, SettingError> {
        Ok(self.smtp_url()?.is_none_or(|url| {
            let uri = url.parse::<http::Uri>();
            uri.is_ok_and(|uri| uri.host().is_some_and(is_this_machine))
        }))
    }

    /// Whether mail reaches the server over TLS or not at all. Call it after [`MailArgs::transport`] has
    /// succeeded.
    #[must_use]
    pub fn is_certain(&self) -> bool {
        self.smtp_url().is_ok_and(|url| url.is_none_or(|url| is_tls(&url)))
    }

    fn smtp_url(&self) -> Result<Option<String>, SettingError> {
        secret(SMTP_URL, self.smtp_url.as_deref(), self.smtp_url_file.as_deref())
    }

    fn authority(&self) -> Result<Option<Authority>, SettingError> {
        const SETTING: &str = "SMTP_CA";
        let path = self.smtp_ca.as_deref().filter(|path| !path.as_os_str().is_empty());
        let Some(path) = path else { return Ok(None) };
        let pem = std::fs::read_to_string(path)
            .map_err(|error| refusal(SETTING, format!("{}: {error}", path.display())))?;
        Authority::read(&pem)
            .map(Some)
            .map_err(|error| refusal(SETTING, format!("{} {error}", path.display())))
    }
}

fn host_and_port(text: &str) -> Result<String, &'static str> {
    let port = text.rsplit_once(':').filter(|(host, _)| !host.is_empty());
    match port.map(|(_, port)| port.parse::<u16>()) {
        Some(Ok(_)) => Ok(text.to_owned()),
        _ => Err("must be a host and a port, such as 127.0.0.1:3000"),
    }
}

fn component_connections(text: &str) -> Result<usize, String> {
    let most = INSTANCES_MAX as usize;
    let number = text.parse().ok().filter(|number| (1..=most).contains(number));
    number.ok_or_else(|| format!("must be a number from 1 to {most}, the limit of instances"))
}

fn components_url(text: &str) -> Result<String, &'static str> {
    let is_http = text.parse::<http::Uri>().is_ok_and(|uri| {
        uri.scheme_str() == Some("http") && uri.host().is_some_and(|host| !host.is_empty())
    });
    if is_http {
        Ok(text.to_owned())
    } else {
        Err("must be a URL such as http://rondo.default.svc:80")
    }
}

fn mailbox(text: &str) -> Result<Mailbox, &'static str> {
    text.parse().map_err(|_| "must be an address such as Rondo <rondo@example.org>")
}

/// Reads the manifest that RONDO_SPIN_TOML names.
///
/// # Errors
/// When it is missing, or uses what Rondo does not support.
pub fn manifest(path: &Path) -> Result<Manifest, SettingError> {
    Manifest::read(path).map_err(|error| refusal("RONDO_SPIN_TOML", error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_mail() {
        let check = |url: &str, is_local: bool| {
            let args = MailArgs {
                smtp_url: Some(url.into()),
                smtp_url_file: None,
                smtp_ca: None,
                smtp_from: "rondo@localhost".parse().unwrap(),
            };
            assert_eq!(args.is_local(), Ok(is_local), "{url}");
        };
        check("", true);
        check("smtp://127.0.0.1:2525", true);
        check("smtps://user:pa%40ss@localhost", true);
        check("smtp://[::1]:25?tls=required", true);
        check("smtps://user:password@mail.example.org:465", false);
        check("smtp://localhost.example.org", false);
        check("smtp://192.168.1.2", false);
    }
}
