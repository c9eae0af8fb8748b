//! Settings of accounts, which `rondo up` hands to its components.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use http::Uri;
use rondo_contract::address::TrustedProxies;
use rondo_contract::token::check::Keys;
use rondo_contract::token::key::{self, Jwk};
use rondo_contract::token::{self, Claims, HmacKey, Presented};
use rondo_setting::{SettingError, environment, given, is_this_machine, refusal, secret};

use crate::jwks::{Provider, ProviderArgs};
use crate::option;

const SIGNING_KEY: &str = "JWT_SIGNING_KEY";

#[derive(Args, Default)]
#[command(next_help_heading = "Accounts")]
pub struct AccountArgs {
    /// Where users reach this installation, for links in mails; otherwise where it listens.
    #[arg(long, env = "PUBLIC_URL", value_name = "URL")]
    pub public_url: Option<String>,
    /// Whether nothing but the verification goes to an address that is not verified: true or false;
    /// otherwise true, unless RONDO_LISTEN, PUBLIC_URL and SMTP_URL are all of this machine alone.
    #[arg(long, env = "REQUIRE_VERIFIED_EMAIL", value_name = "BOOLEAN")]
    pub require_verified_email: Option<String>,
    /// Who may register: everyone, whoever has an invitation (`rondo user invite`), or nobody.
    #[arg(long, env = "REGISTRATION", value_name = "open|invite|off")]
    pub registration: Option<String>,
    /// Proxies whose X-Forwarded-For is believed: addresses and networks, separated by commas.
    #[arg(long, env = "TRUSTED_PROXIES", value_name = "LIST")]
    pub trusted_proxies: Option<String>,
    #[arg(skip = environment("JWT_SECRET"))]
    pub jwt_secret: Option<OsString>,
    /// File with the key of access tokens, at least 32 bytes; JWT_SECRET may have it itself. Otherwise
    /// made and kept in the data folder.
    #[arg(long, env = "JWT_SECRET_FILE", value_name = "FILE")]
    pub jwt_secret_file: Option<PathBuf>,
    #[arg(skip = environment(SIGNING_KEY))]
    pub jwt_signing_key: Option<OsString>,
    /// File with a private Ed25519 JWK that access tokens are signed with instead of the secret;
    /// JWT_SIGNING_KEY may have it itself.
    #[arg(long, env = "JWT_SIGNING_KEY_FILE", value_name = "FILE")]
    pub jwt_signing_key_file: Option<PathBuf>,
    /// Its public half, and that of the key before it: a JWKS document.
    #[arg(long, env = "JWT_PUBLIC_KEYS", value_name = "JWKS")]
    pub jwt_public_keys: Option<String>,
    /// What the `aud` of an OpenID provider's tokens has to name.
    #[arg(long, env = "OIDC_AUDIENCE", value_name = "NAME")]
    pub oidc_audience: Option<String>,
    /// Scopes of a token of the provider that names none of ours, separated by spaces; otherwise
    /// tasks:read and tasks:write.
    #[arg(long, env = "OIDC_DEFAULT_SCOPES", value_name = "SCOPES")]
    pub oidc_default_scopes: Option<String>,
    #[command(flatten)]
    pub provider: ProviderArgs,
}

/// The settings, checked.
pub struct AccountSettings {
    public_url: Option<String>,
    require_verified_email: Option<bool>,
    /// Whether links lead nowhere else and mails go nowhere else than this machine, as far as settings
    /// tell.
    is_local: bool,
    registration: &'static str,
    /// As text, and read.
    trusted_proxies: (String, TrustedProxies),
    signing: Signing,
    /// As text, and read.
    public_keys: Option<(String, Vec<Jwk>)>,
    /// With what its tokens have to say.
    provider: Option<(Provider, token::Provider)>,
}

/// What access tokens are signed with.
enum Signing {
    /// JWT_SECRET, or what the data folder keeps. Whoever checks tokens can make them, too.
    Secret(Option<String>),
    /// A key that only `auth` has.
    Private(String),
}

impl AccountArgs {
    /// `is_mail_local`: whether mails stay on this machine.
    ///
    /// # Errors
    /// The setting that is malformed.
    pub fn settings(&self, is_mail_local: bool) -> Result<AccountSettings, SettingError> {
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
        let registration = match given(self.registration.as_deref()) {
            None | Some("open") => "open",
            Some("invite") => "invite",
            Some("off") => "off",
            Some(_) => return Err(refusal("REGISTRATION", "must be open, invite or off")),
        };
        let trusted_proxies = self.trusted_proxies.clone().unwrap_or_default();
        let networks = TrustedProxies::parse(&trusted_proxies)
            .map_err(|error| refusal("TRUSTED_PROXIES", error))?;
        let public_keys = given(self.jwt_public_keys.as_deref())
            .map(|document| {
                let keys = key::read_document(document);
                keys.map(|keys| (document.to_owned(), keys))
                    .map_err(|error| refusal("JWT_PUBLIC_KEYS", error))
            })
            .transpose()?;
        let signing = self.signing(public_keys.as_ref().map_or(&[], |(_, keys)| keys))?;
        let default_scopes = ws_sync::option::default_scopes(self.oidc_default_scopes.as_deref())?;
        let provider = match (self.provider.provider()?, given(self.oidc_audience.as_deref())) {
            (None, _) => None,
            (Some(provider), Some(audience)) => {
                let issuer = provider.issuer.clone();
                let audience = audience.to_owned();
                Some((provider, token::Provider { issuer, audience, default_scopes }))
            }
            (Some(_), None) => {
                let reason = "is missing: with OIDC_ISSUER, set it to what names this installation";
                return Err(refusal("OIDC_AUDIENCE", reason));
            }
        };
        let is_link_local = public_url.is_none_or(|url| {
            url.parse::<Uri>().is_ok_and(|uri| uri.host().is_some_and(is_this_machine))
        });
        let public_url = public_url.map(str::to_owned);
        Ok(AccountSettings {
            public_url,
            require_verified_email,
            is_local: is_link_local && is_mail_local,
            registration,
            trusted_proxies: (trusted_proxies, networks),
            signing,
            public_keys,
            provider,
        })
    }

