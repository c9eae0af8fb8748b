//! Problems (RFC 9457): the form of every error of the HTTP API.

use std::borrow::Cow;

use rondo_domain::{Fault, Violation};
use serde::Serialize;

/// Media type of a problem.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// One fault of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// A member of the body as a JSON pointer (RFC 6901) such as `/title`; a query parameter as
    /// `?limit`; a header by its name.
    pub pointer: String,
    pub code: Cow<'static, str>,
    pub detail: String,
}

impl FieldError {
    /// A member at `pointer` that breaks a rule.
    #[must_use]
    pub fn of(pointer: &str, violation: Violation) -> Self {
        Self {
            pointer: pointer.to_owned(),
            code: violation.code().into(),
            detail: violation.to_string(),
        }
    }

    /// A fault inside the member at `pointer`.
    #[must_use]
    pub fn inside(pointer: &str, fault: &Fault) -> Self {
        let pointer = if fault.at.is_empty() {
            pointer.to_owned()
        } else {
            format!("{pointer}/{}", fault.at)
        };
        Self::of(&pointer, fault.violation)
    }

    /// The same fault of a member inside another, at `pointer`.
    #[must_use]
    pub fn under(self, pointer: &str) -> Self {
        Self { pointer: format!("{pointer}{}", self.pointer), ..self }
    }

    #[must_use]
    pub fn unknown_member(pointer: &str) -> Self {
        Self {
            pointer: format!("/{}", pointer.replace('~', "~0").replace('/', "~1")),
            code: "unknown_member".into(),
            detail: "is not known".to_owned(),
        }
    }

    /// A fault in the body at a position that only the detail states.
    #[must_use]
    pub fn somewhere(code: &'static str, detail: String) -> Self {
        Self { pointer: String::new(), code: code.into(), detail }
    }

    #[must_use]
    pub fn parameter(name: &str, code: &'static str, detail: String) -> Self {
        Self { pointer: format!("?{name}"), code: code.into(), detail }
    }

    #[must_use]
    pub fn header(name: &str, violation: Violation) -> Self {
        Self::of(name, violation)
    }
}

/// Every kind of problem that one of Rondo's programs answers, by cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProblemCode {
    MalformedJson,
    /// The body was incomplete, or `Host` is missing.
    BadRequest,
    Unauthenticated,
    InvalidCredentials,
    Forbidden,
    MissingScope,
    RegistrationClosed,
    InvitationInvalid,
    NotFound,
    MethodNotAllowed,
    RequestTimeout,
    EmailTaken,
    UidTaken,
    TooManyTokens,
    NoNextOccurrence,
    TaskCompleted,
    TooManyReminders,
    TooManyWebhooks,
    TooManyLists,
    TooManyFilters,
    ResetRequired,
    UndoExpired,
    ConfirmationInvalid,
    PreconditionFailed,
    ChangedSince,
    BodyTooLarge,
    UnsupportedMediaType,
    InvalidRequest,
    IdempotencyKeyReused,
    /// Also with 400 and 405, depending on what a WebSocket handshake lacks.
    WebsocketExpected,
    TooManyRequests,
    Internal,
    /// The database is unavailable.
    Unavailable,
    /// The host cannot take the request.
    Overloaded,
    /// The host ended a request that took too long.
    Deadline,
}

/// The facts about one kind of problem.
#[derive(Debug)]
pub struct ProblemFacts {
    pub problem: ProblemCode,
    pub status: u16,
    /// Never changes.
    pub code: &'static str,
    pub title: &'static str,
    /// The default sentence.
    pub detail: &'static str,
}

const fn row(
    problem: ProblemCode,
    status: u16,
    code: &'static str,
    title: &'static str,
    detail: &'static str,
) -> ProblemFacts {
    ProblemFacts { problem, status, code, title, detail }
}

