//! `…/tags`: the tags of a user, across all tasks.

use rondo_contract::tag_body::{self, TagChange};
use rondo_contract::undo_token::{UNDO_TASKS_MAX, UndoToken};
use rondo_domain::task::{parse_tag, tag_key};
use rondo_guest::Refusal;
use rondo_guest::body;
use rondo_guest::database::{boolean, int, optional, text};
use rondo_guest::http::{Request, Response, decoded};
use rondo_guest::page::parameters;

use crate::store::Store;
use crate::undo_token;

/// `GET …/tags`.
pub fn list(request: &Request, user: i64) -> Result<Response, Refusal> {
    parameters(request).finish()?;
    let mut row = Store::open()?.0.query_one(include_str!("sql/tags.sql"), &[int(user)])?;
    Ok(Response::json(200, row.text("items")?))
}

/// `PUT …/tags/{name}`: sets another name or colour on all tasks at once.
pub fn replace(request: &Request, user: i64, segment: &str) -> Result<Response, Refusal> {
    parameters(request).finish()?;
    let change = tag_body::parse(&body::object(request)?)?;
    let key = key_of(segment)?;
    let store = Store::open()?;
    let name = match &change.name {
        Some(name) => name.clone(),
        None => store
            .0
            .query_one(include_str!("sql/tag_name.sql"), &[int(user), text(key.as_str())])?
            .optional_text("name")?
            .ok_or_else(Refusal::not_found)?,
    };
    let (tag, token) = store.change_tag(user, &key, Some(&name), &change, request)?;
    Ok(undo_token::with(Response::json(200, tag.unwrap_or_default()), token))
}

/// `DELETE …/tags/{name}`: removes the tag from all tasks at once.
pub fn remove(request: &Request, user: i64, segment: &str) -> Result<Response, Refusal> {
    parameters(request).finish()?;
    let key = key_of(segment)?;
    let none = TagChange::default();
    let (_, token) = Store::open()?.change_tag(user, &key, None, &none, request)?;
    Ok(undo_token::with(Response::empty(204), token))
}

/// The key of the tag that a path names. Text that cannot be a tag is not found.
fn key_of(segment: &str) -> Result<String, Refusal> {
    let name = decoded(segment).and_then(|name| parse_tag(&name).ok());
    name.map(|name| tag_key(&name)).ok_or_else(Refusal::not_found)
}

impl Store {
    /// The tag as JSON, or no body if it was removed, and the token of the change if it can be undone.
    fn change_tag(
        &self,
        user: i64,
        key: &str,
        name: Option<&str>,
        change: &TagChange,
        request: &Request,
    ) -> Result<(Option<String>, Option<UndoToken>), Refusal> {
        let color = change.color.as_ref().and_then(Option::as_deref);
        let parameters = [
            int(user),
            text(key),
            optional(name, text),
            optional(name, |name| text(tag_key(name))),
            boolean(change.color.is_some()),
            optional(color, text),
            int(UNDO_TASKS_MAX),
            text(request.cause()),
        ];
        let mut row = self.0.query_one(include_str!("sql/tag_change.sql"), &parameters)?;
        match row.text("outcome")?.as_str() {
            "changed" => {
                let token = row.optional_int("change")?.map(UndoToken::change);
                Ok((row.optional_text("answer")?, token))
            }
            "not_found" => Err(Refusal::not_found()),
            _ => Err(Refusal::unauthenticated()),
        }
    }
}
