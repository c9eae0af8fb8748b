//! Webhook destinations: the URLs that a user may set, and the addresses that Rondo may connect to.
//!
//! A webhook makes a server inside an operator's network send requests to an address that a stranger chose.
//! The URL is checked when it is set, so that the user learns at once what is wrong with it. The protection
//! is the check of every resolved address before each connection.

// From core, whose types cannot open connections.
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

use crate::Violation;

/// Maximum length of a webhook's URL, in bytes.
pub const URL_BYTES_MAX: usize = 2_048;
/// Maximum length of a host name and of one label, in bytes (RFC 1035, section 2.3.4).
const HOST_BYTES_MAX: usize = 253;
const LABEL_BYTES_MAX: usize = 63;

const NO_URL: Violation =
    Violation::Malformed { expected: "an address such as https://example.org/hook" };
const NOT_BARE: Violation =
    Violation::Malformed { expected: "free of a user, a password and a fragment" };

/// Whether this machine may be a destination, for development.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loopback {
    Refused,
    Allowed,
}

impl From<bool> for Loopback {
    fn from(is_allowed: bool) -> Self {
        if is_allowed { Self::Allowed } else { Self::Refused }
    }
}

/// The host of a URL, as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    Name(String),
    Address(IpAddr),
}

/// A URL that requests may be sent to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    pub host: Host,
    pub port: u16,
    /// `http`, which only loopback allows.
    pub is_plain: bool,
    is_loopback: bool,
}

impl Destination {
    /// Parses an absolute URL (RFC 3986): `https`, or `http` to loopback where that is allowed.
    ///
    /// # Errors
    /// When it is malformed or too long, has user information or a fragment, or its host cannot be
    /// public.
    pub fn parse(url: &str, loopback: Loopback) -> Result<Self, Violation> {
        if url.is_empty() {
            return Err(Violation::Required);
        }
        if url.len() > URL_BYTES_MAX {
            return Err(Violation::TooLong { max: URL_BYTES_MAX });
        }
        if url.contains('#') {
            return Err(NOT_BARE);
        }
        // Parsers disagree on spaces, control characters, backslashes and non-ASCII characters, so none is
        // allowed.
        let is_plain_byte = |byte: u8| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte);
        if !url.bytes().all(is_plain_byte) {
            return Err(NO_URL);
        }
        let (scheme, rest) = url.split_once("://").ok_or(NO_URL)?;
        let authority = rest.split(['/', '?']).next().unwrap_or_default();
        if authority.contains('@') {
            return Err(NOT_BARE);
        }
        let (host, port) = host_and_port(authority)?;
        let is_plain = match scheme.to_ascii_lowercase().as_str() {
            "https" => false,
            "http" => true,
            _ => return Err(NO_URL),
        };
        let is_loopback = host.is_loopback();
        if is_loopback && loopback == Loopback::Refused {
            return Err(Violation::NotPublic);
        }
        if is_plain && !is_loopback {
            return Err(NO_URL);
        }
        if !is_loopback && !host.may_be_public() {
            return Err(Violation::NotPublic);
        }
        let port = port.unwrap_or(if is_plain { 80 } else { 443 });
        Ok(Self { host, port, is_plain, is_loopback })
    }

    /// Whether Rondo may connect to an address that the host resolves to. A loopback address is admitted only
    /// for a host that names loopback itself, so that no other name can resolve to this machine.
    #[must_use]
    pub fn admits(&self, address: IpAddr) -> bool {
        is_public(address) || (self.is_loopback && address.to_canonical().is_loopback())
    }
}

impl Host {
    fn is_loopback(&self) -> bool {
        match self {
            Self::Name(name) => name == "localhost" || name.ends_with(".localhost"),
            Self::Address(address) => address.to_canonical().is_loopback(),
        }
    }

    fn may_be_public(&self) -> bool {
        match self {
            Self::Name(name) => name.contains('.'),
            Self::Address(address) => is_public(*address),
        }
    }
}

