//! Query parameters and pages: what the lists of components have in common.

use std::borrow::Cow;

use rondo_contract::problem::FieldError;
use rondo_domain::{ID_MAX, Violation, instant};

use crate::Refusal;
use crate::caller::number;
use crate::http::{Request, Response};

/// Rows of a page when the client does not say.
pub const LIMIT_DEFAULT: i64 = 100;
/// Most rows of a page.
pub const LIMIT_MAX: i64 = 500;

/// The query's parameters, each at most once; taken out one by one, and all that is wrong is named
/// at the end.
pub struct Parameters<'a> {
    pairs: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    errors: Vec<FieldError>,
}

impl<'a> Parameters<'a> {
    #[must_use]
    pub fn of(request: &'a Request) -> Self {
        let pairs = form_urlencoded::parse(request.query().as_bytes()).collect();
        Self { pairs, errors: Vec::new() }
    }

    /// The value of a parameter.
    pub fn text(&mut self, name: &str) -> Option<String> {
        let place = self.pairs.iter().position(|(known, _)| known == name)?;
        let (_, value) = self.pairs.remove(place);
        if self.pairs.iter().any(|(known, _)| known == name) {
            self.pairs.retain(|(known, _)| known != name);
            self.refuse(name, "repeated", "may be given only once".to_owned());
        }
        if value.contains('\0') {
            self.refuse(name, "forbidden_character", "must not contain U+0000".to_owned());
            return None;
        }
        Some(value.into_owned())
    }

    /// One of a few words.
    pub fn word<T>(&mut self, name: &str, parse: fn(&str) -> Result<T, Violation>) -> Option<T> {
        let text = self.text(name)?;
        parse(&text)
            .map_err(|violation| self.refuse(name, violation.code(), violation.to_string()))
            .ok()
    }

    /// Some of a few words, repeated or with commas.
    pub fn words<T>(&mut self, name: &str, parse: fn(&str) -> Result<T, Violation>) -> Vec<T> {
        let (taken, left) =
            std::mem::take(&mut self.pairs).into_iter().partition(|(known, _)| known == name);
        self.pairs = left;
        let taken: Vec<(Cow<'a, str>, Cow<'a, str>)> = taken;
        let mut words = Vec::new();
        for word in taken.iter().flat_map(|(_, value)| value.split(',')) {
            match parse(word.trim()) {
                Ok(word) => words.push(word),
                Err(violation) => self.refuse(name, violation.code(), violation.to_string()),
            }
        }
        words
    }

    /// An id: a whole number from 1 on.
    pub fn id(&mut self, name: &str) -> Option<i64> {
        self.number_from(1, name)
    }

    /// A revision: a whole number from 0 on.
    pub fn revision(&mut self, name: &str) -> Option<i64> {
        self.number_from(0, name)
    }

    fn number_from(&mut self, min: i64, name: &str) -> Option<i64> {
        let text = self.text(name)?;
        let number = number(&text).filter(|number| *number >= min);
        if number.is_none() {
            let violation = Violation::OutOfRange { min, max: ID_MAX, unit: "" };
            self.refuse(name, violation.code(), violation.to_string());
        }
        number
    }

    /// An instant, as RFC 3339 in UTC.
    pub fn instant(&mut self, name: &str) -> Option<String> {
        let text = self.text(name)?;
        // A plus sign that was not encoded has become a space.
        match instant::parse(&text.replace(' ', "+")) {
            Ok(at) => Some(instant::format(at)),
            Err(violation) => {
                self.refuse(name, violation.code(), violation.to_string());
                None
            }
        }
    }

    /// The first or the last moment that is meant by an instant or by a date, which stands for the
    /// whole day in UTC.
    pub fn bound(&mut self, name: &str, bound: Bound) -> Option<String> {
        let place = self.pairs.iter().position(|(known, _)| known == name)?;
        match instant::parse_date(&self.pairs[place].1) {
            Ok(date) => {
                self.text(name);
                Some(match bound {
                    Bound::First => format!("{date}T00:00:00Z"),
                    Bound::Last => format!("{date}T23:59:59.999999Z"),
                })
            }
            Err(_) => self.instant(name),
        }
    }

    /// `limit`: 1 to 500, 100 when left out.
    pub fn limit(&mut self) -> i64 {
        let Some(text) = self.text("limit") else { return LIMIT_DEFAULT };
        match number(&text) {
            Some(limit) if (1..=LIMIT_MAX).contains(&limit) => limit,
            _ => {
                let violation = Violation::OutOfRange { min: 1, max: LIMIT_MAX, unit: "" };
                self.refuse("limit", violation.code(), violation.to_string());
                LIMIT_DEFAULT
            }
        }
    }

    /// `cursor`, where a page is continued by the last id of the one before.
    pub fn cursor(&mut self) -> Option<i64> {
        let text = self.text("cursor")?;
        let id = number(&text);
        if id.is_none() {
            let violation = Violation::Malformed { expected: "a cursor from a Link header" };
            self.refuse("cursor", violation.code(), violation.to_string());
        }
        id
    }

    /// # Errors
    /// 422 when a parameter was wrong, or is left that nobody asked for.
    pub fn finish(mut self) -> Result<(), Refusal> {
        for (name, _) in std::mem::take(&mut self.pairs) {
            self.refuse(&name, "unknown_parameter", "is not known here".to_owned());
        }
        if self.errors.is_empty() { Ok(()) } else { Err(Refusal::invalid(self.errors)) }
    }

    /// Notes what is wrong with a parameter.
    pub fn refuse(&mut self, name: &str, code: &'static str, detail: String) {
        self.errors.push(FieldError::parameter(name, code, detail));
    }
}

/// Which end of a span of time a parameter sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    First,
    Last,
}

/// Adds a `Link` to the next page (RFC 8288): the same request with the cursor.
#[must_use]
pub fn with_next(response: Response, request: &Request, cursor: Option<&str>) -> Response {
    let Some(cursor) = cursor else { return response };
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in form_urlencoded::parse(request.query().as_bytes()) {
        // The cursor continues after what an offset has skipped.
        if name != "cursor" && name != "offset" {
            query.append_pair(&name, &value);
        }
    }
    let query = query.append_pair("cursor", cursor).finish();
    response.header("link", format!("<{}?{query}>; rel=\"next\"", request.path()))
}
