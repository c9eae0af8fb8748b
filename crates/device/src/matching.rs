//! The list's parameters, evaluated on the device: which tasks a query finds, in which order.

use std::cmp::Ordering;

use rondo_contract::task_query::{Deferred, Place, SortBy, SortOrder, TaskQuery};
use rondo_domain::instant::{self, Instant};
use rondo_domain::order;
use rondo_domain::zone::Zone;

use crate::device::Device;
use crate::row::Row;

/// A query, with its days counted from now.
struct Wanted<'a> {
    query: &'a TaskQuery,
    first: Option<Instant>,
    last: Option<Instant>,
    since: Option<Instant>,
    now: Instant,
}

impl Device {
    /// The tasks that a query finds, in its order. `limit`, `offset` and `cursor` do not count, `tree` neither.
    #[must_use]
    pub fn find(&self, query: &TaskQuery, now: Instant) -> Vec<&Row> {
        let wanted = Wanted::new(query, &self.zone(), now);
        let mut rows: Vec<&Row> =
            self.rows.values().filter(|row| self.matches(row, &wanted)).collect();
        sort(&mut rows, query.sort_by, query.sort_order);
        rows
    }

    fn matches(&self, row: &Row, wanted: &Wanted<'_>) -> bool {
        let query = wanted.query;
        let has = |tag: &String| row.tag_keys.contains(tag);
        let is_deferred = row.is_deferred(wanted.now);
        query.search.as_deref().is_none_or(|phrase| row.contains(phrase))
            && (query.status.is_empty() || query.status.contains(&row.status))
            && (query.priority.is_empty()
                || row.priority.is_some_and(|priority| query.priority.contains(&priority)))
            && (query.tags.is_empty() || query.tags.iter().any(has))
            && query.tags_all.iter().all(has)
            && wanted.first.is_none_or(|first| row.due_at.is_some_and(|due| due >= first))
            && wanted.last.is_none_or(|last| row.due_at.is_some_and(|due| due <= last))
            && query.has_due_date.is_none_or(|has| row.due_at.is_some() == has)
            && query.parent_task_id.is_none_or(|id| row.parent_task_id == Some(id))
            && query.list_id.is_none_or(|place| match place {
                Place::Inbox => row.list_id.is_none(),
                Place::List(id) => row.list_id == Some(id),
            })
            && query.subtask_of.is_none_or(|id| row.subtask_of == Some(id))
            && query.blocked.is_none_or(|blocked| self.is_blocked(row) == blocked)
            && query.uid.as_ref().is_none_or(|uid| row.uid == *uid)
            && wanted.since.is_none_or(|since| row.updated_at >= since)
            && match query.deferred {
                Deferred::True => true,
                Deferred::False => !is_deferred,
                Deferred::Only => is_deferred,
            }
    }

    /// Whether a task that is not completed blocks this one.
    #[must_use]
    pub fn is_blocked(&self, row: &Row) -> bool {
        let blockers = row.blocked_by.iter().filter_map(|id| self.task_of(*id));
        blockers.into_iter().any(|blocker| !blocker.is_completed())
    }
}

impl<'a> Wanted<'a> {
    fn new(query: &'a TaskQuery, zone: &Zone, now: Instant) -> Self {
        let read = |text: Option<String>| text.and_then(|text| instant::parse(&text).ok());
        let [first, last] = query.due_dates(zone, now).map(read);
        Self { query, first, last, since: read(query.updated_since.clone()), now }
    }
}

/// Sorts as the server does: what has no value comes last in both orders, ties by id in the same direction.
pub(crate) fn sort(rows: &mut [&Row], by: SortBy, order: SortOrder) {
    let directed = |ordering: Ordering| match order {
        SortOrder::Asc => ordering,
        SortOrder::Desc => ordering.reverse(),
    };
    order::sort_by(rows, |one, other| {
        let missing = |row: &Row| match by {
            SortBy::DueDate => row.due_at.is_none(),
            SortBy::Priority => row.priority.is_none(),
            _ => false,
        };
        let compared = match by {
            SortBy::CreatedAt => one.created_at.cmp(&other.created_at),
            SortBy::UpdatedAt => one.updated_at.cmp(&other.updated_at),
            SortBy::DueDate => one.due_at.cmp(&other.due_at),
            SortBy::Priority => one.priority.cmp(&other.priority),
            SortBy::Title => one.title_key().cmp(other.title_key()),
            SortBy::Position => one.position.cmp(&other.position),
        };
        missing(one)
            .cmp(&missing(other))
            .then_with(|| directed(compared.then_with(|| one.id.cmp(&other.id))))
    });
}
