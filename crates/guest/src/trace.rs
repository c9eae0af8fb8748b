//! W3C trace context and log lines: what ties a request to its events, mails and frames.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

use serde_json::json;

/// Longest request id that is taken from a caller.
pub const REQUEST_ID_CHARS_MAX: usize = 128;

/// The trace that a piece of work belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    /// 32 lower-case hexadecimal digits, not all zero.
    trace_id: String,
    /// This piece of work: 16 digits, not all zero.
    span_id: String,
    sampled: bool,
}

impl Trace {
    /// A span of its own in the trace that `traceparent` names, or in a new one when there is none
    /// or it is malformed (W3C Trace Context, section 3.2).
    #[must_use]
    pub fn continued(traceparent: Option<&str>) -> Self {
        let (trace_id, sampled) = traceparent
            .and_then(parse)
            .unwrap_or_else(|| (format!("{:016x}{:016x}", random(), random()), false));
        Self { trace_id, span_id: format!("{:016x}", random()), sampled }
    }

    #[must_use]
    pub fn id(&self) -> &str {
        &self.trace_id
    }

    /// What is handed on to whatever this work causes.
    #[must_use]
    pub fn traceparent(&self) -> String {
        format!("00-{}-{}-{:02x}", self.trace_id, self.span_id, u8::from(self.sampled))
    }
}

/// Trace id and whether the caller samples it.
fn parse(traceparent: &str) -> Option<(String, bool)> {
    let mut parts = traceparent.trim().split('-');
    let version = hexadecimal(parts.next()?, 2)?;
    let trace_id = hexadecimal(parts.next()?, 32)?;
    let parent_id = hexadecimal(parts.next()?, 16)?;
    let flags = hexadecimal(parts.next()?, 2)?;
    // A later version may have more parts; this one has not.
    let well_formed = version != "ff" && (version != "00" || parts.next().is_none());
    let named = |id: &str| id.bytes().any(|digit| digit != b'0');
    (well_formed && named(trace_id) && named(parent_id))
        .then(|| (trace_id.to_owned(), u8::from_str_radix(flags, 16).is_ok_and(|f| f & 1 == 1)))
}

fn hexadecimal(text: &str, digits: usize) -> Option<&str> {
    let lower_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    (text.len() == digits && text.bytes().all(lower_hex)).then_some(text)
}

/// The caller's request id when it is sane, 1 to 128 visible ASCII characters, else a new one.
#[must_use]
pub fn request_id(given: Option<&str>) -> String {
    match given {
        Some(id)
            if (1..=REQUEST_ID_CHARS_MAX).contains(&id.len())
                && id.bytes().all(|byte| byte.is_ascii_graphic()) =>
        {
            id.to_owned()
        }
        _ => format!("{:016x}{:016x}", random(), random()),
    }
}

/// Tells identifiers apart; no secret may depend on it. The standard library draws these keys from
/// the host's insecure seed, which is new for each instance, so no further import is needed.
fn random() -> u64 {
    RandomState::new().hash_one(0_u8).max(1)
}

/// Writes one JSON line to the log, which the host collects from stderr.
pub fn log(level: Level, message: &str, trace_id: &str, request_id: Option<&str>) {
    let mut line = json!({ "level": level.as_str(), "message": message, "trace_id": trace_id });
    if let Some(request_id) = request_id {
        line["request_id"] = request_id.into();
    }
    eprintln!("{line}");
}

/// How urgent a log line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    Error,
    Warn,
    Info,
}

impl Level {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_goes_on_with_a_span_of_its_own() {
        let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let trace = Trace::continued(Some(parent));
        assert_eq!(trace.id(), "0af7651916cd43dd8448eb211c80319c");
        let child = trace.traceparent();
        assert!(child.starts_with(&parent[..36]) && child.ends_with("-01"), "{child}");
        assert_ne!(child, parent);
    }

    #[test]
    fn a_malformed_parent_starts_a_new_trace() {
        let zero_trace = "00-00000000000000000000000000000000-b7ad6b7169203331-01";
        for parent in [
            None,
            Some(""),
            Some(zero_trace),
            Some("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01"),
            Some("00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01"),
            Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x"),
            Some("ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        ] {
            let trace = Trace::continued(parent);
            assert_eq!(parse(&trace.traceparent()), Some((trace.id().to_owned(), false)));
            assert_ne!(trace.id(), "0af7651916cd43dd8448eb211c80319c", "{parent:?}");
        }
    }

    #[test]
    fn request_ids() {
        assert_eq!(request_id(Some("abc-1")), "abc-1");
        let long = "x".repeat(129);
        for given in [None, Some(""), Some("a b"), Some("é"), Some(long.as_str())] {
            let made = request_id(given);
            assert_eq!(made.len(), 32, "{given:?}");
            assert_ne!(made, request_id(given));
        }
    }
}
