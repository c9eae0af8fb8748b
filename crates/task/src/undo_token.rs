//! The header `Undo-Token`, which names the change that a response is about.

use rondo_contract::undo_token::{HEADER, UndoToken};
use rondo_guest::http::Response;

/// Adds a token, if there is one.
pub fn with(response: Response, token: Option<UndoToken>) -> Response {
    match token {
        Some(token) => response.header(HEADER, token.to_string()),
        None => response,
    }
}

/// The token of a response.
pub fn of(response: &Response) -> Option<UndoToken> {
    response.added(HEADER).and_then(|token| UndoToken::parse(token).ok())
}
