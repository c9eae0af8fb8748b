//! The grammar: what the user wants, by fixed phrases and quick add, in English and German.
//!
//! It answers where no model does. A message either fits a template of [`words`] or is not understood; nothing is
//! guessed, and titles are never read as requests. `docs/assistants.md` lists what it understands.

mod act;
mod change;
mod date;
mod dialogue;
mod find;
mod intent;
mod look;
mod pending;
mod query;
mod say;
mod target;
mod template;
mod text;
mod turn;
mod words;

use rondo_tool::Stop;

use crate::reply::{Proposal, Reply, Scene};

/// Answers a message.
///
/// # Errors
/// The HTTP status of a server that cannot answer.
pub fn answer(scene: &Scene<'_>, message: &str) -> Result<Reply, Stop> {
    dialogue::answer(scene, message).map_err(Stop::Failed)
}

/// Does what was proposed, if it still has the effect that was shown; else proposes it anew.
///
/// # Errors
/// As for [`answer`].
pub fn confirm(scene: &Scene<'_>, proposal: &Proposal) -> Result<Reply, Stop> {
    dialogue::confirm(scene, proposal).map_err(Stop::Failed)
}
