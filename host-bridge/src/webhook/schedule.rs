//! When a failed delivery is retried.

use rondo_contract::webhook::RETRY_WAITS_S;

/// Longest delay that a receiver can ask for, in seconds.
const RETRY_AFTER_S_MAX: u32 = 24 * 3_600;
/// Share by which a delay may grow, so that deliveries that failed together spread out.
const JITTER: f64 = 0.2;

/// Delay after attempt `tries`, counted from 1, in milliseconds; none after the last. A receiver may ask for
/// more. `jitter` is from 0 to 1.
pub fn wait_ms(tries: i32, retry_after_s: Option<u32>, jitter: f64) -> Option<i64> {
    let place = usize::try_from(tries).ok()?.checked_sub(1)?;
    let wait_s = *RETRY_WAITS_S.get(place)?;
    let asked_s = retry_after_s.unwrap_or(0).min(RETRY_AFTER_S_MAX);
    let wait_ms = f64::from(wait_s.max(asked_s)) * 1_000.0 * (1.0 + JITTER * jitter);
    #[expect(clippy::cast_possible_truncation, reason = "a day and a bit, in milliseconds")]
    Some(wait_ms as i64)
}

/// Whether all attempts have begun and none was completed.
pub const fn is_exhausted(tries: i32) -> bool {
    tries > RETRY_WAITS_S.len() as i32 + 1
}

/// The delay of a `Retry-After` header (RFC 9110, section 10.2.3), in seconds, from a number or a date.
pub fn retry_after_s(value: &str, now_s: i64) -> Option<u32> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(value.parse().unwrap_or(u32::MAX));
    }
    let at = rondo_domain::jiff::fmt::rfc2822::parse(value).ok()?.timestamp();
    Some(u32::try_from((at.as_second() - now_s).max(0)).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits() {
        assert_eq!(wait_ms(1, None, 0.0), Some(5_000));
        assert_eq!(wait_ms(1, None, 1.0), Some(6_000));
        assert_eq!(wait_ms(2, None, 0.5), Some(330_000));
        assert_eq!(wait_ms(9, None, 0.0), Some(86_400_000));
        assert_eq!((wait_ms(10, None, 0.0), wait_ms(0, None, 0.0)), (None, None));
        assert_eq!((is_exhausted(10), is_exhausted(11)), (false, true));
        // A receiver can extend a delay within bounds, and never shorten it.
        assert_eq!(wait_ms(1, Some(60), 0.0), Some(60_000));
        assert_eq!(wait_ms(2, Some(60), 0.0), Some(300_000));
        assert_eq!(wait_ms(1, Some(u32::MAX), 0.0), Some(86_400_000));
    }

    #[test]
    fn retry_after() {
        // Sun, 06 Nov 1994 08:49:37 GMT.
        let now_s = 784_111_777;
        let check = |value: &str, expected: Option<u32>| {
            assert_eq!(retry_after_s(value, now_s - 30), expected, "{value:?}");
        };
        check(" 120 ", Some(120));
        check("0", Some(0));
        check("99999999999999999999", Some(u32::MAX));
        check("Sun, 06 Nov 1994 08:49:37 GMT", Some(30));
        check("Sun, 06 Nov 1994 08:49:00 GMT", Some(0));
        for value in ["", "-1", "1.5", "soon", "1994-11-06"] {
            check(value, None);
        }
    }
}
