//! The docs component: the documents of the interfaces as they were made from the types (see
//! `crates/document`), and a page to read the API and try it. It needs no token, no database and no
//! variable, and the page loads nothing from elsewhere.

mod bindings {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "rondo:worlds/docs",
        with: {
            "wasi:io/error@0.2.6": rondo_guest::bindings::wasi::io::error,
            "wasi:io/poll@0.2.6": rondo_guest::bindings::wasi::io::poll,
            "wasi:io/streams@0.2.6": rondo_guest::bindings::wasi::io::streams,
            "wasi:clocks/monotonic-clock@0.2.6": rondo_guest::bindings::wasi::clocks::monotonic_clock,
            "wasi:http/types@0.2.6": rondo_guest::bindings::wasi::http::types,
        },
        generate_all,
    });
}

use rondo_guest::Refusal;
use rondo_guest::bindings::wasi::http::types::{IncomingRequest, ResponseOutparam};
use rondo_guest::http::{self, Method, Request, Response};
use rondo_guest::page::Parameters;

const OPENAPI: &str = include_str!("../../../docs/openapi.json");
const ASYNCAPI: &str = include_str!("../../../docs/asyncapi.json");
const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Nothing from another origin, no frame around it, no script but our own file.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// They are the same for everyone; of another release are they after a few minutes at the latest.
const CACHING: &str = "public, max-age=300";

struct Component;

impl bindings::exports::wasi::http::incoming_handler::Guest for Component {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        http::serve(request, out, methods, route);
    }
}

bindings::export!(Component with_types_in bindings);

/// The methods of a path.
fn methods(segments: &[&str]) -> Vec<Method> {
    document(segments).map(|_| Method::Get).into_iter().collect()
}

/// What is at a path: its media type and its content.
fn document(segments: &[&str]) -> Option<(&'static str, &'static str)> {
    Some(match segments {
        ["api", "openapi.json"] => ("application/json", OPENAPI),
        ["api", "asyncapi.json"] => ("application/json", ASYNCAPI),
        ["api", "docs"] => ("text/html; charset=utf-8", PAGE),
        ["api", "docs", "page.css"] => ("text/css; charset=utf-8", STYLE),
        ["api", "docs", "page.js"] => ("text/javascript; charset=utf-8", SCRIPT),
        _ => return None,
    })
}

fn route(request: &Request) -> Result<Response, Refusal> {
    let (media_type, content) = match (request.method, document(&request.segments())) {
        (Method::Get, Some(document)) => document,
        _ => return Err(request.unrouted()),
    };
    Parameters::of(request).finish()?;
    Ok(Response::of(media_type, 200, content.into())
        .header("content-security-policy", POLICY)
        .header("cache-control", CACHING))
}
