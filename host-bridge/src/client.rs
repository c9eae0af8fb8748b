//! The client address of a request, for limits and logs.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::HeaderMap;
use rondo_contract::address::{self, TrustedProxies};
use rondo_wasm_host::client::Client;

const FORWARDED_FOR: &str = "x-forwarded-for";

/// Determines client addresses.
pub struct Clients {
    trusted: TrustedProxies,
    /// The setting that lists the trusted proxies.
    setting: &'static str,
    is_warned: AtomicBool,
}

impl Clients {
    #[must_use]
    pub fn new(trusted: TrustedProxies, setting: &'static str) -> Self {
        Self { trusted, setting, is_warned: AtomicBool::new(false) }
    }

    /// The client of a request; none if the peer is unknown.
    pub fn of(&self, peer: Option<SocketAddr>, headers: &HeaderMap) -> Option<Client> {
        let peer = peer?;
        let forwarded: Vec<&str> =
            headers.get_all(FORWARDED_FOR).iter().filter_map(|line| line.to_str().ok()).collect();
        if !forwarded.is_empty() && self.is_untrusted_proxy(peer.ip()) {
            self.warn(peer.ip());
        }
        let client = address::client(&peer.to_string(), &forwarded.join(","), &self.trusted);
        client.map(|client| Client(client.into()))
    }

    /// See [`address::of_connection`].
    #[must_use]
    pub fn of_connection(&self, peer: IpAddr) -> Option<Arc<str>> {
        address::of_connection(peer, &self.trusted).map(Arc::from)
    }

    /// Whether a forwarding peer is probably the operator's own proxy, missing from the setting.
    fn is_untrusted_proxy(&self, peer: IpAddr) -> bool {
        address::is_near(peer) && !self.trusted.contain(peer)
    }

    /// Warns once, so that clients cannot fill the log with the header.
    fn warn(&self, peer: IpAddr) {
        if !self.is_warned.swap(true, Ordering::Relaxed) {
            let setting = self.setting;
            tracing::warn!(
                %peer,
                setting,
                "an untrusted proxy forwards requests: all its clients share one quota, and one of them \
                 can lock the others out of login; if the proxy is yours, add {peer} to {setting}"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn forwarded_for(address: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(FORWARDED_FOR.parse().unwrap(), HeaderValue::from_static(address))])
    }

    fn clients(trusted: &str) -> Clients {
        Clients::new(TrustedProxies::parse(trusted).unwrap(), "TRUSTED_PROXIES")
    }

    #[test]
    fn forwarded_addresses_count_only_behind_a_trusted_proxy() {
        let peer = "192.0.2.1:1".parse().ok();
        let of =
            |trusted: &str| clients(trusted).of(peer, &forwarded_for("198.51.100.1")).unwrap().0;
        assert_eq!(&*of(""), "192.0.2.1");
        assert_eq!(&*of("192.0.2.0/24"), "198.51.100.1");
        assert_eq!(clients("").of(None, &HeaderMap::new()), None);
    }

    #[test]
    fn only_a_nearby_peer_counts_as_a_forgotten_proxy() {
        let check = |peer: &str, trusted: &str, headers: &HeaderMap, expected: bool| {
            let clients = clients(trusted);
            clients.of(format!("{peer}:1").parse().ok(), headers);
            assert_eq!(clients.is_warned.into_inner(), expected, "{peer} {trusted:?}");
        };
        let forwarded = forwarded_for("198.51.100.1");
        check("10.0.0.7", "", &forwarded, true);
        check("127.0.0.1", "10.0.0.0/8", &forwarded, true);
        check("10.0.0.7", "10.0.0.0/8", &forwarded, false);
        check("10.0.0.7", "", &HeaderMap::new(), false);
        // A client on the public network that invents the header.
        check("203.0.113.9", "", &forwarded, false);
    }
}
