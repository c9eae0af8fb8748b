use super::*;

#[test]
fn public_addresses() {
    for address in [
        "1.1.1.1",
        "8.8.8.8",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.1",
        "169.253.255.255",
        "169.255.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "192.0.1.0",
        "192.167.255.255",
        "192.169.0.0",
        "198.17.255.255",
        "198.20.0.0",
        "223.255.255.255",
        "2001:200::1",
        "2606:4700:4700::1111",
        "2a00:1450:4001:800::200e",
        "3ffe::1",
        "::ffff:8.8.8.8",
        "64:ff9b::808:808",
        "2002:808:808::1",
    ] {
        assert!(is_public(address.parse().unwrap()), "{address}");
    }
}

#[test]
fn addresses_that_are_not_public() {
    for address in [
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "10.255.255.255",
        "100.64.0.1",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.255.254",
        "169.254.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.8",
        "192.0.0.170",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.0.1",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::8.8.8.8",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "::ffff:0:127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b::10.0.0.1",
        "64:ff9b:1::808:808",
        "100::1",
        "2001::1",
        "2001:2::1",
        "2001:10::1",
        "2001:1ff:ffff::1",
        "2001:db8::1",
        "2002:7f00:1::1",
        "2002:a9fe:a9fe::1",
        "2002:c0a8:1::1",
        "3fff::1",
        "3fff:fff:ffff::1",
        "4000::1",
        "5f00::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fec0::1",
        "ff02::1",
        "ff0e::1",
    ] {
        assert!(!is_public(address.parse().unwrap()), "{address}");
    }
}

#[test]
fn urls() {
    let name = |host: &str| Ok(Host::Name(host.to_owned()));
    let address = |host: &str| Ok(Host::Address(host.parse().unwrap()));
    let check = |url: &str, expected: Result<Host, &str>, port: u16| {
        let parsed = Destination::parse(url, Loopback::Refused);
        let found = parsed.as_ref().map(|d| d.host.clone()).map_err(|v| v.code());
        assert_eq!(found, expected, "{url}");
        assert_eq!(parsed.map_or(0, |destination| destination.port), port, "{url}");
    };
    check("https://example.org", name("example.org"), 443);
    check("HTTPS://Example.ORG:8443/a?b=c", name("example.org"), 8443);
    check("https://example.org?b=//@x", name("example.org"), 443);
    check("https://xn--mller-kva.example/%20", name("xn--mller-kva.example"), 443);
    check("https://8.8.8.8/", address("8.8.8.8"), 443);
    check("https://[2606:4700::1111]:444/", address("2606:4700::1111"), 444);
    check("", Err("required"), 0);
    check(&format!("https://example.org/{}", "a".repeat(URL_BYTES_MAX)), Err("too_long"), 0);
    for url in [
        "example.org",
        "//example.org",
        "http://example.org",
        "http://8.8.8.8",
        "ftp://example.org",
        "file:///etc/passwd",
        "https://",
        "https:///path",
        "https://user@example.org",
        "https://user:password@example.org",
        "https://example.org@127.0.0.1",
        "https://example.org#part",
        "https://example.org\\@127.0.0.1",
        "https://exam ple.org",
        "https://example.org/\n",
        "https://müller.example",
        "https://example..org",
        "https://.example.org",
        "https://example.org.",
        "https://-a.example",
        "https://a_b.example",
        "https://example.org:",
        "https://example.org:0",
        "https://example.org:65536",
        "https://example.org:+1",
        "https://example.org:80:80",
        "https://[::1",
        "https://[::1]x",
        "https://[fe80::1%25eth0]/",
        "https://%31%32%37.0.0.1/",
    ] {
        check(url, Err("malformed"), 0);
    }
    for url in [
        "https://localhost",
        "https://LOCALHOST:8080",
        "https://a.localhost",
        "https://intranet/",
        "https://127.0.0.1",
        "https://10.1.2.3",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[64:ff9b::7f00:1]/",
        "https://[fd00::1]/",
        "https://127.1",
        "https://2130706433",
        "https://0x7f000001",
        "https://0x7f.0.0.0x1",
        "https://0177.0.0.1",
        "https://1.2.3.4.5",
        "http://127.0.0.1",
    ] {
        check(url, Err("not_public"), 0);
    }
}

#[test]
fn loopback_where_it_is_allowed() {
    let allowed = |url: &str| Destination::parse(url, Loopback::Allowed);
    let local: IpAddr = "127.0.0.1".parse().unwrap();
    for url in ["http://localhost:8080/", "http://127.0.0.1", "https://[::1]:1/"] {
        let destination = allowed(url).unwrap();
        assert!(destination.admits(local), "{url}");
        assert!(destination.admits("::1".parse().unwrap()), "{url}");
        assert!(!destination.admits("10.0.0.1".parse().unwrap()), "{url}");
    }
    assert!(allowed("http://localhost").unwrap().is_plain);
    assert_eq!(allowed("http://localhost").unwrap().port, 80);
    // No other name reaches loopback, whatever it resolves to.
    let other = allowed("https://example.org").unwrap();
    assert!(!other.admits(local));
    assert!(other.admits("8.8.8.8".parse().unwrap()));
    for url in ["http://example.org", "http://10.0.0.1", "https://10.0.0.1", "http://intranet"] {
        assert!(allowed(url).is_err(), "{url}");
    }
}
