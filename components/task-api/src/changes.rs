//! `GET /api/{user_id}/changes`: what has changed since a device last asked.

use rondo_contract::change_position::Position;
use rondo_contract::problem::ProblemCode;
use rondo_domain::Violation;
use rondo_guest::Refusal;
use rondo_guest::database::int;
use rondo_guest::http::{Request, Response};
use rondo_guest::page::parameters;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::store::Store;

/// A page as it is answered.
#[derive(Serialize)]
struct Page {
    changes: Box<RawValue>,
    /// Everything up to here has been given: the next `since`.
    revision: i64,
    has_more: bool,
    /// While there is more: how to go on, whatever is forgotten in the meantime.
    cursor: Option<String>,
}

pub fn answer(request: &Request, user: i64) -> Result<Response, Refusal> {
    let (position, limit) = position(request)?;
    let store = Store::open()?;
    let parameters = [int(user), int(position.after), int(limit)];
    let mut row = store.0.query_one(include_str!("sql/changes.sql"), &parameters)?;
    let current = row.int("current")?;
    let start = position
        .begin(current, row.int("horizon")?)
        .map_err(|_| Refusal::new(ProblemCode::ResetRequired))?;
    let has_more = row.boolean("more")?;
    let last = row.optional_int("last")?.filter(|_| has_more);
    let page = Page {
        changes: RawValue::from_string(row.text("changes")?).map_err(unreadable)?,
        revision: last.unwrap_or(current),
        has_more,
        cursor: last.map(|last| Position::cursor(start, last)),
    };
    Ok(Response::json(200, serde_json::to_vec(&page).map_err(unreadable)?))
}

/// Where the page begins, and how long it is.
fn position(request: &Request) -> Result<(Position, i64), Refusal> {
    let mut parameters = parameters(request);
    let since = parameters.revision("since").map(Position::since);
    let cursor = parameters.cursor(Position::parse);
    let limit = parameters.limit();
    if since.is_some() && cursor.is_some() {
        parameters.refuse("cursor", Violation::Conflict { other: "since" });
    }
    parameters.finish()?;
    Ok((cursor.or(since).unwrap_or(Position::since(0)), limit))
}

fn unreadable(error: serde_json::Error) -> Refusal {
    Refusal::internal(format!("changes: {error}"))
}
