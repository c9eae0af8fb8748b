//! Correlates all effects of one request: W3C Trace Context and the request id.
//!
//! Components and native programs use the same code, so a trace survives every hop.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;

/// Length of a version 00 `traceparent`.
const TRACEPARENT_BYTES: usize = 55;
/// The flag `sampled` (section 3.2.2.5.1). Version 00 defines no other flag.
const SAMPLED: u8 = 1;
/// Maximum length of a caller's request id.
const REQUEST_ID_BYTES_MAX: usize = 128;

/// A span in a trace (W3C Trace Context, section 3.2).
///
/// ```
/// use rondo_trace::TraceContext;
/// let header = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
/// let context = TraceContext::continued(Some(header));
/// assert_eq!(context.trace_id(), "0af7651916cd43dd8448eb211c80319c");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceContext {
    trace_id: u128,
    parent_id: u64,
    flags: u8,
}

impl TraceContext {
    /// Begins a trace, which is sampled.
    #[must_use]
    pub fn root() -> Self {
        Self { trace_id: random_128(), parent_id: random(), flags: SAMPLED }
    }

    /// The context of a span that is recorded elsewhere; neither id is 0.
    #[must_use]
    pub fn of_span(trace_id: u128, span_id: u64, is_sampled: bool) -> Self {
        Self { trace_id, parent_id: span_id, flags: u8::from(is_sampled) * SAMPLED }
    }

    /// Reads a `traceparent`. None if the header is invalid, in which case the receiver starts a new trace.
    /// Of a later version, only the fields of version 00 are read (section 4.3).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (known, further) = text.trim().split_at_checked(TRACEPARENT_BYTES)?;
        let mut parts = known.split('-');
        let version = u8::try_from(digits(parts.next()?, 2)?).ok()?;
        let trace_id = digits(parts.next()?, 32)?;
        let parent_id = u64::try_from(digits(parts.next()?, 16)?).ok()?;
        let flags = u8::try_from(digits(parts.next()?, 2)?).ok()?;
        let is_whole = match version {
            0 => further.is_empty(),
            0xff => false,
            _ => further.is_empty() || further.starts_with('-'),
        };
        let is_valid = is_whole && parts.next().is_none() && trace_id != 0 && parent_id != 0;
        is_valid.then_some(Self { trace_id, parent_id, flags: flags & SAMPLED })
    }

    /// A new span in the trace of `traceparent`, with the caller's `sampled` flag; a new trace if the
    /// header is absent or invalid.
    #[must_use]
    pub fn continued(traceparent: Option<&str>) -> Self {
        match traceparent.and_then(Self::parse) {
            Some(parent) => Self { parent_id: random(), ..parent },
            None => Self::root(),
        }
    }

    /// The span that a `traceparent` names, for a receiver that is no span itself; a new trace if the
    /// header is absent or invalid.
    #[must_use]
    pub fn received(traceparent: Option<&str>) -> Self {
        traceparent.and_then(Self::parse).unwrap_or_else(Self::root)
    }

    /// The same span, with this flag `sampled`.
    #[must_use]
    pub fn with_sampled(self, is_sampled: bool) -> Self {
        Self::of_span(self.trace_id, self.parent_id, is_sampled)
    }

    /// Whether the trace is kept, as far as whoever began it decided (section 3.2.2.5.1).
    #[must_use]
    pub fn is_sampled(&self) -> bool {
        self.flags & SAMPLED != 0
    }

    /// Trace id and span id as numbers.
    #[must_use]
    pub fn ids(&self) -> (u128, u64) {
        (self.trace_id, self.parent_id)
    }

    /// 32 lower-case hexadecimal digits.
    #[must_use]
    pub fn trace_id(&self) -> String {
        format!("{:032x}", self.trace_id)
    }

    /// The header `traceparent` for requests and events that this span causes.
    #[must_use]
    pub fn traceparent(&self) -> String {
        format!("00-{:032x}-{:016x}-{:02x}", self.trace_id, self.parent_id, self.flags)
    }
}

