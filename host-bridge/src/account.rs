//! Settings of accounts, which `rondo up` passes to its components.

use std::ffi::{OsStr, OsString};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use http::Uri;
use rondo_contract::address::TrustedProxies;
use rondo_contract::token::check::Keys;
use rondo_contract::token::key::{self, Jwk, JwkSet};
use rondo_contract::token::{self, Claims, HmacKey, Presented};
use rondo_domain::access::Scopes;
use rondo_setting::{SettingError, environment, is_this_machine, refusal, secret};
use ws_sync::option::default_scopes;

use crate::jwks::{Provider, ProviderArgs};

const SIGNING_KEY: &str = "JWT_SIGNING_KEY";

#[derive(Args, Default)]
#[command(next_help_heading = "Accounts")]
pub struct AccountArgs {
    /// URL at which users reach this installation, for links in mails; unless set, the listening address.
    #[arg(long, env = "PUBLIC_URL", value_name = "URL", value_parser = base_url)]
    pub public_url: Option<String>,
    /// Whether an unverified address gets no mail but the verification. Unless set, true, or false if
    /// RONDO_LISTEN, PUBLIC_URL and SMTP_URL are all on this machine.
    #[arg(long, env = "REQUIRE_VERIFIED_EMAIL", value_name = "BOOLEAN")]
    pub require_verified_email: Option<bool>,
    /// Who may register.
    #[arg(long, env = "REGISTRATION", value_name = "POLICY", default_value = "open")]
    pub registration: Registration,
    /// Proxies whose X-Forwarded-For is believed: addresses and networks, comma-separated.
    #[arg(long, env = "TRUSTED_PROXIES", value_name = "LIST", value_parser = TrustedProxies::parse)]
    pub trusted_proxies: Option<TrustedProxies>,
    #[arg(skip = environment("JWT_SECRET"))]
    pub jwt_secret: Option<OsString>,
    /// File with the key that signs access tokens, at least 32 bytes, instead of JWT_SECRET. Unless set, a
    /// key is generated and kept in the data folder.
    #[arg(long, env = "JWT_SECRET_FILE", value_name = "FILE")]
    pub jwt_secret_file: Option<PathBuf>,
    #[arg(skip = environment(SIGNING_KEY))]
    pub jwt_signing_key: Option<OsString>,
    /// File with a private Ed25519 JWK that signs access tokens in place of the secret, instead of
    /// JWT_SIGNING_KEY.
    #[arg(long, env = "JWT_SIGNING_KEY_FILE", value_name = "FILE")]
    pub jwt_signing_key_file: Option<PathBuf>,
    /// Public halves of the signing key and its predecessor: a JWKS document.
    #[arg(long, env = "JWT_PUBLIC_KEYS", value_name = "JWKS")]
    pub jwt_public_keys: Option<JwkSet>,
    /// Name that the `aud` of the OpenID provider's tokens must contain.
    #[arg(long, env = "OIDC_AUDIENCE", value_name = "NAME")]
    pub oidc_audience: Option<String>,
    /// Scopes of a provider's token that names none of Rondo's, separated by spaces; tasks:read and
    /// tasks:write unless set.
    #[arg(long, env = "OIDC_DEFAULT_SCOPES", value_name = "SCOPES", value_parser = default_scopes)]
    pub oidc_default_scopes: Option<Scopes>,
    #[command(flatten)]
    pub provider: ProviderArgs,
}

/// Who may register.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Registration {
    /// Everyone.
    #[default]
    Open,
    /// Whoever has an invitation (`rondo user invite`).
    Invite,
    /// Nobody.
    Off,
}

/// The validated settings.
pub struct AccountSettings {
    public_url: Option<String>,
    require_verified_email: Option<bool>,
    /// Whether links and mails stay on this machine, as far as the settings show.
    is_local: bool,
    registration: Registration,
    trusted_proxies: TrustedProxies,
    signing: Signing,
    public_keys: Option<JwkSet>,
    /// The provider, with the claims that its tokens must have.
    provider: Option<(Provider, token::Provider)>,
}

/// The key that signs access tokens.
enum Signing {
    /// JWT_SECRET, or the one in the data folder. Every program that can verify tokens can also issue them.
    Secret(Option<String>),
    /// A key that only `auth` has.
    Private(String),
}

