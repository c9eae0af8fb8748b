//! A turn: what the user says is kept, answered by the model or the grammar, and the answer is kept.

use rondo_assistant::{LocalApi, confirmation_key};
use rondo_chat::model::{Event, ModelTurn, Said as Earlier, Trouble};
use rondo_chat::{Language, Proposal, Reply, Scene};
use rondo_contract::actor::{Actor, Kind};
use rondo_contract::chat_body::{ANSWER_CHARS_MAX, Notice, Said, Source, Turn};
use rondo_contract::confirmation::ConfirmationKey;
use rondo_contract::problem::ProblemCode;
use rondo_domain::access::Caller;
use rondo_guest::http::{Method, Request};
use rondo_guest::{Refusal, clock};
use rondo_tool::{Stop, Tool};
use serde_json::{Value, json};

use crate::answer;
use crate::model::{self, Model, Server};
use crate::store::{Opening, Store};

/// What a user has confirmed by a button, as their message.
const AGREED: [(Language, &str); 2] = [(Language::English, "Yes"), (Language::German, "Ja")];

/// A turn whose message is kept.
pub struct Begun {
    request: Request,
    caller: Caller,
    turn: Turn,
    opening: Opening,
    store: Store,
    key: ConfirmationKey,
}

/// What hears of the events of a turn: their names and data.
pub type Send<'a> = &'a mut dyn FnMut(&str, &Value);

/// How a turn was answered.
struct Answered {
    reply: Reply,
    source: Source,
    notice: Option<Notice>,
    confirmed: Option<Proposal>,
}

impl Begun {
    pub fn new(request: &Request, caller: Caller, turn: Turn) -> Result<Self, Refusal> {
        let store = Store::open()?;
        let key = confirmation_key()?;
        let message = match &turn.said {
            Said::Message(message) => message,
            Said::Confirmation(_) => AGREED
                .iter()
                .find(|(language, _)| *language == turn.language)
                .map_or("", |(_, word)| word),
        };
        let opening = store.begin(caller.user_id, turn.conversation, message)?;
        let opening = opening.ok_or_else(Refusal::not_found)?;
        store.release();
        // What follows outlives the request that came.
        let request = request.part(Method::Post, request.path().to_owned(), &[], Vec::new());
        Ok(Self { request, caller, turn, opening, store, key })
    }

    /// Where the turn belongs.
    pub fn conversation(&self) -> Value {
        json!({ "conversation_id": self.opening.conversation, "number": self.opening.number })
    }

    /// Answers.
    pub fn run(&self, send: Send<'_>) -> Result<Value, Refusal> {
        let actor = Actor::new(Kind::Chat, None);
        let api = LocalApi { request: &self.request, caller: self.caller, actor };
        let memory = answer::memory(&self.opening.history);
        let permits = |tool: &Tool| tool.lacks(self.caller.scopes).is_none();
        let scene = Scene {
            api: &api,
            now: clock::now(),
            zone: &self.opening.zone,
            language: self.turn.language,
            memory: &memory,
            permits: &permits,
        };
        let mut answered = match &self.turn.said {
            Said::Confirmation(token) => self.confirm(&scene, token, send)?,
            Said::Message(message) => self.answer(&scene, message, send)?,
        };
        if let Some((at, _)) = answered.reply.text.char_indices().nth(ANSWER_CHARS_MAX) {
            answered.reply.text.truncate(at);
        }
        self.keep(&answered)
    }

    fn keep(&self, answered: &Answered) -> Result<Value, Refusal> {
        let Answered { reply, source, notice, confirmed } = answered;
        let now_s = clock::now().as_second();
        let detail = answer::detail(reply, *source, *notice, confirmed.as_ref(), now_s);
        let user = self.caller.user_id;
        let kept = self.store.end(user, self.opening.conversation, &reply.text, &detail)?;
        let kept = kept.ok_or_else(Refusal::not_found)?;
        Ok(json!({
            "conversation_id": self.opening.conversation,
            "message": answer::shown(&kept, user, &self.key),
        }))
    }

