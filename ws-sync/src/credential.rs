//! The user of a session, and when the session ends.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rondo_contract::token::check::{Check, Grant, Keys, ProviderToken};
use rondo_domain::access::Scope;
use tokio::time::Instant;

use crate::store::{Store, StoreError};

/// How long before a token expires its client is notified, in seconds.
pub const TOKEN_EXPIRING_S: u64 = 60;
/// Maximum duration of a session on one token, in seconds, whatever the token's `exp`.
pub const SESSION_S_MAX: u64 = 30 * 24 * 60 * 60;

/// The user and the expiry of a verified token.
#[derive(Debug, Clone, Copy)]
pub struct Credential {
    pub user_id: i64,
    pub expires_at: Instant,
    /// When to notify the client that the token expires; none after that.
    pub warn_at: Option<Instant>,
}

impl Credential {
    /// The credential of a token that is valid now and may read tasks; none for any other.
    ///
    /// # Errors
    /// If a provider's token cannot be looked up.
    pub async fn verify(
        token: &str,
        keys: &Keys,
        store: &Store,
    ) -> Result<Option<Self>, StoreError> {
        let now_s = now_s();
        let grant = match keys.check(token, now_s) {
            Check::Invalid => None,
            Check::Valid(grant) => Some(grant),
            Check::Provider(token) => by_provider(&token, store).await?,
        };
        Ok(grant.and_then(|grant| Self::of(grant, now_s)))
    }

    fn of(grant: Grant, now_s: i64) -> Option<Self> {
        let Grant { user_id, scopes, expires_at_s, .. } = grant;
        if !scopes.contains(Scope::TasksRead) {
            return None;
        }
        let left_s = u64::try_from(expires_at_s - now_s).unwrap_or(0).min(SESSION_S_MAX);
        let now = Instant::now();
        Some(Self {
            user_id,
            expires_at: now + Duration::from_secs(left_s),
            warn_at: Some(now + Duration::from_secs(left_s.saturating_sub(TOKEN_EXPIRING_S))),
        })
    }

    /// When to warn the client or end the session, whichever comes first.
    #[must_use]
    pub fn next_at(&self) -> Instant {
        self.warn_at.unwrap_or(self.expires_at)
    }
}

/// The rights that a token of the OpenID provider grants; none if it is not valid. A new subject becomes a
/// user.
async fn by_provider(
    token: &ProviderToken<'_>,
    store: &Store,
) -> Result<Option<Grant>, StoreError> {
    let issuer = &token.provider.issuer;
    let record = store.provider_token(issuer, token.key_id(), &token.subject).await?;
    let Some(login) = token.prove(&record) else { return Ok(None) };
    let user_id = match login.user_id {
        Some(user_id) => user_id,
        None => store.identity_user(issuer, &login.claims).await?,
    };
    Ok(Some(login.grant(user_id)))
}

/// Seconds since the epoch.
fn now_s() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use rondo_domain::access::Scopes;

    use super::*;

    #[tokio::test]
    async fn a_credential_lasts_as_long_as_its_token() {
        const NOW_S: i64 = 1_900_000_000;
        let check = |left_s: i64, scope: &str| {
            let expires_at_s = NOW_S + left_s;
            let scopes = Scopes::of_token(scope);
            let grant = Grant { user_id: 5, scopes, issued_at_s: NOW_S, expires_at_s };
            let credential = Credential::of(grant, NOW_S)?;
            assert_eq!(credential.user_id, 5);
            let left = |at: Instant| at.duration_since(Instant::now()).as_secs_f64().round();
            Some((left(credential.warn_at.unwrap()), left(credential.expires_at)))
        };
        assert_eq!(check(900, "tasks:write audit:read"), None);
        assert_eq!(check(900, "tasks:write tasks:read"), Some((840.0, 900.0)));
        assert_eq!(check(30, "tasks:read"), Some((0.0, 30.0)));
        let longest = SESSION_S_MAX as f64;
        assert_eq!(check(i64::MAX - NOW_S, "tasks:read"), Some((longest - 60.0, longest)));
    }
}
