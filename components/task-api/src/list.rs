//! `GET /api/{user_id}/tasks`: filtered, sorted, page by page.

use rondo_contract::problem::FieldError;
use rondo_contract::task_query::{Cursor, SortBy, SortOrder, TaskQuery};
use rondo_domain::task::{Priority, Status};
use rondo_guest::Refusal;
use rondo_guest::bindings::spin::postgres::postgres::ParameterValue;
use rondo_guest::database::{DatabaseError, boolean, int, optional, text, text_list};
use rondo_guest::http::{Request, Response};
use rondo_guest::page;

use crate::store::Store;

pub fn answer(request: &Request, user: i64) -> Result<Response, Refusal> {
    let query = TaskQuery::parse(request.query()).map_err(Refusal::invalid)?;
    let after = query.cursor.as_ref().map(|cursor| After::of(cursor, query.sort_by)).transpose();
    let after = after.map_err(|error| Refusal::invalid(vec![error]))?;
    let page = Page::read(&Store::open()?, user, &query, after.as_ref())?;
    let mut response = Response::json(200, page.items);
    if let Some(total) = page.total {
        response = response.header("x-total-count", total.to_string());
    }
    let next = page.next.map(|cursor| cursor.encode());
    Ok(page::with_next(response, request, next.as_deref()))
}

/// Where a page begins, as a cursor for this order can have it. A cursor is opaque, but its bearer
/// may have made it.
enum After {
    /// After the sort key: the priority's place, or microseconds since 1970.
    Number(Option<i64>, i64),
    Title(String, i64),
}

impl After {
    fn of(cursor: &Cursor, sort_by: SortBy) -> Result<Self, FieldError> {
        let key = cursor.key.as_deref();
        let number = |key: &str| key.parse().ok().filter(|number| *number != i64::MIN);
        let after = match (sort_by, key) {
            (SortBy::Title, Some(title)) if !title.contains('\0') => {
                Some(Self::Title(title.to_owned(), cursor.id))
            }
            (SortBy::Title, _) => None,
            (SortBy::DueDate | SortBy::Priority, None) => Some(Self::Number(None, cursor.id)),
            (SortBy::DueDate | SortBy::Priority, Some(key)) => {
                number(key).map(|number| Self::Number(Some(number), cursor.id))
            }
            (SortBy::CreatedAt | SortBy::UpdatedAt, key) => key
                .and_then(number)
                .filter(|number| *number >= 0)
                .map(|number| Self::Number(Some(number), cursor.id)),
        };
        after.filter(|_| cursor.id > 0).ok_or_else(|| {
            let detail = "is none that a list in this order has given".to_owned();
            FieldError::parameter("cursor", "malformed", detail)
        })
    }
}

/// One page of a list.
struct Page {
    /// A JSON array.
    items: String,
    /// Where the next page begins, if there is one.
    next: Option<Cursor>,
    /// How many tasks match, if that was asked for.
    total: Option<i64>,
}

impl Page {
    fn read(
        store: &Store,
        user: i64,
        query: &TaskQuery,
        after: Option<&After>,
    ) -> Result<Self, DatabaseError> {
        let descending = query.sort_order == SortOrder::Desc;
        let newest_first = query.sort_by == SortBy::CreatedAt && descending && !query.count;
        let (number, title, id) = match after {
            Some(After::Number(number, id)) => (*number, None, Some(*id)),
            Some(After::Title(title, id)) => (None, Some(title.as_str()), Some(*id)),
            None => (None, None, None),
        };
        let mut parameters = filters(user, query);
        let statement = if newest_first {
            parameters.push(optional(number, int));
            include_str!("sql/tasks_newest.sql")
        } else {
            let key = title.map(str::to_owned).or_else(|| number.map(|n| n.to_string()));
            parameters.push(optional(key, text));
            include_str!("sql/tasks_sorted.sql")
        };
        parameters.extend([optional(id, int), int(query.limit), int(query.offset)]);
        if !newest_first {
            let sort_by = text(query.sort_by.as_str());
            parameters.extend([sort_by, boolean(descending), boolean(query.count)]);
        }
        let mut row = store.0.query_one(statement, &parameters)?;
        let more = row.boolean("more")?;
        let key = row.optional_text("last_key")?;
        let last = row.optional_int("last_id")?.filter(|_| more);
        Ok(Self {
            items: row.text("items")?,
            next: last.map(|id| Cursor { key, id }),
            total: row.optional_int("total")?,
        })
    }
}

/// The parameters $1 to $11 of both statements.
fn filters(user: i64, query: &TaskQuery) -> Vec<ParameterValue> {
    let some_of = |words: Vec<&str>| {
        let words = Some(words).filter(|words| !words.is_empty());
        optional(words, |words| text_list(words.into_iter().map(str::to_owned)))
    };
    let time = |time: &Option<String>| optional(time.as_deref(), text);
    vec![
        int(user),
        optional(query.search.as_deref(), text),
        some_of(query.status.iter().copied().map(Status::as_str).collect()),
        some_of(query.priority.iter().copied().map(Priority::as_str).collect()),
        some_of(query.tags.iter().map(String::as_str).collect()),
        some_of(query.tags_all.iter().map(String::as_str).collect()),
        time(&query.due_date_start),
        time(&query.due_date_end),
        optional(query.has_due_date, boolean),
        optional(query.parent_task_id, int),
        time(&query.updated_since),
    ]
}
