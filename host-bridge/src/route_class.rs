//! The route of a request, as a label of metrics and log lines.
//!
//! Labels are the path templates of the API's document, without the user's id: `/api/7/tasks/12` and
//! `/api/tasks/12` are both `/api/tasks/{id}`. Any other path is [`OTHER`], so that a client can't create
//! time series by asking for paths.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use rondo_contract::capability::CAPABILITIES;
use serde_json::value::RawValue;

/// Every path that is not a route.
pub const OTHER: &str = "other";

/// Routes that the API's document leaves out: pages, live sync, assistants, and operators' pages. `...` matches any
/// further segments, as in spin.toml.
const UNDOCUMENTED: [&str; 11] = [
    "/",
    "/api/docs/...",
    "/assets/...",
    "/health",
    "/health/ready",
    "/manifest.webmanifest",
    "/mcp",
    "/metrics",
    "/worker.js",
    "/ws",
    "/zones/...",
];

/// Sorted, so that `/api/tasks/filter` is tried before `/api/tasks/{id}`.
static ROUTES: LazyLock<Vec<Route>> = LazyLock::new(|| {
    let events = CAPABILITIES.iter().map(|capability| format!("/events/{}", capability.name));
    let undocumented = UNDOCUMENTED.iter().map(|&template| template.to_owned());
    let mut routes: Vec<Route> =
        documented().chain(undocumented).chain(events).map(Route::new).collect();
    routes.sort_by(|one, other| one.template.cmp(&other.template));
    routes.dedup_by(|one, other| one.template == other.template);
    routes
});

/// One route, by its path template.
struct Route {
    template: String,
    segments: Vec<Segment>,
}

enum Segment {
    Literal(String),
    Parameter,
    Rest,
}

impl Route {
    fn new(template: String) -> Self {
        let segments = template.split('/').skip(1).map(|segment| match segment {
            "..." => Segment::Rest,
            name if name.starts_with('{') => Segment::Parameter,
            literal => Segment::Literal(literal.to_owned()),
        });
        Self { segments: segments.collect(), template }
    }

    fn matches(&self, path: &[&str]) -> bool {
        let (segments, has_rest) = match self.segments.split_last() {
            Some((Segment::Rest, before)) => (before, true),
            _ => (self.segments.as_slice(), false),
        };
        let fits = path.len() == segments.len() || (has_rest && path.len() > segments.len());
        fits && segments.iter().zip(path).all(|(segment, part)| match segment {
            Segment::Literal(literal) => literal == part,
            Segment::Parameter | Segment::Rest => !part.is_empty(),
        })
    }
}

/// The path templates of the API's document, each without the user's id.
fn documented() -> impl Iterator<Item = String> {
    let members = |json: &'static str| {
        serde_json::from_str::<BTreeMap<String, &RawValue>>(json)
            .unwrap_or_else(|error| unreachable!("docs/openapi.json: {error}"))
    };
    let document = members(include_str!("../../docs/openapi.json"));
    let paths = document.get("paths").map_or_else(BTreeMap::new, |paths| members(paths.get()));
    paths.into_keys().map(|path| path.replacen("/{user_id}", "", 1))
}

/// The route that a path belongs to.
#[must_use]
pub fn route_class(path: &str) -> &'static str {
    let mut segments: Vec<&str> = path.strip_prefix('/').unwrap_or(path).split('/').collect();
    if let ["api", user, _, ..] = segments.as_slice()
        && is_number(user)
    {
        segments.remove(1);
    }
    ROUTES.iter().find(|route| route.matches(&segments)).map_or(OTHER, |route| &route.template)
}

fn is_number(segment: &str) -> bool {
    !segment.is_empty() && segment.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_its_template_and_an_unknown_path_is_other() {
        for (path, class) in [
            ("/", "/"),
            ("/api/tasks", "/api/tasks"),
            ("/api/7/tasks", "/api/tasks"),
            ("/api/7/tasks/12/complete", "/api/tasks/{id}/complete"),
            ("/api/tasks/filter", "/api/tasks/filter"),
            ("/api/tasks/not-a-number", "/api/tasks/{id}"),
            ("/api/webhooks/3/deliveries", "/api/webhooks/{webhook_id}/deliveries"),
            ("/api/auth/verify/resend", "/api/auth/verify/resend"),
            ("/api/docs", "/api/docs/..."),
            ("/api/docs/page.js", "/api/docs/..."),
            ("/events/notify", "/events/notify"),
            ("/health/ready", "/health/ready"),
            ("/wp-login.php", OTHER),
            ("/api/7", OTHER),
            ("/api//tasks", OTHER),
            ("/api/tasks/", OTHER),
            ("/events/nobody", OTHER),
            ("", "/"),
        ] {
            assert_eq!(route_class(path), class, "{path}");
        }
    }

    /// Each documented path, with ids in it, is a class of its own.
    #[test]
    fn every_documented_route_has_its_class() {
        for template in documented() {
            let path: Vec<&str> = template
                .split('/')
                .map(|segment| if segment.starts_with('{') { "7" } else { segment })
                .collect();
            let path = path.join("/");
            assert_eq!(route_class(&path), template, "{path}");
            let own = path.replacen("/api/", "/api/12/", 1);
            assert_eq!(route_class(&own), template, "{own}");
        }
    }
}
