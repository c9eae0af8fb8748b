//! Settings of the program `rondo-sync`: options, each with its environment variable, and secrets,
//! which are no options.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use rondo_contract::address::TrustedProxies;
use rondo_contract::token::check::Keys;
use rondo_contract::token::key::read_document;
use rondo_contract::token::{HmacKey, Provider};
use rondo_database::{DatabaseOptions, Dsn};
use rondo_domain::access::Scopes;
use rondo_kafka::{KafkaOptions, KafkaSettings};
use rondo_setting::{CleartextOption, SettingError, environment, given, refusal, required, secret};
use rondo_telemetry::operations;

/// Where operators are served when the main listener is not on loopback.
const OPERATIONS_LISTEN: &str = "127.0.0.1:3010";

/// As they were given. `Debug` is left out because secrets are among them.
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
        value_name = "ADDRESS:PORT"
    )]
    pub listen: String,
    /// Address and port for operators, who have /metrics and the reasons of /health/ready there and nowhere
    /// else; otherwise at RONDO_LISTEN when that is on loopback, and at 127.0.0.1:3010 when it is not
    #[arg(long, env = operations::SETTING, value_name = "ADDRESS:PORT")]
    pub operations_listen: Option<String>,
    /// Proxies, which stand for many clients: addresses and networks, separated by commas. Those in
    /// private networks are known as such without
    #[arg(long, env = "TRUSTED_PROXIES", value_name = "LIST")]
    pub trusted_proxies: Option<String>,
    #[command(flatten)]
    pub cleartext: CleartextOption,
    #[command(flatten)]
    pub database: DatabaseOptions,
    #[arg(skip = environment("JWT_SECRET"))]
    pub jwt_secret: Option<OsString>,
    /// File with the secret that access tokens are signed with; JWT_SECRET may have it itself
    #[arg(long, env = "JWT_SECRET_FILE", value_name = "FILE")]
    pub jwt_secret_file: Option<PathBuf>,
    /// Instead of it, or beside it while one takes the place of the other: public keys of access
    /// tokens, a JWKS document
    #[arg(long, env = "JWT_PUBLIC_KEYS", value_name = "JWKS")]
    pub jwt_public_keys: Option<String>,
    /// OpenID provider whose tokens are accepted: their `iss`, to the letter
    #[arg(long, env = "OIDC_ISSUER", value_name = "URL")]
    pub oidc_issuer: Option<String>,
    /// What the `aud` of the provider's tokens has to name
    #[arg(long, env = "OIDC_AUDIENCE", value_name = "NAME")]
    pub oidc_audience: Option<String>,
    /// Scopes of a token of the provider that names none of ours, separated by spaces; otherwise
    /// tasks:read and tasks:write
    #[arg(long, env = "OIDC_DEFAULT_SCOPES", value_name = "SCOPES")]
    pub oidc_default_scopes: Option<String>,
    #[command(flatten)]
    pub kafka: KafkaOptions,
}

/// Checked settings.
pub struct Settings {
    pub listen: SocketAddr,
    /// Of a listener for operators alone; none when the other serves them too.
    pub operations_listen: Option<SocketAddr>,
    pub trusted_proxies: TrustedProxies,
    pub database: Dsn,
    pub keys: Keys,
    pub kafka: KafkaSettings,
}

impl Options {
    /// # Errors
    /// The first setting that is missing or malformed; none is ever quoted that may be a secret.
    pub fn settings(&self) -> Result<Settings, SettingError> {
        let listen = address("RONDO_LISTEN", &self.listen)?;
        let own =
            operations::own_address(listen, self.operations_listen.as_deref(), OPERATIONS_LISTEN);
        let operations_listen = own.map(|own| address(operations::SETTING, own)).transpose()?;
        let trusted_proxies = self.trusted_proxies.as_deref().unwrap_or_default();
        let trusted_proxies = TrustedProxies::parse(trusted_proxies)
            .map_err(|error| refusal("TRUSTED_PROXIES", error))?;
        let cleartext = self.cleartext.allowed()?;
        let database = self.database.dsn_for("SYNC_DATABASE_URL", &cleartext)?;
        let keys = self.keys()?;
        let kafka = self.kafka.settings(&cleartext)?.ok_or_else(|| {
            refusal("KAFKA_BROKERS", "is missing; without Kafka, `rondo up` has sync in it")
        })?;
        Ok(Settings { listen, operations_listen, trusted_proxies, database, keys, kafka })
    }

