//! Instants and dates as text: RFC 3339, in microseconds, within the years that every part of the
//! system can store.

use jiff::civil::Date;
use jiff::{Timestamp, tz::TimeZone};

use crate::Violation;

/// Earliest year (in UTC) of an instant or date. Together with [`YEAR_MAX`] it keeps years at four
/// digits, also after a time zone or a reminder has moved them by a year.
pub const YEAR_MIN: i16 = 1000;
/// Latest year of an instant or date.
pub const YEAR_MAX: i16 = 9999;

const EXPECTED: &str = "an RFC 3339 instant with an offset, such as 2031-03-30T14:00:00Z";
const EXPECTED_DATE: &str = "a date such as 2031-03-30";

/// Reads an RFC 3339 date-time (section 5.6) with any offset. Fractions finer than a microsecond
/// are cut off.
///
/// # Errors
/// `malformed`, or `out_of_range` for a year that is out of bounds.
pub fn parse(text: &str) -> Result<Timestamp, Violation> {
    let malformed = Violation::Malformed { expected: EXPECTED };
    if !has_rfc3339_shape(text.as_bytes()) {
        return Err(malformed);
    }
    if !text.is_char_boundary(4) || text[..4].parse::<i16>().is_ok_and(|year| year < YEAR_MIN) {
        return Err(OUT_OF_CALENDAR);
    }
    let instant: Timestamp = text.parse().map_err(|_| {
        // The end of the calendar is the one moment that has the right shape, a real date and
        // time, and still no instant.
        if text.starts_with("9999-12-3") { OUT_OF_CALENDAR } else { malformed }
    })?;
    let instant = whole_microseconds(instant);
    let year = TimeZone::UTC.to_datetime(instant).year();
    if (YEAR_MIN..=YEAR_MAX).contains(&year) { Ok(instant) } else { Err(OUT_OF_CALENDAR) }
}

/// Reads a date, `YYYY-MM-DD`.
///
/// # Errors
/// `malformed`, or `out_of_range` for a year that is out of bounds.
pub fn parse_date(text: &str) -> Result<Date, Violation> {
    let malformed = Violation::Malformed { expected: EXPECTED_DATE };
    if !matches_shape(text.as_bytes(), b"dddd-dd-dd") {
        return Err(malformed);
    }
    let date: Date = text.parse().map_err(|_| malformed)?;
    if (YEAR_MIN..=YEAR_MAX).contains(&date.year()) { Ok(date) } else { Err(OUT_OF_CALENDAR) }
}

/// Writes an instant as RFC 3339 in UTC with `Z`; fractions only where there are any.
#[must_use]
pub fn format(instant: Timestamp) -> String {
    instant.to_string()
}

/// The instant with what is finer than a microsecond cut off, which is all that a database keeps.
#[must_use]
pub fn whole_microseconds(instant: Timestamp) -> Timestamp {
    // The division rounds towards the past, so it cannot leave the range of instants.
    let micros = instant.as_nanosecond().div_euclid(1_000);
    i64::try_from(micros).ok().and_then(|m| Timestamp::from_microsecond(m).ok()).unwrap_or(instant)
}

const OUT_OF_CALENDAR: Violation =
    Violation::OutOfRange { min: YEAR_MIN as i64, max: YEAR_MAX as i64, unit: " (the year)" };

/// The grammar of RFC 3339, which is narrower than what the time library reads: it also takes
/// spaces, missing seconds, bare hours of offset and zone annotations.
fn has_rfc3339_shape(text: &[u8]) -> bool {
    let Some((head, rest)) = text.split_at_checked(19) else { return false };
    if !matches_shape(head, b"dddd-dd-ddTdd:dd:dd") {
        return false;
    }
    let rest = match rest.strip_prefix(b".") {
        Some(fraction) => {
            let digits = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
            if !(1..=9).contains(&digits) {
                return false;
            }
            &fraction[digits..]
        }
        None => rest,
    };
    matches_shape(rest, b"Z") || matches_shape(rest, b"+dd:dd") || matches_shape(rest, b"-dd:dd")
}

/// `d` in the shape stands for a digit, a letter for itself in either case.
fn matches_shape(text: &[u8], shape: &[u8]) -> bool {
    text.len() == shape.len()
        && text.iter().zip(shape).all(|(byte, wanted)| match wanted {
            b'd' => byte.is_ascii_digit(),
            other => byte.eq_ignore_ascii_case(other),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_answered_in_utc() {
        let check = |text: &str, expected: &str| {
            let answer = parse(text).map(format).unwrap_or_else(|v| v.code().to_owned());
            assert_eq!(answer, expected, "{text}");
        };
        check("2026-01-12T14:00:00Z", "2026-01-12T14:00:00Z");
        check("2026-01-12t14:00:00z", "2026-01-12T14:00:00Z");
        check("2026-01-12T14:00:00+05:45", "2026-01-12T08:15:00Z");
        check("2026-01-12T14:00:00-00:00", "2026-01-12T14:00:00Z");
        check("2026-01-12T14:00:00.5Z", "2026-01-12T14:00:00.5Z");
        check("2026-01-12T14:00:00.123456789Z", "2026-01-12T14:00:00.123456Z");
        check("2016-12-31T23:59:60Z", "2016-12-31T23:59:59Z");
        check("1000-01-01T00:00:00Z", "1000-01-01T00:00:00Z");
        check("9999-12-30T00:00:00Z", "9999-12-30T00:00:00Z");
        check("2026-01-12T14:00:00", "malformed");
        check("2026-01-12T14:00Z", "malformed");
        check("2026-01-12 14:00:00Z", "malformed");
        check("2026-01-12T14:00:00+01", "malformed");
        check("2026-01-12T14:00:00+01:00[Europe/Paris]", "malformed");
        check("2026-01-12T14:00:00.Z", "malformed");
        check("2026-02-30T14:00:00Z", "malformed");
        check("2026-01-12T24:00:00Z", "malformed");
        check("2026-01-12", "malformed");
        check("", "malformed");
        check("ééééééééééé", "malformed");
        check("0999-12-31T23:59:59Z", "out_of_range");
        check("1000-01-01T00:00:00+01:00", "out_of_range");
        check("9999-12-31T23:59:59Z", "out_of_range");
    }

    #[test]
    fn dates() {
        let check = |text: &str, expected: Result<&str, &str>| {
            let date = parse_date(text).map(|date| date.to_string()).map_err(Violation::code);
            assert_eq!(date.as_deref().map_err(|code| *code), expected, "{text}");
        };
        check("2028-02-29", Ok("2028-02-29"));
        check("2026-02-29", Err("malformed"));
        check("20260212", Err("malformed"));
        check("2026-2-1", Err("malformed"));
        check("0000-01-01", Err("out_of_range"));
    }
}