/// The caller's `X-Request-Id` if it is 1 to 128 visible ASCII characters, otherwise a new one.
#[must_use]
pub fn request_id(given: Option<&str>) -> String {
    let is_sane = |id: &&str| {
        (1..=REQUEST_ID_BYTES_MAX).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_graphic())
    };
    given.filter(is_sane).map_or_else(|| format!("{:032x}", random_128()), str::to_owned)
}

/// Upper case is invalid, and so is a sign, which `from_str_radix` accepts.
fn digits(text: &str, count: usize) -> Option<u128> {
    let all = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    (text.len() == count && all).then(|| u128::from_str_radix(text, 16).ok())?
}

/// Never 0, which is an invalid id. Unique but not secret: the standard library seeds its hash keys from the
/// host, in a component once per instance, so this needs no further import.
fn random() -> u64 {
    RandomState::new().hash_one(0_u8).max(1)
}

fn random_128() -> u128 {
    u128::from(random()) << 64 | u128::from(random())
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALID: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn a_header_is_read_and_written_alike() {
        let context = TraceContext::parse(VALID).unwrap();
        assert_eq!(context.traceparent(), VALID);
        assert_eq!(context.trace_id(), "0af7651916cd43dd8448eb211c80319c");
        let root = TraceContext::root();
        assert_eq!(TraceContext::parse(&root.traceparent()), Some(root));
    }

    #[test]
    fn a_span_stays_in_its_trace_and_keeps_the_sampled_flag() {
        for (flags, kept) in [("00", "-00"), ("01", "-01"), ("02", "-00"), ("ff", "-01")] {
            let parent = format!("{}{flags}", &VALID[..53]);
            let child = TraceContext::continued(Some(&parent)).traceparent();
            assert_eq!(child[..36], VALID[..36]);
            assert_ne!(child[36..52], VALID[36..52]);
            assert!(child.ends_with(kept), "{flags}: {child}");
        }
        assert_ne!(TraceContext::continued(None), TraceContext::continued(None));
    }

    #[test]
    fn who_is_no_span_passes_its_parent_on() {
        assert_eq!(TraceContext::received(Some(VALID)).traceparent(), VALID);
        assert_ne!(TraceContext::received(None), TraceContext::received(None));
        let unsampled = TraceContext::received(Some(VALID)).with_sampled(false);
        assert!(!unsampled.is_sampled());
        assert_eq!(unsampled.traceparent()[..53], VALID[..53]);
        let (trace, span) = unsampled.ids();
        assert_eq!(TraceContext::of_span(trace, span, true).traceparent(), VALID);
    }

    #[test]
    fn an_invalid_header_begins_a_new_trace() {
        for text in [
            "",
            "00",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
            "00-+af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01more",
            "00-0af7651916cd43dd8448eb211c80319cb-7ad6b7169203331-01",
            "äääääääääääääääääääääääääääää-ääääääääääääääääääääääääää",
        ] {
            assert_eq!(TraceContext::parse(text), None, "{text}");
            let begun = TraceContext::continued(Some(text)).traceparent();
            assert!(!begun.contains(&VALID[3..35]) && begun.ends_with("-01"), "{text}: {begun}");
        }
        let later = "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more";
        assert_eq!(TraceContext::parse(later).unwrap().traceparent(), VALID);
    }

    #[test]
    fn a_sane_request_id_is_kept() {
        assert_eq!(request_id(Some("abc-1")), "abc-1");
        let long = "x".repeat(REQUEST_ID_BYTES_MAX + 1);
        for given in [None, Some(""), Some("a b"), Some("a\n"), Some("é"), Some(long.as_str())] {
            let made = request_id(given);
            assert_eq!(made.len(), 32, "{given:?}");
            assert_ne!(made, request_id(given));
        }
    }
}
