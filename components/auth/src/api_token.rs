//! Personal API tokens: created by a user for a program, with only the scopes that it needs.

use rondo_contract::body::{Reader, text};
use rondo_contract::problem::{FieldError, ProblemCode};
use rondo_contract::query::number;
use rondo_contract::secret;
use rondo_domain::Violation;
use rondo_domain::access::Scopes;
use rondo_domain::account::{TOKEN_NAME_CHARS_MAX, name};
use rondo_domain::instant::{self, Instant};
use rondo_guest::http::{Request, Response};
use rondo_guest::{Refusal, body, caller, clock};
use serde_json::{Map, Value};

use crate::bindings::wasi::random::random::get_random_bytes;
use crate::mail::{self, AccountChange};
use crate::store::{Store, TokenCreation};

/// Maximum number of tokens of one user.
const TOKENS_MAX: i64 = 100;

/// `POST /api/auth/tokens`.
struct TokenForm {
    name: String,
    scopes: Scopes,
    expires_at: Option<Instant>,
}

/// `GET /api/auth/tokens`: newest first, without the tokens themselves.
pub fn list(request: &Request) -> Result<Response, Refusal> {
    let user = caller::logged_in(request)?.user_id;
    Ok(Response::json(200, Store::open()?.api_tokens(user)?))
}

/// Creates a token, and shows it only in this response.
pub fn create(request: &Request) -> Result<Response, Refusal> {
    let login = caller::logged_in(request)?;
    let form = TokenForm::of(&body::object(request)?, clock::now())?;
    let random = secret::encode(&get_random_bytes(secret::SECRET_BYTES as u64));
    let token = format!("{}{random}", secret::API_TOKEN_PREFIX);
    let hash = secret::hash(&token).unwrap_or_default();
    let expires_at = form.expires_at.map(|at| at.to_string());
    let scopes = form.scopes.iter().map(|scope| scope.as_str().to_owned());
    let notice = mail::notice(AccountChange::TokenMade(form.scopes), request)?;
    let made = Store::open()?.create_api_token(
        login,
        &hash,
        &form.name,
        scopes,
        expires_at.as_deref(),
        TOKENS_MAX,
        &notice,
    )?;
    let made = match made {
        TokenCreation::Token(json) => json,
        TokenCreation::TooMany => {
            return Err(Refusal::new(ProblemCode::TooManyTokens)
                .detail(format!("A user has at most {TOKENS_MAX} tokens.")));
        }
        TokenCreation::SessionEnded => return Err(caller::session_ended()),
    };
    let mut answer: Value =
        serde_json::from_str(&made).map_err(|error| Refusal::internal(error.to_string()))?;
    answer["token"] = token.into();
    Ok(Response::json(201, answer.to_string()).header("cache-control", "no-store"))
}

/// `DELETE /api/auth/tokens/{token_id}`: revokes the token at once.
pub fn delete(request: &Request) -> Result<Response, Refusal> {
    let user = caller::logged_in(request)?.user_id;
    let segments = request.segments();
    let id = segments.last().and_then(|id| number(id)).ok_or_else(Refusal::not_found)?;
    if Store::open()?.delete_api_token(user, id)? {
        Ok(Response::empty(204))
    } else {
        Err(Refusal::not_found())
    }
}

impl TokenForm {
    fn of(members: &Map<String, Value>, now: Instant) -> Result<Self, Vec<FieldError>> {
        let mut reader = Reader::new(members);
        let name = reader.required("name", text(|text| name(text, TOKEN_NAME_CHARS_MAX)));
        let scopes = reader.required("scopes", scopes);
        let expires_at = reader.optional(
            "expires_at",
            text(|text| {
                let at = instant::parse(text)?;
                if at > now { Ok(at) } else { Err(Violation::InThePast) }
            }),
        );
        reader.finish()?;
        Ok(Self { name: name.unwrap_or_default(), scopes: scopes.unwrap_or_default(), expires_at })
    }
}

/// At least one of the scopes that a user can delegate.
fn scopes(value: &Value) -> Result<Scopes, Violation> {
    let words: Option<Vec<&str>> =
        value.as_array().and_then(|words| words.iter().map(Value::as_str).collect());
    let words = words.ok_or(Violation::Malformed { expected: "a list of strings" })?;
    match Scopes::of_request(words)? {
        scopes if scopes == Scopes::default() => Err(Violation::Required),
        scopes => Ok(scopes),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn forms() {
        let now: Instant = "2031-01-01T00:00:00Z".parse().unwrap();
        let check = |body: Value, expected: Result<&str, &[(&str, &str)]>| {
            let Value::Object(members) = body else { panic!("an object") };
            match (TokenForm::of(&members, now), expected) {
                (Ok(form), Ok(scopes)) => assert_eq!(form.scopes.to_string(), scopes),
                (Err(errors), Err(expected)) => {
                    let errors: Vec<(&str, &str)> =
                        errors.iter().map(|e| (e.pointer.as_str(), e.code.as_ref())).collect();
                    assert_eq!(errors, expected);
                }
                (got, expected) => panic!("{:?} instead of {expected:?}", got.map(|_| ())),
            }
        };
        check(json!({"name": "ci", "scopes": ["tasks:read"]}), Ok("tasks:read"));
        check(
            json!({"name": "ci", "scopes": ["audit:read", "tasks:read", "tasks:read"], "expires_at": "2031-01-01T01:00:01+01:00"}),
            Ok("tasks:read audit:read"),
        );
        check(json!({}), Err(&[("/name", "required"), ("/scopes", "required")]));
        check(
            json!({"name": "x".repeat(101), "scopes": ["admin"], "expires_at": "2031-01-01T00:00:00Z", "token": "mine"}),
            Err(&[
                ("/name", "too_long"),
                ("/scopes", "unknown_value"),
                ("/expires_at", "in_the_past"),
                ("/token", "unknown_member"),
            ]),
        );
        for scopes in [json!([]), json!(null)] {
            check(json!({"name": "a", "scopes": scopes}), Err(&[("/scopes", "required")]));
        }
        for scopes in [json!("tasks:read"), json!([1]), json!({})] {
            check(json!({"name": "a", "scopes": scopes}), Err(&[("/scopes", "malformed")]));
        }
    }
}
