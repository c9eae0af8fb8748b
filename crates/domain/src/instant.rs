//! Instants and dates as text: RFC 3339, in microseconds, within the years that every part of the system can
//! store.

use std::fmt;
use std::str::FromStr;

use jiff::civil::{Date, DateTime, Time};
use jiff::{SignedDuration, Timestamp};

use crate::Violation;

/// Earliest year (in UTC) of an instant or date. With [`YEAR_MAX`] it keeps years at four digits, even after
/// a time zone or a reminder has moved them by a year.
pub const YEAR_MIN: i16 = 1000;
/// Latest year of an instant or date.
pub const YEAR_MAX: i16 = 9999;

const EXPECTED: &str = "an RFC 3339 instant with an offset, such as 2031-03-30T14:00:00Z";
const EXPECTED_DATE: &str = "a date such as 2031-03-30";
const OUT_OF_CALENDAR: Violation =
    Violation::OutOfRange { min: YEAR_MIN as i64, max: YEAR_MAX as i64, unit: " (the year)" };

/// 1970-01-01T00:00:00.
const EPOCH: DateTime = jiff::civil::date(1970, 1, 1).at(0, 0, 0, 0);
/// The second that a leap second can follow, in UTC.
const LAST_SECOND: Time = jiff::civil::time(23, 59, 59, 0);
/// Digits kept of a fraction.
const FRACTION_DIGITS: usize = 6;
const MICROSECONDS_PER_SECOND: i64 = 1_000_000;
const MICROSECONDS_PER_DAY: i64 = 86_400 * MICROSECONDS_PER_SECOND;

/// An instant in whole microseconds since 1970 in UTC, up to the very end of [`YEAR_MAX`].
///
/// jiff's own type ends 26 hours earlier, and programs write `9999-12-31T23:59:59Z` for a date that never
/// comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(i64);

impl Instant {
    pub const UNIX_EPOCH: Self = Self(0);
    /// 0000-01-01T00:00:00Z, earlier than any reminder in [`YEAR_MIN`].
    pub const MIN: Self = Self(-62_167_219_200 * MICROSECONDS_PER_SECOND);
    /// The shortest duration between two instants.
    pub(crate) const RESOLUTION: SignedDuration = SignedDuration::from_micros(1);
    /// 9999-12-31T23:59:59.999999Z.
    pub const MAX: Self = Self(253_402_300_800 * MICROSECONDS_PER_SECOND - 1);

    /// None outside [`Instant::MIN`] to [`Instant::MAX`].
    #[must_use]
    pub fn from_microsecond(microsecond: i64) -> Option<Self> {
        (Self::MIN.0..=Self::MAX.0).contains(&microsecond).then_some(Self(microsecond))
    }

    /// The instant at which a clock in UTC shows `utc`.
    pub(crate) fn of_utc(utc: DateTime) -> Option<Self> {
        let microseconds = utc.duration_since(EPOCH).as_micros();
        Self::from_microsecond(i64::try_from(microseconds).ok()?)
    }

    /// The date and time in UTC.
    pub(crate) fn utc(self) -> DateTime {
        // Both ends of the range are within the years 0 to 9999.
        self.shown(SignedDuration::ZERO).unwrap_or(EPOCH)
    }

    /// What a clock shows that is ahead of UTC. None beyond the calendar. By hand, because jiff adds every unit to a
    /// date, which is much code for a small page.
    pub(crate) fn shown(self, ahead: SignedDuration) -> Option<DateTime> {
        let microsecond = self.0.checked_add(i64::try_from(ahead.as_micros()).ok()?)?;
        let (day, microsecond) = (
            microsecond.div_euclid(MICROSECONDS_PER_DAY),
            microsecond.rem_euclid(MICROSECONDS_PER_DAY),
        );
        let (second, nanosecond) =
            (microsecond / MICROSECONDS_PER_SECOND, microsecond % MICROSECONDS_PER_SECOND * 1_000);
        // Days and years of the Gregorian calendar that begin in March, counted from the year 0.
        let day = day + 719_468;
        let (era, of_era) = (day.div_euclid(146_097), day.rem_euclid(146_097));
        let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let month = (5 * of_year + 2) / 153;
        let day = of_year - (153 * month + 2) / 5 + 1;
        let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
        let year = i16::try_from(era * 400 + year + next).ok()?;
        let small = |number: i64| i8::try_from(number).ok();
        let date = Date::new(year, small(month)?, small(day)?).ok()?;
        let (hour, minute) = (small(second / 3_600)?, small(second / 60 % 60)?);
        let time = Time::new(hour, minute, small(second % 60)?, i32::try_from(nanosecond).ok()?);
        Some(date.to_datetime(time.ok()?))
    }

