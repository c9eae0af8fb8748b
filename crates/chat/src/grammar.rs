//! The grammar: what the user wants, by fixed phrases and quick add, in English and German.

use rondo_tool::Stop;

use crate::reply::{Reply, Scene};

/// Answers a message.
///
/// # Errors
/// The HTTP status of a server that cannot answer.
pub fn answer(scene: &Scene<'_>, message: &str) -> Result<Reply, Stop> {
    let _ = (scene, message);
    Ok(Reply::default())
}