/// Every kind, in the order of [`ProblemCode`].
pub const PROBLEMS: &[ProblemFacts] = &[
    row(
        ProblemCode::MalformedJson,
        400,
        "malformed_json",
        "Malformed JSON",
        "The body is not JSON that can be read.",
    ),
    row(ProblemCode::BadRequest, 400, "bad_request", "Bad request", "The request is not complete."),
    row(
        ProblemCode::Unauthenticated,
        401,
        "unauthenticated",
        "Unauthenticated",
        "The request needs a valid access token: Authorization: Bearer <token>.",
    ),
    row(
        ProblemCode::InvalidCredentials,
        401,
        "invalid_credentials",
        "Invalid credentials",
        "The e-mail address or the password is wrong.",
    ),
    row(ProblemCode::Forbidden, 403, "forbidden", "Forbidden", "The token does not allow this."),
    row(
        ProblemCode::MissingScope,
        403,
        "missing_scope",
        "Missing scope",
        "The token's scopes do not allow this.",
    ),
    row(
        ProblemCode::RegistrationClosed,
        403,
        "registration_closed",
        "Registration closed",
        "Registration is closed.",
    ),
    row(
        ProblemCode::InvitationInvalid,
        403,
        "invitation_invalid",
        "Invitation invalid",
        "Registration needs an invitation for this address that is unused and has not expired.",
    ),
    row(ProblemCode::NotFound, 404, "not_found", "Not found", "There is nothing here."),
    row(
        ProblemCode::MethodNotAllowed,
        405,
        "method_not_allowed",
        "Method not allowed",
        "The header Allow lists the methods of this path.",
    ),
    row(
        ProblemCode::RequestTimeout,
        408,
        "request_timeout",
        "Request timeout",
        "The body did not arrive in time.",
    ),
    row(
        ProblemCode::EmailTaken,
        409,
        "email_taken",
        "E-mail taken",
        "There is an account with this address.",
    ),
    row(
        ProblemCode::UidTaken,
        409,
        "uid_taken",
        "UID taken",
        "The header Location names the task that has this uid.",
    ),
    row(
        ProblemCode::TooManyTokens,
        409,
        "too_many_tokens",
        "Too many tokens",
        "Delete a token that you no longer use.",
    ),
    row(
        ProblemCode::NoNextOccurrence,
        409,
        "no_next_occurrence",
        "No next occurrence",
        "The task does not recur, is completed, or is the last of its series.",
    ),
    row(
        ProblemCode::TaskCompleted,
        409,
        "task_completed",
        "Task completed",
        "A completed task has no reminders.",
    ),
    row(
        ProblemCode::TooManyReminders,
        409,
        "too_many_reminders",
        "Too many reminders",
        "The task has the maximum number of further reminders.",
    ),
    row(
        ProblemCode::TooManyWebhooks,
        409,
        "too_many_webhooks",
        "Too many webhooks",
        "Delete a webhook that you no longer use.",
    ),
    row(
        ProblemCode::TooManyLists,
        409,
        "too_many_lists",
        "Too many lists",
        "Delete a list that you no longer use.",
    ),
    row(
        ProblemCode::TooManyFilters,
        409,
        "too_many_filters",
        "Too many filters",
        "Delete a filter that you no longer use.",
    ),
    row(
        ProblemCode::ResetRequired,
        410,
        "reset_required",
        "Reset required",
        "Deletions since then are no longer known: drop all tasks and lists and start again with since=0.",
    ),
    row(
        ProblemCode::UndoExpired,
        410,
        "undo_expired",
        "Undo expired",
        "The change was more than an hour ago, or has been undone.",
    ),
    row(
        ProblemCode::ConfirmationInvalid,
        410,
        "confirmation_invalid",
        "Confirmation invalid",
        "This was not proposed here, was confirmed before, or waited for more than ten minutes.",
    ),
    row(
        ProblemCode::PreconditionFailed,
        412,
        "precondition_failed",
        "Precondition failed",
        "The task, list or filter has changed since the revision in If-Match.",
    ),
    row(
        ProblemCode::ChangedSince,
        412,
        "changed_since",
        "Changed since",
        "The tasks in tasks have changed since.",
    ),
    row(
        ProblemCode::BodyTooLarge,
        413,
        "body_too_large",
        "Body too large",
        "A body has at most 1 MiB.",
    ),
    row(
        ProblemCode::UnsupportedMediaType,
        415,
        "unsupported_media_type",
        "Unsupported media type",
        "The body must be application/json.",
    ),
    row(
        ProblemCode::InvalidRequest,
        422,
        "invalid_request",
        "Invalid request",
        "Some values are not allowed. errors lists each of them.",
    ),
    row(
        ProblemCode::IdempotencyKeyReused,
        422,
        "idempotency_key_reused",
        "Idempotency key reused",
        "The key was used with another body.",
    ),
    row(
        ProblemCode::WebsocketExpected,
        426,
        "websocket_expected",
        "WebSocket expected",
        "This path takes WebSocket connections only.",
    ),
    row(
        ProblemCode::TooManyRequests,
        429,
        "too_many_requests",
        "Too many requests",
        "Try again after the time in Retry-After.",
    ),
    row(ProblemCode::Internal, 500, "internal", "Internal error", "The server failed."),
    row(
        ProblemCode::Unavailable,
        503,
        "unavailable",
        "Unavailable",
        "Try the same request again a little later.",
    ),
    row(
        ProblemCode::Overloaded,
        503,
        "overloaded",
        "Overloaded",
        "The server has too many requests at once.",
    ),
    row(ProblemCode::Deadline, 504, "deadline", "Deadline", "The request took too long."),
];

