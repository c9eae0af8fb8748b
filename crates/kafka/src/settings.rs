//! `KAFKA_…` settings, checked before anything connects.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use clap::ValueEnum;
use rdkafka::ClientConfig;
use rondo_setting::{Cleartext, Service, SettingError, refusal, secret};

const PASSWORD: &str = "KAFKA_PASSWORD";

/// First and longest pause before a client connects again, in milliseconds; it doubles. A broker that is back
/// is used that soon.
const RECONNECT_MS_MIN: &str = "50";
const RECONNECT_MS_MAX: &str = "500";

/// How the brokers are reached. Without `KAFKA_BROKERS` there is none of it, and any other of these
/// settings is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KafkaSettings {
    /// `host:port`, separated by commas: where the cluster is first asked for.
    pub brokers: String,
    pub security_protocol: SecurityProtocol,
    /// There if and only if the protocol is one of the SASL ones.
    pub login: Option<SaslLogin>,
    /// PEM file of the authorities to trust; without it, those of the system.
    pub ca: Option<PathBuf>,
}

/// `KAFKA_SECURITY_PROTOCOL`, by Kafka's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
#[value(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SecurityProtocol {
    #[default]
    Plaintext,
    Ssl,
    SaslPlaintext,
    SaslSsl,
}

/// `KAFKA_SASL_MECHANISM`, by Kafka's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum SaslMechanism {
    #[value(name = "PLAIN")]
    Plain,
    #[value(name = "SCRAM-SHA-256")]
    ScramSha256,
    #[default]
    #[value(name = "SCRAM-SHA-512")]
    ScramSha512,
}

/// Who logs in. `Debug` leaves the password out.
#[derive(Clone, PartialEq, Eq)]
pub struct SaslLogin {
    pub mechanism: SaslMechanism,
    pub username: String,
    pub password: String,
}

/// The settings as options of a program.
#[derive(Clone, Default, clap::Args)]
#[command(next_help_heading = "Kafka")]
pub struct KafkaOptions {
    /// Brokers to connect to first, comma-separated
    #[arg(long, env = "KAFKA_BROKERS", value_name = "HOST:PORT,…", value_parser = brokers_of)]
    pub kafka_brokers: Option<String>,
    /// Protocol of the brokers; PLAINTEXT unless set
    #[arg(long, env = "KAFKA_SECURITY_PROTOCOL", value_name = "PROTOCOL", ignore_case = true)]
    pub kafka_security_protocol: Option<SecurityProtocol>,
    /// SASL mechanism; SCRAM-SHA-512 unless set
    #[arg(long, env = "KAFKA_SASL_MECHANISM", value_name = "MECHANISM", ignore_case = true)]
    pub kafka_sasl_mechanism: Option<SaslMechanism>,
    /// User name for SASL
    #[arg(long, env = "KAFKA_USERNAME", value_name = "USER")]
    pub kafka_username: Option<String>,
    #[arg(skip = rondo_setting::environment(PASSWORD))]
    pub kafka_password: Option<OsString>,
    /// File with the password for SASL, instead of KAFKA_PASSWORD
    #[arg(long, env = "KAFKA_PASSWORD_FILE", value_name = "FILE")]
    pub kafka_password_file: Option<PathBuf>,
    /// PEM file of the certificate authorities to trust, instead of the system's
    #[arg(long, env = "KAFKA_CA", value_name = "FILE")]
    pub kafka_ca: Option<PathBuf>,
}

impl KafkaSettings {
    /// Plain text to these brokers, as a broker on the same machine takes it.
    #[must_use]
    pub fn plaintext(brokers: impl Into<String>) -> Self {
        Self {
            brokers: brokers.into(),
            security_protocol: SecurityProtocol::Plaintext,
            login: None,
            ca: None,
        }
    }

    /// A configuration that reaches the brokers and does nothing else.
    #[must_use]
    pub fn client_config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.brokers)
            .set("security.protocol", name(self.security_protocol))
            .set("client.id", "rondo")
            .set("reconnect.backoff.ms", RECONNECT_MS_MIN)
            .set("reconnect.backoff.max.ms", RECONNECT_MS_MAX)
            .set("socket.keepalive.enable", "true");
        if self.security_protocol.is_tls() {
            // librdkafka has OpenSSL built in, whose own default places are those of the machine
            // that built it; "probe" looks where Linux distributions and Homebrew keep theirs.
            let ca = self.ca.as_ref().map_or("probe".into(), |path| path.to_string_lossy());
            config.set("ssl.ca.location", ca);
        }
        if let Some(login) = &self.login {
            config
                .set("sasl.mechanism", name(login.mechanism))
                .set("sasl.username", &login.username)
                .set("sasl.password", &login.password);
        }
        config
    }
}

