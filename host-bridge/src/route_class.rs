//! The class of a path in the metrics: what the contract lists, ids left out. Everything else is
//! one class, so that nobody can make time series by asking for paths.

/// Anything that is no route of the contract.
pub const OTHER: &str = "other";

/// The class of a path. `/api/7/tasks` and `/api/tasks` are the same route.
#[must_use]
pub fn route_class(path: &str) -> &'static str {
    let path = path.strip_prefix('/').unwrap_or(path);
    let segments: Vec<&str> = path.split('/').collect();
    match segments.as_slice() {
        ["api", user, rest @ ..] if is_number(user) => api(rest),
        ["api", rest @ ..] => api(rest),
        [""] => "/",
        ["links", "complete"] => "/links/complete",
        ["links", "snooze"] => "/links/snooze",
        ["links", "unsubscribe"] => "/links/unsubscribe",
        ["ws"] => "/ws",
        ["health"] => "/health",
        ["health", "ready"] => "/health/ready",
        ["metrics"] => "/metrics",
        ["events", "audit"] => "/events/audit",
        ["events", "notify"] => "/events/notify",
        ["events", "recurrence"] => "/events/recurrence",
        _ => OTHER,
    }
}

fn api(segments: &[&str]) -> &'static str {
    match segments {
        ["tasks"] => "/api/tasks",
        ["tasks", "filter"] => "/api/tasks/filter",
        ["tasks", _] => "/api/tasks/:id",
        ["tasks", _, "complete"] => "/api/tasks/:id/complete",
        ["tasks", _, "reopen"] => "/api/tasks/:id/reopen",
        ["tasks", _, "skip"] => "/api/tasks/:id/skip",
        ["tasks", _, "reminders"] => "/api/tasks/:id/reminders",
        ["health", "ready"] => "/api/health/ready",
        ["changes"] => "/api/changes",
        ["tags"] => "/api/tags",
        ["tags", _] => "/api/tags/:name",
        ["reminders"] => "/api/reminders",
        ["reminders", _] => "/api/reminders/:id",
        ["reminders", _, "snooze"] => "/api/reminders/:id/snooze",
        ["notifications"] => "/api/notifications",
        ["webhooks"] => "/api/webhooks",
        ["webhooks", _] => "/api/webhooks/:id",
        ["webhooks", _, "test"] => "/api/webhooks/:id/test",
        ["recurrence", "preview"] => "/api/recurrence/preview",
        ["audit", "logs"] => "/api/audit/logs",
        ["audit", "statistics"] => "/api/audit/statistics",
        ["auth", "register"] => "/api/auth/register",
        ["auth", "invitations"] => "/api/auth/invitations",
        ["auth", "login"] => "/api/auth/login",
        ["auth", "refresh"] => "/api/auth/refresh",
        ["auth", "logout"] => "/api/auth/logout",
        ["auth", "me"] => "/api/auth/me",
        ["auth", "tokens"] => "/api/auth/tokens",
        ["auth", "tokens", _] => "/api/auth/tokens/:id",
        ["auth", "verify", ..] => "/api/auth/verify",
        ["auth", "password", ..] => "/api/auth/password",
        ["openapi.json" | "asyncapi.json" | "docs", ..] => "/api/docs",
        _ => OTHER,
    }
}

fn is_number(segment: &str) -> bool {
    !segment.is_empty() && segment.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_left_out_and_what_is_unknown_is_one_class() {
        for (path, class) in [
            ("/", "/"),
            ("/api/tasks", "/api/tasks"),
            ("/api/7/tasks", "/api/tasks"),
            ("/api/7/tasks/12/complete", "/api/tasks/:id/complete"),
            ("/api/tasks/not-a-number", "/api/tasks/:id"),
            ("/api/auth/verify/resend", "/api/auth/verify"),
            ("/health/ready", "/health/ready"),
            ("/wp-login.php", OTHER),
            ("/api/7", OTHER),
            ("/api//tasks", OTHER),
            ("/api/tasks/", "/api/tasks/:id"),
            ("", "/"),
        ] {
            assert_eq!(route_class(path), class, "{path}");
        }
    }
}
