//! The operators' pages: `/metrics`, and the reasons in `/health/ready`. A listener that is not on loopback
//! counts as public.

use std::net::SocketAddr;

/// The setting of the operators' own listener.
pub const SETTING: &str = "OPERATIONS_LISTEN";
/// Headers by which a proxy names the client (RFC 7239 defines the first).
const FORWARDED: [&str; 2] = ["forwarded", "x-forwarded-for"];

/// The address of the operators' own listener: that of the setting, or `default` if the main listener is not
/// on loopback. None if the main listener serves operators too.
pub fn own_address<A>(main: SocketAddr, setting: Option<A>, default: A) -> Option<A> {
    setting.or_else(|| (!main.ip().to_canonical().is_loopback()).then_some(default))
}

/// Whether a proxy forwarded the request, so that anybody may have sent it although it comes over loopback.
/// `has` says whether the request has a header.
pub fn is_forwarded(has: impl Fn(&'static str) -> bool) -> bool {
    FORWARDED.into_iter().any(has)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_public_listener_is_not_for_operators() {
        let check = |main: &str, setting: Option<&str>, expected: Option<&str>| {
            let found = own_address(main.parse().unwrap(), setting, "127.0.0.1:3009");
            assert_eq!(found, expected, "{main} {setting:?}");
        };
        for loopback in ["127.0.0.1:3000", "127.8.0.1:1", "[::1]:3000", "[::ffff:127.0.0.1]:1"] {
            check(loopback, None, None);
            check(loopback, Some("10.0.0.1:9"), Some("10.0.0.1:9"));
        }
        for public in ["0.0.0.0:3000", "[::]:3000", "192.0.2.1:80", "10.0.0.1:80"] {
            check(public, None, Some("127.0.0.1:3009"));
            check(public, Some("10.0.0.1:9"), Some("10.0.0.1:9"));
        }
    }

    #[test]
    fn a_forwarded_request_is_recognised_by_its_headers() {
        assert!(is_forwarded(|name| name == "x-forwarded-for"));
        assert!(is_forwarded(|name| name == "forwarded"));
        assert!(!is_forwarded(|name| name == "host"));
    }
}
