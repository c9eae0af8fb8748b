//! Maps paths to components, and sets the headers that Spin sets. The library `routefinder` decides, as in
//! Spin.

use std::fmt::Display;

use http::{HeaderMap, HeaderName, HeaderValue, Request, header};

use rondo_telemetry::serve::ClientAddress;

/// Prefix of Spin's own routes.
pub(crate) const WELL_KNOWN_PREFIX: &str = "/.well-known/spin/";
/// Prefix of all of Spin's header names.
const HEADER_PREFIX: &str = "spin-";

/// The routes of an application. If several match a path, the one that is more exact from the left wins.
#[derive(Debug)]
pub struct Routes(routefinder::Router<Route>);

/// A route of the manifest.
#[derive(Debug)]
pub struct Route {
    /// As written in the manifest.
    pub pattern: String,
    /// The component that it leads to.
    pub component: String,
    /// The values of headers that are the same for each request.
    matched: HeaderValue,
    component_route: HeaderValue,
    raw: HeaderValue,
}

/// Why the routes are refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("route {pattern:?} {reason}")]
pub struct RouteError {
    pattern: String,
    reason: String,
}

impl Routes {
    /// Takes pairs of route and component.
    ///
    /// # Errors
    /// The first route that is malformed or occurs twice.
    pub fn new(routes: &[(String, String)]) -> Result<Self, RouteError> {
        let mut router = routefinder::Router::new();
        for (at, (pattern, component)) in routes.iter().enumerate() {
            let refused = |reason: String| RouteError { pattern: pattern.clone(), reason };
            // Spin warns about it and takes the last.
            if routes[..at].iter().any(|(earlier, _)| earlier == pattern) {
                return Err(refused("is there twice".to_owned()));
            }
            let spec = spec(pattern).map_err(|reason| refused(reason.to_owned()))?;
            let route = Route::new(pattern, component)
                .map_err(|_| refused("has a character that no header may have".to_owned()))?;
            let Ok(()) = router.add(spec, route);
        }
        Ok(Self(router))
    }

    /// The route of a path.
    #[must_use]
    pub fn find(&self, path: &str) -> Option<&Route> {
        self.0.best_match(path).map(|found| found.handler())
    }

    /// The route of a request's path. The request gets the headers that Spin would set, and loses all others
    /// with Spin's prefix.
    pub fn take<B>(&self, request: &mut Request<B>) -> Option<&Route> {
        let path = request.uri().path().to_owned();
        let found = self.0.best_match(&path)?;
        let target = request.uri().path_and_query().map_or(path.as_str(), |target| target.as_str());
        let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
        let full_url = format!("http://{}{target}", host.unwrap_or("localhost"));
        let client = request.extensions().get::<ClientAddress>().map(|client| client.0);
        remove_spin_headers(request.headers_mut());
        let mut headers = Headers(request.headers_mut());
        let captures = found.captures();
        let route = found.handler();
        headers.set("spin-path-info", trailing(captures.wildcard(), &path));
        headers.set("spin-full-url", full_url);
        headers.0.insert("spin-matched-route", route.matched.clone());
        headers.0.insert("spin-base-path", HeaderValue::from_static("/"));
        headers.0.insert("spin-raw-component-route", route.raw.clone());
        headers.0.insert("spin-component-route", route.component_route.clone());
        if let Some(client) = client {
            headers.set("spin-client-addr", client);
        }
        for (name, value) in captures.iter() {
            headers.set(&format!("spin-path-match-{}", name.replace('_', "-")), value);
        }
        Some(route)
    }
}

impl Route {
    fn new(pattern: &str, component: &str) -> Result<Self, header::InvalidHeaderValue> {
        Ok(Self {
            matched: HeaderValue::from_str(&based(pattern))?,
            component_route: HeaderValue::from_str(
                pattern.strip_suffix("/...").unwrap_or(pattern),
            )?,
            raw: HeaderValue::from_str(pattern)?,
            pattern: pattern.to_owned(),
            component: component.to_owned(),
        })
    }
}

/// The request's headers. Values that come from the client may be invalid and are then omitted.
struct Headers<'a>(&'a mut HeaderMap);

impl Headers<'_> {
    fn set(&mut self, name: &str, value: impl Display) {
        if let (Ok(name), Ok(value)) =
            (HeaderName::try_from(name), HeaderValue::try_from(value.to_string()))
        {
            self.0.insert(name, value);
        }
    }
}

/// Only the host sets these headers.
fn remove_spin_headers(headers: &mut HeaderMap) {
    let made_up: Vec<HeaderName> =
        headers.keys().filter(|name| name.as_str().starts_with(HEADER_PREFIX)).cloned().collect();
    for name in made_up {
        headers.remove(name);
    }
}

/// The absolute route without a trailing slash.
fn based(pattern: &str) -> String {
    let slash = if pattern.starts_with('/') { "" } else { "/" };
    format!("{slash}{}", pattern.strip_suffix('/').unwrap_or(pattern))
}

fn spec(pattern: &str) -> Result<routefinder::RouteSpec, &'static str> {
    let based = based(pattern);
    let wild = based.strip_suffix("/...").or(based.strip_suffix("/*"));
    // The library would panic if one occurs in the middle.
    if wild.unwrap_or(&based).split(['/', '.']).any(|segment| segment.contains('*')) {
        return Err("has a wildcard that is not at its end");
    }
    let spec = wild.map_or_else(|| based.clone(), |lead| format!("{lead}/*"));
    spec.as_str().try_into().map_err(|_| "is not a route")
}

