//! Query parameters: a reader that takes them by name and collects all faults.

use rondo_domain::instant::{self, Instant};
use rondo_domain::jiff::civil::Date;
use rondo_domain::relative_day::RelativeDay;
use rondo_domain::zone::Zone;
use rondo_domain::{ID_MAX, Violation};

use crate::problem::FieldError;

/// Default and maximum number of rows of a page.
pub const LIMIT_DEFAULT: i64 = 100;
pub const LIMIT_MAX: i64 = 500;
/// Maximum number of values of one filter.
pub const VALUES_MAX: usize = 50;

/// Reads the query part of a URL (`application/x-www-form-urlencoded`). [`Reader::finish`] refuses parameters
/// that were not read.
pub struct Reader {
    given: Vec<(String, String)>,
    errors: Vec<FieldError>,
}

/// An end of a range of time: an instant, or a day, which means its first or last instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    At(Instant),
    On(Date),
    /// A day counted from today.
    Counted(RelativeDay),
}

impl Bound {
    /// The instant as the start of a range, as RFC 3339 in UTC. A day is local to `zone`, and counted from `now`.
    #[must_use]
    pub fn first_in(self, zone: &Zone, now: Instant) -> String {
        self.text(zone, now, Zone::first_instant_of)
    }

    /// The instant as the end of a range.
    #[must_use]
    pub fn last_in(self, zone: &Zone, now: Instant) -> String {
        self.text(zone, now, Zone::last_instant_of)
    }

    fn text(
        self,
        zone: &Zone,
        now: Instant,
        place: impl FnOnce(&Zone, Date) -> Option<Instant>,
    ) -> String {
        let day = match self {
            Self::At(instant) => return instant::format(instant),
            Self::On(day) => Some(day),
            Self::Counted(day) => day.from(zone.local_of(now).date()),
        };
        instant::format(day.and_then(|day| place(zone, day)).unwrap_or(Instant::MAX))
    }
}

impl Reader {
    #[must_use]
    pub fn new(query: &str) -> Self {
        let given = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        Self { given, errors: Vec::new() }
    }

    /// The value of a parameter that may occur once.
    pub fn text(&mut self, name: &str) -> Option<String> {
        let mut values = self.all(name);
        if values.len() > 1 {
            self.note(name, "repeated", "must be given once".to_owned());
        }
        values.pop()
    }

    /// A required parameter.
    pub fn required(&mut self, name: &str) -> String {
        if self.given.iter().all(|(given, _)| given != name) {
            self.refuse(name, Violation::Required);
        }
        self.text(name).unwrap_or_default()
    }

    pub fn one<T>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, Violation>,
    ) -> Option<T> {
        let parsed = parse(&self.text(name)?);
        self.accept(name, parsed)
    }

    /// Values that are repeated or comma-separated, at most [`VALUES_MAX`].
    pub fn list<T>(&mut self, name: &str, parse: fn(&str) -> Result<T, Violation>) -> Vec<T> {
        let values: Vec<String> = self.all(name).iter().flat_map(|list| separated(list)).collect();
        if values.len() > VALUES_MAX {
            self.refuse(name, Violation::TooMany { max: VALUES_MAX });
        }
        values.iter().filter_map(|value| self.accept(name, parse(value))).collect()
    }

    pub fn boolean(&mut self, name: &str) -> Option<bool> {
        self.one(name, |text| match text {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(Violation::Malformed { expected: "true or false" }),
        })
    }

    pub fn integer(&mut self, name: &str, min: i64, max: i64) -> Option<i64> {
        self.one(name, |text| {
            let number = number(text).filter(|number| (min..=max).contains(number));
            number.ok_or(Violation::OutOfRange { min, max, unit: "" })
        })
    }

    /// An id, at least 1.
    pub fn id(&mut self, name: &str) -> Option<i64> {
        self.integer(name, 1, ID_MAX)
    }

    /// A revision, at least 0.
    pub fn revision(&mut self, name: &str) -> Option<i64> {
        self.integer(name, 0, ID_MAX)
    }

    /// An instant, as RFC 3339 in UTC.
    pub fn instant(&mut self, name: &str) -> Option<String> {
        self.one(name, parse_instant).map(instant::format)
    }

    /// An instant or a date.
    pub fn bound(&mut self, name: &str) -> Option<Bound> {
        self.one(name, |text| match (instant::parse_date(text), RelativeDay::parse(text)) {
            (Ok(day), _) => Ok(Bound::On(day)),
            (_, Ok(day)) => Ok(Bound::Counted(day)),
            _ => parse_instant(text).map(Bound::At),
        })
    }

    /// `limit`: the number of rows of a page.
    pub fn limit(&mut self) -> i64 {
        self.integer("limit", 1, LIMIT_MAX).unwrap_or(LIMIT_DEFAULT)
    }

    /// `cursor`, parsed by `parse`.
    pub fn cursor<T>(&mut self, parse: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        const EXPECTED: &str = "a cursor that a page of this list gave";
        self.one("cursor", |text| parse(text).ok_or(Violation::Malformed { expected: EXPECTED }))
    }

    /// Adds a fault of a parameter.
    pub fn refuse(&mut self, name: &str, violation: Violation) {
        self.note(name, violation.code(), violation.to_string());
    }

    /// # Errors
    /// All faults, unknown parameters included.
    pub fn finish(mut self) -> Result<(), Vec<FieldError>> {
        for (name, _) in std::mem::take(&mut self.given) {
            self.note(&name, "unknown_parameter", "is not known".to_owned());
        }
        if self.errors.is_empty() { Ok(()) } else { Err(self.errors) }
    }

    fn all(&mut self, name: &str) -> Vec<String> {
        let mut values = Vec::new();
        let mut forbidden = 0;
        self.given.retain_mut(|(given, value)| {
            if given != name {
                return true;
            }
            if value.contains('\0') {
                forbidden += 1;
            } else {
                values.push(std::mem::take(value));
            }
            false
        });
        (0..forbidden).for_each(|_| self.refuse(name, Violation::ForbiddenCharacter));
        values
    }

    fn accept<T>(&mut self, name: &str, parsed: Result<T, Violation>) -> Option<T> {
        parsed.map_err(|violation| self.refuse(name, violation)).ok()
    }

    fn note(&mut self, name: &str, code: &'static str, detail: String) {
        self.errors.push(FieldError::parameter(name, code, detail));
    }
}

