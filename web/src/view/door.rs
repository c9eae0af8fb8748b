//! The pages of those who are not signed in: sign in, register, and the links of mails.

use serde_json::{Value, json};
use wasm_bindgen_futures::spawn_local;

use crate::dom::*;
use crate::net::{self, Reading as _, Request};
use crate::platform;
use crate::route::{Place, Route};
use crate::session::Session;
use crate::store::store;
use crate::text::{Text, t};
use crate::view::side::logo;

pub fn door() -> View {
    let place = Memo::new(|_| store().route.with(|route| route.place.clone()));
    switch(
        move || place.get(),
        |place| {
            let content = match place {
                Place::Register => register(),
                Place::Forgot => forgot(),
                Place::Verify(token) => verify(token),
                Place::Reset(token) => reset(token),
                _ => sign_in(),
            };
            view! { <main class="door"><div class="door-box">{logo()}{content}</div></main> }
        },
    )
}

/// Whether the place is one that also those who are signed in come to by a link.
pub fn is_door(place: &Place) -> bool {
    matches!(place, Place::Verify(_) | Place::Reset(_))
}

/// A form's state.
#[derive(Clone, Copy)]
struct Form {
    fault: RwSignal<String>,
    is_busy: RwSignal<bool>,
}

impl Form {
    fn new() -> Self {
        Self { fault: RwSignal::new(String::new()), is_busy: RwSignal::new(false) }
    }

    /// Posts a body, and goes on with what is answered.
    fn post(self, path: &'static str, body: Value, done: impl FnOnce(Value) + 'static) {
        if self.is_busy.get_untracked() {
            return;
        }
        self.is_busy.set(true);
        self.fault.set(String::new());
        spawn_local(async move {
            let answer = net::send(&Request::new("POST", path, &body), None).await;
            self.is_busy.try_set(false);
            match answer {
                Ok(answer) if answer.is_ok() => done(answer.json()),
                Ok(answer) => {
                    self.fault.try_set(answer.problem());
                }
                Err(_) => {
                    self.fault.try_set(t(Text::NoAnswer).to_owned());
                }
            }
        });
    }

    fn view(self, title: Text, fields: View, submit: Text, act: impl Fn() + 'static) -> View {
        let act = move |event: web_sys::SubmitEvent| {
            event.prevent_default();
            act();
        };
        view! {
            <h1>{t(title)}</h1>
            <form class="form" on:submit=act>
                {fields}
                <p class="error" role="alert">{self.fault}</p>
                <button class="button main-button wide" type="submit" disabled=self.is_busy>{t(submit)}</button>
            </form>
        }
    }
}

fn field(
    text: Text,
    name: &'static str,
    kind: &'static str,
    complete: &'static str,
    value: RwSignal<String>,
) -> View {
    let is_new = complete == "new-password";
    view! {
        <label class="field"><span>{t(text)}</span>
            <input class="input" name=name type=kind autocomplete=complete required=true
                minlength=is_new.then_some("8") maxlength=(kind == "password").then_some("128")
                prop:value=value on:input=move |event| value.set(event_target_value(&event))/>
        </label>
        {is_new.then(|| view! { <p class="hint">{t(Text::PasswordHint)}</p> })}
    }
}

fn enter(answer: &Value) {
    if let Some(session) = Session::begin(answer) {
        let user = session.user;
        store().session.set(Some(session));
        crate::sync::start(user);
        let place = store().route.with_untracked(|route| route.place.clone());
        if matches!(place, Place::Register | Place::Forgot) {
            Route::to(Place::Today).go();
        }
    }
}

fn sign_in() -> View {
    let is_expired = store().is_expired.get_untracked();
    let (email, password) = (RwSignal::new(String::new()), RwSignal::new(String::new()));
    let form = Form::new();
    let act = move || {
        let body = json!({ "email": email.get_untracked(), "password": password.get_untracked() });
        form.post("/api/auth/login", body, |answer| enter(&answer));
    };
    let fields = view! {
        {field(Text::Email, "email", "email", "username", email)}
        {field(Text::Password, "password", "password", "current-password", password)}
    };
    view! {
        <p class="hint">{t(if is_expired { Text::SignedOutHint } else { Text::Tagline })}</p>
        {form.view(Text::SignIn, fields, Text::SignIn, act)}
        <p class="links">
            <a href=Route::to(Place::Register).href()>{t(Text::Register)}</a>
            <a href=Route::to(Place::Forgot).href()>{t(Text::ForgotPassword)}</a>
        </p>
    }
}

