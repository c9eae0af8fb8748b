//! The authenticated caller: the user that a request's token identifies.
//!
//! A bearer token (RFC 6750, section 2.1) is one of three: one of Rondo's access tokens, which needs only its
//! key; a personal API token, which is looked up by its hash; or a token of the OpenID provider, whose keys
//! and user are looked up together.

use rondo_contract::address::{self, TrustedProxies};
use rondo_contract::problem::ProblemCode;
use rondo_contract::query::number;
use rondo_contract::secret;
use rondo_contract::token::check::{Check, Grant, Keys, ProviderRecord, ProviderToken};
use rondo_contract::token::key::{self, Jwk};
use rondo_contract::token::{HmacKey, Presented, Provider, ProviderClaims, Source};
use rondo_domain::access::{Caller, Denial, Scope, Scopes};
use rondo_domain::email;

use crate::Refusal;
use crate::clock;
use crate::database::{Database, optional, text};
use crate::http::Request;
use crate::variable;

/// Variable that holds the key of access tokens; empty if they are signed with a private key.
pub const JWT_SECRET_VARIABLE: &str = "jwt_secret";
/// Variable that holds the public keys of Rondo's access tokens, a JWKS document; may be empty.
const JWT_PUBLIC_KEYS_VARIABLE: &str = "jwt_public_keys";
/// Variables that hold the OpenID provider's `iss` and the required `aud` of its tokens; may be empty.
const ISSUER_VARIABLE: &str = "oidc_issuer";
const AUDIENCE_VARIABLE: &str = "oidc_audience";
/// Variable that holds the scopes of a provider's token that names none of Rondo's, separated by spaces.
const DEFAULT_SCOPES_VARIABLE: &str = "oidc_default_scopes";
/// Variable that holds the proxies whose `X-Forwarded-For` counts; may be empty.
const TRUSTED_PROXIES_VARIABLE: &str = "trusted_proxies";
/// Variable that holds the DSN of every component that authenticates callers.
const DATABASE_VARIABLE: &str = "database_url";

/// The origin of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A user logged in, at Rondo or at the provider, before the token was issued: seconds since the epoch.
    Login { issued_at_s: i64 },
    /// Created by a user for a program.
    ApiToken,
}

/// A user who has logged in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Login {
    pub user_id: i64,
    /// When the token was issued, in seconds since the epoch. Sessions may have ended since, so a
    /// sensitive statement checks that itself (`session_lock` in the migrations).
    pub issued_at_s: i64,
}

/// The caller that the request's bearer token identifies.
///
/// # Errors
/// 401 without a valid token; 503 if it has to be looked up and the database is unavailable.
pub fn authenticate(request: &Request) -> Result<Caller, Refusal> {
    identify(request).map(|(caller, _)| caller)
}

/// The caller, and the token's origin.
///
/// # Errors
/// As [`authenticate`].
pub fn identify(request: &Request) -> Result<(Caller, Origin), Refusal> {
    let header = request.header("authorization").ok_or_else(Refusal::unauthenticated)?;
    let token = bearer(&header).ok_or_else(Refusal::unauthenticated)?;
    if token.starts_with(secret::API_TOKEN_PREFIX) {
        return Ok((by_api_token(token)?, Origin::ApiToken));
    }
    let Grant { user_id, scopes, issued_at_s, .. } =
        by_jwt(token)?.ok_or_else(Refusal::unauthenticated)?;
    Ok((Caller { user_id, scopes }, Origin::Login { issued_at_s }))
}

/// The user who has logged in. Routes about the account itself and the destinations of its data accept
/// neither a program's token nor a provider's token with fewer scopes than a session.
///
/// # Errors
/// 401 without a valid token, 403 with a lesser one.
pub fn logged_in(request: &Request) -> Result<Login, Refusal> {
    match identify(request)? {
        (caller, Origin::Login { issued_at_s }) if caller.scopes.is_session() => {
            Ok(Login { user_id: caller.user_id, issued_at_s })
        }
        _ => Err(Refusal::new(ProblemCode::Forbidden)
            .detail("This token cannot do that; log in instead.")),
    }
}

