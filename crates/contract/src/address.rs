//! The client address that requests count towards. The host knows the peer of the connection.
//! `X-Forwarded-For` counts only as far as trusted proxies wrote it.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use ipnet::{IpNet, Ipv6Net};

/// Maximum number of `X-Forwarded-For` entries considered.
const HOPS_MAX: usize = 16;
/// Prefix length of an IPv6 household: what a provider usually assigns to one customer.
const HOUSEHOLD_V6_BITS: u8 = 64;

/// Trusted proxies, whose `X-Forwarded-For` counts: addresses, or networks such as `10.0.0.0/8`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TrustedProxies(Vec<IpNet>);

impl fmt::Display for TrustedProxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entries: Vec<_> = self.0.iter().map(IpNet::to_string).collect();
        f.write_str(&entries.join(","))
    }
}

/// A malformed list of proxies.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is neither an address nor a network such as 10.0.0.0/8")]
pub struct NoNetwork(String);

impl TrustedProxies {
    /// Parses a comma-separated list; an empty one trusts no proxy.
    ///
    /// # Errors
    /// The first malformed entry.
    pub fn parse(list: &str) -> Result<Self, NoNetwork> {
        let entries = list.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        let networks = entries.map(|entry| {
            let network = entry.parse().or_else(|_| entry.parse::<IpAddr>().map(IpNet::from));
            network.map_err(|_| NoNetwork(entry.to_owned()))
        });
        networks.collect::<Result<_, _>>().map(Self)
    }

    /// Whether an address is that of a trusted proxy. An IPv4-mapped IPv6 address counts as IPv4.
    #[must_use]
    pub fn contain(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }
}

/// The client that a connection counts towards before its first request is read. None for a peer that may be
/// a proxy and so stand for many clients: a trusted one, or one that is [near](is_near).
#[must_use]
pub fn of_connection(peer: IpAddr, trusted: &TrustedProxies) -> Option<String> {
    let is_proxy = is_near(peer) || trusted.contain(peer);
    if is_proxy { None } else { Some(household(peer.to_canonical())) }
}

/// Whether a peer that sends `X-Forwarded-For` is probably the operator's own proxy: it is on this machine or
/// in a private network (RFC 1918, RFC 4193).
#[must_use]
pub fn is_near(peer: IpAddr) -> bool {
    match peer.to_canonical() {
        IpAddr::V4(peer) => peer.is_loopback() || peer.is_private() || peer.is_link_local(),
        IpAddr::V6(peer) => {
            peer.is_loopback() || peer.is_unique_local() || peer.is_unicast_link_local()
        }
    }
}

/// The client that a request counts towards: the peer (`address` or `address:port`), or behind trusted
/// proxies the last address in `X-Forwarded-For` that is not theirs. An IPv6 client counts as its /64
/// network. None if the peer is unknown.
#[must_use]
pub fn client(peer: &str, forwarded_for: &str, trusted: &TrustedProxies) -> Option<String> {
    let mut client = address(peer)?;
    for hop in forwarded_for.rsplit(',').take(HOPS_MAX) {
        if !trusted.contain(client) {
            break;
        }
        match address(hop) {
            Some(address) => client = address,
            None => break,
        }
    }
    Some(household(client))
}

fn household(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => Ipv6Net::new_assert(address, HOUSEHOLD_V6_BITS).trunc().to_string(),
    }
}

/// Parses an address with or without a port. An IPv4-mapped IPv6 address becomes IPv4.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let address: IpAddr = bare
        .parse()
        .ok()
        .or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))?;
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_of_requests() {
        let check = |peer: &str, forwarded: &str, trusted: &str, expected: Option<&str>| {
            let trusted = TrustedProxies::parse(trusted).unwrap();
            assert_eq!(
                client(peer, forwarded, &trusted).as_deref(),
                expected,
                "{peer} {forwarded}"
            );
        };
        check("192.0.2.7:4711", "", "", Some("192.0.2.7"));
        check("192.0.2.7", "", "", Some("192.0.2.7"));
        check("[::ffff:192.0.2.7]:80", "", "", Some("192.0.2.7"));
        check("[2001:db8:1:2:3::4]:80", "", "", Some("2001:db8:1:2::/64"));
        check("", "", "", None);
        check("unix", "203.0.113.9", "10.0.0.0/8", None);
        // An entry that the client wrote itself does not count.
        check("192.0.2.7:1", "203.0.113.9", "", Some("192.0.2.7"));
        check("192.0.2.7:1", "203.0.113.9", "10.0.0.0/8", Some("192.0.2.7"));
        // A trusted proxy's entry counts; entries before it may be the client's invention.
        check("10.1.2.3:1", "198.51.100.1, 203.0.113.9", "10.0.0.0/8", Some("203.0.113.9"));
        check("10.1.2.3:1", "6.6.6.6, 203.0.113.9, 10.9.9.9", "10.0.0.0/8", Some("203.0.113.9"));
        check("10.1.2.3:1", "6.6.6.6, what?", "10.0.0.0/8", Some("10.1.2.3"));
        check("10.1.2.3:1", "", "10.0.0.0/8", Some("10.1.2.3"));
        check("[::1]:1", "2001:db8::9", "::1, 127.0.0.1", Some("2001:db8::/64"));
        check("10.1.2.3:1", "203.0.113.9:5555", "0.0.0.0/0", Some("203.0.113.9"));
    }

    #[test]
    fn lists_of_proxies() {
        assert_eq!(TrustedProxies::parse(" , ").unwrap(), TrustedProxies::default());
        let proxies = TrustedProxies::parse("10.0.0.0/8, ::1,fd00::/8").unwrap();
        assert_eq!(proxies.to_string(), "10.0.0.0/8,::1/128,fd00::/8");
        assert_eq!(TrustedProxies::parse(&proxies.to_string()), Ok(proxies));
        for bad in ["proxy", "10.0.0.0/33", "::/129", "10.0.0.0/x", "10.0.0/8"] {
            assert!(TrustedProxies::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn connections_count_by_address_except_those_of_proxies() {
        let trusted = TrustedProxies::parse("192.0.2.0/24").unwrap();
        let of = |peer: &str| of_connection(peer.parse().unwrap(), &trusted);
        assert_eq!(of("203.0.113.9").as_deref(), Some("203.0.113.9"));
        assert_eq!(of("::ffff:203.0.113.9").as_deref(), Some("203.0.113.9"));
        assert_eq!(of("2001:db8:1:2:3::4").as_deref(), Some("2001:db8:1:2::/64"));
        for proxy in ["192.0.2.7", "127.0.0.1", "10.0.0.7", "::1", "fd00::1"] {
            assert_eq!(of(proxy), None, "{proxy}");
        }
    }

    #[test]
    fn near_peers() {
        for near in ["127.0.0.1", "10.1.2.3", "192.168.0.9", "::1", "fd00::1", "::ffff:10.0.0.1"] {
            assert!(is_near(near.parse().unwrap()), "{near}");
        }
        for far in ["192.0.2.1", "8.8.8.8", "2001:db8::1"] {
            assert!(!is_near(far.parse().unwrap()), "{far}");
        }
    }
}