fn register() -> View {
    let (email, password) = (RwSignal::new(String::new()), RwSignal::new(String::new()));
    let (name, form) = (RwSignal::new(String::new()), Form::new());
    let act = move || {
        let mut body = json!({
            "email": email.get_untracked(), "password": password.get_untracked(),
            "time_zone": platform::time_zone(),
        });
        let name = name.get_untracked();
        if !name.trim().is_empty() {
            body["name"] = name.trim().into();
        }
        if let Some(invitation) = invitation() {
            body["invitation"] = invitation.into();
        }
        form.post("/api/auth/register", body, |answer| enter(&answer));
    };
    let fields = view! {
        <label class="field"><span>{t(Text::Name)}</span>
            <input class="input" name="name" autocomplete="name" maxlength="100" prop:value=name
                on:input=move |event| name.set(event_target_value(&event))/>
        </label>
        {field(Text::Email, "email", "email", "username", email)}
        {field(Text::Password, "password", "password", "new-password", password)}
    };
    view! {
        {form.view(Text::Register, fields, Text::Register, act)}
        <p class="links"><a href=Route::to(Place::Today).href()>{t(Text::HaveAccount)}</a></p>
    }
}

/// The code of an invitation, from its link.
fn invitation() -> Option<String> {
    let hash = platform::window().location().hash().ok()?;
    let (_, query) = hash.split_once('?')?;
    query.split('&').find_map(|part| part.strip_prefix("invitation=")).map(str::to_owned)
}

fn forgot() -> View {
    let (email, is_sent, form) = (RwSignal::new(String::new()), RwSignal::new(false), Form::new());
    let act = move || {
        let body = json!({ "email": email.get_untracked() });
        form.post("/api/auth/password/forgot", body, move |_| {
            is_sent.try_set(true);
        });
    };
    let fields = field(Text::Email, "email", "email", "username", email);
    view! {
        {form.view(Text::ForgotPassword, fields, Text::SendLink, act)}
        {show(move || is_sent.get(), move || view! { <p class="note" role="status">{t(Text::LinkSent)}</p> })}
        <p class="links"><a href=Route::to(Place::Today).href()>{t(Text::ToSignIn)}</a></p>
    }
}

fn reset(token: String) -> View {
    let (password, is_done, form) =
        (RwSignal::new(String::new()), RwSignal::new(false), Form::new());
    let act = move || {
        let body = json!({ "token": token, "password": password.get_untracked() });
        form.post("/api/auth/password/reset", body, move |_| {
            is_done.try_set(true);
        });
    };
    let fields = field(Text::NewPassword, "password", "password", "new-password", password);
    view! {
        {form.view(Text::ChangePassword, fields, Text::Save, act)}
        {show(move || is_done.get(), move || view! { <p class="note" role="status">{t(Text::PasswordChanged)}</p> })}
        {onward()}
    }
}

fn verify(token: String) -> View {
    let (is_done, form) = (RwSignal::new(false), Form::new());
    // By a button: a mail program that opens the link must not use it up.
    let act = move || {
        form.post("/api/auth/verify", json!({ "token": token }), move |_| {
            is_done.try_set(true);
        });
    };
    view! {
        {form.view(Text::ConfirmAddress, View::empty(), Text::Confirm, act)}
        {show(move || is_done.get(), move || view! { <p class="note" role="status">{t(Text::Verified)}</p> })}
        {onward()}
    }
}

fn onward() -> View {
    let text = match store().session.with_untracked(Option::is_some) {
        true => Text::ToTasks,
        false => Text::ToSignIn,
    };
    view! { <p class="links"><a href=Route::to(Place::Today).href()>{t(text)}</a></p> }
}
