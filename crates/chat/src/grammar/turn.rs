//! One turn: calls of tools, and what they leave in the reply.

use rondo_domain::access::Scope;
use rondo_tool::{Context, Done, Stop, TOOLS, Tool, named};
use serde_json::{Map, Value};

use super::date::Clock;
use super::pending::Pending;
use super::words::{AnswerWords, Words};
use crate::reply::{Memory, Proposal, Reply, Scene, Use};

/// What a turn needs, and what it has come to so far.
pub struct Turn<'a> {
    pub scene: &'a Scene<'a>,
    pub words: &'static Words,
    pub reply: Reply,
}

/// Why a turn goes no further.
#[derive(Debug, PartialEq)]
pub enum Halt {
    /// The answer is this.
    Say(String),
    /// The tool has to be confirmed, with this effect.
    Ask(String),
    /// The server cannot answer: an HTTP status.
    Failed(u16),
}

impl<'a> Turn<'a> {
    /// A turn that forgets what was asked, but not what was shown.
    pub fn new(scene: &'a Scene<'a>, words: &'static Words) -> Self {
        let memory = Memory { pending: None, ..scene.memory.clone() };
        Self { scene, words, reply: Reply { memory, ..Reply::default() } }
    }

    pub const fn clock(&self) -> Clock<'a> {
        Clock { now: self.scene.now, zone: self.scene.zone, words: self.words }
    }

    pub const fn answer(&self) -> &'static AnswerWords {
        &self.words.answer
    }

    /// Calls a tool. A change replaces the way back.
    pub fn call(
        &mut self,
        name: &'static str,
        arguments: Map<String, Value>,
    ) -> Result<Map<String, Value>, Halt> {
        self.call_agreed(name, arguments, None)
    }

    /// Calls a tool to whose effect the user has agreed.
    pub fn call_agreed(
        &mut self,
        name: &'static str,
        arguments: Map<String, Value>,
        agreed: Option<&str>,
    ) -> Result<Map<String, Value>, Halt> {
        let Some(tool) = named(name) else {
            return Err(Halt::Say(self.answer().not_understood.to_owned()));
        };
        if !(self.scene.permits)(tool) {
            return Err(Halt::Say(self.denied(tool)));
        }
        let agrees = |effect: &str| agreed == Some(effect);
        let context =
            Context { api: self.scene.api, agrees: &agrees, asks_always: agreed.is_some() };
        let outcome = tool.call(&context, &arguments);
        let (result, outcome) = match outcome {
            Ok(Done { data, .. }) => {
                if tool.scopes.contains(&Scope::TasksWrite) {
                    self.reply.memory.undo =
                        data.get("undo").and_then(Value::as_str).map(str::to_owned);
                }
                (Ok(data.clone()), Ok(data))
            }
            // Nothing has happened, and nothing has failed: the proposal says what was asked.
            Err(Stop::Ask(effect)) => return Err(Halt::Ask(effect)),
            Err(Stop::Refused(why)) => {
                let said = self.refused(&why);
                (Err(why), Err(Halt::Say(said)))
            }
            Err(Stop::Denied(why)) => (Err(why), Err(Halt::Say(self.denied(tool)))),
            Err(Stop::Failed(status)) => (Err(status.to_string()), Err(Halt::Failed(status))),
        };
        self.reply.uses.push(Use { tool: tool.name, arguments, result });
        outcome
    }

    /// What the token may not do.
    fn denied(&self, tool: &Tool) -> String {
        let answer = self.answer();
        let said = if tool.scopes.contains(&Scope::AuditRead) {
            answer.may_not_audit
        } else if tool.scopes.contains(&Scope::TasksWrite) {
            answer.may_not_write
        } else {
            answer.may_not_read
        };
        said.to_owned()
    }

    /// The reason of a refusal, unless it is advice for programs.
    fn refused(&self, why: &str) -> String {
        if TOOLS.iter().any(|tool| why.contains(tool.name)) {
            return self.answer().changed_meanwhile.to_owned();
        }
        // Which of several items it is about says nothing to somebody who named no items.
        let reason = match why.split_once("]: ") {
            Some((place, rest)) if place.starts_with("tasks[") => rest,
            _ => why,
        };
        self.answer().refused.replace("{reason}", reason.trim())
    }

    /// Keeps a question that the next message may answer.
    pub fn keep(&mut self, pending: &Pending) {
        self.reply.memory.pending = Some(pending.to_json(self.words.language));
    }

    /// Proposes a call that needs a confirmation.
    pub fn propose(&mut self, pending: &Pending) {
        if let Pending::Confirm { tool, arguments, effect, .. } = pending {
            let (arguments, effect) = (arguments.clone(), effect.clone());
            self.reply.proposals.push(Proposal { tool, arguments, effect });
        }
        self.keep(pending);
    }

    pub fn say(&mut self, text: impl Into<String>) {
        self.reply.text = text.into();
    }
}
