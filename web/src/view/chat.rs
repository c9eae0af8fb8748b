//! The assistant: a conversation beside the tasks. What it changes comes back by live sync, as from any other program.

use serde_json::{Value, json};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;

use crate::command;
use crate::dom::*;
use crate::icon::{Icon, icon, small};
use crate::keys;
use crate::net::{Reading as _, Request};
use crate::platform;
use crate::session;
use crate::store::store;
use crate::text::{self, Text, t};

const CONVERSATIONS: &str = "/api/chat/conversations";
/// Maximum length of a message, as the API has it.
const MESSAGE_CHARS_MAX: usize = rondo_contract::chat_body::MESSAGE_CHARS_MAX;
/// What the field for a message is found by.
pub const FIELD: &str = "chat-message";

/// The state of the panel, which lives as long as the page.
pub struct Chat {
    pub is_open: ArcRwSignal<bool>,
    /// None before the first message of a new one.
    conversation: ArcRwSignal<Option<i64>>,
    /// All of the user's, the last used first.
    conversations: ArcRwSignal<Vec<Value>>,
    /// As the API has them.
    messages: ArcRwSignal<Vec<Value>>,
    /// Whether an answer is on its way.
    is_busy: ArcRwSignal<bool>,
    draft: ArcRwSignal<String>,
    fault: ArcRwSignal<String>,
    is_listening: ArcRwSignal<bool>,
}

impl Chat {
    pub fn new() -> Self {
        Self {
            is_open: ArcRwSignal::new(false),
            conversation: ArcRwSignal::new(None),
            conversations: ArcRwSignal::new(Vec::new()),
            messages: ArcRwSignal::new(Vec::new()),
            is_busy: ArcRwSignal::new(false),
            draft: ArcRwSignal::new(String::new()),
            fault: ArcRwSignal::new(String::new()),
            is_listening: ArcRwSignal::new(false),
        }
    }

    /// Forgets what the one who signs out has said.
    pub fn clear(&'static self) {
        self.is_open.set(false);
        self.start();
        self.conversations.set(Vec::new());
    }

    /// Begins a new conversation.
    fn start(&'static self) {
        self.conversation.set(None);
        self.messages.set(Vec::new());
        self.fault.set(String::new());
    }

    pub fn toggle(&'static self) {
        if self.is_open.get_untracked() {
            self.is_open.set(false);
            return;
        }
        // The panel of a task is in the same place.
        store().route.get_untracked().with_task(None).go();
        self.is_open.set(true);
        keys::focus_soon(FIELD);
        if self.messages.with_untracked(Vec::is_empty) {
            spawn_local(async move {
                self.read_conversations().await;
                let last = self.conversations.with_untracked(|known| known.first()?["id"].as_i64());
                if let Some(last) = last.filter(|_| self.messages.with_untracked(Vec::is_empty)) {
                    self.show(last).await;
                }
            });
        }
    }

    async fn read_conversations(&'static self) {
        if let Some(Value::Array(known)) = self.ask(&Request::get(CONVERSATIONS)).await {
            self.conversations.set(known);
        }
    }

    async fn show(&'static self, id: i64) {
        let request = Request::get(format!("{CONVERSATIONS}/{id}"));
        if let Some(mut found) = self.ask(&request).await {
            self.conversation.set(Some(id));
            self.messages
                .set(found["messages"].as_array_mut().map(std::mem::take).unwrap_or_default());
            scroll_soon();
        }
    }

    /// The answer to a request; a problem is shown.
    async fn ask(&'static self, request: &Request) -> Option<Value> {
        let problem = match session::send(request).await {
            Ok(answer) if answer.is_ok() => return Some(answer.json()),
            Ok(answer) => answer.problem(),
            Err(_) => t(Text::NoAnswer).to_owned(),
        };
        self.fault.set(problem);
        None
    }

    fn delete(&'static self) {
        let Some(id) = self.conversation.get_untracked() else { return };
        spawn_local(async move {
            let gone = self.ask(&Request::delete(format!("{CONVERSATIONS}/{id}"))).await;
            if gone.is_some() {
                self.start();
                self.read_conversations().await;
            }
        });
    }

    /// Sends what the user has written.
    fn say(&'static self) {
        let message = self.draft.get_untracked().trim().to_owned();
        if message.is_empty() || self.is_busy.get_untracked() {
            return;
        }
        self.draft.set(String::new());
        self.turn(&json!({ "message": message }), &message);
    }

    fn confirm(&'static self, token: &str) {
        self.turn(&json!({ "confirm": token }), t(Text::Confirm));
    }

