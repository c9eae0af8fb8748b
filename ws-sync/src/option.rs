//! Settings of the program `rondo-sync`: options, each with an environment variable, and secrets, which are
//! never arguments.

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use rondo_contract::address::TrustedProxies;
use rondo_contract::token::check::Keys;
use rondo_contract::token::key::JwkSet;
use rondo_contract::token::{HmacKey, Provider};
use rondo_database::{DatabaseOptions, Dsn};
use rondo_domain::Violation;
use rondo_domain::access::Scopes;
use rondo_kafka::{KafkaOptions, KafkaSettings};
use rondo_setting::{CleartextOption, SettingError, environment, refusal, required, secret};
use rondo_telemetry::log::LogOption;
use rondo_telemetry::operations;

/// Address of the operators' listener if the main listener is not on loopback.
const OPERATIONS_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 3010);

/// The settings as given. No `Debug`, because secrets are among them.
#[derive(clap::Parser)]
#[command(
    name = "rondo-sync",
    version,
    about = "Pushes each change of a user's tasks to their devices over WebSockets, from Kafka's topic task-updates",
    after_help = rondo_telemetry::log::HELP
)]
pub struct Options {
    /// Address and port for WebSockets (/ws) and /health
    #[arg(
        long,
        env = "RONDO_LISTEN",
        default_value = "127.0.0.1:3002",
        value_name = "ADDRESS:PORT",
        value_parser = address
    )]
    pub listen: SocketAddr,
    /// Address and port for operators only: /metrics, and the reasons in /health/ready. Unless set, they are
    /// served at RONDO_LISTEN if that is on loopback, else at 127.0.0.1:3010
    #[arg(long, env = operations::SETTING, value_name = "ADDRESS:PORT", value_parser = address)]
    pub operations_listen: Option<SocketAddr>,
    /// Proxies, each of which stands for many clients: addresses and networks, comma-separated. Peers in
    /// private networks count as proxies anyway
    #[arg(long, env = "TRUSTED_PROXIES", value_name = "LIST", value_parser = TrustedProxies::parse)]
    pub trusted_proxies: Option<TrustedProxies>,
    #[command(flatten)]
    pub cleartext: CleartextOption,
    #[command(flatten)]
    pub log: LogOption,
    #[command(flatten)]
    pub database: DatabaseOptions,
    #[arg(skip = environment("JWT_SECRET"))]
    pub jwt_secret: Option<OsString>,
    /// File with the secret that access tokens are signed with, instead of JWT_SECRET
    #[arg(long, env = "JWT_SECRET_FILE", value_name = "FILE")]
    pub jwt_secret_file: Option<PathBuf>,
    /// Public keys of access tokens, a JWKS document: instead of the secret, or beside it during a
    /// changeover
    #[arg(long, env = "JWT_PUBLIC_KEYS", value_name = "JWKS")]
    pub jwt_public_keys: Option<JwkSet>,
    /// OpenID provider whose tokens are accepted: their exact `iss`
    #[arg(long, env = "OIDC_ISSUER", value_name = "URL")]
    pub oidc_issuer: Option<String>,
    /// Name that the `aud` of the provider's tokens must contain
    #[arg(long, env = "OIDC_AUDIENCE", value_name = "NAME")]
    pub oidc_audience: Option<String>,
    /// Scopes of a provider's token that names none of Rondo's, separated by spaces; tasks:read and
    /// tasks:write unless set
    #[arg(long, env = "OIDC_DEFAULT_SCOPES", value_name = "SCOPES", value_parser = default_scopes)]
    pub oidc_default_scopes: Option<Scopes>,
    #[command(flatten)]
    pub kafka: KafkaOptions,
}

/// The validated settings.
pub struct Settings {
    pub listen: SocketAddr,
    /// Of a listener for operators only; none if the main listener serves them too.
    pub operations_listen: Option<SocketAddr>,
    pub trusted_proxies: TrustedProxies,
    pub database: Dsn,
    pub keys: Keys,
    pub kafka: KafkaSettings,
}