    /// The same instant in jiff's type; none in the last 26 hours of the calendar.
    pub(crate) fn timestamp(self) -> Option<Timestamp> {
        Timestamp::from_microsecond(self.0).ok()
    }

    #[must_use]
    pub const fn as_second(self) -> i64 {
        self.0.div_euclid(MICROSECONDS_PER_SECOND)
    }

    #[must_use]
    pub const fn as_millisecond(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    #[must_use]
    pub const fn duration_since(self, earlier: Self) -> SignedDuration {
        SignedDuration::from_micros(self.0 - earlier.0)
    }

    /// None beyond the calendar.
    #[must_use]
    pub fn checked_add(self, duration: SignedDuration) -> Option<Self> {
        let microseconds = i64::try_from(duration.as_micros()).ok()?;
        Self::from_microsecond(self.0.checked_add(microseconds)?)
    }

    /// None beyond the calendar.
    #[must_use]
    pub fn checked_sub(self, duration: SignedDuration) -> Option<Self> {
        self.checked_add(duration.checked_neg()?)
    }
}

/// Truncated to microseconds, the resolution of the database.
impl From<Timestamp> for Instant {
    fn from(timestamp: Timestamp) -> Self {
        // Rounds towards the past. Every jiff timestamp fits.
        let microseconds = timestamp.as_nanosecond().div_euclid(1_000);
        Self(i64::try_from(microseconds).unwrap_or_default())
    }
}

impl FromStr for Instant {
    type Err = Violation;

    fn from_str(text: &str) -> Result<Self, Violation> {
        parse(text)
    }
}

/// RFC 3339 in UTC with `Z`, with a fraction only if it is not zero.
impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}Z", self.utc())
    }
}

/// Reads an RFC 3339 date-time (section 5.6) with any offset. Fractions are truncated to microseconds. A leap
/// second becomes the second before it.
///
/// # Errors
/// `malformed`, or `out_of_range` for a year outside [`YEAR_MIN`] to [`YEAR_MAX`].
pub fn parse(text: &str) -> Result<Instant, Violation> {
    let malformed = Violation::Malformed { expected: EXPECTED };
    let (local, rest) = text.as_bytes().split_at_checked(19).ok_or(malformed)?;
    if !matches_shape(local, b"dddd-dd-ddTdd:dd:dd") {
        return Err(malformed);
    }
    let number = |at: usize| two_digits(&local[at..]);
    let year = i16::from(number(0)) * 100 + i16::from(number(2));
    if year < YEAR_MIN {
        return Err(OUT_OF_CALENDAR);
    }
    let date = Date::new(year, number(5), number(8)).map_err(|_| malformed)?;
    let is_leap = number(17) == 60;
    let second = if is_leap { 59 } else { number(17) };
    let time = Time::new(number(11), number(14), second, 0).map_err(|_| malformed)?;
    let (fraction, rest) = fraction(rest).ok_or(malformed)?;
    let offset = offset(rest).ok_or(malformed)?;
    let second = Instant::of_utc(date.to_datetime(time))
        .and_then(|local| local.checked_sub(offset))
        .ok_or(OUT_OF_CALENDAR)?;
    let utc = second.utc();
    if utc.year() < YEAR_MIN {
        return Err(OUT_OF_CALENDAR);
    }
    if is_leap && !may_be_followed_by_leap_second(utc) {
        return Err(malformed);
    }
    Ok(Instant(second.0 + fraction))
}

/// Whether a leap second may follow a second in UTC. All leap seconds so far came at the end of June or
/// December, which ITU-R TF.460 prefers (RFC 3339, appendix D).
pub(crate) fn may_be_followed_by_leap_second(utc: DateTime) -> bool {
    utc.time() == LAST_SECOND && matches!((utc.month(), utc.day()), (6, 30) | (12, 31))
}

