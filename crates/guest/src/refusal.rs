//! Refusals: why a request is not answered with what it asked for, on the way to becoming a problem
//! response (RFC 9457).

use rondo_contract::problem::{FieldError, Problem, ProblemCode};

/// How long a client is told to wait when the database is away.
pub const RETRY_AFTER_SECONDS: u32 = 1;

/// A refused request. The cause is for the log, the rest for the client.
#[derive(Debug)]
pub struct Refusal {
    code: ProblemCode,
    detail: Option<String>,
    errors: Vec<FieldError>,
    headers: Vec<(&'static str, String)>,
    cause: Option<String>,
}

impl Refusal {
    #[must_use]
    pub const fn new(code: ProblemCode) -> Self {
        Self { code, detail: None, errors: Vec::new(), headers: Vec::new(), cause: None }
    }

    /// 401, which has to say how to authenticate (RFC 9110, section 11.6.1).
    #[must_use]
    pub fn unauthenticated() -> Self {
        Self::new(ProblemCode::Unauthenticated).header("www-authenticate", "Bearer")
    }

    /// 422 with every member that is wrong.
    #[must_use]
    pub fn invalid(errors: Vec<FieldError>) -> Self {
        Self { errors, ..Self::new(ProblemCode::InvalidRequest) }
    }

    /// 404, whether a thing does not exist or a path.
    #[must_use]
    pub const fn not_found() -> Self {
        Self::new(ProblemCode::NotFound)
    }

    /// 503: the same request may succeed a little later.
    #[must_use]
    pub fn unavailable(cause: impl Into<String>) -> Self {
        Self { cause: Some(cause.into()), ..Self::new(ProblemCode::Unavailable) }
            .header("retry-after", RETRY_AFTER_SECONDS.to_string())
    }

    /// 500; the client is told nothing of the cause.
    #[must_use]
    pub fn internal(cause: impl Into<String>) -> Self {
        Self { cause: Some(cause.into()), ..Self::new(ProblemCode::Internal) }
    }

    /// A sentence for the client.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// What an operator should know.
    #[must_use]
    pub fn cause(&self) -> Option<&str> {
        self.cause.as_deref()
    }

    /// What the client is told, and the headers that go with it.
    pub(crate) fn into_problem(self, request_id: &str) -> (Problem, Vec<(&'static str, String)>) {
        let problem = Problem::new(self.code)
            .with_detail(self.detail)
            .with_errors(self.errors)
            .with_request_id(request_id);
        (problem, self.headers)
    }
}

/// Everything that is wrong with a body or with query parameters: 422.
impl From<Vec<FieldError>> for Refusal {
    fn from(errors: Vec<FieldError>) -> Self {
        Self::invalid(errors)
    }
}
