//! Settings of the program `rondo-sync`: options, each with its environment variable.

use std::net::SocketAddr;

use rondo_contract::token::HmacKey;
use rondo_database::Dsn;
use rondo_kafka::{KafkaOptions, KafkaSettings, SettingError};

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
    /// The secret that access tokens are signed with; better given by the environment
    #[arg(long, env = "JWT_SECRET", hide_env_values = true, value_name = "SECRET")]
    pub jwt_secret: Option<String>,
    #[command(flatten)]
    pub kafka: KafkaOptions,
}

/// Checked settings.
pub struct Settings {
    pub listen: SocketAddr,
    pub database: Dsn,
    pub key: HmacKey,
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
        let database_url = required("DATABASE_URL", self.database_url.as_ref())?;
        let database = Dsn::parse(database_url)
            .map_err(|error| SettingError { setting: "DATABASE_URL", reason: error.to_string() })?;
        let secret = required("JWT_SECRET", self.jwt_secret.as_ref())?;
        let key = HmacKey::new(secret.as_bytes())
            .map_err(|error| SettingError { setting: "JWT_SECRET", reason: error.to_string() })?;
        let kafka = self.kafka.settings()?.ok_or_else(|| SettingError {
            setting: "KAFKA_BROKERS",
            reason: "is missing; without Kafka, `rondo up` has sync in it".to_owned(),
        })?;
        Ok(Settings { listen, database, key, kafka })
    }
}

fn required<'a>(setting: &'static str, value: Option<&'a String>) -> Result<&'a str, SettingError> {
    value
        .filter(|value| !value.trim().is_empty())
        .map(String::as_str)
        .ok_or_else(|| SettingError { setting, reason: "is missing: set it".to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_named_and_not_quoted() {
        let good = || Options {
            listen: "127.0.0.1:0".to_owned(),
            database_url: Some("postgres://rondo_sync:hunter2@localhost/rondo".to_owned()),
            jwt_secret: Some("s".repeat(32)),
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
        check(|options| options.kafka = KafkaOptions::default(), "KAFKA_BROKERS");
        check(|options| options.kafka.kafka_brokers = Some("nowhere".to_owned()), "KAFKA_BROKERS");
    }
}
