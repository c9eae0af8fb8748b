//! Who a session is for, and until when.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rondo_contract::token::{self, HmacKey};
use rondo_domain::access::{Scope, Scopes};
use tokio::time::Instant;

/// How long before its end a client is told that its token expires, in seconds.
pub const TOKEN_EXPIRING_S: u64 = 60;
/// Longest time that a session goes on with one token, in seconds, whatever the token says.
pub const SESSION_S_MAX: u64 = 30 * 24 * 60 * 60;

/// A verified token's user and time.
#[derive(Debug, Clone, Copy)]
pub struct Credential {
    pub user_id: i64,
    pub expires_at: Instant,
    /// When to tell the client that it expires; none once that is done.
    pub warn_at: Option<Instant>,
}

impl Credential {
    /// The credential of a token that is valid now and may read tasks.
    #[must_use]
    pub fn verify(token: &str, key: &HmacKey) -> Option<Self> {
        let now_s = now_s();
        let claims = token::verify(token, key, now_s).ok()?;
        if !Scopes::of_token(&claims.scope).contains(Scope::TasksRead) {
            return None;
        }
        let left_s = u64::try_from(claims.expires_at_s - now_s).unwrap_or(0).min(SESSION_S_MAX);
        let now = Instant::now();
        Some(Self {
            user_id: claims.user_id,
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
    use rondo_contract::token::Claims;

    use super::*;

    #[tokio::test]
    async fn a_credential_lasts_as_long_as_its_token() {
        let key = HmacKey::new(&[7; 32]).unwrap();
        let check = |left_s: i64, scope: &str| {
            let claims = Claims {
                user_id: 5,
                issued_at_s: now_s() - 10,
                expires_at_s: now_s().saturating_add(left_s),
                scope: scope.to_owned(),
            };
            let credential = Credential::verify(&token::sign(&claims, &key), &key)?;
            assert_eq!(credential.user_id, 5);
            let left = |at: Instant| at.duration_since(Instant::now()).as_secs();
            Some((left(credential.warn_at.unwrap()), left(credential.expires_at)))
        };
        assert_eq!(check(-1, "tasks:read"), None);
        assert_eq!(check(900, "tasks:write audit:read"), None);
        let near = |got: Option<(u64, u64)>, warn: u64, end: u64| {
            // The second may turn between making and checking the token.
            let (got_warn, got_end) = got.unwrap();
            assert!(
                got_warn.abs_diff(warn) <= 2 && got_end.abs_diff(end) <= 2,
                "{got_warn} {got_end}"
            );
        };
        near(check(900, "tasks:write tasks:read"), 840, 900);
        near(check(30, "tasks:read"), 0, 30);
        near(check(i64::MAX, "tasks:read"), SESSION_S_MAX - TOKEN_EXPIRING_S, SESSION_S_MAX);
    }
}