impl AccountArgs {
    /// `is_mail_local`: whether mails stay on this machine.
    ///
    /// # Errors
    /// The first setting that is malformed or missing beside another.
    pub fn settings(&self, is_mail_local: bool) -> Result<AccountSettings, SettingError> {
        let signing = self.signing(self.jwt_public_keys.as_ref().map_or(&[], |keys| &keys.0))?;
        let provider = match (self.provider.provider()?, self.oidc_audience.clone()) {
            (None, _) => None,
            (Some(provider), Some(audience)) => {
                let issuer = provider.issuer.clone();
                let default_scopes = self.oidc_default_scopes.unwrap_or(Scopes::TASKS);
                Some((provider, token::Provider { issuer, audience, default_scopes }))
            }
            (Some(_), None) => {
                let reason =
                    "is missing: with OIDC_ISSUER, set it to the name that tokens must contain";
                return Err(refusal("OIDC_AUDIENCE", reason));
            }
        };
        let is_link_local = self.public_url.as_deref().is_none_or(|url| {
            url.parse::<Uri>().is_ok_and(|uri| uri.host().is_some_and(is_this_machine))
        });
        Ok(AccountSettings {
            public_url: self.public_url.clone(),
            require_verified_email: self.require_verified_email,
            is_local: is_link_local && is_mail_local,
            registration: self.registration,
            trusted_proxies: self.trusted_proxies.clone().unwrap_or_default(),
            signing,
            public_keys: self.jwt_public_keys.clone(),
            provider,
        })
    }

    fn signing(&self, public_keys: &[Jwk]) -> Result<Signing, SettingError> {
        let file = self.jwt_secret_file.as_deref();
        let jwt_secret = hmac_secret("JWT_SECRET", self.jwt_secret.as_deref(), file)?;
        let file = self.jwt_signing_key_file.as_deref();
        let Some(private) = secret(SIGNING_KEY, self.jwt_signing_key.as_deref(), file)? else {
            return Ok(Signing::Secret(jwt_secret));
        };
        if jwt_secret.is_some() {
            let reason = "is set beside JWT_SIGNING_KEY: leave it out, or every component could make \
                          tokens; sessions continue by their refresh tokens";
            return Err(refusal("JWT_SECRET", reason));
        }
        let token = key::SigningKey::read(&private)
            .map_err(|error| refusal(SIGNING_KEY, error))?
            .sign(&Claims {
                user_id: 0,
                issued_at_s: 0,
                expires_at_s: i64::MAX,
                scope: String::new(),
            });
        let presented = Presented::read(&token);
        if presented.and_then(|token| token.proven_by_key(public_keys)).is_err() {
            let reason = "must contain the public half of JWT_SIGNING_KEY";
            return Err(refusal("JWT_PUBLIC_KEYS", reason));
        }
        Ok(Signing::Private(private))
    }
}

impl AccountSettings {
    /// The proxies whose X-Forwarded-For counts.
    #[must_use]
    pub fn trusted_proxies(&self) -> TrustedProxies {
        self.trusted_proxies.clone()
    }

    /// The secret that signs and verifies tokens, `kept` unless another is set; none if a private key signs
    /// them.
    #[must_use]
    pub fn jwt_secret<'a>(&'a self, kept: &'a str) -> Option<&'a str> {
        match &self.signing {
            Signing::Secret(given) => Some(given.as_deref().unwrap_or(kept)),
            Signing::Private(_) => None,
        }
    }

    /// The URL at which users reach this installation, which listens at `address`.
    #[must_use]
    pub fn public_url(&self, address: SocketAddr) -> String {
        match &self.public_url {
            Some(url) => url.clone(),
            // A client can't connect to the unspecified address.
            None if address.ip().is_unspecified() => format!("http://localhost:{}", address.port()),
            None => format!("http://{address}"),
        }
    }