impl KafkaOptions {
    /// The settings, or none when no brokers are named.
    ///
    /// # Errors
    /// The first setting that is malformed, missing, or has no effect beside the others; a login
    /// that would be sent in the clear although that is not allowed.
    pub fn settings(&self, cleartext: &Cleartext) -> Result<Option<KafkaSettings>, SettingError> {
        let ca = self.kafka_ca.clone().filter(|path| !path.as_os_str().is_empty());
        let Some(brokers) = self.kafka_brokers.clone() else {
            return self.refuse_any(ca.is_some());
        };
        let protocol = self.kafka_security_protocol.unwrap_or_default();
        let login = self.login(protocol)?;
        if protocol.is_sasl() && !protocol.is_tls() {
            let hosts = brokers.split(',').filter_map(|broker| broker.rsplit_once(':'));
            let hosts = hosts.map(|(host, _)| host);
            let remedy = "set KAFKA_SECURITY_PROTOCOL to SASL_SSL";
            cleartext.check(Service::Kafka, "KAFKA_SECURITY_PROTOCOL", hosts, remedy)?;
        }
        if let Some(path) = &ca {
            if !protocol.is_tls() {
                return refused(
                    "KAFKA_CA",
                    "set KAFKA_SECURITY_PROTOCOL to SSL or SASL_SSL, or leave it out",
                );
            }
            if let Err(error) = std::fs::File::open(path) {
                return refused("KAFKA_CA", format!("cannot read {}: {error}", path.display()));
            }
        }
        Ok(Some(KafkaSettings { brokers, security_protocol: protocol, login, ca }))
    }

    fn login(&self, protocol: SecurityProtocol) -> Result<Option<SaslLogin>, SettingError> {
        let mechanism = self.kafka_sasl_mechanism;
        let username = self.kafka_username.as_ref();
        let password = self.password()?;
        if !protocol.is_sasl() {
            let unused = [
                ("KAFKA_SASL_MECHANISM", mechanism.is_some()),
                ("KAFKA_USERNAME", username.is_some()),
                (PASSWORD, password.is_some()),
            ];
            // A login that would silently not be used is worse than a start that fails.
            return match unused.iter().find(|(_, is_set)| *is_set) {
                Some((setting, _)) => refused(
                    setting,
                    "set KAFKA_SECURITY_PROTOCOL to SASL_SSL or SASL_PLAINTEXT, or leave it out",
                ),
                None => Ok(None),
            };
        }
        let mechanism = mechanism.unwrap_or_default();
        let Some(username) = username else {
            return refused("KAFKA_USERNAME", "is needed with SASL: set it");
        };
        let Some(password) = password else {
            return refused(PASSWORD, "is needed with SASL: set it");
        };
        Ok(Some(SaslLogin { mechanism, username: username.clone(), password }))
    }

    fn password(&self) -> Result<Option<String>, SettingError> {
        secret(PASSWORD, self.kafka_password.as_deref(), self.kafka_password_file.as_deref())
    }

    fn refuse_any(&self, has_ca: bool) -> Result<Option<KafkaSettings>, SettingError> {
        let lonely = [
            ("KAFKA_SECURITY_PROTOCOL", self.kafka_security_protocol.is_some()),
            ("KAFKA_SASL_MECHANISM", self.kafka_sasl_mechanism.is_some()),
            ("KAFKA_USERNAME", self.kafka_username.is_some()),
            (PASSWORD, self.password()?.is_some()),
            ("KAFKA_CA", has_ca),
        ];
        match lonely.iter().find(|(_, is_set)| *is_set) {
            Some((setting, _)) => refused(
                "KAFKA_BROKERS",
                format!("is missing, but {setting} is set: set both or neither"),
            ),
            None => Ok(None),
        }
    }
}

impl SecurityProtocol {
    #[must_use]
    pub const fn is_tls(self) -> bool {
        matches!(self, Self::Ssl | Self::SaslSsl)
    }

    #[must_use]
    pub const fn is_sasl(self) -> bool {
        matches!(self, Self::SaslPlaintext | Self::SaslSsl)
    }
}

/// Kafka's name of a protocol or mechanism, which is the setting's value too.
fn name(value: impl ValueEnum) -> String {
    value.to_possible_value().map(|name| name.get_name().to_owned()).unwrap_or_default()
}

impl fmt::Debug for SaslLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SaslLogin")
            .field("mechanism", &self.mechanism)
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for KafkaOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaOptions")
            .field("kafka_brokers", &self.kafka_brokers)
            .finish_non_exhaustive()
    }
}

/// `host:port` words, trimmed. A port is asked for because librdkafka's default would hide that it
/// was forgotten.
fn brokers_of(text: &str) -> Result<String, &'static str> {
    let mut brokers = Vec::new();
    for broker in text.split(',').map(str::trim) {
        let well_formed = broker.rsplit_once(':').is_some_and(|(host, port)| {
            let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
            !host.is_empty()
                && !host.contains(['/', '@', ' '])
                && (bare.is_some() || !host.contains(':'))
                && port.parse::<u16>().is_ok_and(|port| port > 0)
        });
        if !well_formed {
            return Err("must be host:port, several separated by commas");
        }
        brokers.push(broker);
    }
    Ok(brokers.join(","))
}

