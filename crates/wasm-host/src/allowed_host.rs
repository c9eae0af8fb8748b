//! `allowed_outbound_hosts` of a component: the addresses that it may connect to.

/// The addresses that a component may reach. Of Spin's forms (`<scheme>://<host>[:<port>]`), those with
/// wildcards, networks, `self` and lists are refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedHosts(Vec<AllowedHost>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct AllowedHost {
    scheme: String,
    host: String,
    port: u16,
}

/// Why an entry is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("allowed_outbound_hosts: {entry:?} {reason}")]
pub struct AllowedHostError {
    entry: String,
    reason: &'static str,
}

impl AllowedHosts {
    /// Parses the entries, whose templates are filled.
    ///
    /// # Errors
    /// The first entry that is malformed or has an unsupported form.
    pub fn parse(entries: &[String]) -> Result<Self, AllowedHostError> {
        let parse = |entry: &String| {
            AllowedHost::parse(entry)
                .map_err(|reason| AllowedHostError { entry: entry.clone(), reason })
        };
        entries.iter().map(parse).collect::<Result<_, _>>().map(Self)
    }

    /// Whether an address of a scheme is listed.
    #[must_use]
    pub fn has(&self, scheme: &str) -> bool {
        self.0.iter().any(|host| host.scheme == scheme)
    }

    /// Whether one of the entries is this address.
    #[must_use]
    pub fn permits(&self, scheme: &str, host: &str, port: u16) -> bool {
        let host = host.to_ascii_lowercase();
        let wanted = AllowedHost { scheme: scheme.to_owned(), host, port };
        self.0.contains(&wanted)
    }
}

impl AllowedHost {
    fn parse(entry: &str) -> Result<Self, &'static str> {
        let (scheme, rest) = entry.trim().split_once("://").ok_or("has no scheme")?;
        if scheme.is_empty() || !scheme.chars().all(char::is_alphabetic) {
            return Err("has a scheme that is not supported");
        }
        // The last colon of an IPv6 address is within its brackets.
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, Some(port)),
            _ => (rest, None),
        };
        let port = port.map(|port| port.strip_suffix('/').unwrap_or(port));
        let host = host.strip_suffix('/').unwrap_or(host);
        let is_bracketed = host.starts_with('[') && host.ends_with(']');
        let host = if is_bracketed { &host[1..host.len() - 1] } else { host };
        if host.is_empty() || host.contains(['*', '{', '/', '@']) || host == "self" {
            return Err("has a host that is not supported");
        }
        if !is_bracketed && host.contains(':') {
            return Err("has an IPv6 address without brackets");
        }
        let port = match port {
            Some(port) => port.parse().map_err(|_| "has a port that is not supported")?,
            None => default_port(scheme).ok_or("needs a port")?,
        };
        Ok(Self { scheme: scheme.to_owned(), host: host.to_ascii_lowercase(), port })
    }
}

/// Spin's default ports.
fn default_port(scheme: &str) -> Option<u16> {
    Some(match scheme {
        "http" => 80,
        "https" => 443,
        "postgres" => 5432,
        "mysql" => 3306,
        "redis" => 6379,
        "mqtt" => 1883,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(entry: &str) -> Result<AllowedHosts, AllowedHostError> {
        AllowedHosts::parse(&[entry.to_owned()])
    }

    #[test]
    fn an_address_is_permitted_only_as_it_is_listed() {
        for (entry, scheme, host, port, expected) in [
            ("postgres://db:5433", "postgres", "db", 5433, true),
            ("postgres://db:5433", "postgres", "db", 5432, false),
            ("postgres://db:5433", "mysql", "db", 5433, false),
            ("postgres://db:5433", "postgres", "db2", 5433, false),
            ("postgres://DB.example:5433/", "postgres", "db.EXAMPLE", 5433, true),
            ("postgres://127.0.0.1", "postgres", "127.0.0.1", 5432, true),
            ("postgres://[::1]:5433", "postgres", "::1", 5433, true),
            ("postgres://[::1]", "postgres", "::1", 5432, true),
            ("https://api.example", "https", "api.example", 443, true),
            ("https://api.example", "http", "api.example", 443, false),
            ("https://api.example", "http", "api.example", 80, false),
            ("https://api.example", "https", "other.api.example", 443, false),
            ("http://127.0.0.1:11434", "http", "127.0.0.1", 11434, true),
            ("http://127.0.0.1:11434", "http", "localhost", 11434, false),
        ] {
            let allowed = parse(entry).unwrap();
            assert_eq!(allowed.permits(scheme, host, port), expected, "{entry} {host}:{port}");
        }
        assert!(!AllowedHosts::parse(&[]).unwrap().permits("postgres", "db", 5432));
    }

    #[test]
    fn unsupported_entries_are_named() {
        for (entry, reason) in [
            ("db:5432", "no scheme"),
            ("*://db:5432", "scheme"),
            ("postgres://*:5432", "host"),
            ("postgres://*.example:5432", "host"),
            ("postgres://10.0.0.0/8:5432", "host"),
            ("postgres://self", "host"),
            ("postgres://:5432", "host"),
            ("postgres://db:*", "port"),
            ("postgres://db:", "port"),
            ("postgres://db:99999", "port"),
            ("postgres://::1:5432", "brackets"),
            ("ftp://db", "port"),
            ("", "no scheme"),
            ("https://api.example/v1", "host"),
            ("https://u@api.example", "host"),
        ] {
            let error = parse(entry).unwrap_err().to_string();
            assert!(error.contains(entry) && error.contains(reason), "{error}");
        }
    }
}
