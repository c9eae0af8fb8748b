//! The query of a list of tasks: filters, order, page.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rondo_domain::fold::{fold, title_key};
use rondo_domain::instant::{self, Instant};
use rondo_domain::jiff::civil::Date;
use rondo_domain::task::{Priority, Status, parse_tag, tag_key};
use rondo_domain::zone::Zone;
use rondo_domain::{ID_MAX, Violation, word_enum};
use serde::{Deserialize, Serialize};

use crate::problem::FieldError;

/// Tasks of a page, unless asked otherwise, and at most.
pub const LIMIT_DEFAULT: i64 = 100;
pub const LIMIT_MAX: i64 = 500;
/// Tasks that can be passed over; a cursor goes further.
pub const OFFSET_MAX: i64 = 1_000_000;
/// Longest phrase, in characters.
pub const SEARCH_CHARS_MAX: usize = 200;
/// Most values of one filter.
pub const VALUES_MAX: usize = 50;

word_enum! {
    pub enum SortBy {
        CreatedAt = "created_at",
        UpdatedAt = "updated_at",
        DueDate = "due_date",
        Priority = "priority",
        Title = "title",
    }
}

word_enum! {
    pub enum SortOrder {
        Asc = "asc",
        Desc = "desc",
    }
}

/// Where a page begins: after the task with this sort key and id, in this order. Opaque to clients.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// What is sorted by, and the direction: a cursor of one order says nothing about another.
    order: String,
    /// None when the task has no value of what is sorted by; otherwise an instant, a priority's
    /// rank or the beginning of a folded title.
    pub key: Option<String>,
    pub id: i64,
}

impl Cursor {
    fn new(sort_by: SortBy, sort_order: SortOrder, key: Option<String>, id: i64) -> Self {
        Self { order: format!("{sort_by} {sort_order}"), key, id }
    }

    /// After a task, which is given as the API answers it: what the database sorts by is made of its
    /// members here as it is there.
    ///
    /// # Errors
    /// When this is not a task.
    pub fn after(
        sort_by: SortBy,
        sort_order: SortOrder,
        task: &str,
    ) -> Result<Self, serde_json::Error> {
        let task: SortedTask = serde_json::from_str(task)?;
        let key = match sort_by {
            SortBy::CreatedAt => Some(task.created_at),
            SortBy::UpdatedAt => Some(task.updated_at),
            SortBy::DueDate => task.due_date,
            SortBy::Priority => Priority::ALL
                .iter()
                .position(|known| Some(known.as_str()) == task.priority.as_deref())
                .map(|place| (place + 1).to_string()),
            SortBy::Title => Some(title_key(&task.title)),
        };
        Ok(Self::new(sort_by, sort_order, key, task.id))
    }

    #[must_use]
    pub fn encode(&self) -> String {
        URL_SAFE_NO_PAD.encode(serde_json::json!(self).to_string())
    }

    fn decode(text: &str, sort_by: SortBy, sort_order: SortOrder) -> Option<Self> {
        let cursor: Self = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        let is_ours = cursor.order == format!("{sort_by} {sort_order}") && cursor.id > 0;
        (is_ours && cursor.has_key_of(sort_by)).then_some(cursor)
    }

    /// Whether a list in this order can have given the key. Whoever sends it may have made it.
    fn has_key_of(&self, sort_by: SortBy) -> bool {
        match (sort_by, self.key.as_deref()) {
            (SortBy::DueDate | SortBy::Priority, None) => true,
            (_, None) => false,
            (SortBy::Title, Some(title)) => !title.contains('\0'),
            (SortBy::Priority, Some(rank)) => matches!(rank, "1" | "2" | "3" | "4"),
            (SortBy::CreatedAt | SortBy::UpdatedAt | SortBy::DueDate, Some(at)) => {
                instant::parse(at).is_ok()
            }
        }
    }
}

/// Members of a task that lists are sorted by.
#[derive(Deserialize)]
struct SortedTask {
    id: i64,
    title: String,
    priority: Option<String>,
    due_date: Option<String>,
    created_at: String,
    updated_at: String,
}

