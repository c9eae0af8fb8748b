//! `POST …/undo`: puts tasks back as they were before a change.

use rondo_contract::problem::ProblemCode;
use rondo_contract::undo_token::{UNDO_MINUTES, UndoToken, parse_body};
use rondo_guest::database::{int, text};
use rondo_guest::http::{Request, Response};
use rondo_guest::page::parameters;
use rondo_guest::{Refusal, body};

use crate::answer::Answer;
use crate::create::location;
use crate::idempotency::{self, Key};
use crate::store::{Store, key_parameters};
use crate::undo_token;

pub fn answer(request: &Request, user: i64) -> Result<Response, Refusal> {
    parameters(request).finish()?;
    let members = body::object(request)?;
    let token = parse_body(&members)?;
    let key = Key::of(request, &members)?;
    let [path, name, hash] = key_parameters(key.as_ref());
    let values = [
        int(user),
        text(token.to_json().to_string()),
        int(UNDO_MINUTES.into()),
        path,
        name,
        hash,
        text(request.cause()),
    ];
    let mut row = Store::open()?.0.query_one(include_str!("sql/undo.sql"), &values)?;
    match row.text("outcome")?.as_str() {
        "undone" => {
            let token = row.optional_int("change")?.map(UndoToken::change);
            Ok(undo_token::with(Response::json(200, row.text("answer")?), token))
        }
        "replayed" => Ok(idempotency::mark(Response::json(200, row.text("answer")?))),
        "key_reused" => Err(idempotency::reused()),
        "changed_since" => Err(Refusal::new(ProblemCode::ChangedSince).tasks(row.json("answer")?)),
        "uid_taken" => {
            let other = Answer::of(row.text("answer")?);
            Err(Refusal::new(ProblemCode::UidTaken).header("location", location(user, &other)))
        }
        "undo_expired" => Err(Refusal::new(ProblemCode::UndoExpired)),
        _ => Err(Refusal::unauthenticated()),
    }
}
