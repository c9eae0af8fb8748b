//! CORS: which other origins' scripts may call the API (the Fetch standard, "CORS protocol"). Callers
//! authenticate by token alone, so credentials are never allowed.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN,
    VARY,
};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri};

/// Paths that other origins may call, and what they begin with; pages, health and metrics are excluded.
const PREFIX: &str = "/api/";
const PATHS: [&str; 2] = ["/mcp", "/.well-known/oauth-protected-resource/mcp"];
const METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE";
/// Request headers that a script may send, beside the safelisted ones.
const SENT: &str = "Authorization, Content-Type, If-Match, If-None-Match, Idempotency-Key, traceparent, MCP-Protocol-Version, Mcp-Method, Mcp-Name";
/// Response headers that a script may read, beside the safelisted ones.
const READ: &str = "ETag, Link, Location, X-Total-Count, X-Total-Estimate, X-Request-Id, Idempotency-Replayed, Undo-Token, Retry-After, WWW-Authenticate";
/// How long browsers may cache a preflight, in seconds. None caches longer than a day.
const KEPT_S: &str = "86400";

/// The setting `CORS_ORIGINS`: origins such as `https://app.example.org`, separated by commas.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CorsOrigins(BTreeSet<HeaderValue>);

impl FromStr for CorsOrigins {
    type Err = String;

    fn from_str(list: &str) -> Result<Self, Self::Err> {
        let origins = list.split(',').map(str::trim).filter(|origin| !origin.is_empty());
        origins.map(origin).collect::<Result<_, _>>().map(Self)
    }
}

/// The setting, as the component `mcp` takes it.
impl fmt::Display for CorsOrigins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origins: Vec<_> = self.0.iter().filter_map(|origin| origin.to_str().ok()).collect();
        f.write_str(&origins.join(","))
    }
}

/// An origin exactly as browsers send it (RFC 6454, section 6.2), since it is compared byte by byte.
fn origin(text: &str) -> Result<HeaderValue, String> {
    let malformed = || {
        format!(
            "{text:?} is not an origin such as https://app.example.org: scheme, host in lower case, \
             and a port unless it is the scheme's default"
        )
    };
    let uri: Uri = text.parse().map_err(|_| malformed())?;
    let scheme = uri.scheme_str().filter(|scheme| matches!(*scheme, "http" | "https"));
    let (Some(scheme), Some(host)) = (scheme, uri.host()) else { return Err(malformed()) };
    let own_port = if scheme == "https" { 443 } else { 80 };
    let port = uri.port_u16().map(|port| format!(":{port}")).unwrap_or_default();
    let is_exact = text == format!("{scheme}://{host}{port}")
        && uri.port_u16() != Some(own_port)
        && !host.is_empty()
        && !host.contains('*')
        && !host.bytes().any(|byte| byte.is_ascii_uppercase());
    if !is_exact {
        return Err(malformed());
    }
    HeaderValue::from_str(text).map_err(|_| malformed())
}

/// The CORS decision about a request.
#[derive(Debug, PartialEq, Eq)]
pub enum CorsDecision {
    /// No origin is configured, or the path is not open to other origins.
    Unaffected,
    /// Not allowed; caches must know that the response depends on the origin.
    Varies,
    Allowed(HeaderValue),
}

impl CorsOrigins {
    #[must_use]
    pub fn decide<B>(&self, request: &Request<B>) -> CorsDecision {
        let path = request.uri().path();
        if self.0.is_empty() || !(path.starts_with(PREFIX) || PATHS.contains(&path)) {
            return CorsDecision::Unaffected;
        }
        match request.headers().get(ORIGIN) {
            Some(origin) if self.0.contains(origin) => CorsDecision::Allowed(origin.clone()),
            _ => CorsDecision::Varies,
        }
    }
}

impl CorsDecision {
    /// The response to a preflight of an allowed origin; none for any other request.
    #[must_use]
    pub fn preflight<B, A: Default>(&self, request: &Request<B>) -> Option<Response<A>> {
        let is_preflight = request.method() == Method::OPTIONS
            && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD);
        if !is_preflight || !matches!(self, Self::Allowed(_)) {
            return None;
        }
        let mut response = Response::new(A::default());
        *response.status_mut() = StatusCode::NO_CONTENT;
        for (name, value) in [
            (ACCESS_CONTROL_ALLOW_METHODS, METHODS),
            (ACCESS_CONTROL_ALLOW_HEADERS, SENT),
            (ACCESS_CONTROL_MAX_AGE, KEPT_S),
        ] {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        Some(response)
    }