/// A query that has been checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskQuery {
    /// Folded, as tasks are searched.
    pub search: Option<String>,
    pub status: Vec<Status>,
    pub priority: Vec<Priority>,
    /// Any of these, as [`tag_key`] folds them.
    pub tags: Vec<String>,
    /// All of these, likewise.
    pub tags_all: Vec<String>,
    /// Instants as text, both inclusive; see also [`TaskQuery::names_days`].
    pub due_date_start: Option<String>,
    pub due_date_end: Option<String>,
    days: Days,
    pub has_due_date: Option<bool>,
    pub parent_task_id: Option<i64>,
    pub updated_since: Option<String>,
    pub sort_by: SortBy,
    pub sort_order: SortOrder,
    pub limit: i64,
    pub offset: i64,
    pub cursor: Option<Cursor>,
    /// Whether to count all that match.
    pub count: bool,
}

impl TaskQuery {
    /// Reads the query part of a URL (`application/x-www-form-urlencoded`).
    ///
    /// # Errors
    /// Every parameter that is unknown, repeated where it may not be, or out of its range.
    pub fn parse(query: &str) -> Result<Self, Vec<FieldError>> {
        let mut reader = Reader::new(query);
        let sort_by = reader.word("sort_by", SortBy::parse).unwrap_or(SortBy::CreatedAt);
        let sort_order = reader.word("sort_order", SortOrder::parse).unwrap_or(SortOrder::Desc);
        let (due_date_start, first) = reader.bound("due_date_start");
        let (due_date_end, last) = reader.bound("due_date_end");
        let parsed = Self {
            search: reader.one("search").and_then(|text| reader.search(&text)),
            status: reader.words("status", Status::parse),
            priority: reader.words("priority", Priority::parse),
            tags: reader.tags("tags"),
            tags_all: reader.tags("tags_all"),
            due_date_start,
            due_date_end,
            days: Days { first, last },
            has_due_date: reader.boolean("has_due_date"),
            parent_task_id: reader.integer("parent_task_id", 1, ID_MAX),
            updated_since: reader.instant("updated_since"),
            sort_by,
            sort_order,
            limit: reader.integer("limit", 1, LIMIT_MAX).unwrap_or(LIMIT_DEFAULT),
            offset: reader.integer("offset", 0, OFFSET_MAX).unwrap_or(0),
            cursor: reader.cursor(sort_by, sort_order),
            count: reader.boolean("count").unwrap_or(false),
        };
        reader.finish()?;
        Ok(parsed)
    }

    /// Whether an end of the span of due dates is a date. When that day begins and ends depends on
    /// where the user is: [`TaskQuery::place_days`].
    #[must_use]
    pub fn names_days(&self) -> bool {
        self.days.first.is_some() || self.days.last.is_some()
    }

    /// Makes instants of the dates: the first of the one day, the last of the other.
    pub fn place_days(&mut self, zone: &Zone) {
        let text = |instant: Option<Instant>| instant::format(instant.unwrap_or(Instant::MAX));
        let Days { first, last } = std::mem::take(&mut self.days);
        if let Some(day) = first {
            self.due_date_start = Some(text(zone.first_instant_of(day)));
        }
        if let Some(day) = last {
            self.due_date_end = Some(text(zone.last_instant_of(day)));
        }
    }
}

/// Dates that stand for instants of a zone that is not known yet.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Days {
    first: Option<Date>,
    last: Option<Date>,
}

/// Takes parameters by name; what is left at the end is unknown.
struct Reader {
    given: Vec<(String, String)>,
    errors: Vec<FieldError>,
}

impl Reader {
    fn new(query: &str) -> Self {
        let given = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        Self { given, errors: Vec::new() }
    }

    fn refuse(&mut self, name: &str, code: &'static str, detail: String) {
        self.errors.push(FieldError::parameter(name, code, detail));
    }

    fn all(&mut self, name: &str) -> Vec<String> {
        let (taken, left) =
            std::mem::take(&mut self.given).into_iter().partition(|(given, _)| given == name);
        self.given = left;
        let taken: Vec<(String, String)> = taken;
        let mut values: Vec<String> = Vec::new();
        for (_, value) in taken {
            if value.contains('\0') {
                self.refuse(name, "forbidden_character", "must not contain U+0000".to_owned());
            } else {
                values.push(value);
            }
        }
        values
    }

    fn one(&mut self, name: &str) -> Option<String> {
        let mut values = self.all(name);
        if values.len() > 1 {
            self.refuse(name, "repeated", "must be given once".to_owned());
        }
        values.pop()
    }