/// The user who has logged in, if an operator has granted them `admin`.
///
/// # Errors
/// 401 without a valid token, 403 with a lesser one.
pub fn admin(request: &Request) -> Result<Login, Refusal> {
    match identify(request)? {
        (caller, Origin::Login { issued_at_s }) if caller.scopes.contains(Scope::Admin) => {
            Ok(Login { user_id: caller.user_id, issued_at_s })
        }
        _ => Err(denied(Denial::MissingScope(Scope::Admin))),
    }
}

/// Like [`logged_in`]. If the path names a user, it must be the caller.
///
/// # Errors
/// As for [`logged_in`], and 403 if the path names another user.
pub fn logged_in_as(request: &Request, path: Option<&str>) -> Result<Login, Refusal> {
    let login = logged_in(request)?;
    match path.map_or(Ok(login.user_id), path_user)? {
        user if user == login.user_id => Ok(login),
        _ => Err(denied(Denial::OtherUser)),
    }
}

/// 401: sessions have ended since the token was issued.
#[must_use]
pub fn session_ended() -> Refusal {
    Refusal::unauthenticated().detail("This session has ended; log in again.")
}

/// The user that a request acts for: the one in its path, or the caller if the path names none.
///
/// # Errors
/// 401 without a valid token; 403 if the path names another user, or the scope is missing.
pub fn acting(request: &Request, path: Option<&str>, scope: Scope) -> Result<i64, Refusal> {
    acting_as(authenticate(request)?, path, scope)
}

/// The user that a caller acts for, likewise.
///
/// # Errors
/// 403 as [`acting`].
pub fn acting_as(caller: Caller, path: Option<&str>, scope: Scope) -> Result<i64, Refusal> {
    let user = path.map_or(Ok(caller.user_id), path_user)?;
    caller.may_act(user, scope).map_err(denied)?;
    Ok(user)
}

/// The secret that signs and verifies access tokens; none if they are signed with a private key.
///
/// # Errors
/// 500 if the variable is missing or too short.
pub fn secret() -> Result<Option<HmacKey>, Refusal> {
    let secret = variable::get(JWT_SECRET_VARIABLE)?;
    if secret.is_empty() {
        return Ok(None);
    }
    HmacKey::new(secret.as_bytes())
        .map(Some)
        .map_err(|error| Refusal::internal(format!("variable {JWT_SECRET_VARIABLE}: {error}")))
}

/// The client that a request counts towards; see [`address::client`]. None if the host does not say.
///
/// # Errors
/// 500 if the list of trusted proxies is malformed.
pub fn client_address(request: &Request) -> Result<Option<String>, Refusal> {
    let Some(peer) = request.host_header("spin-client-addr") else { return Ok(None) };
    let trusted =
        TrustedProxies::parse(&variable::get(TRUSTED_PROXIES_VARIABLE)?).map_err(|error| {
            Refusal::internal(format!("variable {TRUSTED_PROXIES_VARIABLE}: {error}"))
        })?;
    let forwarded = request.header_list("x-forwarded-for").unwrap_or_default();
    Ok(address::client(&peer, &forwarded, &trusted))
}

/// The rights that a JWT grants; none if it is not valid. Reads only the variables that it needs.
fn by_jwt(token: &str) -> Result<Option<Grant>, Refusal> {
    let Ok(presented) = Presented::read(token) else { return Ok(None) };
    let Ok(source) = presented.source() else { return Ok(None) };
    let keys = match source {
        Source::Secret => Keys { secret: secret()?, ..Keys::default() },
        Source::OwnKey => Keys { own: own_keys()?, ..Keys::default() },
        Source::Provider { .. } => Keys { provider: provider()?, ..Keys::default() },
    };
    match keys.check_presented(presented, source, clock::now().as_second()) {
        Check::Invalid => Ok(None),
        Check::Valid(grant) => Ok(Some(grant)),
        Check::Provider(token) => by_provider(&token),
    }
}