    /// The value of a variable of spin.toml that these settings determine. The program listens at `address`.
    #[must_use]
    pub fn variable(&self, name: &str, address: SocketAddr) -> Option<String> {
        match name {
            "public_url" => Some(self.public_url(address)),
            "require_verified_email" => {
                let required = self
                    .require_verified_email
                    .unwrap_or_else(|| !(self.is_local && address.ip().is_loopback()));
                Some(required.to_string())
            }
            "registration" => {
                self.registration.to_possible_value().map(|value| value.get_name().to_owned())
            }
            "trusted_proxies" => Some(self.trusted_proxies.to_string()),
            "jwt_signing_key" => match &self.signing {
                Signing::Secret(_) => None,
                Signing::Private(key) => Some(key.clone()),
            },
            "jwt_public_keys" => self.public_keys.as_ref().map(JwkSet::to_string),
            "oidc_issuer" => self.provider().map(|provider| provider.issuer.clone()),
            "oidc_audience" => self.provider.as_ref().map(|(_, claims)| claims.audience.clone()),
            "oidc_default_scopes" => {
                self.provider.as_ref().map(|(_, claims)| claims.default_scopes.to_string())
            }
            _ => None,
        }
    }

    /// The keys for verifying tokens.
    #[must_use]
    pub fn keys(&self, secret: Option<HmacKey>) -> Keys {
        Keys {
            secret,
            own: self.public_keys.clone().unwrap_or_default().0,
            provider: self.provider.as_ref().map(|(_, claims)| claims.clone()),
        }
    }

    /// The provider whose keys are fetched.
    #[must_use]
    pub fn provider(&self) -> Option<&Provider> {
        self.provider.as_ref().map(|(provider, _)| provider)
    }
}

/// The key of a setting, from its variable or its file; none when it is not set.
///
/// # Errors
/// When it is too short, or can't be read.
pub(crate) fn hmac_secret(
    setting: &'static str,
    value: Option<&OsStr>,
    file: Option<&Path>,
) -> Result<Option<String>, SettingError> {
    let Some(secret) = secret(setting, value, file)? else { return Ok(None) };
    HmacKey::new(secret.as_bytes()).map_err(|error| refusal(setting, error))?;
    Ok(Some(secret))
}

