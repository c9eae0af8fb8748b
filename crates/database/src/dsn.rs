//! The address, login and options of a database: libpq's connection strings, with the password kept out of
//! every log.

mod tls_word;

use std::{fmt, path::PathBuf, str::FromStr, time::Duration};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tokio_postgres::{
    Config,
    config::{ChannelBinding, Host, LoadBalanceHosts, SslMode, SslNegotiation, TargetSessionAttrs},
};

use crate::timeout::bound;

/// Postgres's registered port.
const PORT_DEFAULT: u16 = 5432;

/// A parsed connection string: a URL (`postgres://user:password@host:port/dbname?sslmode=…`) or
/// `key=value` words, as in libpq's documentation, section "Connection Strings".
///
/// `Display` and `Debug` show user, host, port and database, never the password; only [`Dsn::expose_url`]
/// returns the whole text.
#[derive(Clone, PartialEq, Eq)]
pub struct Dsn {
    config: Config,
    tls_mode: TlsMode,
    root_certificate: Option<PathBuf>,
}

/// `sslmode`. Unlike libpq's, `require` also verifies the server, as in Spin; encryption without verification
/// is `prefer`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsMode {
    /// No TLS.
    Disable,
    /// TLS if the server offers it, without verifying the server; the default, as in libpq.
    Prefer,
    /// TLS, or no connection. Chain and name are verified, against `sslrootcert`, `SSL_CERT_FILE` or
    /// Mozilla's roots.
    Require,
    /// The same as `require`; `verify-ca` also means this.
    VerifyFull,
}

impl TlsMode {
    /// Whether connections without TLS are impossible.
    #[must_use]
    pub const fn is_certain(self) -> bool {
        matches!(self, Self::Require | Self::VerifyFull)
    }
}

/// Why a connection string is refused. Never quotes the string.
#[derive(Debug, thiserror::Error)]
pub enum DsnError {
    #[error(
        "not a Postgres connection string (postgres://user:password@host:port/dbname or key=value words)"
    )]
    Malformed(#[source] tokio_postgres::Error),
    #[error("sslmode is one of disable, prefer, require, verify-ca, verify-full")]
    TlsMode,
    #[error("the connection string names no host")]
    NoHost,
    #[error("the connection string has a quote that is not closed or a word without `=`")]
    Words,
}

