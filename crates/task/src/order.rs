//! `…/move`: puts a task or list next to another, or at the end.
//!
//! The new position lies between those of the new neighbours. If there is no room for one, the rows around them
//! get other positions first, a bounded number at a time.

use rondo_contract::move_body::{self, Beside, TaskMove};
use rondo_contract::problem::FieldError;
use rondo_domain::{Violation, position};
use rondo_guest::database::{ParameterValue, Row, boolean, int, optional, text};
use rondo_guest::http::{Request, Response};
use rondo_guest::page::parameters;
use rondo_guest::{Refusal, body};
use serde_json::{Value, json};

use crate::answer::{Answer, replayed, task_response};
use crate::change::ATTEMPTS_MAX;
use crate::etag::IfMatch;
use crate::idempotency::{self, Key};
use crate::store::{Outcome, Store, key_parameters};

/// Maximum number of rows, on each side of a gap, that get other positions at a time.
const SPREAD_ROWS_MAX: i64 = 50;

/// The statements for one kind of row.
struct Kind {
    read: &'static str,
    write: &'static str,
    window: &'static str,
    spread: &'static str,
    /// Violation of a neighbour that is not there.
    unknown: Violation,
}

const TASK: Kind = Kind {
    read: include_str!("sql/task_move_read.sql"),
    write: include_str!("sql/task_move.sql"),
    window: include_str!("sql/task_window.sql"),
    spread: include_str!("sql/task_spread.sql"),
    unknown: Violation::UnknownTask,
};
const LIST: Kind = Kind {
    read: include_str!("sql/list_move_read.sql"),
    write: include_str!("sql/list_move.sql"),
    window: include_str!("sql/list_window.sql"),
    spread: include_str!("sql/list_spread.sql"),
    unknown: Violation::UnknownList,
};

/// `POST …/tasks/{id}/move`.
pub fn task(request: &Request, user: i64, task: i64) -> Result<Response, Refusal> {
    parameters(request).finish()?;
    let members = body::object(request)?;
    let wanted = move_body::parse_task(&members)?;
    let key = Key::of(request, &members)?;
    Move { request, user, id: task, kind: &TASK, beside: wanted.beside, task: Some(wanted), key }
        .run()
}

/// `POST …/lists/{list_id}/move`.
pub fn list(request: &Request, user: i64, list: i64) -> Result<Response, Refusal> {
    parameters(request).finish()?;
    let members = body::object(request)?;
    let beside = move_body::parse_list(&members)?;
    let key = Key::of(request, &members)?;
    Move { request, user, id: list, kind: &LIST, beside, task: None, key }.run()
}

/// A requested move.
struct Move<'a> {
    request: &'a Request,
    user: i64,
    id: i64,
    kind: &'static Kind,
    beside: Option<Beside>,
    /// For a task, which may change its list too.
    task: Option<TaskMove>,
    key: Option<Key>,
}

/// The row to move, and its new neighbours.
struct Place {
    current: Answer,
    own: String,
    list_id: Option<i64>,
    /// Whether it changes its list.
    changes_list: bool,
    near: Option<String>,
    far: Option<String>,
}