    fn signing(&self, public_keys: &[Jwk]) -> Result<Signing, SettingError> {
        let file = self.jwt_secret_file.as_deref();
        let jwt_secret = option::key("JWT_SECRET", self.jwt_secret.as_ref(), file)?;
        let file = self.jwt_signing_key_file.as_deref();
        let Some(private) = secret(SIGNING_KEY, self.jwt_signing_key.as_deref(), file)? else {
            return Ok(Signing::Secret(jwt_secret));
        };
        if jwt_secret.is_some() {
            let reason = "is set beside JWT_SIGNING_KEY, and every component could make tokens with \
                          it: leave it out; sessions go on by their refresh tokens";
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
            let reason = "must have the public half of JWT_SIGNING_KEY";
            return Err(refusal("JWT_PUBLIC_KEYS", reason));
        }
        Ok(Signing::Private(private))
    }
}

impl AccountSettings {
    /// Whose X-Forwarded-For is believed.
    #[must_use]
    pub fn trusted_proxies(&self) -> TrustedProxies {
        self.trusted_proxies.1.clone()
    }

    /// The secret that tokens are signed and checked with, `kept` unless another is set; none where
    /// they are signed with a private key.
    #[must_use]
    pub fn jwt_secret<'a>(&'a self, kept: &'a str) -> Option<&'a str> {
        match &self.signing {
            Signing::Secret(given) => Some(given.as_deref().unwrap_or(kept)),
            Signing::Private(_) => None,
        }
    }

    /// Where users reach this installation, which listens at `address`.
    #[must_use]
    pub fn public_url(&self, address: SocketAddr) -> String {
        match &self.public_url {
            Some(url) => url.clone(),
            // Everywhere is no place to go.
            None if address.ip().is_unspecified() => format!("http://localhost:{}", address.port()),
            None => format!("http://{address}"),
        }
    }

    /// The value of a variable of spin.toml that these settings are for; `address` is where the
    /// program listens.
    #[must_use]
    pub fn variable(&self, name: &str, address: SocketAddr) -> Option<String> {
        match name {
            "public_url" => Some(self.public_url(address)),
            "require_verified_email" => {
                // Other people's words go to no stranger.
                let required = self
                    .require_verified_email
                    .unwrap_or_else(|| !(self.is_local && address.ip().is_loopback()));
                Some(required.to_string())
            }
            "registration" => Some(self.registration.to_owned()),
            "trusted_proxies" => Some(self.trusted_proxies.0.clone()),
            "jwt_signing_key" => match &self.signing {
                Signing::Secret(_) => None,
                Signing::Private(key) => Some(key.clone()),
            },
            "jwt_public_keys" => self.public_keys.as_ref().map(|(document, _)| document.clone()),
            "oidc_issuer" => self.provider().map(|provider| provider.issuer.clone()),
            "oidc_audience" => self.provider.as_ref().map(|(_, claims)| claims.audience.clone()),
            "oidc_default_scopes" => {
                self.provider.as_ref().map(|(_, claims)| claims.default_scopes.to_string())
            }
            _ => None,
        }
    }

    /// What tokens are checked with, beside the secret.
    #[must_use]
    pub fn keys(&self, secret: Option<HmacKey>) -> Keys {
        Keys {
            secret,
            own: self.public_keys.as_ref().map(|(_, keys)| keys.clone()).unwrap_or_default(),
            provider: self.provider.as_ref().map(|(_, claims)| claims.clone()),
        }
    }

