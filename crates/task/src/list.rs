//! `GET /api/{user_id}/tasks`: filtered, sorted, page by page.

use rondo_contract::task_query::{Cursor, SortBy, SortOrder, TaskQuery};
use rondo_domain::search;
use rondo_domain::task::{Priority, Status};
use rondo_domain::zone::Zone;
use rondo_guest::database::{
    DatabaseError, Failure, ParameterValue, boolean, int, optional, text, text_list,
};
use rondo_guest::http::{Request, Response};
use rondo_guest::page;
use rondo_guest::{Refusal, clock};

use crate::store::Store;
use crate::tree;

pub fn answer(request: &Request, user: i64) -> Result<Response, Refusal> {
    page(request, user, &TaskQuery::parse(request.query())?)
}

/// One page of what a query finds.
pub fn page(request: &Request, user: i64, query: &TaskQuery) -> Result<Response, Refusal> {
    let store = Store::open()?;
    let filters = filters(&store, user, query)?;
    let candidates = candidates(&store, user, query)?;
    let page = match &candidates {
        Some(tasks) => Page::found(&store, user, query, &filters, tasks)?,
        None => Page::read(&store, user, query, &filters)?,
    };
    let mut response = Response::json(200, page.items);
    if query.count {
        let total = match page.total {
            Some(total) => total,
            None => {
                store.0.query_one(include_str!("sql/tasks_count.sql"), &filters)?.int("total")?
            }
        };
        response = response.header("x-total-count", total.to_string());
    }
    if query.total_estimate {
        // A tree has its subtasks' estimates, too.
        let mut parameters = filters;
        parameters[TREE] = boolean(false);
        parameters.push(optional(candidates, text));
        let statement = include_str!("sql/tasks_estimate.sql");
        let minutes = store.0.query_one(statement, &parameters)?.int("minutes")?;
        response = response.header("x-total-estimate", minutes.to_string());
    }
    let next = page.next.map(|cursor| cursor.encode());
    Ok(page::with_next(response, request, next.as_deref()))
}

/// The number of tasks that a query finds, up to a maximum.
pub fn count(store: &Store, user: i64, query: &TaskQuery, max: i64) -> Result<i64, Refusal> {
    let mut parameters = filters(store, user, query)?;
    parameters.push(optional(candidates(store, user, query)?, text));
    parameters.push(int(max));
    Ok(store.0.query_one(include_str!("sql/tasks_count_some.sql"), &parameters)?.int("total")?)
}

/// Maximum number of tasks that are checked one by one for a phrase. A phrase with more candidates is
/// frequent, so the index of the sort order finds it sooner, because a full page ends the search.
const CANDIDATES_MAX: i64 = 1_000;

/// Ids of candidates from an index, as a Postgres array: the task with the requested uid, the subtasks of a task, or
/// those that may contain the phrase. None if no index helps: no phrase, a short one, or a frequent one.
fn candidates(
    store: &Store,
    user: i64,
    query: &TaskQuery,
) -> Result<Option<String>, DatabaseError> {
    if let Some(uid) = &query.uid {
        let statement = include_str!("sql/task_with_uid.sql");
        return store.0.query_one(statement, &[int(user), text(uid)])?.text("ids").map(Some);
    }
    if query.tree {
        // What is looked for may be in a task beneath.
        return Ok(None);
    }
    if let Some(task) = query.subtask_of {
        let statement = include_str!("sql/tasks_of_task.sql");
        return store.0.query_one(statement, &[int(user), int(task)])?.text("ids").map(Some);
    }
    let pieces = query.search.as_deref().map(search::pieces).unwrap_or_default();
    if pieces.is_empty() {
        return Ok(None);
    }
    let pieces = pieces.into_iter().map(|piece| piece.to_string());
    let parameters = [int(user), text_list(pieces), int(CANDIDATES_MAX + 1)];
    let mut row = store.0.query_one(include_str!("sql/search.sql"), &parameters)?;
    let ids = row.text("ids")?;
    Ok((row.int("found")? <= CANDIDATES_MAX).then_some(ids))
}

/// One page of a list.
struct Page {
    /// A JSON array.
    items: String,
    /// The start of the next page, if there is one.
    next: Option<Cursor>,
    /// Number of tasks on all pages, if it is known without a count.
    total: Option<i64>,
}

