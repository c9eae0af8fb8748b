//! `KAFKA_…` settings, checked before anything connects.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use rdkafka::ClientConfig;
use rondo_setting::{Cleartext, Service, SettingError, refusal, secret};

const PASSWORD: &str = "KAFKA_PASSWORD";

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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SecurityProtocol {
    #[default]
    Plaintext,
    Ssl,
    SaslPlaintext,
    SaslSsl,
}

/// `KAFKA_SASL_MECHANISM`, by Kafka's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SaslMechanism {
    Plain,
    ScramSha256,
    #[default]
    ScramSha512,
}

/// Who logs in. `Debug` leaves the password out.
#[derive(Clone, PartialEq, Eq)]
pub struct SaslLogin {
    pub mechanism: SaslMechanism,
    pub username: String,
    pub password: String,
}

/// The settings as options of a program. An empty value counts as absent, so that a compose file
/// can pass on what is not set.
#[derive(Clone, Default, clap::Args)]
#[command(next_help_heading = "Kafka")]
pub struct KafkaOptions {
    /// Brokers to start from, host:port, separated by commas
    #[arg(long, env = "KAFKA_BROKERS", value_name = "HOST:PORT,…")]
    pub kafka_brokers: Option<String>,
    /// PLAINTEXT (default), SSL, SASL_PLAINTEXT or SASL_SSL
    #[arg(long, env = "KAFKA_SECURITY_PROTOCOL", value_name = "PROTOCOL")]
    pub kafka_security_protocol: Option<String>,
    /// PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512 (default)
    #[arg(long, env = "KAFKA_SASL_MECHANISM", value_name = "MECHANISM")]
    pub kafka_sasl_mechanism: Option<String>,
    /// User for SASL
    #[arg(long, env = "KAFKA_USERNAME", value_name = "USER")]
    pub kafka_username: Option<String>,
    #[arg(skip = rondo_setting::environment(PASSWORD))]
    pub kafka_password: Option<OsString>,
    /// File with the password for SASL; KAFKA_PASSWORD may have it itself
    #[arg(long, env = "KAFKA_PASSWORD_FILE", value_name = "FILE")]
    pub kafka_password_file: Option<PathBuf>,
    /// PEM file of the certificate authorities to trust instead of the system's
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
            .set("security.protocol", self.security_protocol.as_str())
            .set("client.id", "rondo");
        if self.security_protocol.is_tls() {
            // librdkafka has OpenSSL built in, whose own default places are those of the machine
            // that built it; "probe" looks where Linux distributions and Homebrew keep theirs.
            let ca = self.ca.as_ref().map_or("probe".into(), |path| path.to_string_lossy());
            config.set("ssl.ca.location", ca);
        }
        if let Some(login) = &self.login {
            config
                .set("sasl.mechanism", login.mechanism.as_str())
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
        let Some(brokers) = given(self.kafka_brokers.as_ref()) else {
            return self.refuse_any(ca.is_some());
        };
        let brokers = brokers_of(brokers)?;
        let protocol = match given(self.kafka_security_protocol.as_ref()) {
            Some(name) => SecurityProtocol::parse(name)?,
            None => SecurityProtocol::default(),
        };
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
        let mechanism = given(self.kafka_sasl_mechanism.as_ref());
        let username = given(self.kafka_username.as_ref());
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
        let mechanism = mechanism.map(SaslMechanism::parse).transpose()?.unwrap_or_default();
        let Some(username) = username else {
            return refused("KAFKA_USERNAME", "is needed with SASL: set it");
        };
        let Some(password) = password else {
            return refused(PASSWORD, "is needed with SASL: set it");
        };
        Ok(Some(SaslLogin { mechanism, username: username.to_owned(), password }))
    }

    fn password(&self) -> Result<Option<String>, SettingError> {
        secret(PASSWORD, self.kafka_password.as_deref(), self.kafka_password_file.as_deref())
    }

    fn refuse_any(&self, has_ca: bool) -> Result<Option<KafkaSettings>, SettingError> {
        let lonely = [
            ("KAFKA_SECURITY_PROTOCOL", given(self.kafka_security_protocol.as_ref()).is_some()),
            ("KAFKA_SASL_MECHANISM", given(self.kafka_sasl_mechanism.as_ref()).is_some()),
            ("KAFKA_USERNAME", given(self.kafka_username.as_ref()).is_some()),
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
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Plaintext => "PLAINTEXT",
            Self::Ssl => "SSL",
            Self::SaslPlaintext => "SASL_PLAINTEXT",
            Self::SaslSsl => "SASL_SSL",
        }
    }

    #[must_use]
    pub const fn is_tls(self) -> bool {
        matches!(self, Self::Ssl | Self::SaslSsl)
    }

    #[must_use]
    pub const fn is_sasl(self) -> bool {
        matches!(self, Self::SaslPlaintext | Self::SaslSsl)
    }