    /// The provider whose keys are to be fetched.
    #[must_use]
    pub fn provider(&self) -> Option<&Provider> {
        self.provider.as_ref().map(|(provider, _)| provider)
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
            registration: None,
            trusted_proxies: Some(proxies.to_owned()),
            ..AccountArgs::default()
        }
    }

    #[test]
    fn malformed_settings_are_named() {
        let refused = |public_url: &str, required: &str, proxies: &str| {
            arguments(public_url, required, proxies)
                .settings(true)
                .map_err(|error| error.setting)
                .err()
        };
        assert_eq!(refused("", "", ""), None);
        assert_eq!(refused("https://a.example/rondo", "true", "10.0.0.0/8, ::1"), None);
        for url in ["a.example", "ftp://a.example", "https://", "https://a/?b", "https://a/#b"] {
            assert_eq!(refused(url, "", ""), Some("PUBLIC_URL"), "{url}");
        }
        assert_eq!(refused("", "yes", ""), Some("REQUIRE_VERIFIED_EMAIL"));
        assert_eq!(refused("", "", "proxy"), Some("TRUSTED_PROXIES"));
        let closed =
            AccountArgs { registration: Some("closed".to_owned()), ..arguments("", "", "") };
        assert_eq!(
            closed.settings(true).map_err(|error| error.setting).err(),
            Some("REGISTRATION")
        );
    }

    #[test]
    fn only_where_all_is_local_is_an_address_trusted_unseen() {
        let check = |required: &str, address: &str, url: &str, is_mail_local: bool, expected| {
            let settings = arguments(url, required, "").settings(is_mail_local).unwrap();
            let value = settings.variable("require_verified_email", address.parse().unwrap());
            assert_eq!(value.as_deref(), Some(expected), "{address} {url} {is_mail_local}");
        };
        check("", "127.0.0.1:3000", "", true, "false");
        check("", "[::1]:3000", "http://localhost:3000/", true, "false");
        check("", "0.0.0.0:3000", "", true, "true");
        check("", "127.0.0.1:3000", "https://tasks.example.org", true, "true");
        check("", "127.0.0.1:3000", "", false, "true");
        check("true", "127.0.0.1:3000", "", true, "true");
        check("false", "192.0.2.1:80", "https://tasks.example.org", false, "false");
    }

    #[test]
    fn scopes_that_an_operator_presumes() {
        let check = |scopes: &str| -> Result<_, &'static str> {
            let args = AccountArgs {
                oidc_audience: Some("rondo".to_owned()),
                oidc_default_scopes: Some(scopes.to_owned()),
                provider: ProviderArgs {
                    oidc_issuer: Some("https://id.example".to_owned()),
                    ..ProviderArgs::default()
                },
                ..arguments("", "", "")
            };
            let settings = args.settings(true).map_err(|error| error.setting)?;
            Ok(settings.variable("oidc_default_scopes", "127.0.0.1:80".parse().unwrap()))
        };
        assert_eq!(check(""), Ok(Some("tasks:read tasks:write".to_owned())));
        assert_eq!(check("audit:read  tasks:read"), Ok(Some("tasks:read audit:read".to_owned())));
        assert_eq!(check("admin"), Err("OIDC_DEFAULT_SCOPES"));
    }

    #[test]
    fn a_provider_needs_an_audience() {
        let check = |audience: &str| -> Result<_, &'static str> {
            let oidc_issuer = Some("https://id.example".to_owned());
            let args = AccountArgs {
                oidc_audience: Some(audience.to_owned()),
                provider: ProviderArgs { oidc_issuer, ..ProviderArgs::default() },
                ..arguments("", "", "")
            };
            let settings = args.settings(true).map_err(|error| error.setting)?;
            Ok(settings.variable("oidc_audience", "127.0.0.1:80".parse().unwrap()))
        };
        assert_eq!(check("rondo"), Ok(Some("rondo".to_owned())));
        assert_eq!(check(""), Err("OIDC_AUDIENCE"));
    }

    #[test]
    fn a_signing_key_needs_its_public_half() {
        // The key of RFC 8037, appendix A, and a stranger's.
        const PUBLIC: &str =
            r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
        const STRANGERS: &str =
            r#"{"kty":"OKP","crv":"Ed25519","x":"iojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w"}"#;
        let private = PUBLIC.replace('}', r#","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}"#);
        let check = |private: &str, public: &[&str]| {
            let args = AccountArgs {
                jwt_signing_key: Some(private.into()),
                jwt_public_keys: Some(format!(r#"{{"keys":[{}]}}"#, public.join(","))),
                ..arguments("", "", "")
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
    fn beside_a_signing_key_nobody_has_a_secret() {
        const KEPT: &str = "the secret that the data folder keeps";
        const OTHER: &str = "the secret that an operator has chosen";
        let public =
            r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
        let private = public.replace('}', r#","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}"#);
        let check = |secret: &str, private: &str| {
            let args = AccountArgs {
                jwt_secret: Some(secret.into()),
                jwt_signing_key: Some(private.into()),
                jwt_public_keys: Some(format!(r#"{{"keys":[{public}]}}"#)),
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
    fn links_lead_to_where_users_are() {
        let check = |url: &str, address: &str, expected: &str| {
            let settings = arguments(url, "", "").settings(true).unwrap();
            let value = settings.variable("public_url", address.parse().unwrap());
            assert_eq!(value.as_deref(), Some(expected), "{address}");
        };
        check("https://a.example", "127.0.0.1:3000", "https://a.example");
        check("", "127.0.0.1:3000", "http://127.0.0.1:3000");
        check("", "0.0.0.0:80", "http://localhost:80");
    }
}