/// Parses a URL of scheme, host and perhaps a path, which links are appended to.
fn base_url(text: &str) -> Result<String, &'static str> {
    let is_base = text.parse::<Uri>().is_ok_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.host().is_some_and(|host| !host.is_empty())
            && uri.query().is_none()
    });
    if is_base && !text.contains('#') {
        Ok(text.to_owned())
    } else {
        Err("must be a URL such as https://tasks.example.org, without a query")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(public_url: &str) -> AccountArgs {
        AccountArgs {
            public_url: (!public_url.is_empty()).then(|| public_url.to_owned()),
            ..AccountArgs::default()
        }
    }

    #[test]
    fn links_are_appended_to_a_base() {
        assert!(base_url("https://a.example/rondo").is_ok());
        for url in ["a.example", "ftp://a.example", "https://", "https://a/?b", "https://a/#b"] {
            assert!(base_url(url).is_err(), "{url}");
        }
    }

    #[test]
    fn unverified_addresses_are_trusted_only_if_all_is_local() {
        let check = |required: Option<bool>, address: &str, url: &str, is_mail_local, expected| {
            let args = AccountArgs { require_verified_email: required, ..arguments(url) };
            let settings = args.settings(is_mail_local).unwrap();
            let value = settings.variable("require_verified_email", address.parse().unwrap());
            assert_eq!(value.as_deref(), Some(expected), "{address} {url} {is_mail_local}");
        };
        check(None, "127.0.0.1:3000", "", true, "false");
        check(None, "[::1]:3000", "http://localhost:3000/", true, "false");
        check(None, "0.0.0.0:3000", "", true, "true");
        check(None, "127.0.0.1:3000", "https://tasks.example.org", true, "true");
        check(None, "127.0.0.1:3000", "", false, "true");
        check(Some(true), "127.0.0.1:3000", "", true, "true");
        check(Some(false), "192.0.2.1:80", "https://tasks.example.org", false, "false");
    }

    #[test]
    fn default_scopes_of_a_provider() {
        let check = |oidc_default_scopes: Option<Scopes>, expected: &str| {
            let args = AccountArgs {
                oidc_audience: Some("rondo".to_owned()),
                oidc_default_scopes,
                provider: ProviderArgs {
                    oidc_issuer: Some("https://id.example".to_owned()),
                    ..ProviderArgs::default()
                },
                ..arguments("")
            };
            let settings = args.settings(true).unwrap();
            let value = settings.variable("oidc_default_scopes", "127.0.0.1:80".parse().unwrap());
            assert_eq!(value.as_deref(), Some(expected));
        };
        check(None, "tasks:read tasks:write");
        check(default_scopes("audit:read  tasks:read").ok(), "tasks:read audit:read");
    }

    #[test]
    fn a_provider_needs_an_audience() {
        let check = |audience: Option<&str>| -> Result<_, &'static str> {
            let oidc_issuer = Some("https://id.example".to_owned());
            let args = AccountArgs {
                oidc_audience: audience.map(str::to_owned),
                provider: ProviderArgs { oidc_issuer, ..ProviderArgs::default() },
                ..arguments("")
            };
            let settings = args.settings(true).map_err(|error| error.setting)?;
            Ok(settings.variable("oidc_audience", "127.0.0.1:80".parse().unwrap()))
        };
        assert_eq!(check(Some("rondo")), Ok(Some("rondo".to_owned())));
        assert_eq!(check(None), Err("OIDC_AUDIENCE"));
    }

    #[test]
    fn a_signing_key_needs_its_public_half() {
        // The key of RFC 8037, appendix A, and an unrelated one.
        const PUBLIC: &str =
            r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
        const STRANGERS: &str =
            r#"{"kty":"OKP","crv":"Ed25519","x":"iojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w"}"#;
        let private = PUBLIC.replace('}', r#","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}"#);
        let check = |private: &str, public: &[&str]| {
            let args = AccountArgs {
                jwt_signing_key: Some(private.into()),
                jwt_public_keys: format!(r#"{{"keys":[{}]}}"#, public.join(",")).parse().ok(),
                ..arguments("")
            };
            args.settings(true).map(|_| ()).map_err(|error| error.setting)
        };
        assert_eq!(check(&private, &[PUBLIC]), Ok(()));
        assert_eq!(check("", &[PUBLIC]), Ok(()));
        assert_eq!(check(&private, &[]), Err("JWT_PUBLIC_KEYS"));
        assert_eq!(check(&private, &[STRANGERS]), Err("JWT_PUBLIC_KEYS"));
        assert_eq!(check(PUBLIC, &[PUBLIC]), Err("JWT_SIGNING_KEY"));
    }

    #[test]
    fn a_signing_key_leaves_no_secret() {
        const KEPT: &str = "the secret that the data folder keeps";
        const OTHER: &str = "the secret that an operator has chosen";
        let public =
            r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
        let private = public.replace('}', r#","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}"#);
        let check = |secret: &str, private: &str| {
            let args = AccountArgs {
                jwt_secret: Some(secret.into()),
                jwt_signing_key: Some(private.into()),
                jwt_public_keys: format!(r#"{{"keys":[{public}]}}"#).parse().ok(),
                ..AccountArgs::default()
            };
            let settings = args.settings(true).map_err(|error| error.setting)?;
            let signing_key = settings.variable("jwt_signing_key", "127.0.0.1:80".parse().unwrap());
            Ok((settings.jwt_secret(KEPT).map(str::to_owned), signing_key))
        };
        assert_eq!(check("", ""), Ok((Some(KEPT.to_owned()), None)));
        assert_eq!(check(OTHER, ""), Ok((Some(OTHER.to_owned()), None)));
        assert_eq!(check("", &private), Ok((None, Some(private.clone()))));
        assert_eq!(check(OTHER, &private), Err("JWT_SECRET"));
        assert_eq!(check("short", ""), Err("JWT_SECRET"));
    }

    #[test]
    fn links_lead_to_the_public_url() {
        let check = |url: &str, address: &str, expected: &str| {
            let settings = arguments(url).settings(true).unwrap();
            let value = settings.variable("public_url", address.parse().unwrap());
            assert_eq!(value.as_deref(), Some(expected), "{address}");
        };
        check("https://a.example", "127.0.0.1:3000", "https://a.example");
        check("", "127.0.0.1:3000", "http://127.0.0.1:3000");
        check("", "0.0.0.0:80", "http://localhost:80");
    }
}
