//! Entity tags: the revision of a task or list in quotes (RFC 9110, sections 8.8.3 and 13.1).

use rondo_contract::problem::ProblemCode;
use rondo_guest::Refusal;
use rondo_guest::http::{Request, Response};

pub fn of(revision: i64) -> String {
    format!("\"{revision}\"")
}

/// The response, or 304 if the client has this revision.
pub fn unless_known(
    request: &Request,
    revision: i64,
    response: impl FnOnce() -> Response,
) -> Response {
    let condition = request.header_list("if-none-match");
    if condition.is_some_and(|condition| matches_weakly(&condition, revision)) {
        Response::empty(304).header("etag", of(revision))
    } else {
        response()
    }
}

/// `If-None-Match`, which compares weakly.
fn matches_weakly(condition: &str, revision: i64) -> bool {
    let tag = of(revision);
    tags(condition).any(|candidate| {
        candidate == "*" || candidate.strip_prefix("W/").unwrap_or(candidate) == tag
    })
}

/// `If-Match` of a request, which compares strongly.
pub struct IfMatch(Option<String>);

impl IfMatch {
    pub fn of(request: &Request) -> Self {
        Self(request.header_list("if-match"))
    }

    /// 412 unless the task or list has the revision that the client expects.
    pub fn check(&self, revision: i64) -> Result<(), Refusal> {
        let tag = of(revision);
        let matches = |condition: &String| tags(condition).any(|t| t == "*" || t == tag);
        if self.0.as_ref().is_none_or(matches) {
            Ok(())
        } else {
            Err(Refusal::new(ProblemCode::PreconditionFailed))
        }
    }

    pub fn is_given(&self) -> bool {
        self.0.is_some()
    }
}

/// Our tags contain no comma, so a tag with one never matches, however it is split.
fn tags(condition: &str) -> impl Iterator<Item = &str> {
    condition.split(',').map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions() {
        let strong = |condition: &str| IfMatch(Some(condition.to_owned())).check(17).is_ok();
        assert!(strong("\"17\"") && strong("*") && strong("\"3\", \"17\""));
        assert!(!strong("\"18\"") && !strong("W/\"17\"") && !strong("17") && !strong(""));
        assert!(IfMatch(None).check(17).is_ok());
        let weak = |condition| matches_weakly(condition, 17);
        assert!(weak("\"17\"") && weak("W/\"17\"") && weak("*") && weak("\"3\",W/\"17\""));
        assert!(!weak("\"1\"") && !weak("17"));
    }
}
