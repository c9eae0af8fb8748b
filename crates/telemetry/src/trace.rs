//! W3C Trace Context: what ties a request to the events, calls, mails and frames that follow.

use std::fmt;

/// Length of a version 00 `traceparent`.
const TRACEPARENT_BYTES: usize = 55;
/// The flag `sampled` (section 3.2.2.5.1).
const SAMPLED: u8 = 1;

/// One place in a trace. `Display` is the `traceparent` header (W3C Trace Context, section 3.2).
///
/// Every log line inside a span with a field `trace_id` carries it:
///
/// ```
/// use rondo_telemetry::TraceContext;
/// let context = TraceContext::parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
///     .unwrap_or_else(TraceContext::root);
/// let span = tracing::info_span!("request", trace_id = %context.trace_id());
/// let _entered = span.enter();
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceContext {
    trace_id: u128,
    parent_id: u64,
    flags: u8,
}

impl TraceContext {
    /// Begins a trace.
    pub fn root() -> Self {
        Self { trace_id: non_zero(rand::random), parent_id: non_zero(rand::random), flags: SAMPLED }
    }

    /// Reads a `traceparent`. None for what the specification calls invalid; one begins a new trace
    /// then. A later version is read as far as version 00 goes.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (known, further) = text.split_at_checked(TRACEPARENT_BYTES)?;
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

    /// A place of its own in the same trace.
    #[must_use]
    pub fn child(&self) -> Self {
        Self { parent_id: non_zero(rand::random), ..*self }
    }

    /// What a header says, continued; a new trace if it is absent or invalid.
    pub fn continued(traceparent: Option<&str>) -> Self {
        traceparent.and_then(Self::parse).map_or_else(Self::root, |parent| parent.child())
    }

    /// 32 lower-case hexadecimal digits.
    pub fn trace_id(&self) -> String {
        format!("{:032x}", self.trace_id)
    }
}

impl fmt::Display for TraceContext {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "00-{:032x}-{:016x}-{:02x}", self.trace_id, self.parent_id, self.flags)
    }
}

/// Upper case is invalid, and so is a sign, which `from_str_radix` would take.
fn digits(text: &str, count: usize) -> Option<u128> {
    let all = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    (text.len() == count && all).then(|| u128::from_str_radix(text, 16).ok())?
}

fn non_zero<T: Default + PartialEq>(draw: impl Fn() -> T) -> T {
    loop {
        let drawn = draw();
        if drawn != T::default() {
            return drawn;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALID: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn a_header_is_read_and_written_alike() {
        let context = TraceContext::parse(VALID).unwrap();
        assert_eq!(context.to_string(), VALID);
        assert_eq!(context.trace_id(), "0af7651916cd43dd8448eb211c80319c");
        let root = TraceContext::root();
        assert_eq!(TraceContext::parse(&root.to_string()), Some(root));
    }

    #[test]
    fn a_child_is_in_the_same_trace_at_another_place() {
        let parent = TraceContext::parse(VALID).unwrap();
        let child = TraceContext::continued(Some(VALID));
        assert_eq!(child.trace_id(), parent.trace_id());
        assert_ne!(child, parent);
        assert_ne!(TraceContext::continued(Some("x")).trace_id(), parent.trace_id());
        assert_ne!(TraceContext::continued(None), TraceContext::continued(None));
    }

    #[test]
    fn what_the_specification_calls_invalid_is_none() {
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
        }
        let later = "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more";
        assert_eq!(TraceContext::parse(later).unwrap().to_string(), VALID);
    }
}
