//! Where a database is and who asks: a connection string (libpq, "Connection URIs" and "Keyword/Value
//! Connection Strings") that never shows its password.

use std::fmt;
use std::time::Duration;

use tokio_postgres::config::{Host, SslMode};

/// How long a connection may take to be made, in seconds, unless the string says otherwise.
pub const CONNECT_TIMEOUT_S: u64 = 5;

/// A connection string.
#[derive(Clone)]
pub struct Dsn(tokio_postgres::Config);

/// A connection string that cannot be read. Says nothing of its content.
#[derive(Debug, thiserror::Error)]
#[error("not a Postgres connection string such as postgres://user@host:5432/database: {0}")]
pub struct MalformedDsn(String);

impl std::str::FromStr for Dsn {
    type Err = MalformedDsn;

    fn from_str(text: &str) -> Result<Self, MalformedDsn> {
        let mut config: tokio_postgres::Config = text.parse().map_err(|error| {
            // The parser's own message can quote a value; its kind is enough.
            let _: tokio_postgres::Error = error;
            MalformedDsn("malformed".to_owned())
        })?;
        if config.get_hosts().is_empty() {
            return Err(MalformedDsn("no host".to_owned()));
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(Duration::from_secs(CONNECT_TIMEOUT_S));
        }
        Ok(Self(config))
    }
}

impl Dsn {
    /// A string for a server on this machine's loopback interface.
    #[must_use]
    pub fn loopback(port: u16, user: &str, password: &str, database: &str) -> Self {
        let mut config = tokio_postgres::Config::new();
        config
            .host("127.0.0.1")
            .port(port)
            .user(user)
            .password(password)
            .dbname(database)
            .ssl_mode(SslMode::Disable)
            .connect_timeout(Duration::from_secs(CONNECT_TIMEOUT_S));
        Self(config)
    }

    #[must_use]
    pub fn with_user(&self, user: &str, password: &str) -> Self {
        let mut config = self.0.clone();
        config.user(user).password(password);
        Self(config)
    }

    #[must_use]
    pub fn with_database(&self, database: &str) -> Self {
        let mut config = self.0.clone();
        config.dbname(database);
        Self(config)
    }

    /// The same login, acting as another role from the start of each connection.
    #[must_use]
    pub fn acting_as(&self, role: &str) -> Self {
        let mut config = self.0.clone();
        let options = match self.0.get_options() {
            Some(options) => format!("{options} -c role={role}"),
            None => format!("-c role={role}"),
        };
        config.options(options);
        Self(config)
    }

    #[must_use]
    pub fn config(&self) -> &tokio_postgres::Config {
        &self.0
    }

    #[must_use]
    pub fn database(&self) -> &str {
        self.0.get_dbname().or(self.0.get_user()).unwrap_or("postgres")
    }

    /// `host:port` of the first host, as an allowed outbound host names it.
    #[must_use]
    pub fn address(&self) -> String {
        let host = match self.0.get_hosts().first() {
            Some(Host::Tcp(host)) => host.clone(),
            #[cfg(unix)]
            Some(Host::Unix(path)) => path.display().to_string(),
            _ => "localhost".to_owned(),
        };
        format!("{host}:{}", self.0.get_ports().first().copied().unwrap_or(5432))
    }

    /// The string as a URI, password and all: for handing on, never for showing.
    #[must_use]
    pub fn expose(&self) -> String {
        let mut uri = String::from("postgres://");
        if let Some(user) = self.0.get_user() {
            uri.push_str(&encode(user));
            if let Some(password) = self.0.get_password() {
                uri.push(':');
                uri.push_str(&encode(&String::from_utf8_lossy(password)));
            }
            uri.push('@');
        }
        let address = self.address();
        let (host, port) = address.rsplit_once(':').unwrap_or((&address, "5432"));
        uri.push_str(&format!("{}:{port}/{}", encode_host(host), encode(self.database())));
        let ssl = match self.0.get_ssl_mode() {
            SslMode::Disable => "disable",
            SslMode::Require => "require",
            _ => "prefer",
        };
        uri.push_str(&format!("?sslmode={ssl}"));
        if let Some(timeout) = self.0.get_connect_timeout() {
            uri.push_str(&format!("&connect_timeout={}", timeout.as_secs().max(1)));
        }
        if let Some(options) = self.0.get_options() {
            uri.push_str(&format!("&options={}", encode(options)));
        }
        uri
    }
}

/// Shows who and where, not the password.
impl fmt::Display for Dsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "postgres://{}@{}/{}",
            self.0.get_user().unwrap_or(""),
            self.address(),
            self.database()
        )
    }
}

impl fmt::Debug for Dsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dsn({self})")
    }
}

/// Percent-encoding of all but the unreserved characters (RFC 3986, section 2.3).
fn encode(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(byte));
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
        out
    })
}

fn encode_host(host: &str) -> String {
    match host {
        host if host.starts_with('/') => encode(host),
        host if host.contains(':') => format!("[{host}]"),
        host => host.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "p@ss:w/rd?";

    #[test]
    fn shows_no_password_and_hands_it_on_whole() {
        let dsn = Dsn::loopback(5433, "rondo_audit", SECRET, "rondo").acting_as("r");
        for shown in [dsn.to_string(), format!("{dsn:?}")] {
            assert!(!shown.contains("p@ss"), "{shown}");
            assert!(shown.contains("rondo_audit@127.0.0.1:5433/rondo"), "{shown}");
        }
        let again: Dsn = dsn.expose().parse().unwrap();
        assert_eq!(again.config(), dsn.config());
        assert_eq!(again.config().get_password(), Some(SECRET.as_bytes()));
        assert_eq!(dsn.address(), "127.0.0.1:5433");
    }

    #[test]
    fn a_malformed_string_is_refused_without_quoting_it() {
        for text in ["postgres://u:hunter2@host:notaport/db", "user=a password=hunter2", "::"] {
            let error = text.parse::<Dsn>().unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
