//! The query of a list of tasks: filters, sort order, page.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rondo_domain::due::Due;
use rondo_domain::fold::fold;
use rondo_domain::instant::{self, Instant};
use rondo_domain::position::is_key;
use rondo_domain::task::{Priority, Status, parse_tag, tag_key, title_key};
use rondo_domain::text::key;
use rondo_domain::zone::Zone;
use rondo_domain::{Violation, word_enum};
use serde::{Deserialize, Serialize};

use crate::problem::FieldError;
use crate::query::{Bound, Reader, number};

/// Maximum number of tasks to skip; a cursor goes further.
pub const OFFSET_MAX: i64 = 1_000_000;
/// Maximum number of tasks on a page that has what is beneath them, too.
pub const TREE_LIMIT_MAX: i64 = 50;
/// Maximum length of a search phrase, in characters.
pub const SEARCH_CHARS_MAX: usize = 200;
word_enum! {
    pub enum SortBy {
        CreatedAt = "created_at",
        UpdatedAt = "updated_at",
        DueDate = "due_date",
        Priority = "priority",
        Title = "title",
        Position = "position",
    }
}

word_enum! {
    /// What a list does with tasks that have not started.
    pub enum Deferred {
        /// Lists them with the others.
        True = "true",
        /// Leaves them out.
        False = "false",
        /// Lists only them.
        Only = "only",
    }
}

word_enum! {
    pub enum SortOrder {
        Asc = "asc",
        Desc = "desc",
    }
}

/// The start of a page: after the task with this sort key and id, in this order. Opaque to clients.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// The sort member and direction: a cursor applies to one order only.
    order: String,
    /// None if the task has no value of the sort member; otherwise an instant, a priority's rank, the
    /// beginning of a folded title, or a position.
    pub key: Option<String>,
    pub id: i64,
}

impl Cursor {
    fn new(sort_by: SortBy, sort_order: SortOrder, key: Option<String>, id: i64) -> Self {
        Self { order: format!("{sort_by} {sort_order}"), key, id }
    }

    /// The cursor after a task, given as the API answers it. Derives the sort key from its members as the
    /// database does.
    /// # Errors
    /// If the JSON is not a task.
    pub fn after(
        sort_by: SortBy,
        sort_order: SortOrder,
        task: &str,
    ) -> Result<Self, serde_json::Error> {
        let task: SortedTask = serde_json::from_str(task)?;
        let key = match sort_by {
            SortBy::CreatedAt => Some(task.created_at),
            SortBy::UpdatedAt => Some(task.updated_at),
            SortBy::DueDate => task.due_at(),
            SortBy::Priority => Priority::ALL
                .iter()
                .position(|known| Some(known.as_str()) == task.priority.as_deref())
                .map(|place| (place + 1).to_string()),
            SortBy::Title => Some(title_key(&task.title)),
            SortBy::Position => Some(task.position),
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

    /// Whether a list in this order can have produced the key. A client may have made up the cursor.
    fn has_key_of(&self, sort_by: SortBy) -> bool {
        match (sort_by, self.key.as_deref()) {
            (SortBy::DueDate | SortBy::Priority, None) => true,
            (_, None) => false,
            (SortBy::Title, Some(title)) => !title.contains('\0'),
            (SortBy::Position, Some(position)) => is_key(position),
            (SortBy::Priority, Some(rank)) => matches!(rank, "1" | "2" | "3" | "4"),
            (SortBy::CreatedAt | SortBy::UpdatedAt | SortBy::DueDate, Some(at)) => {
                instant::parse(at).is_ok()
            }
        }
    }
}

/// The members of a task that lists can sort by.
#[derive(Deserialize)]
struct SortedTask {
    id: i64,
    title: String,
    priority: Option<String>,
    due_date: Option<String>,
    due_day: Option<String>,
    time_zone: String,
    created_at: String,
    updated_at: String,
    position: String,
}

impl SortedTask {
    /// The instant that the task is sorted by.
    fn due_at(&self) -> Option<String> {
        let Some(day) = &self.due_day else { return self.due_date.clone() };
        let zone = Zone::parse(&self.time_zone).ok()?;
        Some(instant::format(Due::On(day.parse().ok()?).end(&zone)))
    }
}

/// Where a task has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In no list.
    Inbox,
    /// In the list with this id.
    List(i64),
}

impl Place {
    /// The word of the inbox.
    pub const INBOX: &str = "inbox";

    /// As the statements take it: the list's id, or 0.
    #[must_use]
    pub const fn number(self) -> i64 {
        match self {
            Self::Inbox => 0,
            Self::List(id) => id,
        }
    }

    fn parse(text: &str) -> Result<Self, Violation> {
        let expected = "the id of a list, or inbox";
        match number(text) {
            _ if text == Self::INBOX => Ok(Self::Inbox),
            Some(id) if id > 0 => Ok(Self::List(id)),
            _ => Err(Violation::Malformed { expected }),
        }
    }
}

/// A validated query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskQuery {
    /// Folded, like the tasks' search texts.
    pub search: Option<String>,
    pub status: Vec<Status>,
    pub priority: Vec<Priority>,
    /// Tasks with any of these tags, folded by [`tag_key`].
    pub tags: Vec<String>,
    /// Tasks with all of these tags, folded likewise.
    pub tags_all: Vec<String>,
    /// Both inclusive.
    pub due_date_start: Option<Bound>,
    pub due_date_end: Option<Bound>,
    pub has_due_date: Option<bool>,
    pub parent_task_id: Option<i64>,
    pub list_id: Option<Place>,
    pub deferred: Deferred,
    pub subtask_of: Option<i64>,
    /// Whether a task that is not completed blocks it.
    pub blocked: Option<bool>,
    pub uid: Option<String>,
    pub updated_since: Option<String>,
    pub sort_by: SortBy,
    pub sort_order: SortOrder,
    pub limit: i64,
    pub offset: i64,
    pub cursor: Option<Cursor>,
    /// Whether the list has only tasks that are no subtasks, each with all tasks beneath it.
    pub tree: bool,
    /// Whether to count all matches.
    pub count: bool,
    /// Whether to sum the estimates of all matches.
    pub total_estimate: bool,
}

