//! Refusals: why a request fails, before this becomes a problem response (RFC 9457).

use rondo_contract::problem::{FieldError, Problem, ProblemCode};

/// How long a client is told to wait if the database is unavailable.
pub const RETRY_AFTER_SECONDS: u32 = 1;

/// A refused request. The cause goes to the log, the rest to the client.
#[derive(Debug)]
pub struct Refusal {
    code: ProblemCode,
    detail: Option<String>,
    errors: Vec<FieldError>,
    tasks: Option<Box<[i64]>>,
    headers: Vec<(&'static str, String)>,
    cause: Option<String>,
}

impl Refusal {
    #[must_use]
    pub const fn new(code: ProblemCode) -> Self {
        Self {
            code,
            detail: None,
            errors: Vec::new(),
            tasks: None,
            headers: Vec::new(),
            cause: None,
        }
    }

    /// 401 with the required challenge (RFC 9110, section 11.6.1).
    #[must_use]
    pub fn unauthenticated() -> Self {
        Self::new(ProblemCode::Unauthenticated).header("www-authenticate", "Bearer")
    }

    /// 422 with all faults.
    #[must_use]
    pub fn invalid(errors: Vec<FieldError>) -> Self {
        Self { errors, ..Self::new(ProblemCode::InvalidRequest) }
    }

    /// 404, for a missing resource or path.
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

    /// 500; the client does not learn the cause.
    #[must_use]
    pub fn internal(cause: impl Into<String>) -> Self {
        Self { cause: Some(cause.into()), ..Self::new(ProblemCode::Internal) }
    }

    /// Sets a sentence for the client.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Names the tasks that the refusal is about.
    #[must_use]
    pub fn tasks(mut self, tasks: Vec<i64>) -> Self {
        self.tasks = Some(tasks.into());
        self
    }

    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The same refusal of a part of a body: its faults are inside `pointer`, and otherwise its detail names that. The
    /// empty pointer is the whole body.
    #[must_use]
    pub fn under(mut self, pointer: &str) -> Self {
        if self.errors.is_empty() && !pointer.is_empty() {
            let detail = self.detail.unwrap_or_else(|| self.code.facts().detail.to_owned());
            self.detail = Some(format!("{pointer}: {detail}"));
        }
        self.errors = self.errors.into_iter().map(|error| error.under(pointer)).collect();
        self
    }

    #[must_use]
    pub const fn code(&self) -> ProblemCode {
        self.code
    }

    /// Whether only the server is to blame.
    #[must_use]
    pub const fn is_internal(&self) -> bool {
        self.code.status() >= 500
    }

    /// The status, and the problem for the client, JSON.
    #[must_use]
    pub fn into_json(self, request_id: &str) -> (u16, String) {
        let (problem, _) = self.into_problem(request_id);
        // Strings and numbers always serialise.
        (problem.status, serde_json::to_string(&problem).unwrap_or_default())
    }

    /// The cause, for operators.
    #[must_use]
    pub fn cause(&self) -> Option<&str> {
        self.cause.as_deref()
    }

    /// The problem for the client, and its headers.
    pub(crate) fn into_problem(self, request_id: &str) -> (Problem, Vec<(&'static str, String)>) {
        let problem = Problem::new(self.code)
            .with_detail(self.detail)
            .with_errors(self.errors)
            .with_tasks(self.tasks.unwrap_or_default().into())
            .with_request_id(request_id);
        (problem, self.headers)
    }
}

/// All faults of a body or of query parameters: 422.
impl From<Vec<FieldError>> for Refusal {
    fn from(errors: Vec<FieldError>) -> Self {
        Self::invalid(errors)
    }
}
