//! Messages as they are kept, and as clients see them.

use rondo_chat::{Memory, Proposal, Reply, Use};
use rondo_contract::chat_body::{Notice, Source};
use rondo_contract::confirmation::{CONFIRMATION_LIFETIME_S, Confirmation, ConfirmationKey};
use rondo_domain::instant;
use rondo_guest::clock;
use serde_json::{Map, Value, json};

/// Members of a task that a message keeps: what the user would call it.
const TASK_MEMBERS: [&str; 3] = ["id", "uid", "title"];

/// What a message of the assistant keeps beside its text.
pub fn detail(
    reply: &Reply,
    source: Source,
    notice: Option<Notice>,
    confirmed: Option<&Proposal>,
    now_s: i64,
) -> Value {
    let proposals = reply.proposals.iter().map(|proposal| proposed(proposal, now_s));
    json!({
        "source": source.as_str(),
        "notice": notice.map(Notice::as_str),
        "tools": reply.uses.iter().map(used).collect::<Vec<_>>(),
        "proposals": proposals.collect::<Vec<_>>(),
        "confirmed": confirmed.map(|proposal| proposed(proposal, now_s)),
        "memory": reply.memory.to_json(),
    })
}

/// A proposal as it is kept. Its token is made anew whenever it is shown, so that none is stored.
fn proposed(proposal: &Proposal, now_s: i64) -> Value {
    json!({
        "tool": proposal.tool,
        "arguments": proposal.arguments,
        "effect": proposal.effect,
        "expires_at_s": now_s + CONFIRMATION_LIFETIME_S,
    })
}

/// A call of a tool as clients see it.
pub fn used(done: &Use) -> Value {
    let tasks = done.result.as_ref().ok().and_then(|data| {
        let many = data.get("tasks").and_then(Value::as_array).cloned();
        many.or_else(|| data.get("task").map(|task| vec![task.clone()]))
    });
    let tasks = tasks.unwrap_or_default();
    let tasks = tasks.iter().map(|task| {
        let members = TASK_MEMBERS
            .into_iter()
            .filter_map(|name| task.get(name).map(|value| (name.to_owned(), value.clone())));
        Value::Object(members.collect())
    });
    json!({
        "tool": done.tool,
        "arguments": done.arguments,
        "tasks": tasks.collect::<Vec<_>>(),
        "error": done.result.as_ref().err(),
    })
}

/// What the last of these messages has left for the next one. A question whose answer would come too late is forgotten.
pub fn memory(history: &[Value]) -> Memory {
    let last = history.iter().rev().find(|message| message["role"] == "assistant");
    let Some(last) = last else { return Memory::default() };
    let mut memory = Memory::of_json(&last["detail"]["memory"]);
    let at = last["created_at"].as_str().and_then(|at| instant::parse(at).ok());
    let is_recent =
        at.is_some_and(|at| clock::now().as_second() < at.as_second() + CONFIRMATION_LIFETIME_S);
    if !is_recent {
        memory.pending = None;
    }
    memory
}

/// The proposal whose token this is, and whether it was confirmed before.
pub fn proposal_of(
    token: &str,
    history: &[Value],
    user: i64,
    key: &ConfirmationKey,
) -> Option<(Proposal, bool)> {
    let now_s = clock::now().as_second();
    let is_signed = |kept: &&Value| {
        confirmation(kept, user).is_some_and(|shown| shown.is_signed(token, key, now_s))
    };
    let offers = |message: &'_ Value| message["detail"]["proposals"].as_array().cloned();
    let (at, found) = history.iter().enumerate().rev().find_map(|(at, message)| {
        let found = offers(message)?.iter().find(is_signed)?.clone();
        Some((at, found))
    })?;
    let is_done = history[at..].iter().any(|message| {
        let done = &message["detail"]["confirmed"];
        ["tool", "arguments", "effect"].iter().all(|name| done[*name] == found[*name])
    });
    let tool = rondo_tool::named(found["tool"].as_str()?)?.name;
    let arguments = found["arguments"].as_object()?.clone();
    let effect = found["effect"].as_str()?.to_owned();
    Some((Proposal { tool, arguments, effect }, is_done))
}

fn confirmation(kept: &Value, user_id: i64) -> Option<Confirmation<'_>> {
    Some(Confirmation {
        user_id,
        tool: kept["tool"].as_str()?,
        arguments: &kept["arguments"],
        effect: kept["effect"].as_str()?,
    })
}

/// A message as clients see it.
pub fn shown(message: &Value, user: i64, key: &ConfirmationKey) -> Value {
    let mut shown = Map::from_iter([
        ("number".to_owned(), message["number"].clone()),
        ("role".to_owned(), message["role"].clone()),
        ("text".to_owned(), message["content"].clone()),
        ("created_at".to_owned(), message["created_at"].clone()),
    ]);
    let detail = &message["detail"];
    if detail.is_object() {
        for name in ["source", "notice", "tools"] {
            shown.insert(name.to_owned(), detail[name].clone());
        }
        let proposals = detail["proposals"].as_array().into_iter().flatten();
        let proposals = proposals.filter_map(|kept| offered(kept, user, key));
        shown.insert("proposals".to_owned(), proposals.collect());
    }
    Value::Object(shown)
}

/// A proposal that can still be confirmed, with its token.
fn offered(kept: &Value, user: i64, key: &ConfirmationKey) -> Option<Value> {
    let expires_at_s = kept["expires_at_s"].as_i64()?;
    let expires_at = instant::Instant::from_microsecond(expires_at_s.checked_mul(1_000_000)?)?;
    (clock::now().as_second() < expires_at_s).then_some(())?;
    Some(json!({
        "tool": kept["tool"],
        "arguments": kept["arguments"],
        "effect": kept["effect"],
        "confirm": confirmation(kept, user)?.sign(key, expires_at_s),
        "expires_at": instant::format(expires_at),
    }))
}

/// A proposal as it is shown at once.
pub fn fresh(proposal: &Proposal, user: i64, key: &ConfirmationKey) -> Value {
    offered(&proposed(proposal, clock::now().as_second()), user, key).unwrap_or_default()
}
