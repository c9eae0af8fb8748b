//! Settings of accounts, which `rondo up` hands to its components.

use std::net::SocketAddr;

use clap::Args;
use http::Uri;
use rondo_contract::address::TrustedProxies;

use crate::option::{SettingError, given, refusal};

#[derive(Args)]
#[command(next_help_heading = "Accounts")]
pub struct AccountArgs {
    /// Where users reach this installation, for links in mails; otherwise where it listens.
    #[arg(long, env = "PUBLIC_URL", value_name = "URL")]
    pub public_url: Option<String>,
    /// Whether nothing but the verification goes to an address that is not verified: true or false;
    /// otherwise true, but for an installation that listens on loopback.
    #[arg(long, env = "REQUIRE_VERIFIED_EMAIL", value_name = "BOOLEAN")]
    pub require_verified_email: Option<String>,
    /// Proxies whose X-Forwarded-For is believed: addresses and networks, separated by commas.
    #[arg(long, env = "TRUSTED_PROXIES", value_name = "LIST")]
    pub trusted_proxies: Option<String>,
}

/// The settings, checked.
pub struct AccountSettings {
    public_url: Option<String>,
    require_verified_email: Option<bool>,
    trusted_proxies: String,
}

impl AccountArgs {
    /// # Errors
    /// The setting that is malformed.
    pub fn settings(&self) -> Result<AccountSettings, SettingError> {
        let public_url = given(self.public_url.as_deref());
        if public_url.is_some_and(|url| !is_base(url)) {
            let reason = "must be an address such as https://tasks.example.org, without a query";
            return Err(refusal("PUBLIC_URL", reason));
        }
        let require_verified_email = given(self.require_verified_email.as_deref())
            .map(|value| {
                let reason = "must be true or false";
                value.parse().map_err(|_| refusal("REQUIRE_VERIFIED_EMAIL", reason))
            })
            .transpose()?;
        let trusted_proxies = self.trusted_proxies.clone().unwrap_or_default();
        TrustedProxies::parse(&trusted_proxies)
            .map_err(|error| refusal("TRUSTED_PROXIES", error))?;
        let public_url = public_url.map(str::to_owned);
        Ok(AccountSettings { public_url, require_verified_email, trusted_proxies })
    }
}

impl AccountSettings {
    /// The value of a variable of spin.toml that these settings are for; `address` is where the
    /// program listens.
    #[must_use]
    pub fn variable(&self, name: &str, address: SocketAddr) -> Option<String> {
        match name {
            "public_url" => Some(match &self.public_url {
                Some(url) => url.clone(),
                // Everywhere is no place to go.
                None if address.ip().is_unspecified() => {
                    format!("http://localhost:{}", address.port())
                }
                None => format!("http://{address}"),
            }),
            "require_verified_email" => {
                let required =
                    self.require_verified_email.unwrap_or_else(|| !address.ip().is_loopback());
                Some(required.to_string())
            }
            "trusted_proxies" => Some(self.trusted_proxies.clone()),
            _ => None,
        }
    }
}

/// A scheme and a host, perhaps with a path.
fn is_base(url: &str) -> bool {
    url.parse::<Uri>().is_ok_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.host().is_some_and(|host| !host.is_empty())
            && uri.query().is_none()
    }) && !url.contains('#')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(public_url: &str, required: &str, proxies: &str) -> AccountArgs {
        AccountArgs {
            public_url: Some(public_url.to_owned()),
            require_verified_email: Some(required.to_owned()),
            trusted_proxies: Some(proxies.to_owned()),
        }
    }

    #[test]
    fn malformed_settings_are_named() {
        let refused = |public_url: &str, required: &str, proxies: &str| {
            arguments(public_url, required, proxies).settings().map_err(|error| error.setting).err()
        };
        assert_eq!(refused("", "", ""), None);
        assert_eq!(refused("https://a.example/rondo", "true", "10.0.0.0/8, ::1"), None);
        for url in ["a.example", "ftp://a.example", "https://", "https://a/?b", "https://a/#b"] {
            assert_eq!(refused(url, "", ""), Some("PUBLIC_URL"), "{url}");
        }
        assert_eq!(refused("", "yes", ""), Some("REQUIRE_VERIFIED_EMAIL"));
        assert_eq!(refused("", "", "proxy"), Some("TRUSTED_PROXIES"));
    }

    #[test]
    fn only_on_loopback_is_an_address_trusted_unseen() {
        let check = |required: &str, address: &str, expected: &str| {
            let settings = arguments("", required, "").settings().unwrap();
            let value = settings.variable("require_verified_email", address.parse().unwrap());
            assert_eq!(value.as_deref(), Some(expected), "{address}");
        };
        check("", "127.0.0.1:3000", "false");
        check("", "[::1]:3000", "false");
        check("", "0.0.0.0:3000", "true");
        check("true", "127.0.0.1:3000", "true");
        check("false", "192.0.2.1:80", "false");
    }

    #[test]
    fn links_lead_to_where_users_are() {
        let check = |url: &str, address: &str, expected: &str| {
            let settings = arguments(url, "", "").settings().unwrap();
            let value = settings.variable("public_url", address.parse().unwrap());
            assert_eq!(value.as_deref(), Some(expected), "{address}");
        };
        check("https://a.example", "127.0.0.1:3000", "https://a.example");
        check("", "127.0.0.1:3000", "http://127.0.0.1:3000");
        check("", "0.0.0.0:80", "http://localhost:80");
    }
}