impl Page {
    /// Reads along the index of the sort order.
    fn read(
        store: &Store,
        user: i64,
        query: &TaskQuery,
        filters: &[ParameterValue],
    ) -> Result<Self, DatabaseError> {
        let statement = statement(query.sort_by, query.sort_order);
        let rows = store.0.query(statement, &parameters(query, filters))?;
        let tasks = rows.map(|row| row.optional_text("representation"))?;
        Self::of(store, user, tasks, query)
    }

    /// Reads the candidates and sorts them.
    fn found(
        store: &Store,
        user: i64,
        query: &TaskQuery,
        filters: &[ParameterValue],
        tasks: &str,
    ) -> Result<Self, DatabaseError> {
        let mut parameters = parameters(query, filters);
        parameters.extend([
            text(tasks),
            text(query.sort_by.as_str()),
            boolean(query.sort_order == SortOrder::Asc),
        ]);
        let rows = store.0.query(include_str!("sql/tasks_found.sql"), &parameters)?;
        let mut total = None;
        let tasks = rows.map(|row| {
            total = Some(row.int("total")?);
            row.optional_text("representation")
        })?;
        Ok(Self { total, ..Self::of(store, user, tasks, query)? })
    }

    /// Builds the page from a statement's rows: one row more than requested if there are more tasks, and one
    /// row without a task if the page is empty.
    fn of(
        store: &Store,
        user: i64,
        rows: Vec<Option<String>>,
        query: &TaskQuery,
    ) -> Result<Self, DatabaseError> {
        let mut page: Vec<String> = rows.into_iter().flatten().collect();
        let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
        let has_more = page.len() > limit;
        page.truncate(limit);
        let next = match page.last() {
            Some(last) if has_more => {
                let after = Cursor::after(query.sort_by, query.sort_order, last);
                Some(after.map_err(|error| Failure::plain(format!("a task of a list: {error}")))?)
            }
            _ => None,
        };
        if query.tree {
            page = tree::grown(store, user, page)?;
        }
        // In one allocation, because a page may have megabytes.
        let items = ["[", &page.join(","), "]"].concat();
        Ok(Self { items, next, total: None })
    }
}

/// The statement of each order, which reads along that order's index.
const fn statement(sort_by: SortBy, sort_order: SortOrder) -> &'static str {
    use SortBy::{CreatedAt, DueDate, Position, Priority, Title, UpdatedAt};
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
        (Position, Asc) => include_str!("sql/tasks_by_position_asc.sql"),
        (Position, Desc) => include_str!("sql/tasks_by_position_desc.sql"),
    }
}

/// The parameters $1 to $20 of the statements that read a page.
fn parameters(query: &TaskQuery, filters: &[ParameterValue]) -> Vec<ParameterValue> {
    let after = query.cursor.as_ref();
    let mut parameters = filters.to_vec();
    parameters.extend([
        optional(after.and_then(|cursor| cursor.key.as_deref()), text),
        optional(after.map(|cursor| cursor.id), int),
        int(query.limit),
        int(query.offset),
    ]);
    parameters
}

/// Which of them says whether the list is a tree.
const TREE: usize = 14;

/// The parameters $1 to $16 of the statements.
fn filters(store: &Store, user: i64, query: &TaskQuery) -> Result<Vec<ParameterValue>, Refusal> {
    let zone = if query.names_days() { store.settings(user)?.time_zone } else { Zone::utc() };
    let some_of = |words: Vec<&str>| {
        let words = Some(words).filter(|words| !words.is_empty());
        optional(words, |words| text_list(words.into_iter().map(str::to_owned)))
    };
    let [due_date_start, due_date_end] =
        query.due_dates(&zone, clock::now()).map(|instant| optional(instant, text));
    Ok(vec![
        int(user),
        optional(query.search.as_deref(), text),
        some_of(query.status.iter().copied().map(Status::as_str).collect()),
        some_of(query.priority.iter().copied().map(Priority::as_str).collect()),
        some_of(query.tags.iter().map(String::as_str).collect()),
        some_of(query.tags_all.iter().map(String::as_str).collect()),
        due_date_start,
        due_date_end,
        optional(query.has_due_date, boolean),
        optional(query.parent_task_id, int),
        optional(query.updated_since.as_deref(), text),
        optional(query.list_id, |place| int(place.number())),
        optional(query.subtask_of, int),
        optional(query.blocked, boolean),
        boolean(query.tree),
        text(query.deferred.as_str()),
    ])
}
