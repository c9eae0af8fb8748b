//! Problems (RFC 9457): the one form of every error of the HTTP API.

use std::borrow::Cow;

use rondo_domain::{Fault, Violation};
use serde::Serialize;

/// Media type of a problem.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// One thing that is wrong with a request.
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

    #[must_use]
    pub fn unknown_member(pointer: &str) -> Self {
        Self {
            pointer: format!("/{}", pointer.replace('~', "~0").replace('/', "~1")),
            code: "unknown_member".into(),
            detail: "is not known".to_owned(),
        }
    }

    /// Something in the body, at a place that only the detail tells.
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

/// Every kind of problem, with its status and stable code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProblemCode {
    MalformedJson,
    Unauthenticated,
    InvalidCredentials,
    Forbidden,
    MissingScope,
    RegistrationClosed,
    InvitationInvalid,
    NotFound,
    MethodNotAllowed,
    EmailTaken,
    TooManyTokens,
    NoNextOccurrence,
    TaskCompleted,
    TooManyReminders,
    TooManyWebhooks,
    ResetRequired,
    PreconditionFailed,
    BodyTooLarge,
    UnsupportedMediaType,
    InvalidRequest,
    IdempotencyKeyReused,
    TooManyRequests,
    Internal,
    Unavailable,
}

impl ProblemCode {
    pub const ALL: [Self; 24] = [
        Self::MalformedJson,
        Self::Unauthenticated,
        Self::InvalidCredentials,
        Self::Forbidden,
        Self::MissingScope,
        Self::RegistrationClosed,
        Self::InvitationInvalid,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::EmailTaken,
        Self::TooManyTokens,
        Self::NoNextOccurrence,
        Self::TaskCompleted,
        Self::TooManyReminders,
        Self::TooManyWebhooks,
        Self::ResetRequired,
        Self::PreconditionFailed,
        Self::BodyTooLarge,
        Self::UnsupportedMediaType,
        Self::InvalidRequest,
        Self::IdempotencyKeyReused,
        Self::TooManyRequests,
        Self::Internal,
        Self::Unavailable,
    ];

    /// Status, code, title and a sentence for when there is nothing more to say.
    const fn facts(self) -> (u16, &'static str, &'static str, &'static str) {
        match self {
            Self::MalformedJson => {
                (400, "malformed_json", "Malformed JSON", "The body is not JSON that can be read.")
            }
            Self::Unauthenticated => (
                401,
                "unauthenticated",
                "Unauthenticated",
                "A valid access token is needed: Authorization: Bearer <token>.",
            ),
            Self::InvalidCredentials => (
                401,
                "invalid_credentials",
                "Invalid credentials",
                "The e-mail address or the password is wrong.",
            ),
            Self::Forbidden => (403, "forbidden", "Forbidden", "The token does not allow this."),
            Self::MissingScope => {
                (403, "missing_scope", "Missing scope", "The token's scopes do not allow this.")
            }
            Self::RegistrationClosed => {
                (403, "registration_closed", "Registration closed", "Nobody can register here.")
            }
            Self::InvitationInvalid => (
                403,
                "invitation_invalid",
                "Invitation invalid",
                "Registering takes an invitation that has not been used, has not expired and is for \
                 this address.",
            ),
            Self::NotFound => (404, "not_found", "Not found", "There is nothing here."),
            Self::MethodNotAllowed => (
                405,
                "method_not_allowed",
                "Method not allowed",
                "The header Allow has the methods that there are.",
            ),
            Self::EmailTaken => {
                (409, "email_taken", "E-mail taken", "There is an account with this address.")
            }
            Self::TooManyTokens => (
                409,
                "too_many_tokens",
                "Too many tokens",
                "Delete a token that is not used any more.",
            ),
            Self::NoNextOccurrence => (
                409,
                "no_next_occurrence",
                "No next occurrence",
                "The task does not recur, is completed, or is the last of its series.",
            ),
            Self::TaskCompleted => {
                (409, "task_completed", "Task completed", "A completed task does not remind.")
            }
            Self::TooManyReminders => (
                409,
                "too_many_reminders",
                "Too many reminders",
                "The task has as many further reminders as a task may have.",
            ),
            Self::TooManyWebhooks => (
                409,
                "too_many_webhooks",
                "Too many webhooks",
                "Delete a webhook that is not used any more.",
            ),
            Self::ResetRequired => (
                410,
                "reset_required",
                "Reset required",
                "What was deleted since then is not known any more: forget everything and begin \
                 with since=0.",
            ),
            Self::PreconditionFailed => (
                412,
                "precondition_failed",
                "Precondition failed",
                "The task has changed since the revision in If-Match.",
            ),
            Self::BodyTooLarge => {
                (413, "body_too_large", "Body too large", "A body has at most 1 MiB.")
            }
            Self::UnsupportedMediaType => (
                415,
                "unsupported_media_type",
                "Unsupported media type",
                "The body must be application/json.",
            ),
            Self::InvalidRequest => (
                422,
                "invalid_request",
                "Invalid request",
                "Some values are not allowed; errors has each of them.",
            ),
            Self::IdempotencyKeyReused => (
                422,
                "idempotency_key_reused",
                "Idempotency key reused",
                "The key was used with another body.",
            ),
            Self::TooManyRequests => (
                429,
                "too_many_requests",
                "Too many requests",
                "Try again when the time in Retry-After has passed.",
            ),
            Self::Internal => {
                (500, "internal", "Internal error", "Something went wrong on our side.")
            }
            Self::Unavailable => {
                (503, "unavailable", "Unavailable", "Try the same request again a little later.")
            }
        }
    }

    #[must_use]
    pub const fn status(self) -> u16 {
        self.facts().0
    }

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.facts().1
    }
}

/// A problem as it is answered.
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
    pub request_id: String,
}

impl Problem {
    #[must_use]
    pub fn new(code: ProblemCode) -> Self {
        let (status, name, title, detail) = code.facts();
        Self {
            kind: format!("/problems/{name}"),
            title,
            status,
            detail: detail.to_owned(),
            code: name,
            errors: Vec::new(),
            request_id: String::new(),
        }
    }

    /// Replaces the general sentence, if there is a better one.
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
    pub fn with_request_id(mut self, request_id: &str) -> Self {
        request_id.clone_into(&mut self.request_id);
        self
    }
}
