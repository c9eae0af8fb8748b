//! Sessions: a short-lived access token, and a refresh token that is exchanged for the next pair
//! and works once.

use rondo_contract::secret;
use rondo_contract::token::key::SigningKey;
use rondo_contract::token::{self, Claims};
use rondo_domain::access::Scopes;
use rondo_guest::http::{Request, Response, decoded};
use rondo_guest::{Refusal, caller, clock, variable};
use serde_json::json;

use crate::bindings::wasi::random::random::get_random_bytes;
use crate::store::{Account, Opening, Rotated, Store};

const REFRESH_LIFETIME_S: i64 = 30 * 24 * 60 * 60;
/// Variable that holds the lifetime of access tokens, in seconds.
const ACCESS_LIFETIME_VARIABLE: &str = "access_token_seconds";
/// Maximum lifetime of an access token, because it cannot be revoked.
const ACCESS_LIFETIME_S_MAX: i64 = 24 * 60 * 60;
/// Variable that holds a private key for signing access tokens instead of the shared secret.
const SIGNING_KEY_VARIABLE: &str = "jwt_signing_key";

/// Maximum length of a program's name for itself that is kept, in characters.
const PROGRAM_CHARS_MAX: usize = 300;

/// `GET /api/auth/sessions`: the caller's, the one used last first.
pub fn list(request: &Request) -> Result<Response, Refusal> {
    let user = caller::logged_in(request)?.user_id;
    Ok(Response::json(200, Store::open()?.sessions(user, REFRESH_LIFETIME_S)?))
}

/// `DELETE /api/auth/sessions/{session_id}`: its refresh token works no more; its access token does until it expires.
pub fn end(request: &Request) -> Result<Response, Refusal> {
    let user = caller::logged_in(request)?.user_id;
    let segments = request.segments();
    let session = segments.last().copied().and_then(decoded).ok_or_else(Refusal::not_found)?;
    // What no UUID contains would be no text for Postgres.
    if !session.contains('\0') && Store::open()?.end_session(user, &session)? {
        Ok(Response::empty(204))
    } else {
        Err(Refusal::not_found())
    }
}

/// What the caller's program calls itself.
fn program(request: &Request) -> Option<String> {
    let shown = request.header("user-agent")?;
    let shown = shown.chars().filter(|c| !c.is_control()).take(PROGRAM_CHARS_MAX);
    Some(shown.collect::<String>().trim().to_owned()).filter(|program| !program.is_empty())
}

/// A new pair of tokens.
pub struct Session {
    id: Option<String>,
    access_token: String,
    refresh_token: String,
    expires_in_s: i64,
}

impl Session {
    /// Opens a session of an account. None if the account may not open one any more: see [`Opening`].
    pub fn open(
        request: &Request,
        store: &Store,
        account: &Account,
        opening: &Opening<'_>,
    ) -> Result<Option<Self>, Refusal> {
        let refresh_token = new_refresh_token();
        let hash = secret::hash(&refresh_token).unwrap_or_default();
        match store.open_session(account.id, opening, &hash, REFRESH_LIFETIME_S)? {
            Some(valid_from_s) => {
                let id = store.note_session(&hash, program(request))?;
                Self::of(account, id, refresh_token, valid_from_s).map(Some)
            }
            None => Ok(None),
        }
    }

    /// Continues the session of a refresh token. None if the token is not valid; if it was used before, its
    /// session ends.
    pub fn rotate(
        request: &Request,
        store: &Store,
        refresh_token: &str,
    ) -> Result<Option<Self>, Refusal> {
        let Some(hash) = secret::hash(refresh_token) else { return Ok(None) };
        let next = new_refresh_token();
        let next_hash = secret::hash(&next).unwrap_or_default();
        let rotated = store.rotate_session(&hash, &next_hash, REFRESH_LIFETIME_S)?;
        let Some(Rotated { user_id, valid_from_s }) = rotated else { return Ok(None) };
        let account = store.account(user_id)?;
        let id = store.note_session(&next_hash, program(request))?;
        account.map(|account| Self::of(&account, id, next, valid_from_s)).transpose()
    }

    /// Sensitive requests refuse tokens issued before `valid_from_s`.
    fn of(
        account: &Account,
        id: Option<String>,
        refresh_token: String,
        valid_from_s: i64,
    ) -> Result<Self, Refusal> {
        let issued_at_s = clock::now().as_second().max(valid_from_s);
        let expires_in_s = access_lifetime_s()?;
        let claims = Claims {
            user_id: account.id,
            expires_at_s: issued_at_s + expires_in_s,
            issued_at_s,
            scope: Scopes::of_session(&account.granted_scopes).to_string(),
        };
        let signing_key = variable::get(SIGNING_KEY_VARIABLE)?;
        let secret = caller::secret()?;
        let access_token = if signing_key.is_empty() {
            let secret = secret.ok_or_else(|| {
                let variable = caller::JWT_SECRET_VARIABLE;
                Refusal::internal(format!(
                    "variables {variable} and {SIGNING_KEY_VARIABLE} are both empty"
                ))
            })?;
            token::sign(&claims, &secret)
        } else {
            if secret.is_some() {
                // With it, every component could issue tokens.
                return Err(Refusal::internal(format!(
                    "variables {SIGNING_KEY_VARIABLE} and {} are both set",
                    caller::JWT_SECRET_VARIABLE
                )));
            }
            let key = SigningKey::read(&signing_key).map_err(|error| {
                Refusal::internal(format!("variable {SIGNING_KEY_VARIABLE}: {error}"))
            })?;
            key.sign(&claims)
        };
        Ok(Self { id, access_token, refresh_token, expires_in_s })
    }

    /// The response, which must not be cached (RFC 6749, section 5.1); `user` is the account's JSON.
    pub fn answer(&self, status: u16, user: Option<&str>) -> Response {
        Response::json(status, self.json(user)).header("cache-control", "no-store")
    }

    fn json(&self, user: Option<&str>) -> String {
        let mut answer = json!({
            "access_token": self.access_token,
            "refresh_token": self.refresh_token,
            "token_type": "Bearer",
            "expires_in": self.expires_in_s,
            "session_id": self.id,
        });
        if let Some(user) = user {
            answer["user"] = serde_json::from_str(user).unwrap_or_default();
        }
        answer.to_string()
    }
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
    secret::encode(&get_random_bytes(secret::SECRET_BYTES as u64))
}
