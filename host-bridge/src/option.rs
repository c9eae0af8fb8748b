//! Options of the commands, each with its environment variable, and the checks that happen before
//! anything is started. A secret is in the environment or in a file, never an argument.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::Args;
use lettre::message::Mailbox;
use rondo_contract::token::{HmacKey, SECRET_BYTES_MIN};
use rondo_database::{DatabaseOptions, Dsn};
use rondo_domain::destination::Loopback;
use rondo_kafka::{KafkaOptions, KafkaSettings};
use rondo_setting::{
    Cleartext, Service, SettingError, environment, given, is_this_machine, refusal, required,
    secret,
};
use rondo_telemetry::operations;
use rondo_wasm_host::Manifest;

use crate::account::AccountArgs;
use crate::cors::CorsOrigins;
use crate::jwks::ProviderArgs;
use crate::outlet::{Authority, Outlet, exposed_to};
use crate::rate_limit::RateSetting;
use crate::webhook::WebhookArgs;

const SMTP_URL: &str = "SMTP_URL";
/// Longest that audit entries can be kept, in days.
const AUDIT_RETENTION_DAYS_MAX: i64 = 36_500;
/// Longest that a reminder may be late, in minutes: a year.
const LATENESS_MINUTES_MAX: i64 = 366 * 24 * 60;

#[derive(Args)]
pub struct UpArgs {
    /// Where to listen.
    #[arg(long, env = "RONDO_LISTEN", default_value = "127.0.0.1:3000", value_name = "HOST:PORT")]
    pub listen: String,
    /// Where to listen for operators, who have /metrics and the reasons of /health/ready there and nowhere
    /// else; otherwise at RONDO_LISTEN when that is on loopback, and at 127.0.0.1:3009 when it is not.
    #[arg(long, env = operations::SETTING, value_name = "HOST:PORT")]
    pub operations_listen: Option<String>,
    /// Folder for what this installation keeps.
    #[arg(long, env = "RONDO_DATA", default_value = ".rondo", value_name = "FOLDER")]
    pub data: PathBuf,
    /// The components and their routes.
    #[arg(long, env = "RONDO_SPIN_TOML", default_value = "spin.toml", value_name = "FILE")]
    pub spin_toml: PathBuf,
    /// A database of yours, with a login that may create roles or is a member of ours; otherwise a
    /// private server is started.
    #[command(flatten)]
    pub database: DatabaseOptions,
    #[arg(skip = environment("LINK_SECRET"))]
    pub link_secret: Option<OsString>,
    /// File with the key of the links in mails, at least 32 bytes; LINK_SECRET may have it itself.
    /// Otherwise made and kept in the data folder.
    #[arg(long, env = "LINK_SECRET_FILE", value_name = "FILE")]
    pub link_secret_file: Option<PathBuf>,
    #[arg(skip = environment("LINK_SECRET_PREVIOUS"))]
    pub link_secret_previous: Option<OsString>,
    /// File with the key before it, whose links still work; LINK_SECRET_PREVIOUS may have it itself.
    #[arg(long, env = "LINK_SECRET_PREVIOUS_FILE", value_name = "FILE")]
    pub link_secret_previous_file: Option<PathBuf>,
    /// Requests in a minute by user and by address, such as user=3000,address=6000, or off, which lifts
    /// the limits of registrations too.
    #[arg(long, env = "RATE_LIMITS", default_value = "", value_name = "LIMITS")]
    pub rate_limits: String,
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
}

#[derive(Args)]
pub struct HostArgs {
    /// Where to listen.
    #[arg(long, env = "RONDO_LISTEN", default_value = "127.0.0.1:3000", value_name = "HOST:PORT")]
    pub listen: String,
    /// The components and their routes; their variables come from SPIN_VARIABLE_<NAME>.
    #[arg(long, env = "RONDO_SPIN_TOML", default_value = "spin.toml", value_name = "FILE")]
    pub spin_toml: PathBuf,
    #[command(flatten)]
    pub web: WebArgs,
}

#[derive(Args)]
#[command(next_help_heading = "Web clients")]
pub struct WebArgs {
    /// Origins whose scripts may call the API, such as https://app.example.org, separated by commas;
    /// otherwise only pages of this one may.
    #[arg(long, env = "CORS_ORIGINS", default_value = "", value_name = "ORIGINS")]
    pub cors_origins: String,
}

