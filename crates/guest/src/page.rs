//! Query parameters and pages of all components' routes.

use rondo_contract::query::Reader;

use crate::http::{Request, Response};

/// Reads a request's query parameters.
#[must_use]
pub fn parameters(request: &Request) -> Reader {
    Reader::new(request.query())
}

/// Adds a `Link` to the next page (RFC 8288): the same request with the cursor.
#[must_use]
pub fn with_next(response: Response, request: &Request, cursor: Option<&str>) -> Response {
    let Some(cursor) = cursor else { return response };
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in form_urlencoded::parse(request.query().as_bytes()) {
        // The cursor continues after what an offset has skipped.
        if name != "cursor" && name != "offset" {
            query.append_pair(&name, &value);
        }
    }
    let query = query.append_pair("cursor", cursor).finish();
    response.header("link", format!("<{}?{query}>; rel=\"next\"", request.path()))
}
