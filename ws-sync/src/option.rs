//! Settings of the program `rondo-sync`: options, each with its environment variable.

use std::net::SocketAddr;

use rondo_contract::token::key::read_document;
use rondo_contract::token::{HmacKey, Provider};
use rondo_database::Dsn;
use rondo_domain::access::Scopes;
use rondo_kafka::{KafkaOptions, KafkaSettings, SettingError};

use crate::credential::Keys;

/// As they were given. `Debug` is left out because secrets are among them.
#[derive(clap::Parser)]
#[command(
    name = "rondo-sync",
    version,
    about = "Pushes each change of a user's tasks to their devices over WebSockets, from Kafka's topic task-updates",
    after_help = rondo_telemetry::log::HELP
)]
pub struct Options {
    /// Address and port for WebSockets (/ws), /health and /metrics
    #[arg(
        long,
        env = "RONDO_LISTEN",
        default_value = "127.0.0.1:3002",
        value_name = "ADDRESS:PORT"
    )]
    pub listen: String,
    /// Postgres, as a role that may do what `rondo_sync` may: postgres://…
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub database_url: Option<String>,
    /// Postgres as role rondo_sync, as `rondo env` writes it; otherwise DATABASE_URL
    #[arg(long, env = "SYNC_DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub sync_database_url: Option<String>,
    /// The secret that access tokens are signed with; better given by the environment
    #[arg(long, env = "JWT_SECRET", hide_env_values = true, value_name = "SECRET")]
    pub jwt_secret: Option<String>,
    /// Instead of it, or beside it: public keys of access tokens, a JWKS document
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
    pub database: Dsn,
    pub keys: Keys,
    pub kafka: KafkaSettings,
}

impl Options {
    /// # Errors
    /// The first setting that is missing or malformed; none is ever quoted that may be a secret.
    pub fn settings(&self) -> Result<Settings, SettingError> {
        let listen = self.listen.parse().map_err(|_| SettingError {
            setting: "RONDO_LISTEN",
            reason: format!("{:?} is no address and port such as 127.0.0.1:3002", self.listen),
        })?;
        let (setting, url) = match given(self.sync_database_url.as_ref()) {
            Some(url) => ("SYNC_DATABASE_URL", url),
            None => ("DATABASE_URL", required("DATABASE_URL", self.database_url.as_ref())?),
        };
        let database =
            Dsn::parse(url).map_err(|error| SettingError { setting, reason: error.to_string() })?;
        let keys = self.keys()?;
        let kafka = self.kafka.settings()?.ok_or_else(|| SettingError {
            setting: "KAFKA_BROKERS",
            reason: "is missing; without Kafka, `rondo up` has sync in it".to_owned(),
        })?;
        Ok(Settings { listen, database, keys, kafka })
    }

    fn keys(&self) -> Result<Keys, SettingError> {
        let own = match given(self.jwt_public_keys.as_ref()) {
            Some(document) => read_document(document).map_err(|error| SettingError {
                setting: "JWT_PUBLIC_KEYS",
                reason: error.to_string(),
            })?,
            None => Vec::new(),
        };
        let secret = match given(self.jwt_secret.as_ref()) {
            None if !own.is_empty() => None,
            _ => {
                let secret = required("JWT_SECRET", self.jwt_secret.as_ref())?;
                Some(HmacKey::new(secret.as_bytes()).map_err(|error| SettingError {
                    setting: "JWT_SECRET",
                    reason: error.to_string(),
                })?)
            }
        };
        let provider = match given(self.oidc_issuer.as_ref()) {
            Some(issuer) => Some(Provider {
                issuer: issuer.to_owned(),
                audience: required("OIDC_AUDIENCE", self.oidc_audience.as_ref())?.to_owned(),
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
    Scopes::of_request(words).map_err(|violation| SettingError {
        setting: "OIDC_DEFAULT_SCOPES",
        reason: violation.to_string(),
    })
}

fn given(value: Option<&String>) -> Option<&str> {
    value.map(String::as_str).filter(|value| !value.trim().is_empty())
}

fn required<'a>(setting: &'static str, value: Option<&'a String>) -> Result<&'a str, SettingError> {
    given(value).ok_or_else(|| SettingError { setting, reason: "is missing: set it".to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_named_and_not_quoted() {
        let good = || Options {
            listen: "127.0.0.1:0".to_owned(),
            database_url: Some("postgres://rondo_sync:hunter2@localhost/rondo".to_owned()),
            sync_database_url: None,
            jwt_secret: Some("s".repeat(32)),
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
        check(|options| options.database_url = None, "DATABASE_URL");
        check(|options| options.database_url = Some("hunter2".to_owned()), "DATABASE_URL");
        check(|options| options.jwt_secret = Some(String::new()), "JWT_SECRET");
        check(|options| options.jwt_secret = Some("hunter2".to_owned()), "JWT_SECRET");
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