fn own_keys() -> Result<Vec<Jwk>, Refusal> {
    let document = variable::get(JWT_PUBLIC_KEYS_VARIABLE)?;
    if document.is_empty() {
        return Ok(Vec::new());
    }
    key::read_document(&document)
        .map_err(|error| Refusal::internal(format!("variable {JWT_PUBLIC_KEYS_VARIABLE}: {error}")))
}

fn provider() -> Result<Option<Provider>, Refusal> {
    let provider = Provider {
        issuer: variable::get(ISSUER_VARIABLE)?,
        audience: variable::get(AUDIENCE_VARIABLE)?,
        default_scopes: Scopes::of_token(&variable::get(DEFAULT_SCOPES_VARIABLE)?),
    };
    let is_set = !provider.issuer.is_empty() && !provider.audience.is_empty();
    Ok(is_set.then_some(provider))
}

/// The rights that a token of the OpenID provider grants; none if it is not valid. A new subject becomes a
/// user.
fn by_provider(token: &ProviderToken<'_>) -> Result<Option<Grant>, Refusal> {
    let issuer = &token.provider.issuer;
    let database = Database::open(DATABASE_VARIABLE)?;
    let parameters = [text(issuer), optional(token.key_id(), text), text(&token.subject)];
    let mut row = database.query_one(ProviderRecord::SQL, &parameters)?;
    let (keys, user_id) = (row.text("keys")?, row.optional_int("user_id")?);
    let record = ProviderRecord::read(&keys, user_id, row.optional_text("granted_scopes")?)
        .map_err(|error| Refusal::internal(format!("keys of the provider: {error}")))?;
    let Some(login) = token.prove(&record) else { return Ok(None) };
    let user_id = match login.user_id {
        Some(user_id) => user_id,
        None => {
            let claims = &login.claims;
            let email = claims.email.as_deref();
            let parameters = [
                text(issuer),
                text(&claims.subject),
                optional(email, text),
                optional(email.map(email::key), text),
                optional(claims.name.as_deref(), text),
            ];
            database.query_one(ProviderClaims::USER_SQL, &parameters)?.int("user_id")?
        }
    };
    Ok(Some(login.grant(user_id)))
}

/// Looked up on each request, so that a revoked token is invalid at once.
fn by_api_token(token: &str) -> Result<Caller, Refusal> {
    let hash = secret::hash(token).ok_or_else(Refusal::unauthenticated)?;
    let row = Database::open(DATABASE_VARIABLE)?
        .query_optional(include_str!("sql/api_token_use.sql"), &[text(hash)])?;
    let mut row = row.ok_or_else(Refusal::unauthenticated)?;
    Ok(Caller { user_id: row.int("user_id")?, scopes: Scopes::of_token(&row.text("scope")?) })
}

/// The user id in a path. A non-numeric one belongs to no user.
///
/// # Errors
/// 403, because it is not the caller's.
fn path_user(segment: &str) -> Result<i64, Refusal> {
    number(segment).ok_or_else(|| denied(Denial::OtherUser))
}

/// 403 with the reason.
#[must_use]
pub fn denied(denial: Denial) -> Refusal {
    let code = match denial {
        Denial::OtherUser => ProblemCode::Forbidden,
        Denial::MissingScope(_) => ProblemCode::MissingScope,
    };
    Refusal::new(code).detail(denial.to_string())
}

/// The token of a `Bearer` header; the scheme's case does not matter (RFC 9110, section 11.1).
pub(crate) fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bearer_headers() {
        assert_eq!(bearer("Bearer abc"), Some("abc"));
        assert_eq!(bearer("bearer abc"), Some("abc"));
        assert_eq!(bearer("Basic abc"), None);
        assert_eq!(bearer("Bearer"), None);
    }
}