fn host_and_port(authority: &str) -> Result<(Host, Option<u16>), Violation> {
    let (host, rest) = match authority.strip_prefix('[') {
        Some(literal) => {
            let (address, rest) = literal.split_once(']').ok_or(NO_URL)?;
            let address: Ipv6Addr = address.parse().map_err(|_| NO_URL)?;
            (Host::Address(address.into()), rest)
        }
        None => {
            let end = authority.find(':').unwrap_or(authority.len());
            (name_or_address(&authority[..end])?, &authority[end..])
        }
    };
    if rest.is_empty() {
        return Ok((host, None));
    }
    let digits = rest.strip_prefix(':').ok_or(NO_URL)?;
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let port = digits.parse().ok().filter(|port| is_number && *port > 0).ok_or(NO_URL)?;
    Ok((host, Some(port)))
}

fn name_or_address(text: &str) -> Result<Host, Violation> {
    if let Ok(address) = text.parse::<Ipv4Addr>() {
        return Ok(Host::Address(address.into()));
    }
    let is_label = |label: &str| {
        (1..=LABEL_BYTES_MAX).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if text.len() > HOST_BYTES_MAX || !text.split('.').all(is_label) {
        return Err(NO_URL);
    }
    let name = text.to_ascii_lowercase();
    let last = name.rsplit('.').next().unwrap_or_default();
    // Many resolvers accept 127.1, 0x7f000001 and 2130706433 as addresses.
    if last.bytes().all(|byte| byte.is_ascii_digit()) || last.starts_with("0x") {
        return Err(Violation::NotPublic);
    }
    Ok(Host::Name(name))
}

/// Networks of IPv4 that are not global unicast (IANA IPv4 Special-Purpose Address Registry).
const RESERVED_V4: [Ipv4Net; 15] = [
    v4([0, 0, 0, 0], 8),
    v4([10, 0, 0, 0], 8),
    // Shared address space between a provider and its customers (RFC 6598).
    v4([100, 64, 0, 0], 10),
    v4([127, 0, 0, 0], 8),
    // Link-local, including cloud metadata services.
    v4([169, 254, 0, 0], 16),
    v4([172, 16, 0, 0], 12),
    v4([192, 0, 0, 0], 24),
    v4([192, 0, 2, 0], 24),
    v4([192, 88, 99, 0], 24),
    v4([192, 168, 0, 0], 16),
    v4([198, 18, 0, 0], 15),
    v4([198, 51, 100, 0], 24),
    v4([203, 0, 113, 0], 24),
    v4([224, 0, 0, 0], 4),
    v4([240, 0, 0, 0], 4),
];

/// The global unicast block of IPv6 (RFC 4291, section 2.4).
const GLOBAL_V6: Ipv6Net = v6(0x2000, 0, 3);
/// Networks in that block for protocols and documentation (IANA IPv6 Special-Purpose Address Registry).
const RESERVED_V6: [Ipv6Net; 3] = [v6(0x2001, 0, 23), v6(0x2001, 0xdb8, 32), v6(0x3fff, 0, 20)];

const fn v4([a, b, c, d]: [u8; 4], length: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), length)
}

const fn v6(first: u16, second: u16, length: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(first, second, 0, 0, 0, 0, 0, 0), length)
}

/// Whether an address is global unicast. For an IPv6 address that embeds an IPv4 address (mapped, 6to4,
/// NAT64), the latter decides.
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    let is_public_v4 =
        |address: Ipv4Addr| !RESERVED_V4.iter().any(|network| network.contains(&address));
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => match inner_v4(address) {
            Some(inner) => is_public_v4(inner),
            None => {
                GLOBAL_V6.contains(&address)
                    && !RESERVED_V6.iter().any(|network| network.contains(&address))
            }
        },
    }
}

fn inner_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let joined = |high: u16, low: u16| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
    match address.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            Some(joined(high, low))
        }
        [0x2002, high, low, ..] => Some(joined(high, low)),
        _ => None,
    }
}

#[cfg(test)]
#[path = "destination_tests.rs"]
mod tests;
