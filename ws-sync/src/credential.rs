//! Who a session is for, and until when.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rondo_contract::token::key::Jwk;
use rondo_contract::token::{Claims, HmacKey, Presented, Provider, Source};
use rondo_domain::access::{Scope, Scopes};
use tokio::time::Instant;

use crate::store::{Store, StoreError};

/// How long before its end a client is told that its token expires, in seconds.
pub const TOKEN_EXPIRING_S: u64 = 60;
/// Longest time that a session goes on with one token, in seconds, whatever the token says.
pub const SESSION_S_MAX: u64 = 30 * 24 * 60 * 60;

/// What tokens are checked with.
#[derive(Debug, Clone, Default)]
pub struct Keys {
    /// None where our own tokens are signed with a private key.
    pub secret: Option<HmacKey>,
    /// Public keys of our own tokens.
    pub own: Vec<Jwk>,
    /// The OpenID provider whose tokens are accepted; its keys are in the database.
    pub provider: Option<Provider>,
}

impl From<HmacKey> for Keys {
    fn from(secret: HmacKey) -> Self {
        Self { secret: Some(secret), ..Self::default() }
    }
}

impl Keys {
    /// What a token of our own says; none when it is another's, or not valid at `now_s` (seconds
    /// since the epoch).
    #[must_use]
    pub fn own_claims(&self, token: &str, now_s: i64) -> Option<Claims> {
        let presented = Presented::read(token).ok()?;
        let proven = match (presented.source().ok()?, &self.secret) {
            (Source::Secret, Some(secret)) => presented.proven_by_secret(secret),
            (Source::OwnKey, _) => presented.proven_by_key(&self.own),
            _ => return None,
        };
        proven.ok()?.own(now_s).ok()
    }
}

/// A verified token's user and time.
#[derive(Debug, Clone, Copy)]
pub struct Credential {
    pub user_id: i64,
    pub expires_at: Instant,
    /// When to tell the client that it expires; none once that is done.
    pub warn_at: Option<Instant>,
}

impl Credential {
    /// The credential of a token that is valid now and may read tasks; none of any other.
    ///
    /// # Errors
    /// When a provider's token cannot be looked up.
    pub async fn verify(
        token: &str,
        keys: &Keys,
        store: &Store,
    ) -> Result<Option<Self>, StoreError> {
        let now_s = now_s();
        let Ok(presented) = Presented::read(token) else { return Ok(None) };
        if let (Ok(Source::Provider { issuer, subject }), Some(provider)) =
            (presented.source(), &keys.provider)
            && issuer == provider.issuer
        {
            return Self::of_provider(&presented, provider, &subject, now_s, store).await;
        }
        let claims = keys.own_claims(token, now_s);
        Ok(claims.and_then(|claims| {
            let scopes = Scopes::of_token(&claims.scope);
            Self::of(claims.user_id, scopes, claims.expires_at_s - now_s)
        }))
    }

    async fn of_provider(
        presented: &Presented<'_>,
        provider: &Provider,
        subject: &str,
        now_s: i64,
        store: &Store,
    ) -> Result<Option<Self>, StoreError> {
        let key_id = presented.key_id.as_deref();
        let found = store.provider_token(&provider.issuer, key_id, subject).await?;
        let proven = presented.proven_by_key(&found.keys);
        let Ok(claims) = proven.and_then(|proven| proven.of_provider(provider, now_s)) else {
            return Ok(None);
        };
        let user_id = match found.user_id {
            Some(user_id) => user_id,
            None => store.identity_user(&provider.issuer, &claims).await?,
        };
        let scopes =
            Scopes::of_provider(&claims.scope, &found.granted_scopes, provider.default_scopes);
        Ok(Self::of(user_id, scopes, claims.expires_at_s - now_s))
    }

    fn of(user_id: i64, scopes: Scopes, left_s: i64) -> Option<Self> {
        if !scopes.contains(Scope::TasksRead) {
            return None;
        }
        let left_s = u64::try_from(left_s).unwrap_or(0).min(SESSION_S_MAX);
        let now = Instant::now();
        Some(Self {
            user_id,
            expires_at: now + Duration::from_secs(left_s),
            warn_at: Some(now + Duration::from_secs(left_s.saturating_sub(TOKEN_EXPIRING_S))),
        })
    }

    /// The next moment at which something is due.
    #[must_use]
    pub fn next_at(&self) -> Instant {
        self.warn_at.unwrap_or(self.expires_at)
    }
}

/// Seconds since the epoch.
fn now_s() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_credential_lasts_as_long_as_its_token() {
        let check = |left_s: i64, scope: &str| {
            let credential = Credential::of(5, Scopes::of_token(scope), left_s)?;
            assert_eq!(credential.user_id, 5);
            let left = |at: Instant| at.duration_since(Instant::now()).as_secs_f64().round();
            Some((left(credential.warn_at.unwrap()), left(credential.expires_at)))
        };
        assert_eq!(check(900, "tasks:write audit:read"), None);
        assert_eq!(check(900, "tasks:write tasks:read"), Some((840.0, 900.0)));
        assert_eq!(check(30, "tasks:read"), Some((0.0, 30.0)));
        let longest = SESSION_S_MAX as f64;
        assert_eq!(check(i64::MAX, "tasks:read"), Some((longest - 60.0, longest)));
    }
}
