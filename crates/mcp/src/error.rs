//! Errors of the protocol, as JSON-RPC has them, each with its HTTP status.

use serde_json::{Map, Value, json};

use crate::revision::Revision;

/// The kind of error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    Parse,
    InvalidRequest,
    MethodNotFound,
    InvalidParams,
    Internal,
    /// A header is missing, or says something else than the body.
    HeaderMismatch,
    MissingCapability,
    UnsupportedRevision,
    /// A resource that does not exist, until revision 2025-11-25.
    ResourceNotFound,
}

impl Code {
    #[must_use]
    pub const fn number(self) -> i64 {
        match self {
            Self::Parse => -32700,
            Self::InvalidRequest => -32600,
            Self::MethodNotFound => -32601,
            Self::InvalidParams => -32602,
            Self::Internal => -32603,
            Self::HeaderMismatch => -32020,
            Self::MissingCapability => -32021,
            Self::UnsupportedRevision => -32022,
            Self::ResourceNotFound => -32002,
        }
    }
}

/// An error for the client.
#[derive(Debug, Clone, PartialEq)]
pub struct Error {
    pub code: Code,
    pub message: String,
    pub data: Option<Value>,
    /// None for the code's own.
    status: Option<u16>,
}

impl Error {
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), data: None, status: None }
    }

    /// Parameters that do not fit, in a request that is well formed.
    #[must_use]
    pub fn params(message: impl Into<String>) -> Self {
        Self::new(Code::InvalidParams, message)
    }

    /// A request that does not have the form of the protocol: 400.
    #[must_use]
    pub fn malformed(code: Code, message: impl Into<String>) -> Self {
        Self { status: Some(400), ..Self::new(code, message) }
    }

    /// The server's fault, with the HTTP status that says which.
    #[must_use]
    pub fn internal(status: u16, message: impl Into<String>) -> Self {
        Self { status: Some(status), ..Self::new(Code::Internal, message) }
    }

    /// The client would have to be able to do this: `sampling`, for example.
    #[must_use]
    pub fn needs(capability: &str) -> Self {
        let message = format!("this needs the client's capability {capability}");
        let mut required = Map::new();
        required.insert(capability.to_owned(), json!({}));
        Self::malformed(Code::MissingCapability, message)
            .with(json!({ "requiredCapabilities": required }))
    }

    /// No offered revision.
    #[must_use]
    pub fn unsupported(requested: &str) -> Self {
        let supported = Revision::OFFERED.map(Revision::as_str);
        let message = format!("revision {requested} is not supported");
        Self::malformed(Code::UnsupportedRevision, message)
            .with(json!({ "supported": supported, "requested": requested }))
    }

    #[must_use]
    pub fn with(self, data: Value) -> Self {
        Self { data: Some(data), ..self }
    }

    /// The HTTP status. Until revision 2025-11-25, clients take any other than 200 for a broken transport.
    #[must_use]
    pub fn status(&self, is_stateless: bool) -> u16 {
        match (self.status, self.code) {
            (Some(status), _) => status,
            (None, Code::MethodNotFound) if is_stateless => 404,
            (None, _) => 200,
        }
    }

    /// The member `error`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut error = json!({ "code": self.code.number(), "message": self.message });
        if let Some(data) = &self.data {
            error["data"] = data.clone();
        }
        error
    }
}