    fn turn(&'static self, said: &Value, shown: &str) {
        if self.is_busy.get_untracked() {
            return;
        }
        let mut body = said.clone();
        body["language"] = text::language().into();
        if let Some(id) = self.conversation.get_untracked() {
            body["conversation_id"] = id.into();
        }
        let body = body.to_string();
        let question = json!({ "role": "user", "text": shown });
        self.messages.update(|messages| {
            messages.push(question);
            messages.push(json!({ "role": "assistant", "text": "", "tools": [], "proposals": [] }));
        });
        self.fault.set(String::new());
        self.is_busy.set(true);
        scroll_soon();
        spawn_local(async move {
            let problem = match session::token().await {
                Ok(token) => {
                    let receive = Closure::<dyn FnMut(String, String)>::new(
                        move |name: String, data: String| {
                            self.take(&name, &data);
                        },
                    );
                    let sent = platform::converse(&token, &body, receive.as_ref().unchecked_ref());
                    sent.await.is_err()
                }
                Err(_) => true,
            };
            if problem {
                self.fault.set(t(Text::NoAnswer).to_owned());
            }
            // An answer that has not begun is none.
            self.messages.update(|messages| {
                messages.retain(|message| message["role"] == "user" || has_content(message));
            });
            self.is_busy.set(false);
        });
    }

    /// Takes an event of a turn.
    fn take(&'static self, name: &str, data: &str) {
        let Ok(data) = serde_json::from_str::<Value>(data) else { return };
        match name {
            "conversation" => {
                let id = data["conversation_id"].as_i64();
                if self.conversation.get_untracked() != id {
                    self.conversation.set(id);
                    spawn_local(self.read_conversations());
                }
            }
            "problem" => {
                self.fault.set(data["detail"].as_str().unwrap_or_default().to_owned());
            }
            _ => self.messages.update(|messages| {
                let Some(last) = messages.last_mut() else { return };
                match name {
                    "token" => {
                        let text = [&last["text"], &data["text"]]
                            .map(|part| part.as_str().unwrap_or_default());
                        last["text"] = text.concat().into();
                    }
                    "tool" => push(&mut last["tools"], data),
                    "proposal" => push(&mut last["proposals"], data),
                    "done" => *last = data["message"].clone(),
                    _ => {}
                }
            }),
        }
        if name == "done" {
            let said = self.messages.with_untracked(|messages| {
                messages.last().and_then(|last| last["text"].as_str().map(str::to_owned))
            });
            store().announcement.set(said.unwrap_or_default());
        }
        scroll_soon();
    }

    /// Writes what the user speaks into the field.
    fn listen(&'static self) {
        if self.is_listening.get_untracked() {
            return platform::hush();
        }
        self.is_listening.set(true);
        let hear = Closure::<dyn FnMut(String, bool)>::new(move |words: String, is_over: bool| {
            if is_over {
                self.is_listening.set(false);
            } else {
                self.draft.set(words);
            }
        });
        platform::listen(&text::locale(), hear.as_ref().unchecked_ref());
        // The browser calls it until it is over.
        hear.forget();
    }
}

fn push(list: &mut Value, item: Value) {
    if let Some(list) = list.as_array_mut() {
        list.push(item);
    }
}

fn has_content(message: &Value) -> bool {
    let is_full = |name: &str| message[name].as_array().is_some_and(|items| !items.is_empty());
    message["text"].as_str().is_some_and(|text| !text.is_empty())
        || is_full("tools")
        || is_full("proposals")
}

/// Shows the end of the conversation once it is there.
fn scroll_soon() {
    platform::after(0, || {
        let log = platform::document().query_selector(".chat-log").ok().flatten();
        if let Some(log) = log {
            log.set_scroll_top(log.scroll_height());
        }
    });
}

#[inline(never)]
pub fn chat() -> View {
    let chat = &store().chat;
    let submit = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        chat.say();
    };
    let key = move |event: web_sys::KeyboardEvent| {
        if event.key() == "Enter" && !event.shift_key() && !event.is_composing() {
            event.prevent_default();
            chat.say();
        }
    };
    let messages = move || {
        chat.messages.with(|messages| {
            let last = messages.len().saturating_sub(1);
            let all = messages.iter().enumerate();
            all.map(|(at, message)| shown(chat, message, at == last)).collect::<Vec<_>>()
        })
    };
    let nothing = move || {
        chat.messages
            .with(Vec::is_empty)
            .then(|| view! { <p class="empty">{t(Text::ChatHint)}</p> })
    };
    let listen = platform::can_listen().then(|| {
        let class = move || if chat.is_listening.get() { "tool on" } else { "tool" };
        view! {
            <button class=class type="button" title=t(Text::Speak) aria-label=t(Text::Speak)
                aria-pressed=move || chat.is_listening.get().to_string()
                on:click=move |_| chat.listen()>{icon(Icon::Microphone)}</button>
        }
    });
    view! {
        <aside class="panel chat" aria-label=t(Text::Assistant)>
            <div class="panel-top">
                <h2>{t(Text::Assistant)}</h2>
                <span class="space"></span>
                {earlier(chat)}
                <button class="tool" aria-label=t(Text::NewConversation) title=t(Text::NewConversation)
                    on:click=move |_| { chat.start(); keys::focus_soon(FIELD); }>{icon(Icon::Plus)}</button>
                <button class="tool" aria-label=t(Text::DeleteConversation) title=t(Text::DeleteConversation)
                    disabled=move || chat.conversation.get().is_none()
                    on:click=move |_| chat.delete()>{icon(Icon::Trash)}</button>
                <button class="tool" aria-label=t(Text::Close) title=t(Text::Close)
                    on:click=move |_| chat.toggle()>{icon(Icon::Close)}</button>
            </div>
            {nothing}
            <ol class="chat-log" tabindex="0" aria-label=t(Text::Conversation)>{messages}</ol>
            <p class="error" role="alert">{move || chat.fault.get()}</p>
            <form class="chat-form" on:submit=submit>
                <textarea class="input" id=FIELD name="message" rows="1" aria-label=t(Text::Message)
                    placeholder=t(Text::Message) maxlength=MESSAGE_CHARS_MAX.to_string() prop:value=move || chat.draft.get()
                    on:input=move |event| chat.draft.set(event_target_value(&event)) on:keydown=key></textarea>
                {listen}
                <button class="button" type="submit" disabled=move || chat.is_busy.get()>{t(Text::Send)}</button>
            </form>
        </aside>
    }
}