#[derive(Args)]
pub struct BridgeArgs {
    /// Where to listen for operators, who alone should get here: /health, /health/ready with reasons, /metrics.
    #[arg(long, env = "RONDO_LISTEN", default_value = "127.0.0.1:3001", value_name = "HOST:PORT")]
    pub listen: String,
    /// Folder that mail is written to when there is no SMTP_URL.
    #[arg(long, env = "RONDO_DATA", default_value = ".rondo", value_name = "FOLDER")]
    pub data: PathBuf,
    /// BRIDGE_DATABASE_URL, as `rondo env` writes it, comes first.
    #[command(flatten)]
    pub database: DatabaseOptions,
    /// Where the components are, such as http://rondo.default.svc:80.
    #[arg(long, env = "COMPONENTS_URL", value_name = "URL")]
    pub components_url: Option<String>,
    #[arg(skip = environment("EVENT_TOKEN"))]
    pub event_token: Option<OsString>,
    /// File with what the components know the bridge by, at least 32 bytes; EVENT_TOKEN may have it
    /// itself.
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
    /// File with smtps://user:password@host:port or smtp://user:password@host:port?tls=required, which
    /// is STARTTLS; SMTP_URL may have that itself.
    #[arg(long, env = "SMTP_URL_FILE", value_name = "FILE")]
    pub smtp_url_file: Option<PathBuf>,
    /// Certificates, in PEM, that the mail server's may be from beside the usual authorities.
    #[arg(long, env = "SMTP_CA", value_name = "FILE")]
    pub smtp_ca: Option<PathBuf>,
    #[arg(
        long,
        env = "SMTP_FROM",
        default_value = "Rondo <rondo@localhost>",
        value_name = "ADDRESS"
    )]
    pub smtp_from: String,
}

#[derive(Args)]
#[command(next_help_heading = "Reminders")]
pub struct ReminderArgs {
    /// How late a reminder or a digest may still go out, in minutes; a later reminder is recorded as
    /// missed, and the next digest names it.
    #[arg(long, env = "REMINDER_LATENESS_MINUTES", default_value_t = 1_440, value_name = "REMINDER_LATENESS_MINUTES",
          value_parser = clap::value_parser!(i32).range(1..=LATENESS_MINUTES_MAX))]
    pub reminder_lateness_minutes: i32,
}

#[derive(Args)]
#[command(next_help_heading = "Retention")]
pub struct RetentionArgs {
    /// How long audit entries are kept, in days.
    #[arg(long, env = "AUDIT_RETENTION_DAYS", default_value_t = 90, value_name = "AUDIT_RETENTION_DAYS",
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
        key("LINK_SECRET", self.link_secret.as_ref(), self.link_secret_file.as_deref())
    }

    /// The key of LINK_SECRET_PREVIOUS, when it is set.
    ///
    /// # Errors
    /// As [`UpArgs::link_secret`].
    pub fn link_secret_previous(&self) -> Result<Option<String>, SettingError> {
        let file = self.link_secret_previous_file.as_deref();
        key("LINK_SECRET_PREVIOUS", self.link_secret_previous.as_ref(), file)
    }

    /// # Errors
    /// When RATE_LIMITS is malformed.
    pub fn rate_limits(&self) -> Result<RateSetting, SettingError> {
        self.rate_limits.parse().map_err(|error| refusal("RATE_LIMITS", error))
    }
}

impl UpArgs {
    /// The address of OPERATIONS_LISTEN, when it is set.
    ///
    /// # Errors
    /// When it is no host and port.
    pub fn operations_listen(&self) -> Result<Option<&str>, SettingError> {
        let given = given(self.operations_listen.as_deref());
        given.map(|address| host_and_port(operations::SETTING, address)).transpose()
    }
}

impl WebArgs {
    /// # Errors
    /// When CORS_ORIGINS is malformed.
    pub fn origins(&self) -> Result<CorsOrigins, SettingError> {
        self.cors_origins.parse().map_err(|error| refusal("CORS_ORIGINS", error))
    }
}

impl BridgeArgs {
    /// # Errors
    /// When COMPONENTS_URL is missing or malformed.
    pub fn components(&self) -> Result<&str, SettingError> {
        const SETTING: &str = "COMPONENTS_URL";
        let url = required(SETTING, given(self.components_url.as_deref()))?;
        let uri: http::Uri = url.parse().map_err(|_| {
            refusal(SETTING, "is no URL: it must be such as http://rondo.default.svc:80")
        })?;
        if uri.scheme_str() != Some("http") || uri.host().is_none_or(str::is_empty) {
            return Err(refusal(SETTING, "must be such as http://rondo.default.svc:80"));
        }
        Ok(url)
    }

