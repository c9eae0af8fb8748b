//! What a user has agreed to.

use rondo_tool::{Context, Stop};
use serde_json::Value;

use crate::reply::{Proposal, Reply, Scene, Use};

/// Does what was proposed, if it still would have the effect that was shown.
///
/// # Errors
/// The HTTP status of a server that cannot answer.
pub fn confirm(scene: &Scene<'_>, proposal: &Proposal) -> Result<Reply, Stop> {
    let Some(tool) = rondo_tool::named(proposal.tool).filter(|tool| (scene.permits)(tool)) else {
        return Ok(Reply::default());
    };
    let agrees = |effect: &str| effect == proposal.effect;
    let context = Context { api: scene.api, agrees: &agrees, asks_always: true };
    let mut reply = Reply { memory: scene.memory.clone(), ..Reply::default() };
    reply.memory.pending = None;
    let result = match tool.call(&context, &proposal.arguments) {
        Ok(done) => {
            reply.text = done.text.clone();
            reply.memory.undo = done.data.get("undo").and_then(Value::as_str).map(str::to_owned);
            Ok(done.data)
        }
        Err(Stop::Ask(_)) => {
            reply.text = "Something has changed meanwhile, so nothing was done.".to_owned();
            Err("the effect is another one now".to_owned())
        }
        Err(Stop::Refused(why) | Stop::Denied(why)) => {
            reply.text = why.clone();
            Err(why)
        }
        Err(failed) => return Err(failed),
    };
    reply.uses.push(Use { tool: tool.name, arguments: proposal.arguments.clone(), result });
    Ok(reply)
}