/// Earlier conversations.
fn earlier(chat: &'static Chat) -> View {
    let choose = move |event: web_sys::Event| {
        if let Ok(id) = event_target_value(&event).parse() {
            spawn_local(chat.show(id));
        }
    };
    let options = move || {
        let current = chat.conversation.get();
        let option = |known: &Value| {
            let id = known["id"].as_i64();
            let title = known["title"].as_str().unwrap_or_default().to_owned();
            view! {
                <option value=id.unwrap_or_default().to_string() prop:selected=id == current>{title}</option>
            }
        };
        chat.conversations.with(|known| known.iter().map(option).collect::<Vec<_>>())
    };
    let has_some = move || chat.conversations.with(|known| !known.is_empty());
    show(has_some, move || {
        let is_new = move || chat.conversation.get().is_none();
        view! {
            <select class="input" name="conversation" aria-label=t(Text::Conversation) on:change=choose>
                <option value="" prop:selected=is_new>{t(Text::NewConversation)}</option>
                {options}
            </select>
        }
    })
}

/// A message with what was done. Only the last one's proposals are still open.
fn shown(chat: &'static Chat, message: &Value, is_last: bool) -> View {
    let text = message["text"].as_str().unwrap_or_default().to_owned();
    if message["role"] == "user" {
        return view! { <li class="said">{text}</li> };
    }
    let tasks = message["tools"].as_array().into_iter().flatten();
    let mut named = std::collections::BTreeSet::new();
    let tasks: Vec<_> = tasks
        .filter(|tool| tool["tool"] != "list_tasks")
        .flat_map(|tool| tool["tasks"].as_array().into_iter().flatten())
        .filter(|task| named.insert(task["id"].as_i64()))
        .map(task_link)
        .collect();
    let proposals: Vec<_> = message["proposals"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|_| is_last)
        .map(|proposal| card(chat, proposal))
        .collect();
    let waiting = text.is_empty() && proposals.is_empty() && tasks.is_empty();
    let waiting = waiting.then(|| view! { <span class="hint">"…"</span> });
    let notice = match message["notice"].as_str() {
        Some("model_unavailable") => Some(hint(Text::ModelUnavailable)),
        Some("tokens_used_up") => Some(hint(Text::TokensUsedUp)),
        Some("not_shared") => Some(consent()),
        _ => None,
    };
    view! {
        <li class="answer">
            <p class="text">{text}{waiting}</p>
            <p class="chat-tasks">{tasks}</p>
            {proposals}
            {notice}
        </li>
    }
}

fn task_link(task: &Value) -> View {
    let title = task["title"].as_str().unwrap_or_default().to_owned();
    let name = task["uid"].as_str().map_or_else(|| task["id"].to_string(), str::to_owned);
    let href = store().route.get_untracked().with_task(Some(&name)).href();
    view! { <a class="chip" href=href>{title}</a> }
}

/// A proposal, which only its user can confirm.
fn card(chat: &'static Chat, proposal: &Value) -> View {
    let effect = proposal["effect"].as_str().unwrap_or_default().to_owned();
    let token = proposal["confirm"].as_str().unwrap_or_default().to_owned();
    let is_used = RwSignal::new(false);
    let confirm = move |_| {
        is_used.set(true);
        chat.confirm(&token);
    };
    view! {
        <div class="card proposal" role="group" aria-label=t(Text::Proposal)>
            <p class="text">{effect}</p>
            <div class="buttons">
                <button class="button main-button" disabled=is_used on:click=confirm>{t(Text::Confirm)}</button>
                <button class="button" disabled=is_used on:click=move |_| is_used.set(true)>{t(Text::Dismiss)}</button>
            </div>
        </div>
    }
}

fn hint(text: Text) -> View {
    view! { <p class="hint">{t(text)}</p> }
}

/// Offers to let the model read the tasks.
fn consent() -> View {
    let is_asked = RwSignal::new(true);
    let agree = move |_| {
        is_asked.set(false);
        command::share_with_model(true);
    };
    let asked = move || {
        is_asked.get().then(|| {
            view! {
                <div class="card">
                    <p class="hint">{small(Icon::Chat)}" "{t(Text::ShareHint)}</p>
                    <div><button class="button" on:click=agree>{t(Text::ShareWithModel)}</button></div>
                </div>
            }
        })
    };
    asked.into_view()
}