/// Reads a date, `YYYY-MM-DD`.
///
/// # Errors
/// `malformed`, or `out_of_range` for a year outside [`YEAR_MIN`] to [`YEAR_MAX`].
pub fn parse_date(text: &str) -> Result<Date, Violation> {
    let malformed = Violation::Malformed { expected: EXPECTED_DATE };
    if !matches_shape(text.as_bytes(), b"dddd-dd-dd") {
        return Err(malformed);
    }
    let number = |at: usize| two_digits(&text.as_bytes()[at..]);
    let year = i16::from(number(0)) * 100 + i16::from(number(2));
    let date = Date::new(year, number(5), number(8)).map_err(|_| malformed)?;
    if (YEAR_MIN..=YEAR_MAX).contains(&date.year()) { Ok(date) } else { Err(OUT_OF_CALENDAR) }
}

/// Writes an instant as RFC 3339 in UTC with `Z`, with a fraction only if it is not zero.
#[must_use]
pub fn format(instant: Instant) -> String {
    instant.to_string()
}

/// A fraction of a second in microseconds, if there is one, and the rest of the text.
fn fraction(text: &[u8]) -> Option<(i64, &[u8])> {
    let Some(text) = text.strip_prefix(b".") else { return Some((0, text)) };
    let length = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = text.split_at(length);
    let kept = digits.iter().chain(std::iter::repeat(&b'0')).take(FRACTION_DIGITS);
    let microseconds = kept.fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0'));
    (length > 0).then_some((microseconds, rest))
}

/// `Z` or an offset from UTC (RFC 3339, section 5.6), at most 23:59.
fn offset(text: &[u8]) -> Option<SignedDuration> {
    if matches_shape(text, b"Z") {
        return Some(SignedDuration::ZERO);
    }
    let is_west = matches_shape(text, b"-dd:dd");
    if !is_west && !matches_shape(text, b"+dd:dd") {
        return None;
    }
    let (hours, minutes) = (two_digits(&text[1..]), two_digits(&text[4..]));
    let minutes =
        (hours < 24 && minutes < 60).then(|| i64::from(hours) * 60 + i64::from(minutes))?;
    Some(SignedDuration::from_mins(if is_west { -minutes } else { minutes }))
}

/// The number that the first two digits of a text make.
fn two_digits(text: &[u8]) -> i8 {
    text[..2].iter().fold(0, |sum, digit| sum * 10 + (digit - b'0') as i8)
}

