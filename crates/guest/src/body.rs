//! Request bodies that are JSON.

use rondo_contract::body::{NOT_AN_OBJECT, Reader};
use rondo_contract::json::JsonError;
use rondo_contract::problem::{FieldError, ProblemCode};
use serde_json::{Map, Value};

use crate::Refusal;
use crate::http::Request;

/// Media type of JSON bodies.
pub const JSON: &str = "application/json";
/// Media type of a merge patch (RFC 7396).
pub const MERGE_PATCH: &str = "application/merge-patch+json";

/// The body as a JSON object.
///
/// # Errors
/// 413, 415, 400; 422 if it is another kind of value.
pub fn object(request: &Request) -> Result<Map<String, Value>, Refusal> {
    object_of(&request.body()?, request)
}

/// An already read body as a JSON object.
fn object_of(body: &[u8], request: &Request) -> Result<Map<String, Value>, Refusal> {
    match value(body, request, &[JSON])? {
        Value::Object(members) => Ok(members),
        _ => Err(vec![FieldError::of("", NOT_AN_OBJECT)].into()),
    }
}

/// Checks the body of a route that takes none: empty, or an object without members.
///
/// # Errors
/// 415, 400; 422 if it has any content.
pub fn nothing(body: &[u8], request: &Request) -> Result<(), Refusal> {
    if body.is_empty() {
        return Ok(());
    }
    let members = object_of(body, request)?;
    Ok(Reader::new(&members).finish()?)
}

/// An already read body as a JSON value.
///
/// # Errors
/// 415 as for [`admit`]; 400 if it is not JSON or has a duplicate member; 422 if a number is out of range.
pub fn value(body: &[u8], request: &Request, accepted: &[&str]) -> Result<Value, Refusal> {
    admit(request, accepted)?;
    rondo_contract::json::parse(body).map_err(|error| match error {
        JsonError::Malformed(reason) => Refusal::new(ProblemCode::MalformedJson).detail(reason),
        JsonError::NumberOutOfRange(reason) => {
            Refusal::invalid(vec![FieldError::somewhere("out_of_range", reason)])
        }
    })
}

/// Checks the headers of a body before the body is read.
///
/// # Errors
/// 415 if it has a `Content-Encoding`, or a media type that is not one of `accepted`.
pub fn admit(request: &Request, accepted: &[&str]) -> Result<(), Refusal> {
    if !request.header_list("content-encoding").is_none_or(|codings| is_plain(&codings)) {
        return Err(Refusal::new(ProblemCode::UnsupportedMediaType)
            .detail("The body must have no Content-Encoding.")
            // The accepted coding (RFC 9110, section 15.5.16).
            .header("accept-encoding", IDENTITY));
    }
    let media_type = request.media_type();
    if !media_type.is_some_and(|media_type| accepted.contains(&media_type.as_str())) {
        return Err(Refusal::new(ProblemCode::UnsupportedMediaType)
            .detail(format!("The body must be {}.", accepted.join(" or "))));
    }
    Ok(())
}

/// The coding without transformation (RFC 9110, section 8.4.1).
const IDENTITY: &str = "identity";

/// Whether a `Content-Encoding` leaves the body unchanged.
fn is_plain(codings: &str) -> bool {
    let mut codings = codings.split(',').map(str::trim);
    codings.all(|coding| coding.is_empty() || coding.eq_ignore_ascii_case(IDENTITY))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings() {
        for plain in ["", "identity", " Identity ", "identity, IDENTITY", ","] {
            assert!(is_plain(plain), "{plain}");
        }
        for encoded in ["gzip", "br", "identity, gzip", "gzip,", "x", "*", "identity;q=1"] {
            assert!(!is_plain(encoded), "{encoded}");
        }
    }
}
