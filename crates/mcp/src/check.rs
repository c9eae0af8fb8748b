//! What a request of a stateless revision has to say about itself, twice: in `_meta`, and in headers, so that proxies
//! can route it without reading the body. The two must not differ.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use crate::error::{Code, Error};
use crate::message::{Headers, Request};
use crate::revision::Revision;
use crate::server::Client;

const REVISION_HEADER: &str = "mcp-protocol-version";
const METHOD_HEADER: &str = "mcp-method";
const NAME_HEADER: &str = "mcp-name";

const META: &str = "_meta";
const META_REVISION: &str = "io.modelcontextprotocol/protocolVersion";
const META_CLIENT: &str = "io.modelcontextprotocol/clientInfo";
const META_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";

/// A value that no header could have as it is.
const ENCODED: (&str, &str) = ("=?base64?", "?=");

/// The client of a request.
///
/// # Errors
/// If headers and body differ, something required is missing, or the revision is not offered.
pub fn client(request: &Request, headers: Headers<'_>) -> Result<Client, Error> {
    let meta = request.params.get(META).and_then(Value::as_object);
    let said = meta.and_then(|meta| meta.get(META_REVISION)).and_then(Value::as_str);
    let header = headers(REVISION_HEADER);
    let header = header.as_deref().map(str::trim);
    match (header, said) {
        (Some(header), Some(said)) if header != said => {
            return Err(mismatch("MCP-Protocol-Version", Some(header), said));
        }
        (None, Some(said)) => return Err(mismatch("MCP-Protocol-Version", None, said)),
        _ => {}
    }
    let revision = match header {
        None => Revision::V2025_03_26,
        Some(name) => Revision::parse(name).ok_or_else(|| Error::unsupported(name))?,
    };
    if !revision.is_stateless() {
        return Ok(Client { revision, name: None, capabilities: Map::new() });
    }
    let meta = meta.ok_or_else(|| missing(""))?;
    if said.is_none() {
        return Err(missing(META_REVISION));
    }
    let capabilities = meta.get(META_CAPABILITIES).and_then(Value::as_object);
    let capabilities = capabilities.ok_or_else(|| missing(META_CAPABILITIES))?.clone();
    check(METHOD_HEADER, "Mcp-Method", headers, &request.method)?;
    let named = match request.method.as_str() {
        "tools/call" | "prompts/get" => Some("name"),
        "resources/read" => Some("uri"),
        _ => None,
    };
    if let Some(name) = named.and_then(|name| request.params.get(name)).and_then(Value::as_str) {
        check(NAME_HEADER, "Mcp-Name", headers, name)?;
    }
    let name = meta.get(META_CLIENT).and_then(|client| client["name"].as_str());
    Ok(Client { revision, name: name.map(str::to_owned), capabilities })
}

fn check(header: &str, shown: &str, headers: Headers<'_>, said: &str) -> Result<(), Error> {
    let value = headers(header);
    let value = value.as_deref().map(str::trim);
    match value.map(decoded) {
        Some(Some(value)) if value == said => Ok(()),
        _ => Err(mismatch(shown, value, said)),
    }
}

/// A header's value; none if it is encoded wrongly.
fn decoded(value: &str) -> Option<String> {
    let inner = value.strip_prefix(ENCODED.0).and_then(|value| value.strip_suffix(ENCODED.1));
    match inner {
        None => Some(value.to_owned()),
        Some(inner) => String::from_utf8(STANDARD.decode(inner).ok()?).ok(),
    }
}

fn mismatch(header: &str, value: Option<&str>, said: &str) -> Error {
    let message = match value {
        Some(value) => format!("header {header} is {value:?}, but the body says {said:?}"),
        None => format!("header {header} is missing; the body says {said:?}"),
    };
    Error::malformed(Code::HeaderMismatch, message)
}

fn missing(name: &str) -> Error {
    let place = if name.is_empty() { String::new() } else { format!("[{name:?}]") };
    Error::malformed(Code::InvalidParams, format!("params.{META}{place} is missing"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoded_values() {
        for (value, expected) in [
            ("plain", Some("plain")),
            ("=?base64?SGVsbG8sIOS4lueVjA==?=", Some("Hello, 世界")),
            ("=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?=", Some("=?base64?literal?=")),
            ("=?BASE64?eA==?=", Some("=?BASE64?eA==?=")),
            ("=?base64?!?=", None),
            ("=?base64?/w==?=", None),
        ] {
            assert_eq!(decoded(value).as_deref(), expected, "{value}");
        }
    }
}