impl Dsn {
    pub fn parse(text: &str) -> Result<Self, DsnError> {
        let text = text.trim();
        // tokio-postgres supports neither verify-full nor sslrootcert, so TLS words are read here.
        let (rest, words) = if text.starts_with("postgres://") || text.starts_with("postgresql://")
        {
            tls_word::split_url(text)
        } else {
            tls_word::split_words(text)?
        };
        let mut tls_mode = TlsMode::Prefer;
        let mut root_certificate = None;
        for (key, value) in words {
            match (key.as_str(), value.as_str()) {
                ("sslrootcert", path) => root_certificate = Some(PathBuf::from(path)),
                (_, "disable") => tls_mode = TlsMode::Disable,
                (_, "prefer") => tls_mode = TlsMode::Prefer,
                (_, "require") => tls_mode = TlsMode::Require,
                (_, "verify-ca" | "verify-full") => tls_mode = TlsMode::VerifyFull,
                _ => return Err(DsnError::TlsMode),
            }
        }
        let mut config: Config = rest.parse().map_err(DsnError::Malformed)?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(DsnError::NoHost);
        }
        if config.get_ports().is_empty() {
            config.port(PORT_DEFAULT);
        }
        config.ssl_mode(tls_mode.into());
        Ok(Self { config, tls_mode, root_certificate })
    }

    /// Builds a DSN from its parts, for TCP without TLS (the private server's loopback).
    pub fn loopback(port: u16, user: &str, password: &str, dbname: &str) -> Self {
        let mut config = Config::new();
        config
            .host("127.0.0.1")
            .port(port)
            .user(user)
            .password(password)
            .dbname(dbname)
            .ssl_mode(SslMode::Disable);
        Self { config, tls_mode: TlsMode::Disable, root_certificate: None }
    }

    #[must_use]
    pub fn with_user(mut self, user: &str, password: &str) -> Self {
        self.config.user(user).password(password);
        self
    }

    #[must_use]
    pub fn with_dbname(mut self, dbname: &str) -> Self {
        self.config.dbname(dbname);
        self
    }

    #[must_use]
    pub fn with_application_name(mut self, name: &str) -> Self {
        self.config.application_name(name);
        self
    }

    /// Adds words to the server's command-line options, for example `-c role=rondo_sync`.
    #[must_use]
    pub fn with_options(mut self, options: &str) -> Self {
        let joined = match self.config.get_options() {
            Some(present) if !present.is_empty() => format!("{present} {options}"),
            _ => options.to_owned(),
        };
        self.config.options(joined);
        self
    }

    /// The first host: a name, an address, or the folder of a Unix socket.
    pub fn host(&self) -> String {
        match (self.config.get_hosts().first(), self.config.get_hostaddrs().first()) {
            (Some(Host::Tcp(name)), _) => name.clone(),
            #[cfg(unix)]
            (Some(Host::Unix(path)), _) => path.display().to_string(),
            (None, Some(address)) => address.to_string(),
            (None, None) => unreachable!("parse and loopback set a host"),
        }
    }

    /// The first port; 5432 by default.
    pub fn port(&self) -> u16 {
        self.config.get_ports().first().copied().unwrap_or(PORT_DEFAULT)
    }

    /// `host:port`, as in a URL, if it is the only address and not a Unix socket: what a component can reach.
    pub fn tcp_address(&self) -> Option<String> {
        match (self.config.get_hosts(), self.config.get_hostaddrs()) {
            ([Host::Tcp(_)], []) => Some(self.authority()),
            _ => None,
        }
    }

    /// The DSN for Spin, which supports few words. There, `require` verifies chain and name against the
    /// system's authorities, and so does `prefer` if the server has TLS; so `prefer` becomes `require`, or
    /// `disable` on this machine. A timeout is set, so that a dead server is noticed.
    #[must_use]
    pub fn for_spin(mut self) -> Self {
        self.tls_mode = match self.tls_mode {
            TlsMode::Prefer if self.is_on_this_machine() => TlsMode::Disable,
            TlsMode::Disable => TlsMode::Disable,
            TlsMode::Prefer | TlsMode::Require | TlsMode::VerifyFull => TlsMode::Require,
        };
        self.config.ssl_mode(self.tls_mode.into());
        self.root_certificate = None;
        bound(&mut self.config);
        self
    }

    fn is_on_this_machine(&self) -> bool {
        self.addresses().iter().all(|(host, _)| rondo_setting::is_this_machine(host))
    }

    /// All addresses of a connection, hosts and `hostaddr`s, each with its port.
    pub fn addresses(&self) -> Vec<(String, u16)> {
        let name = |host: &Host| match host {
            Host::Tcp(name) => name.clone(),
            #[cfg(unix)]
            Host::Unix(path) => path.display().to_string(),
        };
        let ports = self.config.get_ports();
        let port = |at: usize| ports.get(at).or(ports.first()).copied().unwrap_or(PORT_DEFAULT);
        let hosts = self.config.get_hosts().iter().map(name).enumerate();
        let numbers = self.config.get_hostaddrs().iter().map(ToString::to_string).enumerate();
        hosts.chain(numbers).map(|(at, host)| (host, port(at))).collect()
    }

    /// The user. libpq's default, the operating system's user, does not apply.
    pub fn user(&self) -> Option<&str> {
        self.config.get_user()
    }

    /// The database. The server's default has the user's name.
    pub fn dbname(&self) -> Option<&str> {
        self.config.get_dbname().or_else(|| self.config.get_user())
    }

    pub fn tls_mode(&self) -> TlsMode {
        self.tls_mode
    }

    /// `sslrootcert`: a PEM file of certificates to trust instead of Mozilla's roots.
    pub fn root_certificate(&self) -> Option<&PathBuf> {
        self.root_certificate.as_ref()
    }

    /// The configuration for tokio-postgres.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The whole DSN as a URL with the password, for a component's variable or a mode-0600 file, never for a
    /// log.
    pub fn expose_url(&self) -> String {
        let mut url = String::from("postgres://");
        if let Some(user) = self.config.get_user() {
            url.push_str(&encode(user));
            if let Some(password) = self.config.get_password() {
                url.push(':');
                url.push_str(&encode(&String::from_utf8_lossy(password)));
            }
            url.push('@');
        }
        url.push_str(&self.authority());
        if let Some(dbname) = self.config.get_dbname() {
            url.push('/');
            url.push_str(&encode(dbname));
        }
        let query: Vec<String> = self
            .query()
            .into_iter()
            .map(|(key, value)| format!("{key}={}", encode(&value)))
            .collect();
        if !query.is_empty() {
            url.push('?');
            url.push_str(&query.join("&"));
        }
        url
    }

    fn authority(&self) -> String {
        let ports = self.config.get_ports();
        let port = |place: usize| {
            ports.get(place).or_else(|| ports.first()).map(|port| format!(":{port}"))
        };
        let hosts = self.config.get_hosts().iter().enumerate().map(|(place, host)| {
            let name = match host {
                Host::Tcp(name) if name.contains(':') => format!("[{name}]"),
                Host::Tcp(name) => encode(name),
                #[cfg(unix)]
                Host::Unix(path) => encode(&path.display().to_string()),
            };
            name + &port(place).unwrap_or_default()
        });
        hosts.collect::<Vec<_>>().join(",")
    }

    /// The query of the URL: everything that differs from its default.
    fn query(&self) -> Vec<(&'static str, String)> {
        let config = &self.config;
        let mut query = Vec::new();
        let mut add = |key, value: Option<String>| query.extend(value.map(|value| (key, value)));
        let seconds = |duration: &Duration| duration.as_secs().to_string();
        let addresses: Vec<String> =
            config.get_hostaddrs().iter().map(ToString::to_string).collect();
        add("hostaddr", (!addresses.is_empty()).then(|| addresses.join(",")));
        add("port", (config.get_hosts().is_empty()).then(|| self.port().to_string()));
        add("sslmode", Some(self.tls_mode.to_string()));
        add("sslrootcert", self.root_certificate.as_ref().map(|path| path.display().to_string()));
        let direct = config.get_ssl_negotiation() == SslNegotiation::Direct;
        add("sslnegotiation", direct.then(|| "direct".to_owned()));
        add("application_name", config.get_application_name().map(str::to_owned));
        add("options", config.get_options().map(str::to_owned));
        add("connect_timeout", config.get_connect_timeout().map(seconds));
        add("tcp_user_timeout", config.get_tcp_user_timeout().map(seconds));
        add("keepalives", (!config.get_keepalives()).then(|| "0".to_owned()));
        let idle = config.get_keepalives_idle();
        add(
            "keepalives_idle",
            (idle != Config::new().get_keepalives_idle()).then(|| seconds(&idle)),
        );
        add("keepalives_interval", config.get_keepalives_interval().as_ref().map(seconds));
        add("keepalives_retries", config.get_keepalives_retries().map(|count| count.to_string()));
        let attributes = match config.get_target_session_attrs() {
            TargetSessionAttrs::ReadWrite => Some("read-write"),
            TargetSessionAttrs::ReadOnly => Some("read-only"),
            _ => None,
        };
        add("target_session_attrs", attributes.map(str::to_owned));
        let binding = match config.get_channel_binding() {
            ChannelBinding::Disable => Some("disable"),
            ChannelBinding::Require => Some("require"),
            _ => None,
        };
        add("channel_binding", binding.map(str::to_owned));
        let random = config.get_load_balance_hosts() == LoadBalanceHosts::Random;
        add("load_balance_hosts", random.then(|| "random".to_owned()));
        query
    }
}