impl Move<'_> {
    fn run(&self) -> Result<Response, Refusal> {
        let condition = IfMatch::of(self.request);
        let store = Store::open()?;
        // Making room may change the row itself, to a revision that its caller cannot expect.
        let mut is_checked = false;
        for _ in 0..ATTEMPTS_MAX {
            let mut row = store.0.query_one(self.kind.read, &self.read_parameters())?;
            match row.optional_text("kept_outcome")?.as_deref() {
                Some("replayed") => {
                    return Ok(replayed(200, Answer::of(row.text("kept_answer")?)));
                }
                Some(_) => return Err(idempotency::reused()),
                None => {}
            }
            let place = self.place(&mut row)?.ok_or_else(Refusal::not_found)?;
            if !is_checked {
                condition.check(place.current.revision)?;
                is_checked = true;
            }
            let Some(position) = self.position(&place) else {
                self.make_room(&store, &place)?;
                continue;
            };
            if position == place.own && !place.changes_list && self.key.is_none() {
                return Ok(task_response(200, place.current));
            }
            let parameters = self.write_parameters(&place, &position);
            match Outcome::read(&mut store.0.query_one(self.kind.write, &parameters)?)? {
                Outcome::Done(answer) => return Ok(task_response(200, answer)),
                Outcome::Replayed(answer) => return Ok(replayed(200, answer)),
                Outcome::KeyReused => return Err(idempotency::reused()),
                Outcome::NotFound => return Err(Refusal::not_found()),
                Outcome::NoUser => return Err(Refusal::unauthenticated()),
                // The next attempt names what is unknown.
                Outcome::Invalid(_) | Outcome::Stale | Outcome::Conflict(..) => {}
            }
        }
        Err(Refusal::unavailable("the order keeps changing"))
    }

    fn read_parameters(&self) -> Vec<ParameterValue> {
        let is_after = !matches!(self.beside, Some(Beside::Before(_)));
        let mut parameters = vec![
            int(self.user),
            int(self.id),
            optional(self.beside.map(Beside::id), int),
            boolean(is_after),
        ];
        if let Some(task) = &self.task {
            parameters.push(optional(task.list_id.flatten(), int));
        }
        parameters.extend(key_parameters(self.key.as_ref()));
        parameters
    }

    /// None if there is no such row.
    fn place(&self, row: &mut Row) -> Result<Option<Place>, Refusal> {
        let Some(answer) = row.optional_text("answer")? else { return Ok(None) };
        let (mut list_id, mut changes_list, mut errors) = (None, false, Vec::new());
        let mut is_known = row.boolean("is_other_known")?;
        if let Some(task) = &self.task {
            let current = row.optional_int("list_id")?;
            list_id = task.list_id.unwrap_or(current);
            changes_list = list_id != current;
            is_known &= row.optional_int("other_list_id")? == list_id;
            if !row.boolean("is_list_known")? {
                errors.push(FieldError::of("/list_id", Violation::UnknownList));
            }
        }
        if let Some(beside) = self.beside.filter(|beside| !is_known || beside.id() == self.id) {
            errors.push(FieldError::of(beside.pointer(), self.kind.unknown));
        }
        if !errors.is_empty() {
            return Err(errors.into());
        }
        Ok(Some(Place {
            current: Answer::read(row.int("revision")?, answer),
            own: row.text("position")?,
            list_id,
            changes_list,
            near: row.optional_text("near")?,
            far: row.optional_text("far")?,
        }))
    }

    /// The position between the neighbours: its own, if that is there. None if there is no room.
    fn position(&self, place: &Place) -> Option<String> {
        let (near, far) = (place.near.as_deref(), place.far.as_deref());
        let (before, after) = match self.beside {
            Some(Beside::Before(_)) => (far, near),
            _ => (near, far),
        };
        let own = place.own.as_str();
        if before.is_none_or(|before| before < own) && after.is_none_or(|after| own < after) {
            return Some(place.own.clone());
        }
        position::between(before, after)
    }

    fn write_parameters(&self, place: &Place, position: &str) -> Vec<ParameterValue> {
        let mut parameters = vec![int(self.user), int(self.id), int(place.current.revision)];
        if self.task.is_some() {
            parameters.push(optional(place.list_id, int));
        }
        parameters.extend([
            text(position),
            optional(self.beside.map(Beside::id), int),
            optional(self.beside.and(place.near.as_deref()), text),
        ]);
        parameters.extend(key_parameters(self.key.as_ref()));
        parameters.push(text(self.request.cause()));
        parameters
    }

    /// Gives the rows around the gap other positions. If another request was faster, the next attempt sees that.
    fn make_room(&self, store: &Store, place: &Place) -> Result<(), Refusal> {
        let near = place.near.as_deref().unwrap_or_default();
        let parameters = [int(self.user), text(near), int(SPREAD_ROWS_MAX)];
        let mut row = store.0.query_one(self.kind.window, &parameters)?;
        let rows: Vec<(i64, String)> = row.json("rows")?;
        let (before, after) = (row.optional_text("before")?, row.optional_text("after")?);
        let rows = respaced(&rows, before, after.as_deref())
            .ok_or_else(|| Refusal::internal("positions cannot be spread"))?;
        let trace = text(self.request.cause());
        let parameters = [int(self.user), text(rows.to_string()), trace];
        match store.0.query_one(self.kind.spread, &parameters)?.text("outcome")?.as_str() {
            "no_user" => Err(Refusal::unauthenticated()),
            _ => Ok(()),
        }
    }
}

/// Rows, of which each has its id and position, with new positions between two others.
fn respaced(rows: &[(i64, String)], before: Option<String>, after: Option<&str>) -> Option<Value> {
    let (_, first) = rows.first()?;
    // At the very start, any place below serves.
    let before = before.or_else(|| position::between(None, Some(first)));
    let positions = position::spread(before.as_deref(), after, rows.len())?;
    let row = |((id, seen), position): (&(i64, String), String)| json!({"id": id, "seen": seen, "position": position});
    Some(rows.iter().zip(positions).map(row).collect())
}
