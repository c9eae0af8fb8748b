//! The authenticated caller: who a request's token stands for.

use rondo_contract::problem::ProblemCode;
use rondo_contract::token::{self, HmacKey};
use rondo_domain::access::{Caller, Denial, Scope, Scopes};

use crate::Refusal;
use crate::clock;
use crate::http::Request;
use crate::variable;

/// Variable that holds the key of access tokens.
pub const JWT_SECRET_VARIABLE: &str = "jwt_secret";

/// The caller that the request's bearer token stands for (RFC 6750, section 2.1).
///
/// # Errors
/// 401 without a valid token.
pub fn authenticate(request: &Request) -> Result<Caller, Refusal> {
    let header = request.header("authorization").ok_or_else(Refusal::unauthenticated)?;
    let token = bearer(&header).ok_or_else(Refusal::unauthenticated)?;
    let claims = token::verify(token, &key()?, clock::now().as_second())
        .map_err(|_| Refusal::unauthenticated())?;
    Ok(Caller { user_id: claims.user_id, scopes: Scopes::of_token(&claims.scope) })
}

/// The user for whom a request acts: the one in its path, or the caller where the path has none.
///
/// # Errors
/// 401 without a valid token; 403 when the path is another's, or the scope is missing.
pub fn acting(request: &Request, path: Option<&str>, scope: Scope) -> Result<i64, Refusal> {
    let caller = authenticate(request)?;
    let user = path.map_or(Ok(caller.user_id), path_user)?;
    caller.may_act(user, scope).map_err(denied)?;
    Ok(user)
}

/// The key that access tokens are signed and verified with.
///
/// # Errors
/// 500 when the variable is missing or too short.
pub fn key() -> Result<HmacKey, Refusal> {
    HmacKey::new(variable::get(JWT_SECRET_VARIABLE)?.as_bytes())
        .map_err(|error| Refusal::internal(format!("variable {JWT_SECRET_VARIABLE}: {error}")))
}

/// The user id that a path names. One that is no number belongs to nobody.
///
/// # Errors
/// 403, since it is not the caller's.
fn path_user(segment: &str) -> Result<i64, Refusal> {
    number(segment).ok_or_else(|| denied(Denial::OtherUser))
}

/// An id in a path: digits, within 53 bits.
#[must_use]
pub fn number(segment: &str) -> Option<i64> {
    const ID_MAX: i64 = (1 << 53) - 1;
    let digits = !segment.is_empty() && segment.bytes().all(|byte| byte.is_ascii_digit());
    if digits { segment.parse().ok().filter(|id| *id <= ID_MAX) } else { None }
}

/// 403, saying what is missing.
#[must_use]
pub fn denied(denial: Denial) -> Refusal {
    Refusal::new(ProblemCode::Forbidden).detail(denial.to_string())
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

    #[test]
    fn ids() {
        assert_eq!(number("42"), Some(42));
        assert_eq!(number("9007199254740991"), Some(9_007_199_254_740_991));
        for other in ["", "-1", "+1", "4x", "9007199254740992", "99999999999999999999", "%31"] {
            assert_eq!(number(other), None, "{other}");
        }
    }
}