/// Parameters that say which part of a list is wanted, and what besides. A saved filter has the others.
const PART: [&str; 6] = ["limit", "offset", "cursor", "tree", "count", "total_estimate"];

impl TaskQuery {
    /// Reads the query of a saved filter: parameters of a list, but not which part is wanted.
    ///
    /// # Errors
    /// As for [`parse`](Self::parse), and `not_applicable`.
    pub fn parse_stored(query: &str) -> Result<Self, Vec<FieldError>> {
        let violation = Violation::NotApplicable { with: "a request" };
        let misplaced = |name: &&str| PART.contains(name);
        refuse(query, misplaced, violation.code(), &violation.to_string())?;
        Self::parse(query)
    }

    /// Reads the part of a saved filter's tasks that a request wants.
    ///
    /// # Errors
    /// As for [`parse`](Self::parse).
    pub fn parse_part(stored: &str, part: &str) -> Result<Self, Vec<FieldError>> {
        refuse(part, |name| !PART.contains(name), "unknown_parameter", "is not known")?;
        Self::parse(&format!("{stored}&{part}"))
    }

    /// Reads the query part of a URL (`application/x-www-form-urlencoded`).
    ///
    /// # Errors
    /// Every parameter that is unknown, wrongly repeated or out of range.
    pub fn parse(query: &str) -> Result<Self, Vec<FieldError>> {
        let mut reader = Reader::new(query);
        let sort_by = reader.one("sort_by", SortBy::parse).unwrap_or(SortBy::CreatedAt);
        let sort_order = reader.one("sort_order", SortOrder::parse).unwrap_or(SortOrder::Desc);
        let uid = reader.one("uid", key);
        // A task that is asked for by its name is found whether it has started or not.
        let default_deferred = if uid.is_some() { Deferred::True } else { Deferred::False };
        let mut parsed = Self {
            search: reader.one("search", phrase).flatten(),
            status: reader.list("status", Status::parse),
            priority: reader.list("priority", Priority::parse),
            tags: reader.list("tags", tag),
            tags_all: reader.list("tags_all", tag),
            due_date_start: reader.bound("due_date_start"),
            due_date_end: reader.bound("due_date_end"),
            has_due_date: reader.boolean("has_due_date"),
            parent_task_id: reader.id("parent_task_id"),
            list_id: reader.one("list_id", Place::parse),
            deferred: reader.one("deferred", Deferred::parse).unwrap_or(default_deferred),
            subtask_of: reader.id("subtask_of"),
            blocked: reader.boolean("blocked"),
            uid,
            updated_since: reader.instant("updated_since"),
            sort_by,
            sort_order,
            limit: reader.limit(),
            offset: reader.integer("offset", 0, OFFSET_MAX).unwrap_or(0),
            cursor: reader.cursor(|text| Cursor::decode(text, sort_by, sort_order)),
            tree: reader.boolean("tree").unwrap_or(false),
            count: reader.boolean("count").unwrap_or(false),
            total_estimate: reader.boolean("total_estimate").unwrap_or(false),
        };
        if parsed.tree {
            parsed.limit = parsed.limit.min(TREE_LIMIT_MAX);
            if parsed.uid.is_some() {
                reader.refuse("uid", Violation::Conflict { other: "tree" });
            }
        }
        reader.finish()?;
        Ok(parsed)
    }

    /// Whether an end of the range of due dates is a day, whose start and end depend on the user's time zone.
    #[must_use]
    pub fn names_days(&self) -> bool {
        let bounds = [self.due_date_start, self.due_date_end];
        bounds.iter().any(|bound| matches!(bound, Some(Bound::On(_) | Bound::Counted(_))))
    }

    /// The first and the last due date, both inclusive, as RFC 3339. `zone` is the user's.
    #[must_use]
    pub fn due_dates(&self, zone: &Zone, now: Instant) -> [Option<String>; 2] {
        [
            self.due_date_start.map(|bound| bound.first_in(zone, now)),
            self.due_date_end.map(|bound| bound.last_in(zone, now)),
        ]
    }
}

/// Refuses the parameters of a query that `is_refused` picks by name.
fn refuse(
    query: &str,
    is_refused: impl Fn(&&str) -> bool,
    code: &'static str,
    detail: &str,
) -> Result<(), Vec<FieldError>> {
    let names = form_urlencoded::parse(query.as_bytes()).map(|(name, _)| name);
    let refused = names.filter(|name| is_refused(&&**name));
    let errors: Vec<_> =
        refused.map(|name| FieldError::parameter(&name, code, detail.to_owned())).collect();
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

/// The folded phrase. None for an empty one, which matches every text.
fn phrase(text: &str) -> Result<Option<String>, Violation> {
    if text.chars().nth(SEARCH_CHARS_MAX).is_some() {
        return Err(Violation::TooLong { max: SEARCH_CHARS_MAX });
    }
    Ok(Some(fold(text)).filter(|text| !text.is_empty()))
}

fn tag(text: &str) -> Result<String, Violation> {
    parse_tag(text).map(|tag| tag_key(&tag))
}

#[cfg(test)]
#[path = "task_query_tests.rs"]
mod tests;
