//! Files that a component contains in compressed form.

use std::io::Read as _;

use flate2::read::GzDecoder;

use crate::http::{Request, Response};
use crate::refusal::Refusal;

/// How long a file whose name does not change with its content is used without asking for it again.
const CACHING: &str = "no-cache";
/// The same for a file whose name has a hash of its content (RFC 8246).
const CACHING_IMMUTABLE: &str = "public, max-age=31536000, immutable";

/// A file.
pub struct Asset {
    /// Where it is served, from the slash on.
    pub path: &'static str,
    pub media_type: &'static str,
    /// In quotes.
    pub etag: &'static str,
    /// Whether its content never changes under this name.
    pub is_immutable: bool,
    /// Empty if there is none.
    pub brotli: &'static [u8],
    pub gzip: &'static [u8],
}

impl Asset {
    /// The response to a GET: in the best coding that the client accepts, or 304.
    ///
    /// # Errors
    /// 500 if the file cannot be decompressed, for a client that accepts neither coding.
    pub fn answer(&self, request: &Request) -> Result<Response, Refusal> {
        let caching = if self.is_immutable { CACHING_IMMUTABLE } else { CACHING };
        let is_known = request
            .header_list("if-none-match")
            .is_some_and(|tags| tags.split(',').any(|tag| self.is_tag(tag.trim())));
        let response = if is_known {
            Response::empty(304)
        } else {
            coded(request, self.media_type, self.brotli, self.gzip)?
        };
        let response = response.header("vary", "accept-encoding").header("etag", self.etag);
        Ok(response.header("cache-control", caching))
    }

    /// Compares weakly (RFC 9110, section 13.1.2).
    fn is_tag(&self, tag: &str) -> bool {
        tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == self.etag
    }
}

/// Content in the best coding that the client accepts.
///
/// # Errors
/// 500 if it cannot be decompressed.
pub fn coded(
    request: &Request,
    media_type: &str,
    brotli: &[u8],
    gzip: &[u8],
) -> Result<Response, Refusal> {
    let accepted = request.header_list("accept-encoding").unwrap_or_default();
    if !brotli.is_empty() && accepts(&accepted, "br") {
        let response = Response::of(media_type, 200, brotli.to_vec());
        return Ok(response.header("content-encoding", "br"));
    }
    if accepts(&accepted, "gzip") {
        let response = Response::of(media_type, 200, gzip.to_vec());
        return Ok(response.header("content-encoding", "gzip"));
    }
    let mut plain = Vec::new();
    GzDecoder::new(gzip)
        .read_to_end(&mut plain)
        .map_err(|error| Refusal::internal(error.to_string()))?;
    Ok(Response::of(media_type, 200, plain))
}

/// Whether a list of codings names one without a weight of 0 (RFC 9110, section 12.5.3).
fn accepts(list: &str, coding: &str) -> bool {
    list.split(',').any(|item| {
        let mut parts = item.split(';').map(str::trim);
        let is_named = parts.next().is_some_and(|named| named.eq_ignore_ascii_case(coding));
        let weight = parts.find_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q=")));
        is_named && weight.is_none_or(|weight| weight.parse().is_ok_and(|weight: f32| weight > 0.0))
    })
}

#[cfg(test)]
mod tests {
    use super::accepts;

    #[test]
    fn a_coding_is_accepted_if_it_is_named_without_a_weight_of_zero() {
        let cases = [
            ("gzip", "gzip", true),
            ("deflate, GZIP;q=0.5, br", "gzip", true),
            ("gzip, deflate, br, zstd", "br", true),
            ("gzip;q=0", "gzip", false),
            ("br;q=0.000, gzip", "br", false),
            ("gzip;q=high", "gzip", false),
            ("x-gzip", "gzip", false),
            ("", "br", false),
        ];
        for (list, coding, expected) in cases {
            assert_eq!(accepts(list, coding), expected, "{coding} in {list:?}");
        }
    }
}