    /// Does what the user has agreed to.
    fn confirm(&self, scene: &Scene<'_>, token: &str, send: Send<'_>) -> Result<Answered, Refusal> {
        let history = &self.opening.history;
        let found = answer::proposal_of(token, history, self.caller.user_id, &self.key);
        let Some((proposal, is_done)) = found else {
            return Err(Refusal::new(ProblemCode::ConfirmationInvalid));
        };
        if is_done {
            return Err(
                Refusal::new(ProblemCode::ConfirmationInvalid).detail("This was confirmed before.")
            );
        }
        let reply = rondo_chat::confirm(scene, &proposal).map_err(|stop| self.failed(stop))?;
        self.tell(&reply, send);
        let (source, notice) = (Source::Grammar, None);
        Ok(Answered { reply, source, notice, confirmed: Some(proposal) })
    }

    /// Lets the model answer, if there is one and the user agrees to it, or else the grammar.
    fn answer(
        &self,
        scene: &Scene<'_>,
        message: &str,
        send: Send<'_>,
    ) -> Result<Answered, Refusal> {
        let notice = match model::configured()? {
            None => None,
            Some(_) if !self.opening.is_shared => Some(Notice::NotShared),
            Some(model) => match self.by_model(scene, &model, message, send)? {
                Ok(answered) => return Ok(answered),
                Err(notice) => Some(notice),
            },
        };
        let reply = rondo_chat::answer(scene, message).map_err(|stop| self.failed(stop))?;
        self.tell(&reply, send);
        Ok(Answered { reply, source: Source::Grammar, notice, confirmed: None })
    }

    /// The model's answer; or why the grammar has to answer, if the model has said and done nothing.
    fn by_model(
        &self,
        scene: &Scene<'_>,
        model: &Model,
        message: &str,
        send: Send<'_>,
    ) -> Result<Result<Answered, Notice>, Refusal> {
        let budget = model.budget(&self.store, self.caller.user_id);
        let history: Vec<_> = self.opening.history.iter().map(earlier).collect();
        let turn = ModelTurn {
            scene,
            model: &model.name,
            history: &history,
            message,
            provider: &Server { model, request: &self.request },
            budget: &budget,
        };
        let run = turn.run(&mut |event| match event {
            Event::Text(text) => send("token", &json!({ "text": text })),
            Event::Used(done) => send("tool", &answer::used(done)),
            Event::Proposed(proposal) => send("proposal", &self.offer(proposal)),
        });
        let (reply, trouble) = run.map_err(|stop| self.failed(stop))?;
        let notice = trouble.map(|trouble| match trouble {
            Trouble::Unavailable => Notice::ModelUnavailable,
            Trouble::TokensUsedUp => Notice::TokensUsedUp,
        });
        let has_acted =
            !reply.text.is_empty() || !reply.uses.is_empty() || !reply.proposals.is_empty();
        Ok(match notice {
            Some(notice) if !has_acted => Err(notice),
            _ => Ok(Answered { reply, source: Source::Model, notice, confirmed: None }),
        })
    }

    /// Tells of an answer that is there at once.
    fn tell(&self, reply: &Reply, send: Send<'_>) {
        for done in &reply.uses {
            send("tool", &answer::used(done));
        }
        send("token", &json!({ "text": reply.text }));
        for proposal in &reply.proposals {
            send("proposal", &self.offer(proposal));
        }
    }

    fn offer(&self, proposal: &Proposal) -> Value {
        answer::fresh(proposal, self.caller.user_id, &self.key)
    }

    fn failed(&self, stop: Stop) -> Refusal {
        match stop {
            Stop::Failed(503) => Refusal::new(ProblemCode::Unavailable),
            Stop::Failed(status) => {
                Refusal::internal(format!("a tool failed with status {status}"))
            }
            // Turns have an answer for the others.
            other => Refusal::internal(format!("a tool stopped: {other:?}")),
        }
    }

    /// A refusal within a stream, as a problem.
    pub fn problem(&self, refusal: Refusal) -> Value {
        if let Some(cause) = refusal.cause() {
            self.request.log_error(cause);
        }
        let (_, problem) = refusal.into_json(&self.request.request_id);
        serde_json::from_str(&problem).unwrap_or_default()
    }
}

/// An earlier message, as a model sees it.
fn earlier(message: &Value) -> Earlier {
    Earlier {
        is_user: message["role"] == "user",
        text: message["content"].as_str().unwrap_or_default().to_owned(),
    }
}
