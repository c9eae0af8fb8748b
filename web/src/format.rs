//! Dates, times and lengths in the person's language and zone. The words come from the browser's `Intl`.

use rondo_domain::due::Due;
use rondo_domain::instant::Instant;
use rondo_domain::jiff::civil::{Date, Time};
use rondo_domain::zone::Zone;

use crate::platform;
use crate::text::{Text, locale, t, with};

/// Days are formatted as noon of UTC, which is that day in the zone `UTC`.
const NOON: Time = Time::constant(12, 0, 0, 0);
/// How far away a countdown shows minutes and hours, in minutes.
const COUNTDOWN_MINUTES_MAX: i64 = 12 * 60;

/// How urgent a due date looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Urgency {
    Late,
    Today,
    Later,
}

impl Urgency {
    pub const fn class(self) -> &'static str {
        match self {
            Self::Late => "late",
            Self::Today => "today",
            Self::Later => "",
        }
    }
}

/// The day of a moment for the person.
pub fn day_of(due: Due, zone: &Zone) -> Date {
    match due {
        Due::On(day) => day,
        Due::At(at) => zone.local_of(at).date(),
    }
}

/// A due date as short as it can be read: `Today, 10:00`, `Friday`, `3 Jan`.
pub fn due(due: Due, now: Instant, zone: &Zone) -> String {
    let day = near_day(day_of(due, zone), zone.local_of(now).date());
    match due {
        Due::On(_) => day,
        Due::At(at) => format!("{day}, {}", time(at, zone)),
    }
}

/// Whether a moment has passed, is today, or comes later.
pub fn urgency(due: Due, end: Option<Instant>, now: Instant, zone: &Zone) -> Urgency {
    if end.is_some_and(|end| end < now) {
        Urgency::Late
    } else if day_of(due, zone) == zone.local_of(now).date() {
        Urgency::Today
    } else {
        Urgency::Later
    }
}

/// How long until a moment, or since then: `in 25 minutes`, `3 days ago`. None if it is far away.
pub fn countdown(end: Instant, now: Instant) -> Option<String> {
    let minutes = (end.as_second() - now.as_second()).div_euclid(60);
    let language = locale();
    let (value, unit) = match minutes {
        -59..=59 => (minutes, "minute"),
        _ if minutes.abs() <= COUNTDOWN_MINUTES_MAX => (minutes / 60, "hour"),
        ..=-60 => (minutes.div_euclid(24 * 60), "day"),
        _ => return None,
    };
    #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
    Some(platform::relative(&language, value as f64, unit))
}

/// A day by its distance: a word, a weekday of the next six days, or a date.
pub fn near_day(day: Date, today: Date) -> String {
    let days = (day - today).get_days();
    match days {
        0 => t(Text::Today).to_owned(),
        1 => t(Text::Tomorrow).to_owned(),
        -1 => t(Text::Yesterday).to_owned(),
        2..=6 => date(day, "weekday"),
        _ if day.year() == today.year() => date(day, "short"),
        _ => date(day, "shortYear"),
    }
}

/// A day in a form of `platform.js`.
pub fn date(day: Date, form: &str) -> String {
    let at = day.to_datetime(NOON).to_zoned(rondo_domain::jiff::tz::TimeZone::UTC);
    at.map_or_else(|_| day.to_string(), |at| words(at.timestamp().as_millisecond(), "UTC", form))
}

/// The time of day of a moment.
pub fn time(at: Instant, zone: &Zone) -> String {
    words(at.as_millisecond(), zone.name(), "time")
}

/// A moment with day and time.
pub fn moment(at: Instant, zone: &Zone) -> String {
    words(at.as_millisecond(), zone.name(), "medium")
}

fn words(milliseconds: i64, zone: &str, form: &str) -> String {
    #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
    platform::date(&locale(), zone, form, milliseconds as f64)
}

/// A number of minutes as `1 h 30`.
pub fn minutes(minutes: i64) -> String {
    match (minutes / 60, minutes % 60) {
        (0, rest) => format!("{rest} min"),
        (hours, 0) => format!("{hours} h"),
        (hours, rest) => format!("{hours} h {rest}"),
    }
}

/// An ISO 8601 offset before a due date, as words.
pub fn offset(text: &str) -> String {
    let number = |rest: &str, unit: char| rest.strip_suffix(unit)?.parse::<i64>().ok();
    let (value, unit) =
        if let Some(days) = text.strip_prefix('P').and_then(|rest| number(rest, 'D')) {
            (days, "day")
        } else if let Some(hours) = text.strip_prefix("PT").and_then(|rest| number(rest, 'H')) {
            (hours, "hour")
        } else if let Some(minutes) = text.strip_prefix("PT").and_then(|rest| number(rest, 'M')) {
            (minutes, "minute")
        } else if text == "PT0S" {
            return t(Text::AtDue).to_owned();
        } else {
            return text.to_owned();
        };
    #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
    let words = platform::amount(&locale(), value as f64, unit);
    with(Text::Before, words)
}