impl FromStr for Dsn {
    type Err = DsnError;

    fn from_str(text: &str) -> Result<Self, DsnError> {
        Self::parse(text)
    }
}

impl fmt::Display for Dsn {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("postgres://")?;
        if let Some(user) = self.user() {
            write!(formatter, "{user}@")?;
        }
        write!(formatter, "{}:{}", self.host(), self.port())?;
        match self.config.get_dbname() {
            Some(dbname) => write!(formatter, "/{dbname}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Dsn {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Dsn({self})")
    }
}

impl fmt::Display for TlsMode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Disable => "disable",
            Self::Prefer => "prefer",
            Self::Require => "require",
            Self::VerifyFull => "verify-full",
        })
    }
}

impl From<TlsMode> for SslMode {
    fn from(mode: TlsMode) -> Self {
        match mode {
            TlsMode::Disable => Self::Disable,
            TlsMode::Prefer => Self::Prefer,
            TlsMode::Require | TlsMode::VerifyFull => Self::Require,
        }
    }
}

/// RFC 3986's unreserved characters stay unescaped.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

pub(crate) fn encode(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_is_listed() {
        let addresses = |text: &str| Dsn::parse(text).unwrap().addresses();
        let both = [("a".to_owned(), 1), ("b".to_owned(), 2)];
        assert_eq!(addresses("postgres://a:1,b:2/d"), both);
        let hidden = addresses("host=a hostaddr=10.0.0.1 port=7 user=u");
        assert_eq!(hidden, [("a".to_owned(), 7), ("10.0.0.1".to_owned(), 7)]);
        assert_eq!(addresses("host=/run/postgresql"), [("/run/postgresql".to_owned(), 5432)]);
    }

    #[test]
    fn only_the_exposed_url_shows_the_password() {
        for text in [
            "postgres://rondo:s3cr%40t@db.example:6432/rondo?sslmode=require&application_name=x",
            "host=db.example port=6432 user=rondo password='s3cr@t' dbname=rondo sslmode=require application_name=x",
        ] {
            let dsn = Dsn::parse(text).unwrap();
            assert_eq!(dsn.to_string(), "postgres://rondo@db.example:6432/rondo");
            assert_eq!(format!("{dsn:?}"), "Dsn(postgres://rondo@db.example:6432/rondo)");
            assert_eq!(
                dsn.expose_url(),
                "postgres://rondo:s3cr%40t@db.example:6432/rondo?sslmode=require&application_name=x"
            );
        }
    }

    #[test]
    fn the_exposed_url_parses_to_the_same() {
        for text in [
            "postgres://h/d",
            "postgres://u:p%2F%3F@h1:1,h2:2/d?target_session_attrs=read-write&connect_timeout=3",
            "postgres://u@[::1]:5/d?sslmode=verify-full&sslrootcert=%2Fetc%2Fca%20file.pem",
            "postgres://u@%2Fvar%2Frun%2Fpostgresql/d?options=-c%20role%3Dx",
            "host=/tmp user=u password='a b\\'c' options='-c a=b' keepalives=0 keepalives_idle=9",
            "hostaddr=127.0.0.1 port=7 user=u channel_binding=require load_balance_hosts=random",
        ] {
            let dsn = Dsn::parse(text).unwrap();
            assert_eq!(Dsn::parse(&dsn.expose_url()).unwrap(), dsn, "{text}");
        }
    }

    #[test]
    fn user_database_and_options_can_be_replaced() {
        let dsn = Dsn::parse("postgres://admin:old@h/d?options=-c%20a%3D1")
            .unwrap()
            .with_user("rondo_sync", "new")
            .with_dbname("e")
            .with_options("-c role=x");
        assert_eq!(
            dsn.expose_url(),
            "postgres://rondo_sync:new@h:5432/e?sslmode=prefer&options=-c%20a%3D1%20-c%20role%3Dx"
        );
    }

    #[test]
    fn errors_never_quote_the_string() {
        for (text, part) in [
            ("postgres://u:hunter2@h/d?sslmode=maybe", "sslmode"),
            ("postgres://u:hunter2@h:port/d", "port"),
            ("postgres://u:hunter2@h/d?colour=red", "colour"),
            ("user=u password=hunter2", "host"),
            ("host=h password='hunter2", "quote"),
            ("hunter2", "`=`"),
        ] {
            let error = Dsn::parse(text).unwrap_err();
            let shown = format!("{error} {error:?}");
            assert!(shown.contains(part), "{text}: {shown}");
            assert!(!shown.contains("hunter2"), "{shown}");
        }
    }

    #[test]
    fn spin_gets_only_words_that_it_supports() {
        let check = |url: &str, expected: &str| {
            let text = Dsn::parse(url).unwrap().for_spin().expose_url();
            let bounds = "connect_timeout=5&tcp_user_timeout=30&keepalives_idle=30";
            assert_eq!(text, format!("{expected}&{bounds}"), "{url}");
        };
        check("postgres://u:p@127.0.0.1:1/d", "postgres://u:p@127.0.0.1:1/d?sslmode=disable");
        check("postgres://u:p@db:1/d", "postgres://u:p@db:1/d?sslmode=require");
        check(
            "postgres://u:p@db:1/d?sslmode=verify-full&sslrootcert=/ca.pem",
            "postgres://u:p@db:1/d?sslmode=require",
        );
        check("postgres://u:p@db:1/d?sslmode=disable", "postgres://u:p@db:1/d?sslmode=disable");
    }

    #[test]
    fn components_reach_one_host_by_tcp() {
        let check = |url: &str, expected: Option<&str>| {
            assert_eq!(Dsn::parse(url).unwrap().tcp_address().as_deref(), expected, "{url}");
        };
        check("postgres://u@db/d", Some("db:5432"));
        check("postgres://u@[::1]:7/d", Some("[::1]:7"));
        check("postgres://u@a,b/d", None);
        check("postgres://u@%2Frun%2Fpostgresql/d", None);
        check("host=a hostaddr=10.0.0.1 user=u", None);
    }
}