/// In the shape, `d` stands for a digit, and a letter for itself in either case.
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
        check("2026-01-12T14:00:00+23:59", "2026-01-11T14:01:00Z");
        check("2026-01-12T14:00:00-23:59", "2026-01-13T13:59:00Z");
        check("2026-01-12T14:00:00.5Z", "2026-01-12T14:00:00.5Z");
        check("2026-01-12T14:00:00.123456789Z", "2026-01-12T14:00:00.123456Z");
        check("2026-01-12T14:00:00.1234569999999999999999-01:00", "2026-01-12T15:00:00.123456Z");
        check("1969-12-31T23:59:59.9999999Z", "1969-12-31T23:59:59.999999Z");
        check("1000-01-01T00:00:00Z", "1000-01-01T00:00:00Z");
        check("2026-01-12T14:00:00", "malformed");
        check("2026-01-12T14:00Z", "malformed");
        check("2026-01-12 14:00:00Z", "malformed");
        check("2026-01-12T14:00:00+01", "malformed");
        check("2026-01-12T14:00:00+01:00[Europe/Paris]", "malformed");
        check("2026-01-12T14:00:00+24:00", "malformed");
        check("2026-01-12T14:00:00-24:00", "malformed");
        check("2026-01-12T14:00:00+25:30", "malformed");
        check("2026-01-12T14:00:00+01:60", "malformed");
        check("2026-01-12T14:00:00.Z", "malformed");
        check("2026-02-30T14:00:00Z", "malformed");
        check("2026-01-12T24:00:00Z", "malformed");
        check("2026-01-12T14:60:00Z", "malformed");
        check("2026-01-12T14:00:61Z", "malformed");
        check("2026-01-12", "malformed");
        check("", "malformed");
        check("ééééééééééé", "malformed");
        check("2026-01-12T14:00:0é", "malformed");
        check("0999-12-31T23:59:59Z", "out_of_range");
        check("1000-01-01T00:00:00+01:00", "out_of_range");
    }

    #[test]
    fn a_leap_second_is_the_second_before_it() {
        let check = |text: &str, expected: &str| {
            let answer = parse(text).map(format).unwrap_or_else(|v| v.code().to_owned());
            assert_eq!(answer, expected, "{text}");
        };
        check("2016-12-31T23:59:60Z", "2016-12-31T23:59:59Z");
        check("2015-06-30T23:59:60Z", "2015-06-30T23:59:59Z");
        check("2015-07-01T01:59:60+02:00", "2015-06-30T23:59:59Z");
        check("1990-12-31T15:59:60-08:00", "1990-12-31T23:59:59Z");
        check("2031-12-31T23:59:60.25Z", "2031-12-31T23:59:59.25Z");
        check("9999-12-31T23:59:60Z", "9999-12-31T23:59:59Z");
        check("2031-03-30T14:00:60Z", "malformed");
        check("2031-03-31T23:59:60Z", "malformed");
        check("2031-12-31T23:58:60Z", "malformed");
        check("2031-12-31T22:59:60Z", "malformed");
        check("2031-12-31T23:59:60+01:00", "malformed");
        check("2031-12-30T23:59:60Z", "malformed");
    }

    #[test]
    fn the_last_hours_of_the_calendar_are_instants() {
        let check = |text: &str, expected: &str| {
            let answer = parse(text).map(format).unwrap_or_else(|v| v.code().to_owned());
            assert_eq!(answer, expected, "{text}");
        };
        check("9999-12-30T22:00:00Z", "9999-12-30T22:00:00Z");
        check("9999-12-30T22:00:01Z", "9999-12-30T22:00:01Z");
        check("9999-12-31T00:00:00Z", "9999-12-31T00:00:00Z");
        check("9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z");
        check("9999-12-31T23:59:59.9999999Z", "9999-12-31T23:59:59.999999Z");
        check("9999-12-31T23:59:59+00:01", "9999-12-31T23:58:59Z");
        check("9999-12-31T23:59:59-00:01", "out_of_range");
        assert_eq!(format(Instant::MAX), "9999-12-31T23:59:59.999999Z");
        assert_eq!(format(Instant::MIN), "0000-01-01T00:00:00Z");
        let last = parse("9999-12-31T23:59:59Z").unwrap();
        let hour = SignedDuration::from_hours(1);
        assert_eq!(last.checked_add(hour), None);
        assert_eq!(last.checked_sub(hour).map(format).as_deref(), Some("9999-12-31T22:59:59Z"));
        assert_eq!(
            (last.as_second(), last.as_millisecond()),
            (253_402_300_799, 253_402_300_799_000)
        );
    }

    #[test]
    fn clocks_show_what_jiff_calculates() {
        // An odd number of seconds, so that all days and times of day occur.
        let step = 100_003 * MICROSECONDS_PER_SECOND + 7;
        let all = (Instant::MIN.0..=Instant::MAX.0).step_by(usize::try_from(step).unwrap());
        for instant in all.map(Instant).chain([Instant::MIN, Instant::MAX]) {
            let expected = EPOCH.checked_add(SignedDuration::from_micros(instant.0)).unwrap();
            assert_eq!(instant.utc(), expected);
            for minutes in [-839, 345, 840] {
                let ahead = SignedDuration::from_mins(minutes);
                assert_eq!(instant.shown(ahead), expected.checked_add(ahead).ok());
            }
        }
    }

    #[test]
    fn timestamps_are_truncated_to_microseconds() {
        for (text, expected) in [
            ("2026-01-12T14:00:00.123456789Z", "2026-01-12T14:00:00.123456Z"),
            ("1969-12-31T23:59:59.9999999Z", "1969-12-31T23:59:59.999999Z"),
        ] {
            let timestamp: Timestamp = text.parse().unwrap();
            assert_eq!(Instant::from(timestamp).to_string(), expected);
        }
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
