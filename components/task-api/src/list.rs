//! `GET /api/{user_id}/tasks`: filtered, sorted, page by page.

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
    let store = Store::open()?;
    let page = Page::read(&store, user, &query)?;
    let mut response = Response::json(200, page.items);
    if query.count {
        let total =
            store.0.query_one(include_str!("sql/tasks_count.sql"), &filters(user, &query))?;
        response = response.header("x-total-count", { total }.int("total")?.to_string());
    }
    let next = page.next.map(|cursor| cursor.encode());
    Ok(page::with_next(response, request, next.as_deref()))
}

/// One page of a list.
struct Page {
    /// A JSON array.
    items: String,
    /// Where the next page begins, if there is one.
    next: Option<Cursor>,
}

impl Page {
    fn read(store: &Store, user: i64, query: &TaskQuery) -> Result<Self, DatabaseError> {
        let after = query.cursor.as_ref();
        let mut parameters = filters(user, query);
        parameters.extend([
            optional(after.and_then(|cursor| cursor.key.as_deref()), text),
            optional(after.map(|cursor| cursor.id), int),
            int(query.limit),
            int(query.offset),
        ]);
        let (sort_by, sort_order) = (query.sort_by, query.sort_order);
        let mut row = store.0.query_one(statement(sort_by, sort_order), &parameters)?;
        let more = row.boolean("more")?;
        let key = row.optional_text("last_key")?;
        let last = row.optional_int("last_id")?.filter(|_| more);
        Ok(Self {
            items: row.text("items")?,
            next: last.map(|id| Cursor::new(sort_by, sort_order, key, id)),
        })
    }
}

/// A statement for each order, so that each reads along its index.
const fn statement(sort_by: SortBy, sort_order: SortOrder) -> &'static str {
    use SortBy::{CreatedAt, DueDate, Priority, Title, UpdatedAt};
    use SortOrder::{Asc, Desc};
    match (sort_by, sort_order) {
        (CreatedAt, Asc) => include_str!("sql/tasks_by_created_at_asc.sql"),
        (CreatedAt, Desc) => include_str!("sql/tasks_by_created_at_desc.sql"),
        (UpdatedAt, Asc) => include_str!("sql/tasks_by_updated_at_asc.sql"),
        (UpdatedAt, Desc) => include_str!("sql/tasks_by_updated_at_desc.sql"),
        (DueDate, Asc) => include_str!("sql/tasks_by_due_date_asc.sql"),
        (DueDate, Desc) => include_str!("sql/tasks_by_due_date_desc.sql"),
        (Priority, Asc) => include_str!("sql/tasks_by_priority_asc.sql"),
        (Priority, Desc) => include_str!("sql/tasks_by_priority_desc.sql"),
        (Title, Asc) => include_str!("sql/tasks_by_title_asc.sql"),
        (Title, Desc) => include_str!("sql/tasks_by_title_desc.sql"),
    }
}

/// The parameters $1 to $11 of the statements.
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
