//! Verifies tokens in the same way for every program that accepts them.
//!
//! A token that Rondo issued needs only its key. A provider's token needs the provider's keys and the
//! subject's user from the database. The caller does that lookup, because a component blocks on it and a
//! native program awaits it: [`Check::Provider`] says what to look up, and [`ProviderToken::prove`] continues
//! with the result.

use rondo_domain::access::Scopes;

use super::key::Jwk;
use super::{HmacKey, Presented, Provider, ProviderClaims, Source};

/// The keys and the provider that tokens are verified with.
#[derive(Debug, Clone, Default)]
pub struct Keys {
    /// None if Rondo's own tokens are signed with a private key.
    pub secret: Option<HmacKey>,
    /// Public keys of Rondo's own tokens.
    pub own: Vec<Jwk>,
    /// The accepted OpenID provider, whose keys are in the database.
    pub provider: Option<Provider>,
}

/// The rights that a valid access token grants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    pub user_id: i64,
    pub scopes: Scopes,
    /// Seconds since the epoch.
    pub issued_at_s: i64,
    /// Seconds since the epoch; the token is valid before this moment.
    pub expires_at_s: i64,
}

/// The outcome of a check.
pub enum Check<'a> {
    Invalid,
    Valid(Grant),
    /// The token claims to be the provider's. Nothing about it is proven yet.
    Provider(ProviderToken<'a>),
}

/// A provider's token before its signature is checked.
pub struct ProviderToken<'a> {
    pub provider: Provider,
    pub subject: String,
    presented: Presented<'a>,
    now_s: i64,
}

/// What the database knows about a provider's token.
pub struct ProviderRecord {
    /// The provider's keys.
    pub keys: Vec<Jwk>,
    /// None for a new subject.
    pub user_id: Option<i64>,
    /// Scopes that an operator has granted to the user, separated by spaces.
    pub granted_scopes: String,
}

impl ProviderRecord {
    /// Looks the record up: issuer, key id (null for any) and subject to the columns that [`Self::read`]
    /// takes.
    pub const SQL: &str = include_str!("sql/provider_token.sql");

    /// `keys` is the JSON array of the provider's keys (RFC 7517, section 5).
    ///
    /// # Errors
    /// When `keys` is something else.
    pub fn read(
        keys: &str,
        user_id: Option<i64>,
        granted_scopes: Option<String>,
    ) -> serde_json::Result<Self> {
        let granted_scopes = granted_scopes.unwrap_or_default();
        Ok(Self { keys: serde_json::from_str(keys)?, user_id, granted_scopes })
    }
}

/// A provider's token with a valid signature and valid claims.
pub struct ProviderLogin {
    /// None for a new subject: the caller creates a user from the claims.
    pub user_id: Option<i64>,
    pub claims: ProviderClaims,
    scopes: Scopes,
}

impl From<HmacKey> for Keys {
    fn from(secret: HmacKey) -> Self {
        Self { secret: Some(secret), ..Self::default() }
    }
}

impl Keys {
    /// Verifies a token at the moment `now_s` (seconds since the epoch).
    #[must_use]
    pub fn check<'a>(&self, token: &'a str, now_s: i64) -> Check<'a> {
        let presented = Presented::read(token);
        match presented.and_then(|presented| Ok((presented.source()?, presented))) {
            Ok((source, presented)) => self.check_presented(presented, source, now_s),
            Err(_) => Check::Invalid,
        }
    }

    /// Like [`Keys::check`], for a caller that has read the token's `source` first in order to load only that
    /// key.
    #[must_use]
    pub fn check_presented<'a>(
        &self,
        presented: Presented<'a>,
        source: Source,
        now_s: i64,
    ) -> Check<'a> {
        let proven = match (source, &self.secret, &self.provider) {
            (Source::Secret, Some(secret), _) => presented.proven_by_secret(secret),
            (Source::OwnKey, ..) => presented.proven_by_key(&self.own),
            (Source::Provider { issuer, subject }, _, Some(provider))
                if issuer == provider.issuer =>
            {
                let provider = provider.clone();
                return Check::Provider(ProviderToken { provider, subject, presented, now_s });
            }
            _ => return Check::Invalid,
        };
        match proven.and_then(|proven| proven.own(now_s)) {
            Ok(claims) => Check::Valid(Grant {
                user_id: claims.user_id,
                scopes: Scopes::of_token(&claims.scope),
                issued_at_s: claims.issued_at_s,
                expires_at_s: claims.expires_at_s,
            }),
            Err(_) => Check::Invalid,
        }
    }
}

impl ProviderToken<'_> {
    /// The id of the provider's key that the token claims to be signed with.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.presented.key_id.as_deref()
    }

    /// Verifies signature and claims; none if the token is not valid.
    #[must_use]
    pub fn prove(&self, record: &ProviderRecord) -> Option<ProviderLogin> {
        let proven = self.presented.proven_by_key(&record.keys).ok()?;
        let claims = proven.of_provider(&self.provider, self.now_s).ok()?;
        let default_scopes = self.provider.default_scopes;
        let scopes = Scopes::of_provider(&claims.scope, &record.granted_scopes, default_scopes);
        Some(ProviderLogin { user_id: record.user_id, claims, scopes })
    }
}

impl ProviderLogin {
    /// The rights of the token for the user of its subject.
    #[must_use]
    pub fn grant(&self, user_id: i64) -> Grant {
        let ProviderClaims { issued_at_s, expires_at_s, .. } = self.claims;
        Grant { user_id, scopes: self.scopes, issued_at_s, expires_at_s }
    }
}