fn refused<T>(setting: &'static str, reason: impl ToString) -> Result<T, SettingError> {
    Err(refusal(setting, reason))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Program {
        #[command(flatten)]
        kafka: KafkaOptions,
    }

    /// The settings of these options, or the name of the one that is refused.
    fn settings(words: &[(&str, &str)]) -> Result<Option<KafkaSettings>, SettingError> {
        let value =
            |name: &str| words.iter().find(|(key, _)| *key == name).map(|(_, value)| *value);
        let arguments = words.iter().filter(|(key, _)| *key != "PASSWORD").map(|(key, value)| {
            format!("--kafka-{}={value}", key.to_lowercase().replace('_', "-"))
        });
        let program = Program::try_parse_from(std::iter::once("x".to_owned()).chain(arguments));
        let mut kafka = program.map_err(|error| refusal("option", error))?.kafka;
        kafka.kafka_password = value("PASSWORD").map(OsString::from);
        kafka.settings(&Cleartext::default())
    }

    #[test]
    fn what_is_set_reaches_the_client() {
        let ca = file!();
        let ca = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(ca);
        let ca = ca.to_str().unwrap();
        let settings = settings(&[
            ("BROKERS", "a:1, [::1]:2 "),
            ("SECURITY_PROTOCOL", "sasl_ssl"),
            ("USERNAME", "u"),
            ("PASSWORD", "hunter2"),
            ("CA", ca),
        ])
        .unwrap()
        .unwrap();
        let config = settings.client_config();
        for (key, value) in [
            ("bootstrap.servers", "a:1,[::1]:2"),
            ("security.protocol", "SASL_SSL"),
            ("sasl.mechanism", "SCRAM-SHA-512"),
            ("sasl.username", "u"),
            ("sasl.password", "hunter2"),
            ("ssl.ca.location", ca),
        ] {
            assert_eq!(config.get(key), Some(value), "{key}");
        }
        assert!(!format!("{settings:?}").contains("hunter2"), "{settings:?}");
        // librdkafka itself accepts each key, so its build has TLS and SCRAM.
        assert!(config.create_native_config().is_ok());
    }

    #[test]
    fn without_brokers_there_is_no_kafka() {
        assert_eq!(settings(&[]), Ok(None));
        assert_eq!(settings(&[("PASSWORD", "")]), Ok(None));
        let plain = settings(&[("BROKERS", "a:1")]);
        assert_eq!(plain, Ok(Some(KafkaSettings::plaintext("a:1"))));
    }

    #[test]
    fn a_password_stays_on_this_machine_or_goes_by_tls() {
        let settings = |brokers: &str, protocol: &str| {
            settings(&[
                ("BROKERS", brokers),
                ("SECURITY_PROTOCOL", protocol),
                ("USERNAME", "u"),
                ("PASSWORD", "hunter2"),
            ])
        };
        for local in ["localhost:1", "127.0.0.1:1,[::1]:2"] {
            assert!(settings(local, "SASL_PLAINTEXT").is_ok(), "{local}");
        }
        assert!(settings("broker:1", "SASL_SSL").is_ok());
        let error = settings("localhost:1,broker:2", "SASL_PLAINTEXT").unwrap_err();
        assert_eq!(error.setting, "KAFKA_SECURITY_PROTOCOL");
        assert!(error.reason.contains("broker without TLS"), "{error}");
        assert!(error.reason.contains("ALLOW_CLEARTEXT=kafka"), "{error}");
    }

    #[test]
    fn what_is_refused_is_named() {
        for brokers in ["a", "a:1,", "a:0", "::1:9092", "kafka://a:1"] {
            assert!(brokers_of(brokers).is_err(), "{brokers}");
        }
        let cases: [(&[(&str, &str)], &str); 7] = [
            (&[("USERNAME", "u")], "KAFKA_BROKERS"),
            (&[("BROKERS", "a:1"), ("SECURITY_PROTOCOL", "TLS")], "option"),
            (&[("BROKERS", "a:1"), ("USERNAME", "u")], "KAFKA_USERNAME"),
            (&[("BROKERS", "a:1"), ("CA", "/x")], "KAFKA_CA"),
            (&[("BROKERS", "a:1"), ("SECURITY_PROTOCOL", "SSL"), ("CA", "/absent")], "KAFKA_CA"),
            (&[("BROKERS", "a:1"), ("SECURITY_PROTOCOL", "SASL_SSL"), ("USERNAME", "u")], PASSWORD),
            (&[("BROKERS", "a:1"), ("PASSWORD", "p"), ("PASSWORD_FILE", "/p")], PASSWORD),
        ];
        for (words, setting) in cases {
            let error = settings(words).unwrap_err();
            assert_eq!(error.setting, setting, "{words:?}: {error}");
        }
    }
}
