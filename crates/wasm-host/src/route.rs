//! Which component a path leads to, as Spin decides it: exact routes, `:name` for one segment, and
//! `/...` for the rest; the more literal route wins.

/// The routes of an application.
#[derive(Debug)]
pub struct Routes(Vec<(Vec<Segment>, String, String)>);

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Segment {
    Literal(String),
    Any,
    Rest,
}

impl Routes {
    #[must_use]
    pub fn new(routes: &[(String, String)]) -> Self {
        let mut parsed: Vec<_> = routes
            .iter()
            .map(|(route, component)| (segments(route), route.clone(), component.clone()))
            .collect();
        // Literal sorts before Any before Rest, so the first match is the most literal one.
        parsed.sort_by_key(|(segments, ..)| rank(segments));
        Self(parsed)
    }

    /// The route and the component of a path.
    #[must_use]
    pub fn find(&self, path: &str) -> Option<(&str, &str)> {
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        self.0
            .iter()
            .find(|(segments, ..)| matches(segments, &parts))
            .map(|(_, route, component)| (route.as_str(), component.as_str()))
    }
}

fn segments(route: &str) -> Vec<Segment> {
    route
        .trim_start_matches('/')
        .split('/')
        .map(|part| match part {
            "..." => Segment::Rest,
            part if part.starts_with(':') => Segment::Any,
            part => Segment::Literal(part.to_owned()),
        })
        .collect()
}

fn rank(segments: &[Segment]) -> Vec<u8> {
    segments
        .iter()
        .map(|segment| match segment {
            Segment::Literal(_) => 0,
            Segment::Any => 1,
            Segment::Rest => 2,
        })
        .collect()
}

fn matches(segments: &[Segment], parts: &[&str]) -> bool {
    match (segments, parts) {
        ([Segment::Rest], _) | ([], []) => true,
        ([Segment::Any, segments @ ..], [part, parts @ ..]) => {
            !part.is_empty() && matches(segments, parts)
        }
        ([Segment::Literal(literal), segments @ ..], [part, parts @ ..]) => {
            literal == part && matches(segments, parts)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_literal_route_wins() {
        let routes: Vec<(String, String)> = [
            ("/api/...", "tasks"),
            ("/api/auth/...", "auth"),
            ("/api/:user/notifications", "notify"),
            ("/events/audit", "audit"),
        ]
        .map(|(route, component)| (route.to_owned(), component.to_owned()))
        .into();
        let routes = Routes::new(&routes);
        for (path, expected) in [
            ("/api/7/tasks", Some("tasks")),
            ("/api/auth/login", Some("auth")),
            ("/api/auth", Some("auth")),
            ("/api/7/notifications", Some("notify")),
            ("/api/7/notifications/x", Some("tasks")),
            ("/api", Some("tasks")),
            ("/events/audit", Some("audit")),
            ("/events/audit/x", None),
            ("/", None),
        ] {
            assert_eq!(routes.find(path).map(|(_, component)| component), expected, "{path}");
        }
    }
}
