//! A turn that a language model answers, by the tools of the assistants: Chat Completions with streaming, as OpenAI,
//! Ollama, vLLM, llama.cpp, Mistral, OpenRouter and others speak it.
//!
//! The model decides nothing that its user has not said: what is deleted, what is many, and what the message does not
//! ask for, is proposed to the user ([`crate::consent`]).

mod completion;
mod part;
mod prompt;

use rondo_tool::{Call, Context, Stop, Tool};
use serde_json::{Map, Value, json};

use crate::consent;
use crate::reply::{Proposal, Reply, Scene, Use};
use completion::{Completion, ToolCall};

/// Maximum number of tools that a turn calls.
pub const CALLS_MAX: usize = 8;
/// Maximum length of one answer of the provider.
const ANSWER_BYTES_MAX: usize = 256 * 1024;
/// Tokens that an answer may have before it is counted.
const ANSWER_TOKENS: i64 = 1_000;
/// Bytes of JSON that a token has, at the least on average, where a provider does not count.
const TOKEN_BYTES: usize = 3;

/// Where a model is asked.
pub trait Provider {
    /// Sends a request, and hands on its answer as it comes.
    ///
    /// # Errors
    /// If there is no whole answer.
    fn ask(&self, request: &Value, part: &mut dyn FnMut(&[u8]) -> bool) -> Result<(), Refused>;
}

/// Why a provider gave no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// The HTTP status of its answer, 300 or above.
    Status(u16),
    /// It cannot be reached, or its answer broke off.
    Broken,
}

/// The tokens that the user's turns may still use.
pub trait Budget {
    /// Takes tokens; false if there are not as many.
    fn take(&self, tokens: i64) -> bool;
    /// Gives tokens back that were not used, or takes more if negative.
    fn give_back(&self, tokens: i64);
}

/// Why a model has not answered, or not to the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    Unavailable,
    TokensUsedUp,
}

/// What happens during a turn.
pub enum Event<'a> {
    /// More of the answer's text.
    Text(&'a str),
    Used(&'a Use),
    Proposed(&'a Proposal),
}

/// Earlier messages of a conversation, oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    pub is_user: bool,
    pub text: String,
}

/// A turn as a model answers it.
pub struct ModelTurn<'a> {
    pub scene: &'a Scene<'a>,
    /// The provider's name of the model.
    pub model: &'a str,
    pub history: &'a [Said],
    pub message: &'a str,
    pub provider: &'a dyn Provider,
    pub budget: &'a dyn Budget,
}

