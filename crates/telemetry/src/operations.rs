//! Where a process tells its operator how it is: `/metrics`, and the reasons in `/health/ready`. They
//! are not for the public, which a listener that is not on loopback is taken to be for.

use std::net::SocketAddr;

/// The setting of a listener for operators alone.
pub const SETTING: &str = "OPERATIONS_LISTEN";
/// Headers by which a proxy says for whom it asks (RFC 7239 has the first).
const FORWARDED: [&str; 2] = ["forwarded", "x-forwarded-for"];

/// Where to listen for operators alone: where the setting says, else at `default` when the main listener
/// is not on loopback. None when the main listener serves them too.
pub fn own_address<'a>(
    main: SocketAddr,
    setting: Option<&'a str>,
    default: &'a str,
) -> Option<&'a str> {
    let given = setting.filter(|address| !address.trim().is_empty());
    given.or_else(|| (!main.ip().to_canonical().is_loopback()).then_some(default))
}

/// Whether a proxy has passed a request on: then it may be anybody's, though it comes over loopback.
/// `has` tells whether the request has a header.
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
            check(loopback, Some(" "), None);
            check(loopback, Some("10.0.0.1:9"), Some("10.0.0.1:9"));
        }
        for public in ["0.0.0.0:3000", "[::]:3000", "192.0.2.1:80", "10.0.0.1:80"] {
            check(public, None, Some("127.0.0.1:3009"));
            check(public, Some(""), Some("127.0.0.1:3009"));
            check(public, Some("10.0.0.1:9"), Some("10.0.0.1:9"));
        }
    }

    #[test]
    fn what_a_proxy_has_passed_on_is_known_by_its_headers() {
        assert!(is_forwarded(|name| name == "x-forwarded-for"));
        assert!(is_forwarded(|name| name == "forwarded"));
        assert!(!is_forwarded(|name| name == "host"));
    }
}