    fn keys(&self) -> Result<Keys, SettingError> {
        const SECRET: &str = "JWT_SECRET";
        let own = match given(self.jwt_public_keys.as_deref()) {
            Some(document) => {
                read_document(document).map_err(|error| refusal("JWT_PUBLIC_KEYS", error))?
            }
            None => Vec::new(),
        };
        let file = self.jwt_secret_file.as_deref();
        let secret = match secret(SECRET, self.jwt_secret.as_deref(), file)? {
            None if !own.is_empty() => None,
            secret => {
                let key = HmacKey::new(required(SECRET, secret)?.as_bytes());
                Some(key.map_err(|error| refusal(SECRET, error))?)
            }
        };
        let provider = match given(self.oidc_issuer.as_deref()) {
            Some(issuer) => Some(Provider {
                issuer: issuer.to_owned(),
                audience: required("OIDC_AUDIENCE", given(self.oidc_audience.as_deref()))?
                    .to_owned(),
                default_scopes: default_scopes(self.oidc_default_scopes.as_deref())?,
            }),
            None => None,
        };
        Ok(Keys { secret, own, provider })
    }
}

/// What OIDC_DEFAULT_SCOPES says.
///
/// # Errors
/// When it names a scope that a user cannot give away.
pub fn default_scopes(value: Option<&str>) -> Result<Scopes, SettingError> {
    let words: Vec<_> = value.unwrap_or_default().split_ascii_whitespace().collect();
    if words.is_empty() {
        return Ok(Scopes::TASKS);
    }
    Scopes::of_request(words).map_err(|violation| refusal("OIDC_DEFAULT_SCOPES", violation))
}

fn address(setting: &'static str, text: &str) -> Result<SocketAddr, SettingError> {
    text.parse().map_err(|_| {
        refusal(setting, format!("{text:?} is no address and port such as 127.0.0.1:3002"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database(url: &str) -> DatabaseOptions {
        DatabaseOptions { database_url: Some(url.into()), database_url_file: None }
    }

    #[test]
    fn what_is_wrong_is_named_and_not_quoted() {
        let good = || Options {
            listen: "127.0.0.1:0".to_owned(),
            operations_listen: None,
            trusted_proxies: None,
            cleartext: CleartextOption::default(),
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
        check(|options| options.listen = "3001".to_owned(), "RONDO_LISTEN");
        check(|options| options.operations_listen = Some("x".to_owned()), "OPERATIONS_LISTEN");
        check(|options| options.trusted_proxies = Some("x".to_owned()), "TRUSTED_PROXIES");
        check(|options| options.database = DatabaseOptions::default(), "DATABASE_URL");
        check(|options| options.database = database("hunter2"), "DATABASE_URL");
        check(|options| options.database = database("postgres://u:hunter2@h/d"), "DATABASE_URL");
        check(
            |options| options.cleartext.allow_cleartext = Some("all".to_owned()),
            "ALLOW_CLEARTEXT",
        );
        check(|options| options.jwt_secret = Some(OsString::new()), "JWT_SECRET");
        check(|options| options.jwt_secret = Some("hunter2".into()), "JWT_SECRET");
        check(|options| options.jwt_secret_file = Some("/key".into()), "JWT_SECRET");
        check(|options| options.jwt_public_keys = Some("[]".to_owned()), "JWT_PUBLIC_KEYS");
        check(|options| options.oidc_issuer = Some("https://id".to_owned()), "OIDC_AUDIENCE");
        check(
            |options| {
                options.oidc_issuer = Some("https://id".to_owned());
                options.oidc_audience = Some("rondo".to_owned());
                options.oidc_default_scopes = Some("tasks:read admin".to_owned());
            },
            "OIDC_DEFAULT_SCOPES",
        );
        check(|options| options.kafka = KafkaOptions::default(), "KAFKA_BROKERS");
        check(|options| options.kafka.kafka_brokers = Some("nowhere".to_owned()), "KAFKA_BROKERS");
    }
}
