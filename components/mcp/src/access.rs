//! Who may use the server: bearer tokens, as OAuth 2.1 resource servers take them, and scripts of known origins.
//!
//! Until an authorization server is among them, tokens are made by their user: `POST /api/auth/tokens`.

use rondo_contract::problem::ProblemCode;
use rondo_domain::access::{Caller, Scope, Scopes};
use rondo_guest::http::{Request, Response};
use rondo_guest::{Refusal, caller, variable};
use rondo_mcp::Answer;
use serde_json::json;

use crate::response;

/// Variable that holds the URL of this installation.
const PUBLIC_URL_VARIABLE: &str = "public_url";
/// Variable that holds the origins whose scripts may call the API, separated by commas.
const ORIGINS_VARIABLE: &str = "cors_origins";
/// The names of this machine (RFC 6761, section 6.3).
const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];
/// Scopes that every tool together needs.
const SCOPES: &str = "tasks:read tasks:write audit:read";

/// The caller; without a valid token, a challenge that names where tokens come from (RFC 9728, section 5.1).
pub fn caller(request: &Request) -> Result<Caller, Refusal> {
    match caller::authenticate(request) {
        Err(refusal) if refusal.code() == ProblemCode::Unauthenticated => {
            let challenge =
                format!("Bearer resource_metadata=\"{}\", scope=\"{SCOPES}\"", metadata_url()?);
            Err(Refusal::new(ProblemCode::Unauthenticated).header("www-authenticate", challenge))
        }
        other => other,
    }
}

/// The answer to a call of a tool that the token's scopes do not allow: 403, with the scopes that do (RFC 6750,
/// section 3.1).
pub fn insufficient(answer: Answer, scope: Scope) -> Result<Response, Refusal> {
    let challenge = format!(
        "Bearer error=\"insufficient_scope\", scope=\"{scope}\", resource_metadata=\"{}\"",
        metadata_url()?
    );
    let answer = Answer { status: 403, ..answer };
    Ok(response(answer).header("www-authenticate", challenge))
}

/// The document of the resource (RFC 9728, section 2).
pub fn document() -> Result<Response, Refusal> {
    let document = json!({
        "resource": format!("{}/mcp", base()?),
        "resource_name": "Rondo",
        "scopes_supported": Scopes::REQUESTABLE,
        "bearer_methods_supported": ["header"],
        "resource_documentation": format!("{}/api/docs", base()?),
    });
    Ok(Response::json(200, document.to_string()))
}

/// Refuses scripts of foreign origins, which a rebound DNS name could bring here.
pub fn check_origin(request: &Request) -> Result<(), Refusal> {
    let Some(origin) = request.header("origin") else { return Ok(()) };
    let listed = variable::get(ORIGINS_VARIABLE)?;
    let is_listed = listed.split(',').any(|known| !known.is_empty() && known == origin);
    if is_listed || is_own(&origin, &base()?) {
        return Ok(());
    }
    Err(Refusal::new(ProblemCode::Forbidden).detail("This origin may not use the server."))
}

/// Whether an origin is that of a URL. All names of this machine are the same.
fn is_own(origin: &str, url: &str) -> bool {
    let canonical = |url: &str| {
        let (scheme, rest) = url.split_once("://")?;
        let authority = rest.split('/').next().unwrap_or_default().to_ascii_lowercase();
        let loopback = LOOPBACK.into_iter().find_map(|name| {
            let port = authority.strip_prefix(name)?;
            (port.is_empty() || port.starts_with(':')).then(|| format!("localhost{port}"))
        });
        Some((scheme.to_ascii_lowercase(), loopback.unwrap_or(authority)))
    };
    canonical(origin).is_some_and(|own| canonical(url) == Some(own))
}

fn metadata_url() -> Result<String, Refusal> {
    Ok(format!("{}/.well-known/oauth-protected-resource/mcp", base()?))
}

fn base() -> Result<String, Refusal> {
    Ok(variable::get(PUBLIC_URL_VARIABLE)?.trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins() {
        let own = |origin| is_own(origin, "http://127.0.0.1:3000");
        assert!(own("http://127.0.0.1:3000") && own("http://localhost:3000"));
        assert!(own("http://[::1]:3000") && own("HTTP://LOCALHOST:3000"));
        for foreign in [
            "https://127.0.0.1:3000",
            "http://127.0.0.1",
            "http://127.0.0.1:3001",
            "http://127.0.0.1.example.org:3000",
            "http://localhost.example.org:3000",
            "http://evil.example.org",
            "null",
            "",
        ] {
            assert!(!own(foreign), "{foreign}");
        }
        assert!(is_own("https://tasks.example.org", "https://tasks.example.org/rondo"));
        assert!(!is_own("https://tasks.example.org:8443", "https://tasks.example.org"));
        assert!(!is_own("http://localhost:443", "https://tasks.example.org"));
    }
}