    /// # Errors
    /// When EVENT_TOKEN is missing, too short, or cannot be in a header.
    pub fn event_token(&self) -> Result<String, SettingError> {
        const SETTING: &str = "EVENT_TOKEN";
        let file = self.event_token_file.as_deref();
        let token = required(SETTING, secret(SETTING, self.event_token.as_deref(), file)?)?;
        if token.len() < SECRET_BYTES_MIN {
            let reason = format!("is shorter than {SECRET_BYTES_MIN} bytes: make a random one");
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
            refusal("KAFKA_BROKERS", "is missing: the bridge carries events by Kafka")
        })
    }
}

/// Refuses a database that components cannot reach.
///
/// # Errors
/// When it is at several hosts, or at a Unix socket.
pub fn reachable_by_components(dsn: Dsn) -> Result<Dsn, SettingError> {
    if dsn.tcp_address().is_none() {
        let reason = "must name one host and port: components reach no other, and no Unix socket";
        return Err(refusal("DATABASE_URL", reason));
    }
    Ok(dsn)
}

impl MailArgs {
    /// Where mails go, the folder `mail` of `data` when there is no server, and whom they are from.
    ///
    /// # Errors
    /// The setting that is malformed, and a login that would be sent in the clear although that is
    /// not allowed.
    pub fn outlet(
        &self,
        data: &Path,
        cleartext: &Cleartext,
    ) -> Result<(Outlet, Mailbox), SettingError> {
        let from = self.smtp_from.parse().map_err(|_| {
            refusal("SMTP_FROM", "must be an address such as Rondo <rondo@example.org>")
        })?;
        let outlet = match self.smtp_url()? {
            Some(url) => {
                let authority = self.authority()?;
                let outlet = Outlet::smtp(&url, authority);
                let outlet = outlet.map_err(|error| refusal(SMTP_URL, error))?;
                let remedy = "begin it with smtps:// or add ?tls=required";
                cleartext.check(Service::Smtp, SMTP_URL, exposed_to(&url), remedy)?;
                outlet
            }
            None => Outlet::Folder(data.join("mail")),
        };
        Ok((outlet, from))
    }

    /// Whether no mail leaves this machine, as far as the setting tells.
    ///
    /// # Errors
    /// When the setting cannot be read.
    pub fn is_local(&self) -> Result<bool, SettingError> {
        Ok(self.smtp_url()?.is_none_or(|url| {
            let uri = url.parse::<http::Uri>();
            uri.is_ok_and(|uri| uri.host().is_some_and(is_this_machine))
        }))
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

/// Checks that RONDO_LISTEN is host and port.
///
/// # Errors
/// When it is not.
pub fn listen_address(address: &str) -> Result<&str, SettingError> {
    host_and_port("RONDO_LISTEN", address)
}

fn host_and_port<'a>(setting: &'static str, address: &'a str) -> Result<&'a str, SettingError> {
    let port = address.rsplit_once(':').filter(|(host, _)| !host.is_empty());
    match port.map(|(_, port)| port.parse::<u16>()) {
        Some(Ok(_)) => Ok(address),
        _ => Err(refusal(setting, "must be host and port, such as 127.0.0.1:3000")),
    }
}

/// Reads the manifest that RONDO_SPIN_TOML names.
///
/// # Errors
/// When it is not there, or has what we do not support.
pub fn manifest(path: &Path) -> Result<Manifest, SettingError> {
    Manifest::read(path).map_err(|error| refusal("RONDO_SPIN_TOML", error))
}

pub(crate) fn key(
    setting: &'static str,
    value: Option<&OsString>,
    file: Option<&Path>,
) -> Result<Option<String>, SettingError> {
    let Some(secret) = secret(setting, value.map(OsString::as_os_str), file)? else {
        return Ok(None);
    };
    HmacKey::new(secret.as_bytes()).map_err(|error| refusal(setting, error))?;
    Ok(Some(secret))
}

/// Whether something may be on this machine: true or false, which is the default.
///
/// # Errors
/// When it is neither.
pub(crate) fn loopback(
    setting: &'static str,
    value: Option<&str>,
) -> Result<Loopback, SettingError> {
    match given(value) {
        None | Some("false") => Ok(Loopback::Refused),
        Some("true") => Ok(Loopback::Allowed),
        Some(_) => Err(refusal(setting, "must be true or false")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_mail_stays_here() {
        let check = |url: &str, is_local: bool| {
            let args = MailArgs {
                smtp_url: Some(url.into()),
                smtp_url_file: None,
                smtp_ca: None,
                smtp_from: String::new(),
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