impl ModelTurn<'_> {
    /// Lets the model answer. With trouble, the reply is what there is so far.
    ///
    /// # Errors
    /// If a tool fails because the server does.
    pub fn run(&self, on: &mut dyn FnMut(Event<'_>)) -> Result<(Reply, Option<Trouble>), Stop> {
        let mut reply = Reply { memory: self.scene.memory.clone(), ..Reply::default() };
        reply.memory.pending = None;
        let mut messages = prompt::messages(self.scene, self.history, self.message);
        let mut calls = 0;
        // Each round but the last calls at least one tool.
        for _ in 0..=CALLS_MAX {
            let may_call = calls < CALLS_MAX;
            let completion = match self.complete(&messages, may_call, &mut reply, on) {
                Ok(completion) => completion,
                Err(trouble) => return Ok((reply, Some(trouble))),
            };
            if completion.calls.is_empty() || !may_call {
                return Ok((reply, None));
            }
            messages.push(prompt::called(&completion));
            for call in &completion.calls {
                calls += 1;
                let result = if calls > CALLS_MAX {
                    "Not called: a turn may call no more tools. Tell the user what is left."
                        .to_owned()
                } else {
                    self.call(call, &mut reply, on)?
                };
                messages.push(prompt::result(&call.id, &result));
            }
        }
        Ok((reply, None))
    }

    /// Asks the provider once. A provider that does not know all of the request gets a plainer one.
    fn complete(
        &self,
        messages: &[Value],
        may_call: bool,
        reply: &mut Reply,
        on: &mut dyn FnMut(Event<'_>),
    ) -> Result<Completion, Trouble> {
        let tools = if may_call { prompt::tools(self.scene) } else { Vec::new() };
        let mut request = prompt::request(self.model, messages, tools);
        let asked = tokens_of(request.to_string().len());
        if !self.budget.take(asked + ANSWER_TOKENS) {
            return Err(Trouble::TokensUsedUp);
        }
        let mut answer = self.ask(&request, reply, on);
        if matches!(answer, Err(Refused::Status(400 | 422))) && prompt::simplify(&mut request) {
            answer = self.ask(&request, reply, on);
        }
        let used = match &answer {
            Ok(completion) => completion.tokens.unwrap_or(asked + tokens_of(completion.bytes)),
            Err(_) => 0,
        };
        self.budget.give_back(asked + ANSWER_TOKENS - used);
        answer.map_err(|_| Trouble::Unavailable)
    }

    fn ask(
        &self,
        request: &Value,
        reply: &mut Reply,
        on: &mut dyn FnMut(Event<'_>),
    ) -> Result<Completion, Refused> {
        let mut reader = part::Reader::new();
        let mut completion = Completion::default();
        let mut begun = false;
        let mut take = |completion: &mut Completion, value: &Value| {
            let text = completion.add(value);
            if text.is_empty() {
                return;
            }
            // What the model says after a call is a paragraph of its own.
            if !begun && !reply.text.is_empty() {
                reply.text += "\n\n";
                on(Event::Text("\n\n"));
            }
            begun = true;
            reply.text += &text;
            on(Event::Text(&text));
        };
        self.provider.ask(request, &mut |bytes| {
            completion.bytes += bytes.len();
            for value in reader.push(bytes) {
                take(&mut completion, &value);
            }
            completion.bytes <= ANSWER_BYTES_MAX
        })?;
        for value in reader.end() {
            take(&mut completion, &value);
        }
        completion.finish();
        // A stream that ends without a word is no answer.
        if completion.is_empty() { Err(Refused::Broken) } else { Ok(completion) }
    }

    /// Calls a tool, or proposes to, and answers what the model is told.
    fn call(
        &self,
        call: &ToolCall,
        reply: &mut Reply,
        on: &mut dyn FnMut(Event<'_>),
    ) -> Result<String, Stop> {
        let Some(tool) = rondo_tool::named(&call.name) else {
            return Ok(format!("There is no tool {:?}.", call.name));
        };
        let arguments = match &call.arguments {
            Ok(arguments) => arguments.clone(),
            Err(why) => return Ok(format!("Not called: {why}.")),
        };
        if !(self.scene.permits)(tool) {
            return Ok(format!("The user's token does not permit {}.", tool.name));
        }
        let result = self.attempt(tool, &arguments);
        let result = match result {
            Ok(done) => done,
            Err(Stop::Ask(effect)) => {
                let proposal = Proposal { tool: tool.name, arguments, effect };
                // The same again changes nothing.
                if !reply.proposals.contains(&proposal) {
                    on(Event::Proposed(&proposal));
                    reply.proposals.push(proposal);
                }
                return Ok(prompt::PROPOSED.to_owned());
            }
            Err(Stop::Refused(why) | Stop::Denied(why)) => {
                let told = prompt::data(&json!({ "error": why }));
                self.note(tool, arguments, Err(why), reply, on);
                return Ok(told);
            }
            Err(failed) => return Err(failed),
        };
        let told = prompt::data(&json!({ "result": result.text, "data": result.data }));
        if let Some(undo) = result.data.get("undo").and_then(Value::as_str) {
            reply.memory.undo = Some(undo.to_owned());
        }
        let tasks = result.data.get("tasks").and_then(Value::as_array);
        if let Some(tasks) = tasks.filter(|tasks| !tasks.is_empty()) {
            reply.memory.shown = tasks.iter().filter_map(|task| task["id"].as_i64()).collect();
        }
        self.note(tool, arguments, Ok(result.data), reply, on);
        Ok(told)
    }

    fn attempt(
        &self,
        tool: &Tool,
        arguments: &Map<String, Value>,
    ) -> Result<rondo_tool::Done, Stop> {
        let title = |id: i64| {
            let reply = self.scene.api.send(&Call::get(format!("tasks/{id}")));
            reply.body["title"].as_str().map(str::to_owned)
        };
        let is_asked_for =
            tool.only_reads() || consent::is_asked_for(self.message, tool, arguments, &title);
        let context =
            Context { api: self.scene.api, agrees: &|_| false, asks_always: !is_asked_for };
        tool.call(&context, arguments)
    }

    fn note(
        &self,
        tool: &'static Tool,
        arguments: Map<String, Value>,
        result: Result<Map<String, Value>, String>,
        reply: &mut Reply,
        on: &mut dyn FnMut(Event<'_>),
    ) {
        let done = Use { tool: tool.name, arguments, result };
        on(Event::Used(&done));
        reply.uses.push(done);
    }
}

fn tokens_of(bytes: usize) -> i64 {
    bytes.div_ceil(TOKEN_BYTES) as i64
}