    /// Adds the CORS headers to a response.
    pub fn write(self, headers: &mut HeaderMap) {
        if self == Self::Unaffected {
            return;
        }
        headers.append(VARY, HeaderValue::from_static("Origin"));
        if let Self::Allowed(origin) = self {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(READ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_exact() {
        let read = |list: &str| list.parse::<CorsOrigins>().map(|origins| origins.0.len());
        assert_eq!(read(""), Ok(0));
        assert_eq!(read("https://app.example.org, http://127.0.0.1:8080,"), Ok(2));
        assert_eq!(read("http://[::1]:8080"), Ok(1));
        let shown = " https://b.example.org,https://a.example.org".parse::<CorsOrigins>();
        let shown = shown.map(|origins| origins.to_string());
        assert_eq!(shown.as_deref(), Ok("https://a.example.org,https://b.example.org"));
        for bad in [
            "*",
            "null",
            "app.example.org",
            "https://",
            "https://*.example.org",
            "https://app.example.org/",
            "https://app.example.org/app",
            "https://app.example.org?x",
            "https://ada@app.example.org",
            "https://App.example.org",
            "HTTPS://app.example.org",
            "https://app.example.org:443",
            "http://app.example.org:80",
            "https://app.example.org:",
            "ftp://app.example.org",
            "https://app.example.org https://b.example.org",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_allowed_origin_may_read_and_another_may_not() {
        let origins: CorsOrigins = "https://app.example.org".parse().unwrap();
        let request =
            |path: &str, origin: &str| Request::get(path).header(ORIGIN, origin).body(()).unwrap();
        let written = |origins: &CorsOrigins, path: &str, origin: &str| {
            let mut headers = HeaderMap::new();
            origins.decide(&request(path, origin)).write(&mut headers);
            headers
        };
        let headers = written(&origins, "/api/tasks", "https://app.example.org");
        assert_eq!(headers[ACCESS_CONTROL_ALLOW_ORIGIN], "https://app.example.org");
        assert_eq!(
            (&headers[VARY], &headers[ACCESS_CONTROL_EXPOSE_HEADERS]),
            (&HeaderValue::from_static("Origin"), &HeaderValue::from_static(READ))
        );
        for stranger in [
            "https://evil.example.org",
            "http://app.example.org",
            "null",
            "https://app.example.org:8443",
        ] {
            let headers = written(&origins, "/api/tasks", stranger);
            assert_eq!(
                (headers.len(), &headers[VARY]),
                (1, &HeaderValue::from_static("Origin")),
                "{stranger}"
            );
        }
        assert!(written(&origins, "/metrics", "https://app.example.org").is_empty());
        let none = CorsOrigins::default();
        assert!(written(&none, "/api/tasks", "https://app.example.org").is_empty());
    }

    #[test]
    fn only_allowed_origins_pass_a_preflight() {
        let origins: CorsOrigins = "https://app.example.org".parse().unwrap();
        let ask = |method: Method, origin: &str, asks: Option<&str>| {
            let mut request = Request::builder().method(method).uri("/api/tasks");
            request = request.header(ORIGIN, origin);
            if let Some(asks) = asks {
                request = request.header(ACCESS_CONTROL_REQUEST_METHOD, asks);
            }
            let request = request.body(()).unwrap();
            origins.decide(&request).preflight::<_, ()>(&request)
        };
        let allowed = "https://app.example.org";
        let answer = ask(Method::OPTIONS, allowed, Some("PATCH")).unwrap();
        assert_eq!(answer.status(), 204);
        assert_eq!(answer.headers()[ACCESS_CONTROL_MAX_AGE], KEPT_S);
        assert!(ask(Method::OPTIONS, "https://evil.example.org", Some("PATCH")).is_none());
        assert!(ask(Method::OPTIONS, allowed, None).is_none());
        assert!(ask(Method::GET, allowed, Some("PATCH")).is_none());
    }
}
