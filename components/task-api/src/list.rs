//! `GET /api/{user_id}/tasks`: filtered, sorted, page by page.

use rondo_contract::task_query::{Cursor, SortBy, SortOrder, TaskQuery};
use rondo_domain::task::tag_key;
use rondo_guest::Refusal;
use rondo_guest::bindings::spin::postgres::postgres::ParameterValue;
use rondo_guest::database::{DatabaseError, boolean, int, optional, text, text_list};
use rondo_guest::http::{Request, Response};
use rondo_guest::page;

use crate::store::Store;

pub fn answer(request: &Request, user: i64) -> Result<Response, Refusal> {
    let query = TaskQuery::parse(request.query()).map_err(Refusal::invalid)?;
    let page = Page::read(&Store::open()?, user, &query)?;
    let mut response = Response::json(200, page.items);
    if let Some(total) = page.total {
        response = response.header("x-total-count", total.to_string());
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
    /// How many tasks match, if that was asked for.
    total: Option<i64>,
}

impl Page {
    fn read(store: &Store, user: i64, query: &TaskQuery) -> Result<Self, DatabaseError> {
        let newest = query.sort_by == SortBy::CreatedAt && query.sort_order == SortOrder::Desc;
        let mut parameters = filters(user, query);
        let key = query.cursor.as_ref().and_then(|cursor| cursor.key.as_deref());
        let id = query.cursor.as_ref().map(|cursor| cursor.id);
        let statement = if newest && !query.count {
            let key = key.and_then(|key| key.parse().ok());
            parameters.push(optional(key, int));
            include_str!("sql/tasks_newest.sql")
        } else {
            parameters.push(optional(key, text));
            include_str!("sql/tasks_sorted.sql")
        };
        parameters.extend([optional(id, int), int(query.limit), int(query.offset)]);
        if !(newest && !query.count) {
            parameters.extend([
                text(query.sort_by.as_str()),
                boolean(query.sort_order == SortOrder::Desc),
                boolean(query.count),
            ]);
        }
        let mut row = store.0.query_one(statement, &parameters)?;
        let more = row.boolean("more")?;
        let last = row.optional_int("last_id")?.filter(|_| more);
        let key = row.optional_text("last_key")?;
        Ok(Self {
            items: row.text("items")?,
            next: last.map(|id| Cursor { key, id }),
            total: row.optional_int("total")?,
        })
    }
}
