//! What other programs may do: API tokens, and webhooks that tell them of events.

use rondo_domain::instant;
use serde_json::{Value, json};
use wasm_bindgen_futures::spawn_local;

use super::card;
use crate::dom::*;
use crate::format;
use crate::icon::{Icon, icon};
use crate::net::{Reading as _, Request};
use crate::session;
use crate::store::store;
use crate::text::{Text, t, with};
use crate::toast::{self, Action};

const SCOPES: [(&str, Text); 3] = [
    ("tasks:read", Text::MayRead),
    ("tasks:write", Text::MayWrite),
    ("audit:read", Text::MayAudit),
];
/// Events that a webhook of the form gets. The API can choose others.
const EVENTS: [&str; 6] = [
    "task.created",
    "task.updated",
    "task.completed",
    "task.reopened",
    "task.deleted",
    "reminder.due",
];

/// Things of the account that the server lists, adds to and deletes from.
#[derive(Clone, Copy)]
struct Things {
    path: &'static str,
    found: RwSignal<Vec<Value>>,
    /// The answer to the last addition, with its secret.
    added: RwSignal<Option<Value>>,
    fault: RwSignal<String>,
}

impl Things {
    fn at(path: &'static str) -> Self {
        let things = Self {
            path,
            found: RwSignal::new(Vec::new()),
            added: RwSignal::new(None),
            fault: RwSignal::new(String::new()),
        };
        things.read();
        things
    }

    fn read(self) {
        spawn_local(async move {
            if let Ok(answer) = session::send(&Request::get(self.path)).await
                && answer.is_ok()
            {
                self.found.try_set(answer.json().as_array().cloned().unwrap_or_default());
            }
        });
    }

    fn send(self, request: Request, done: impl FnOnce(Value) + 'static) {
        spawn_local(async move {
            match session::send(&request).await {
                Ok(answer) if answer.is_ok() => {
                    self.fault.try_set(String::new());
                    done(answer.json());
                    self.read();
                }
                Ok(answer) => {
                    self.fault.try_set(answer.problem());
                }
                Err(_) => {
                    self.fault.try_set(t(Text::NoAnswer).to_owned());
                }
            }
        });
    }

    fn add(self, body: &Value) {
        self.send(Request::new("POST", self.path, body), move |answer| {
            self.added.try_set(Some(answer));
        });
    }

    fn delete(self, id: &Value) {
        self.send(Request::delete(format!("{}/{}", self.path, plain(id))), |_| {});
    }
}

/// An id in a path.
fn plain(id: &Value) -> String {
    id.as_str().map_or_else(|| id.to_string(), str::to_owned)
}

/// A secret that is shown once.
fn secret(things: Things, member: &'static str, hint: Text) -> View {
    let shown = move || {
        let secret =
            things.added.with(|added| added.as_ref()?[member].as_str().map(str::to_owned))?;
        Some(
            view! { <div class="field" role="status"><p>{t(hint)}</p><code class="code">{secret}</code></div> },
        )
    };
    shown.into_view()
}

fn delete_button(things: Things, id: Value, name: &str) -> View {
    view! {
        <button class="tool" title=t(Text::Delete) aria-label=format!("{}: {name}", t(Text::Delete))
            on:click=move |_| things.delete(&id)>{icon(Icon::Trash)}</button>
    }
}