/// A number in the form of ids: digits only, at most 53 bits.
#[must_use]
pub fn number(text: &str) -> Option<i64> {
    // A number parser would also accept a plus sign.
    let is_digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_digits { text.parse().ok().filter(|number| *number <= ID_MAX) } else { None }
}

fn parse_instant(text: &str) -> Result<Instant, Violation> {
    // An unescaped plus sign arrives as a space.
    instant::parse(&text.replace(' ', "+"))
}

/// The values of a list, trimmed. A comma after a backslash does not separate; a doubled backslash is one
/// backslash.
fn separated(list: &str) -> Vec<String> {
    let (mut values, mut value) = (Vec::new(), String::new());
    let mut characters = list.chars().peekable();
    while let Some(character) = characters.next() {
        let escaped = characters.next_if(|next| character == '\\' && matches!(next, ',' | '\\'));
        match (character, escaped) {
            (',', None) => values.push(std::mem::take(&mut value)),
            (character, escaped) => value.push(escaped.unwrap_or(character)),
        }
    }
    values.push(value);
    values.iter().map(|value| value.trim().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comma_may_belong_to_a_value() {
        let check = |list: &str, expected: &[&str]| assert_eq!(separated(list), expected, "{list}");
        check("a,b", &["a", "b"]);
        check(" a , b ", &["a", "b"]);
        check(r"a\,b", &["a,b"]);
        check(r"a\,b,c", &["a,b", "c"]);
        check(r"a\\,b", &[r"a\", "b"]);
        check(r"a\\\,b", &[r"a\,b"]);
        check(r"a\b", &[r"a\b"]);
        check(r"\", &[r"\"]);
        check(r"a,\", &["a", r"\"]);
        check(r"\,", &[","]);
        check("", &[""]);
        check(",", &["", ""]);
    }

    #[test]
    fn ids() {
        assert_eq!(number("42"), Some(42));
        assert_eq!(number("9007199254740991"), Some(9_007_199_254_740_991));
        for other in ["", "-1", "+1", "4x", "9007199254740992", "99999999999999999999", "%31"] {
            assert_eq!(number(other), None, "{other}");
        }
    }

    #[test]
    fn every_fault_is_reported() {
        let mut reader = Reader::new("a=1&a=2&b=%00&c=2031-03-30&d=+1&limit=501&cursor=x&e=yes&f");
        assert_eq!(reader.text("a").as_deref(), Some("2"));
        assert_eq!(reader.text("b"), None);
        let day = reader.bound("c").unwrap();
        assert_eq!(day.first_in(&Zone::utc(), Instant::UNIX_EPOCH), "2031-03-30T00:00:00Z");
        assert_eq!(day.last_in(&Zone::utc(), Instant::UNIX_EPOCH), "2031-03-30T23:59:59.999999Z");
        assert_eq!(reader.id("d"), None);
        assert_eq!(reader.limit(), LIMIT_DEFAULT);
        assert_eq!(reader.cursor(number), None);
        assert_eq!(reader.boolean("e"), None);
        assert_eq!(reader.instant("left_out"), None);
        let errors = reader.finish().unwrap_err();
        let found: Vec<_> = errors.iter().map(|e| (e.pointer.as_str(), &*e.code)).collect();
        let expected = [
            ("?a", "repeated"),
            ("?b", "forbidden_character"),
            ("?d", "out_of_range"),
            ("?limit", "out_of_range"),
            ("?cursor", "malformed"),
            ("?e", "malformed"),
            ("?f", "unknown_parameter"),
        ];
        assert_eq!(found, expected);
    }
}