    fn parse(name: &str) -> Result<Self, SettingError> {
        [Self::Plaintext, Self::Ssl, Self::SaslPlaintext, Self::SaslSsl]
            .into_iter()
            .find(|protocol| protocol.as_str().eq_ignore_ascii_case(name))
            .ok_or_else(|| {
                let reason =
                    format!("{name:?} is none of PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL");
                refusal("KAFKA_SECURITY_PROTOCOL", reason)
            })
    }
}

impl SaslMechanism {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
        }
    }

    fn parse(name: &str) -> Result<Self, SettingError> {
        [Self::Plain, Self::ScramSha256, Self::ScramSha512]
            .into_iter()
            .find(|mechanism| mechanism.as_str().eq_ignore_ascii_case(name))
            .ok_or_else(|| {
                let reason = format!("{name:?} is none of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512");
                refusal("KAFKA_SASL_MECHANISM", reason)
            })
    }
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
fn brokers_of(text: &str) -> Result<String, SettingError> {
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
            return refused("KAFKA_BROKERS", "must be host:port, several separated by commas");
        }
        brokers.push(broker);
    }
    Ok(brokers.join(","))
}

fn given(value: Option<&String>) -> Option<&str> {
    value.map(|value| value.trim()).filter(|value| !value.is_empty())
}

fn refused<T>(setting: &'static str, reason: impl ToString) -> Result<T, SettingError> {
    Err(refusal(setting, reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(words: &[(&str, &str)]) -> KafkaOptions {
        let of = |name: &str| {
            words.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        };
        KafkaOptions {
            kafka_brokers: of("BROKERS"),
            kafka_security_protocol: of("SECURITY_PROTOCOL"),
            kafka_sasl_mechanism: of("SASL_MECHANISM"),
            kafka_username: of("USERNAME"),
            kafka_password: of("PASSWORD").map(OsString::from),
            kafka_password_file: of("PASSWORD_FILE").map(PathBuf::from),
            kafka_ca: of("CA").map(PathBuf::from),
        }
    }

    #[test]
    fn what_is_set_reaches_the_client() {
        let ca = file!();
        let ca = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(ca);
        let ca = ca.to_str().unwrap();
        let settings = options(&[
            ("BROKERS", "a:1, [::1]:2 "),
            ("SECURITY_PROTOCOL", "sasl_ssl"),
            ("USERNAME", "u"),
            ("PASSWORD", "hunter2"),
            ("CA", ca),
        ])
        .settings(&Cleartext::default())
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
        let settings = |words| options(words).settings(&Cleartext::default());
        assert_eq!(settings(&[]), Ok(None));
        assert_eq!(settings(&[("BROKERS", " "), ("PASSWORD", "")]), Ok(None));
        // Nothing of it is secret.
        let plain = settings(&[("BROKERS", "a:1"), ("USERNAME", "")]);
        assert_eq!(plain, Ok(Some(KafkaSettings::plaintext("a:1"))));
    }

    #[test]
    fn a_password_stays_on_this_machine_or_goes_by_tls() {
        let settings = |brokers: &str, protocol: &str| {
            let words = [
                ("BROKERS", brokers),
                ("SECURITY_PROTOCOL", protocol),
                ("USERNAME", "u"),
                ("PASSWORD", "hunter2"),
            ];
            options(&words).settings(&Cleartext::default())
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
        let cases: [(&[(&str, &str)], &str); 12] = [
            (&[("BROKERS", "a")], "KAFKA_BROKERS"),
            (&[("BROKERS", "a:1,")], "KAFKA_BROKERS"),
            (&[("BROKERS", "a:0")], "KAFKA_BROKERS"),
            (&[("BROKERS", "::1:9092")], "KAFKA_BROKERS"),
            (&[("BROKERS", "kafka://a:1")], "KAFKA_BROKERS"),
            (&[("USERNAME", "u")], "KAFKA_BROKERS"),
            (&[("BROKERS", "a:1"), ("SECURITY_PROTOCOL", "TLS")], "KAFKA_SECURITY_PROTOCOL"),
            (&[("BROKERS", "a:1"), ("USERNAME", "u")], "KAFKA_USERNAME"),
            (&[("BROKERS", "a:1"), ("CA", "/x")], "KAFKA_CA"),
            (&[("BROKERS", "a:1"), ("SECURITY_PROTOCOL", "SSL"), ("CA", "/absent")], "KAFKA_CA"),
            (&[("BROKERS", "a:1"), ("SECURITY_PROTOCOL", "SASL_SSL"), ("USERNAME", "u")], PASSWORD),
            (&[("BROKERS", "a:1"), ("PASSWORD", "p"), ("PASSWORD_FILE", "/p")], PASSWORD),
        ];
        for (words, setting) in cases {
            let error = options(words).settings(&Cleartext::default()).unwrap_err();
            assert_eq!(error.setting, setting, "{words:?}: {error}");
        }
    }
}
