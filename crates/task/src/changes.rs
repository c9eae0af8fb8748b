//! `GET /api/{user_id}/changes`: the changes since a device's last request.

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

/// A page of changes.
#[derive(Serialize)]
struct Page {
    changes: Box<RawValue>,
    /// The device has everything up to here; the next `since`.
    revision: i64,
    has_more: bool,
    /// Present while there is more. It remains valid when tombstones are removed in the meantime.
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

/// The start of the page, and its length.
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
