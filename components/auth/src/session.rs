//! Sessions: a short-lived access token, and a refresh token that is exchanged for the next pair
//! and works once.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rondo_contract::token::{self, Claims};
use rondo_domain::access::Scopes;
use rondo_guest::{Refusal, caller, clock, variable};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::bindings::wasi::random::random::get_random_bytes;
use crate::store::{Account, Store};

const REFRESH_TOKEN_BYTES: u64 = 32;
const REFRESH_LIFETIME_S: i64 = 30 * 24 * 60 * 60;
/// Variable with the lifetime of access tokens, in seconds.
const ACCESS_LIFETIME_VARIABLE: &str = "access_token_seconds";
/// Longest lifetime of an access token that makes sense: it cannot be taken back.
const ACCESS_LIFETIME_S_MAX: i64 = 24 * 60 * 60;

/// A pair of tokens, new.
pub struct Session {
    access_token: String,
    refresh_token: String,
    expires_in_s: i64,
}

impl Session {
    /// Begins a session of an account.
    pub fn open(store: &Store, account: &Account) -> Result<Self, Refusal> {
        let refresh_token = new_refresh_token();
        store.open_session(account.id, &token_hash(&refresh_token), REFRESH_LIFETIME_S)?;
        Self::of(account, refresh_token)
    }

    /// Goes on with the session of a refresh token. None when the token is not valid; when it was
    /// used before, its session ends.
    pub fn rotate(store: &Store, refresh_token: &str) -> Result<Option<Self>, Refusal> {
        let next = new_refresh_token();
        let user = store.rotate_session(
            &token_hash(refresh_token),
            &token_hash(&next),
            REFRESH_LIFETIME_S,
        )?;
        let account = user.map(|user| store.account(user)).transpose()?.flatten();
        account.map(|account| Self::of(&account, next)).transpose()
    }

    fn of(account: &Account, refresh_token: String) -> Result<Self, Refusal> {
        let issued_at_s = clock::now().as_second();
        let expires_in_s = access_lifetime_s()?;
        let claims = Claims {
            user_id: account.id,
            expires_at_s: issued_at_s + expires_in_s,
            issued_at_s,
            scope: scopes(&account.granted_scopes).to_string(),
        };
        let access_token = token::sign(&claims, &caller::key()?);
        Ok(Self { access_token, refresh_token, expires_in_s })
    }

    /// As it is answered; `user` is the account's JSON.
    pub fn json(&self, user: Option<&str>) -> String {
        let mut answer = json!({
            "access_token": self.access_token,
            "refresh_token": self.refresh_token,
            "token_type": "Bearer",
            "expires_in": self.expires_in_s,
        });
        if let Some(user) = user {
            answer["user"] = serde_json::from_str(user).unwrap_or_default();
        }
        answer.to_string()
    }
}

/// What a session may do: everything of its own, and what an operator has granted.
fn scopes(granted: &str) -> Scopes {
    Scopes::of_token(granted).iter().fold(Scopes::SESSION, Scopes::with)
}

fn access_lifetime_s() -> Result<i64, Refusal> {
    let value = variable::get(ACCESS_LIFETIME_VARIABLE)?;
    value.parse().ok().filter(|seconds| (1..=ACCESS_LIFETIME_S_MAX).contains(seconds)).ok_or_else(
        || {
            Refusal::internal(format!(
                "variable {ACCESS_LIFETIME_VARIABLE} must be 1 to {ACCESS_LIFETIME_S_MAX} seconds"
            ))
        },
    )
}

fn new_refresh_token() -> String {
    URL_SAFE_NO_PAD.encode(get_random_bytes(REFRESH_TOKEN_BYTES))
}

/// What is stored of a refresh token. It is random, so it needs no salt and no slow hash.
pub fn token_hash(refresh_token: &str) -> String {
    Sha256::digest(refresh_token)
        .iter()
        .fold(String::with_capacity(64), |hex, byte| format!("{hex}{byte:02x}"))
}