impl ProblemCode {
    /// Every kind.
    pub fn all() -> impl Iterator<Item = Self> {
        PROBLEMS.iter().map(|facts| facts.problem)
    }

    /// The kind with this code.
    #[must_use]
    pub fn named(code: &str) -> Option<Self> {
        Self::all().find(|problem| problem.as_str() == code)
    }

    #[must_use]
    pub const fn facts(self) -> &'static ProblemFacts {
        &PROBLEMS[self as usize]
    }

    #[must_use]
    pub const fn status(self) -> u16 {
        self.facts().status
    }

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.facts().code
    }
}

/// A problem response.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    #[serde(rename = "type")]
    pub kind: String,
    pub title: &'static str,
    pub status: u16,
    pub detail: String,
    pub code: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// The ids of the tasks that the problem is about.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tasks: Vec<i64>,
    pub request_id: String,
}

impl Problem {
    #[must_use]
    pub fn new(code: ProblemCode) -> Self {
        let ProblemFacts { status, code, title, detail, .. } = *code.facts();
        Self {
            kind: format!("/problems/{code}"),
            title,
            status,
            detail: detail.to_owned(),
            code,
            errors: Vec::new(),
            tasks: Vec::new(),
            request_id: String::new(),
        }
    }

    /// Replaces the default sentence, if there is a better one.
    #[must_use]
    pub fn with_detail(mut self, detail: Option<String>) -> Self {
        if let Some(detail) = detail {
            self.detail = detail;
        }
        self
    }

    #[must_use]
    pub fn with_errors(mut self, errors: Vec<FieldError>) -> Self {
        self.errors = errors;
        self
    }

    #[must_use]
    pub fn with_tasks(mut self, tasks: Vec<i64>) -> Self {
        self.tasks = tasks;
        self
    }

    #[must_use]
    pub fn with_request_id(mut self, request_id: &str) -> Self {
        request_id.clone_into(&mut self.request_id);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_row() {
        for (place, facts) in PROBLEMS.iter().enumerate() {
            assert_eq!(facts.problem as usize, place, "{}", facts.code);
            let same = PROBLEMS.iter().filter(|other| other.code == facts.code);
            assert_eq!(same.count(), 1, "{}", facts.code);
        }
        assert_eq!(PROBLEMS.len(), ProblemCode::Deadline as usize + 1);
    }
}