fn word(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Where the person is signed in.
pub fn sessions() -> View {
    let things = Things::at("/api/auth/sessions");
    let rows = move || {
        let row = |listed: Value| {
            let id = listed["id"].as_str().map(str::to_owned);
            let program = listed["program"].as_str().unwrap_or(t(Text::UnknownProgram)).to_owned();
            let at = listed["last_used_at"].as_str().and_then(|text| instant::parse(text).ok());
            let at = at.map(|at| with(Text::LastUsed, format::moment(at, &store().zone())));
            let is_this = session::Session::kept().is_some_and(|kept| kept.id == id);
            let end = (!is_this).then(|| delete_button(things, listed["id"].clone(), &program));
            let this = is_this.then(|| format!(" · {}", t(Text::ThisSession)));
            view! {
                <li><span class="grow">{program.clone()}<br/><span class="hint">{at}{this}</span></span>{end}</li>
            }
        };
        things.found.get().into_iter().map(row).collect::<Vec<_>>()
    };
    let content = view! {
        <p class="hint">{t(Text::SessionsHint)}</p>
        <ul class="table">{rows}</ul>
        <p class="error" role="alert">{things.fault}</p>
    };
    card(Text::Sessions, content)
}

pub fn tokens() -> View {
    let things = Things::at("/api/auth/tokens");
    let name = RwSignal::new(String::new());
    let scopes = RwSignal::new(vec!["tasks:read".to_owned()]);
    let submit = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        things
            .add(&json!({ "name": name.get_untracked().trim(), "scopes": scopes.get_untracked() }));
        name.set(String::new());
    };
    let boxes = SCOPES.map(|(scope, text)| {
        let toggle = move |event: web_sys::Event| {
            let is_on = event_target_checked(&event);
            scopes.update(|scopes| {
                scopes.retain(|other| other != scope);
                if is_on {
                    scopes.push(scope.to_owned());
                }
            });
        };
        let is_on = move || scopes.with(|scopes| scopes.iter().any(|other| other == scope));
        view! {
            <label class="check"><input type="checkbox" name=scope prop:checked=is_on on:change=toggle/><span>{t(text)}</span></label>
        }
    });
    let rows = move || {
        let row = |token: Value| {
            let name = word(&token["name"]);
            let scopes: Vec<_> =
                token["scopes"].as_array().into_iter().flatten().map(word).collect();
            view! {
                <li><span class="grow">{name.clone()}<br/><span class="hint">{scopes.join(", ")}</span></span>
                    {delete_button(things, token["id"].clone(), &name)}</li>
            }
        };
        things.found.get().into_iter().map(row).collect::<Vec<_>>()
    };
    let content = view! {
        <p class="hint">{t(Text::TokensHint)}</p>
        <ul class="table">{rows}</ul>
        {secret(things, "token", Text::TokenOnce)}
        <form class="form" on:submit=submit>
            <label class="field"><span>{t(Text::TokenName)}</span>
                <input class="input" name="token_name" required=true maxlength="100" autocomplete="off" prop:value=name
                    on:input=move |event| name.set(event_target_value(&event))/>
            </label>
            {boxes.into_iter().collect::<Vec<_>>()}
            <p class="error" role="alert">{things.fault}</p>
            <div><button class="button" type="submit">{t(Text::Create)}</button></div>
        </form>
    };
    card(Text::Tokens, content)
}

pub fn webhooks() -> View {
    let things = Things::at("/api/webhooks");
    let url = RwSignal::new(String::new());
    let submit = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        things.add(&json!({ "url": url.get_untracked().trim(), "events": EVENTS }));
        url.set(String::new());
    };
    let rows = move || {
        let row = |webhook: Value| {
            let (url, id) = (word(&webhook["url"]), webhook["id"].clone());
            let state = word(&webhook["disabled_reason"]);
            let test = {
                let path = format!("/api/webhooks/{}/test", plain(&id));
                move |_| {
                    things.send(Request::new("POST", path.clone(), &json!({})), |_| {
                        toast::show(t(Text::TestSent).to_owned(), Action::None);
                    });
                }
            };
            view! {
                <li><span class="grow">{url.clone()}<br/><span class="hint">{state}</span></span>
                    <button class="button" on:click=test>{t(Text::SendTest)}</button>
                    {delete_button(things, id, &url)}</li>
            }
        };
        things.found.get().into_iter().map(row).collect::<Vec<_>>()
    };
    let content = view! {
        <p class="hint">{t(Text::WebhooksHint)}</p>
        <ul class="table">{rows}</ul>
        {secret(things, "secret", Text::SecretOnce)}
        <form class="form" on:submit=submit>
            <label class="field"><span>{t(Text::WebhookUrl)}</span>
                <input class="input" name="url" type="url" required=true maxlength="2000" autocomplete="off" prop:value=url
                    on:input=move |event| url.set(event_target_value(&event))/>
            </label>
            <p class="error" role="alert">{things.fault}</p>
            <div><button class="button" type="submit">{t(Text::Add)}</button></div>
        </form>
    };
    card(Text::Webhooks, content)
}