impl Options {
    /// # Errors
    /// The first setting that is missing or malformed. The error quotes nothing that may be a secret.
    pub fn settings(&self) -> Result<Settings, SettingError> {
        let listen = self.listen;
        let operations_listen =
            operations::own_address(listen, self.operations_listen, OPERATIONS_LISTEN);
        let trusted_proxies = self.trusted_proxies.clone().unwrap_or_default();
        let cleartext = self.cleartext.allowed();
        let database = self.database.dsn_for("SYNC_DATABASE_URL", &cleartext)?;
        let keys = self.keys()?;
        let kafka = self.kafka.settings(&cleartext)?.ok_or_else(|| {
            refusal(
                "KAFKA_BROKERS",
                "is missing: set it; without Kafka, `rondo up` includes live sync",
            )
        })?;
        Ok(Settings { listen, operations_listen, trusted_proxies, database, keys, kafka })
    }

    fn keys(&self) -> Result<Keys, SettingError> {
        const SECRET: &str = "JWT_SECRET";
        let own = self.jwt_public_keys.clone().unwrap_or_default().0;
        let file = self.jwt_secret_file.as_deref();
        let secret = match secret(SECRET, self.jwt_secret.as_deref(), file)? {
            None if !own.is_empty() => None,
            secret => {
                let key = HmacKey::new(required(SECRET, secret)?.as_bytes());
                Some(key.map_err(|error| refusal(SECRET, error))?)
            }
        };
        let provider = match self.oidc_issuer.clone() {
            Some(issuer) => Some(Provider {
                issuer,
                audience: self.oidc_audience.clone().ok_or_else(|| {
                    let reason =
                        "is missing: with OIDC_ISSUER, set it to the name that tokens must contain";
                    refusal("OIDC_AUDIENCE", reason)
                })?,
                default_scopes: self.oidc_default_scopes.unwrap_or(Scopes::TASKS),
            }),
            None => None,
        };
        Ok(Keys { secret, own, provider })
    }
}

/// Parses OIDC_DEFAULT_SCOPES.
///
/// # Errors
/// If it names a scope that a user cannot delegate.
pub fn default_scopes(text: &str) -> Result<Scopes, Violation> {
    Scopes::of_request(text.split_ascii_whitespace())
}

fn address(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse().map_err(|_| "must be an IP address and a port, such as 127.0.0.1:3002")
}

#[cfg(test)]
mod tests {
    use rondo_telemetry::log::LogFormat;

    use super::*;

    fn database(url: &str) -> DatabaseOptions {
        DatabaseOptions { database_url: Some(url.into()), database_url_file: None }
    }

    #[test]
    fn faults_are_named_and_not_quoted() {
        let good = || Options {
            listen: "127.0.0.1:0".parse().unwrap(),
            operations_listen: None,
            trusted_proxies: None,
            cleartext: CleartextOption::default(),
            log: LogOption { log_format: LogFormat::Auto },
            database: database("postgres://rondo_sync:hunter2@localhost/rondo"),
            jwt_secret: Some("s".repeat(32).into()),
            jwt_secret_file: None,
            jwt_public_keys: None,
            oidc_issuer: None,
            oidc_audience: None,
            oidc_default_scopes: None,
            kafka: KafkaOptions { kafka_brokers: Some("h:9092".to_owned()), ..Default::default() },
        };
        assert!(good().settings().is_ok());
        let check = |change: fn(&mut Options), setting: &str| {
            let mut options = good();
            change(&mut options);
            let error = options.settings().err().unwrap();
            assert_eq!(error.setting, setting, "{error}");
            assert!(!error.to_string().contains("hunter2"), "{error}");
        };
        check(|options| options.database = DatabaseOptions::default(), "DATABASE_URL");
        check(|options| options.database = database("hunter2"), "DATABASE_URL");
        check(|options| options.database = database("postgres://u:hunter2@h/d"), "DATABASE_URL");
        check(|options| options.jwt_secret = Some(OsString::new()), "JWT_SECRET");
        check(|options| options.jwt_secret = Some("hunter2".into()), "JWT_SECRET");
        check(|options| options.jwt_secret_file = Some("/key".into()), "JWT_SECRET");
        check(|options| options.oidc_issuer = Some("https://id".to_owned()), "OIDC_AUDIENCE");
        check(|options| options.kafka = KafkaOptions::default(), "KAFKA_BROKERS");
    }
    #[test]
    fn default_scopes_are_those_that_a_user_can_delegate() {
        assert_eq!(
            default_scopes("tasks:read  audit:read").unwrap().to_string(),
            "tasks:read audit:read"
        );
        assert!(default_scopes("tasks:read admin").is_err());
    }
}