    /// The phrase as it is looked for. An empty one is in every text.
    fn search(&mut self, text: &str) -> Option<String> {
        if text.chars().nth(SEARCH_CHARS_MAX).is_some() {
            let violation = Violation::TooLong { max: SEARCH_CHARS_MAX };
            self.refuse("search", violation.code(), violation.to_string());
            return None;
        }
        Some(fold(text)).filter(|text| !text.is_empty())
    }

    /// Repeated or with commas.
    fn list(&mut self, name: &str) -> Vec<String> {
        let values: Vec<String> = self.all(name).iter().flat_map(|list| separated(list)).collect();
        if values.len() > VALUES_MAX {
            let violation = Violation::TooMany { max: VALUES_MAX };
            self.refuse(name, violation.code(), violation.to_string());
        }
        values
    }

    fn words<T>(
        &mut self,
        name: &str,
        parse: fn(&str) -> Result<T, rondo_domain::Violation>,
    ) -> Vec<T> {
        let mut words = Vec::new();
        for value in self.list(name) {
            match parse(&value) {
                Ok(word) => words.push(word),
                Err(violation) => self.refuse(name, violation.code(), violation.to_string()),
            }
        }
        words
    }

    fn word<T>(
        &mut self,
        name: &str,
        parse: fn(&str) -> Result<T, rondo_domain::Violation>,
    ) -> Option<T> {
        let value = self.one(name)?;
        parse(&value)
            .map_err(|violation| self.refuse(name, violation.code(), violation.to_string()))
            .ok()
    }

    fn tags(&mut self, name: &str) -> Vec<String> {
        let mut keys = Vec::new();
        for tag in self.list(name) {
            match parse_tag(&tag) {
                Ok(tag) => keys.push(tag_key(&tag)),
                Err(violation) => self.refuse(name, violation.code(), violation.to_string()),
            }
        }
        keys
    }

    fn instant(&mut self, name: &str) -> Option<String> {
        let value = self.one(name)?;
        self.instant_in(name, &value)
    }

    fn instant_in(&mut self, name: &str, value: &str) -> Option<String> {
        // A plus sign that was not escaped arrives as a space.
        instant::parse(&value.replace(' ', "+"))
            .map(instant::format)
            .map_err(|violation| self.refuse(name, violation.code(), violation.to_string()))
            .ok()
    }

    /// An instant, or a date.
    fn bound(&mut self, name: &str) -> (Option<String>, Option<Date>) {
        let Some(value) = self.one(name) else { return (None, None) };
        match instant::parse_date(&value) {
            Ok(date) => (None, Some(date)),
            Err(_) => (self.instant_in(name, &value), None),
        }
    }

    fn cursor(&mut self, sort_by: SortBy, sort_order: SortOrder) -> Option<Cursor> {
        let text = self.one("cursor")?;
        let cursor = Cursor::decode(&text, sort_by, sort_order);
        if cursor.is_none() {
            let violation = Violation::Malformed { expected: "one that a list in this order gave" };
            self.refuse("cursor", violation.code(), violation.to_string());
        }
        cursor
    }

    fn boolean(&mut self, name: &str) -> Option<bool> {
        match self.one(name)?.as_str() {
            "true" => Some(true),
            "false" => Some(false),
            _ => {
                self.refuse(name, "malformed", "must be true or false".to_owned());
                None
            }
        }
    }

    fn integer(&mut self, name: &str, min: i64, max: i64) -> Option<i64> {
        let value = self.one(name)?;
        // Digits alone: a number parser would take a plus sign, too.
        let is_number = value.bytes().all(|byte| byte.is_ascii_digit());
        let number = value.parse().ok().filter(|number| is_number && (min..=max).contains(number));
        if number.is_none() {
            self.refuse(name, "out_of_range", format!("must be a number from {min} to {max}"));
        }
        number
    }

    fn finish(mut self) -> Result<(), Vec<FieldError>> {
        for (name, _) in std::mem::take(&mut self.given) {
            self.refuse(&name, "unknown_parameter", "is not known".to_owned());
        }
        if self.errors.is_empty() { Ok(()) } else { Err(self.errors) }
    }
}

/// The values of a list, trimmed. A comma with a backslash before it separates nothing, and a backslash
/// with another before it is one itself.
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
#[path = "task_query_tests.rs"]
mod tests;