/// The part of a path after a wildcard route, with the slashes that Spin keeps.
fn trailing(wildcard: Option<&str>, path: &str) -> String {
    let end = if path.ends_with('/') { "/" } else { "" };
    match wildcard {
        None => String::new(),
        Some("") => end.to_owned(),
        Some(rest) => format!("/{rest}{end}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routes(patterns: &[&str]) -> Result<Routes, RouteError> {
        // The component of each route has the route's name.
        let pairs: Vec<_> =
            patterns.iter().map(|route| ((*route).to_owned(), (*route).to_owned())).collect();
        Routes::new(&pairs)
    }

    #[test]
    fn the_most_exact_route_wins() {
        const PATTERNS: [&str; 8] = [
            "/api/...",
            "/api/auth/...",
            "/api/:user_id/notifications",
            "/api/notifications",
            "/events/audit",
            "/:anything/deep/...",
            "/dots/v1.2/:name.json",
            "/",
        ];
        let routes = routes(&PATTERNS).unwrap();
        for (path, expected) in [
            ("/api/7/tasks", Some("/api/...")),
            ("/api/auth/login", Some("/api/auth/...")),
            ("/api/auth", Some("/api/auth/...")),
            ("/api/auth/", Some("/api/auth/...")),
            ("/api/authority", Some("/api/...")),
            ("/api/notifications", Some("/api/notifications")),
            ("/api/7/notifications", Some("/api/:user_id/notifications")),
            ("/api/7/notifications/", Some("/api/:user_id/notifications")),
            ("/api/7/notifications/x", Some("/api/...")),
            ("/api//notifications", Some("/api/:user_id/notifications")),
            ("/api", Some("/api/...")),
            ("/API", None),
            ("/events/audit", Some("/events/audit")),
            // Spin treats these as the same path, which matters to a guard.
            ("//events/audit//", Some("/events/audit")),
            ("/events/audit/x", None),
            ("/x/deep/y", Some("/:anything/deep/...")),
            ("/x/deep", Some("/:anything/deep/...")),
            ("/dots/v1.2/a.json", Some("/dots/v1.2/:name.json")),
            ("/dots/v1.2/a.xml", None),
            ("/", Some("/")),
            ("", Some("/")),
            ("/x", None),
        ] {
            let found = routes.find(path).map(|route| route.pattern.as_str());
            assert_eq!(found, expected, "{path}");
        }
    }

    #[test]
    fn malformed_routes_are_named() {
        for (patterns, reason) in [
            (&["/a", "/a"][..], "twice"),
            (&["/a/*/b"], "wildcard"),
            (&["/a/.../b/*x"], "wildcard"),
            (&["/a/:"], "not a route"),
            (&["/a/\n"], "header"),
        ] {
            let error = routes(patterns).unwrap_err().to_string();
            assert!(error.contains(reason), "{patterns:?}: {error}");
        }
    }

    #[test]
    fn a_component_gets_the_headers_that_spin_would_set() {
        let patterns = ["/foo/:user_id/...", "/exact/", "/..."];
        let routes = routes(&patterns).unwrap();
        let check = |target: &str, expected: &[(&str, &str)]| {
            let mut request = Request::get(target).header("host", "h.example:81").body(()).unwrap();
            request.extensions_mut().insert(ClientAddress("127.0.0.1:8777".parse().unwrap()));
            for made_up in ["spin-client-addr", "Spin-Path-Match-Other", "spin-full-url"] {
                request.headers_mut().append(
                    HeaderName::try_from(made_up).unwrap(),
                    HeaderValue::from_static("made up"),
                );
            }
            routes.take(&mut request).unwrap();
            let mut headers: Vec<_> = request
                .headers()
                .iter()
                .filter(|(name, _)| name.as_str() != "host")
                .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
                .collect();
            headers.sort_unstable();
            let mut expected: Vec<_> =
                [("spin-base-path", "/"), ("spin-client-addr", "127.0.0.1:8777")]
                    .into_iter()
                    .chain(expected.iter().copied())
                    .collect();
            expected.sort_unstable();
            assert_eq!(headers, expected, "{target}");
        };
        check(
            "/foo/42/bar?key=1",
            &[
                ("spin-full-url", "http://h.example:81/foo/42/bar?key=1"),
                ("spin-path-info", "/bar"),
                ("spin-matched-route", "/foo/:user_id/..."),
                ("spin-raw-component-route", "/foo/:user_id/..."),
                ("spin-component-route", "/foo/:user_id"),
                ("spin-path-match-user-id", "42"),
            ],
        );
        check(
            "/exact",
            &[
                ("spin-full-url", "http://h.example:81/exact"),
                ("spin-path-info", ""),
                ("spin-matched-route", "/exact"),
                ("spin-raw-component-route", "/exact/"),
                ("spin-component-route", "/exact/"),
            ],
        );
        check(
            "/else/where/",
            &[
                ("spin-full-url", "http://h.example:81/else/where/"),
                ("spin-path-info", "/else/where/"),
                ("spin-matched-route", "/..."),
                ("spin-raw-component-route", "/..."),
                ("spin-component-route", ""),
            ],
        );
    }
}
