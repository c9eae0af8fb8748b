//! Name, time zone, mails, password, and a copy of everything.

use rondo_device::{Edit, Form, Members};
use serde_json::{Value, json};
use wasm_bindgen_futures::spawn_local;

use super::card;
use crate::command;
use crate::dom::*;
use crate::net::{Reading as _, Request};
use crate::platform;
use crate::session;
use crate::store::store;
use crate::text::{Text, t, with};
use crate::toast::{self, Action};
use crate::view::menu::optional;

fn change(members: Value) {
    let members: Members = members.as_object().cloned().unwrap_or_default();
    store().edit(vec![Edit::PatchAccount { members }]);
    toast::show(t(Text::Saved).to_owned(), Action::None);
}

/// A member of the account, watched.
fn member(name: &'static str) -> impl Fn() -> Value + Copy + Send + Sync + 'static {
    move || {
        store().account(|device| device.account().members.get(name).cloned().unwrap_or_default())
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

pub fn account() -> View {
    let (name, zone, email) = (member("name"), member("time_zone"), member("email"));
    let is_verified = member("email_verified");
    let here = platform::time_zone();
    let zones = {
        let mut zones = platform::time_zones();
        for other in ["UTC".to_owned(), here.clone(), text(&zone())] {
            if !other.is_empty() && !zones.contains(&other) {
                zones.push(other);
            }
        }
        zones
    };
    let options: Vec<_> = zones
        .into_iter()
        .map(|name| {
            let (value, compared) = (name.clone(), name.clone());
            view! { <option value=value selected=move || text(&zone()) == compared>{name}</option> }
        })
        .collect();
    let resend = move |_| {
        spawn_local(async {
            let answer =
                session::send(&Request::new("POST", "/api/auth/verify/resend", &json!({}))).await;
            let words = match answer {
                Ok(answer) if answer.is_ok() => t(Text::LinkSent).to_owned(),
                Ok(answer) => answer.problem(),
                Err(_) => t(Text::NoAnswer).to_owned(),
            };
            toast::show(words, Action::None);
        });
    };
    let (device_zone, other) = (here.clone(), here.clone());
    let content = view! {
        <p>{move || text(&email())}</p>
        {show(move || is_verified() == false, move || view! {
            <p class="note"><span>{t(Text::NotVerified)}</span>
                <button class="button" on:click=resend>{t(Text::ResendLink)}</button></p>
        })}
        <label class="field"><span>{t(Text::Name)}</span>
            <input class="input" name="name" autocomplete="name" maxlength="100" prop:value=move || text(&name())
                on:change=|event| change(json!({ "name": optional(&event_target_value(&event)) }))/>
        </label>
        <label class="field"><span>{t(Text::TimeZone)}</span>
            <select class="input" name="time_zone" on:change=|event| change(json!({ "time_zone": event_target_value(&event) }))>
                {options}
            </select>
        </label>
        {move || (text(&zone()) != other).then(|| {
            let here = device_zone.clone();
            view! {
                <p class="note"><span>{with(Text::YourZoneIs, &here)}</span>
                    <button class="button" on:click=move |_| change(json!({ "time_zone": here }))>{t(Text::UseThisZone)}</button></p>
            }
        })}
        <label class="check">
            <input type="checkbox" name="complete_subtasks" prop:checked=move || member("complete_subtasks")() == true
                on:change=|event| change(json!({ "complete_subtasks": event_target_checked(&event) }))/>
            <span>{t(Text::CompleteSteps)}</span>
        </label>
        <label class="check">
            <input type="checkbox" name="share_with_model" prop:checked=move || member("share_with_model")() == true
                on:change=|event| command::share_with_model(event_target_checked(&event))/>
            <span>{t(Text::ShareWithModel)}</span>
        </label>
    };
    card(Text::Account, content)
}

pub fn notifications() -> View {
    let mails = member("notifications");
    let at = member("day_reminder_time");
    let content = view! {
        <label class="check">
            <input type="checkbox" name="email_reminders" prop:checked=move || mails()["email"] == true
                on:change=|event| change(json!({ "notifications": { "email": event_target_checked(&event) } }))/>
            <span>{t(Text::EmailReminders)}</span>
        </label>
        <label class="field"><span>{t(Text::Digest)}</span>
            <input class="input" type="time" name="digest_at" prop:value=move || text(&mails()["digest_at"])
                on:change=|event| change(json!({ "notifications": { "digest_at": optional(&event_target_value(&event)) } }))/>
        </label>
        <label class="field"><span>{t(Text::DayReminderTime)}</span>
            <input class="input" type="time" name="day_reminder_time" required=true prop:value=move || text(&at())
                on:change=|event| change(json!({ "day_reminder_time": event_target_value(&event) }))/>
        </label>
        {deliveries()}
    };
    card(Text::Notifications, content)
}

/// What was sent lately, and what was not.
fn deliveries() -> View {
    let found = RwSignal::new(Vec::<Value>::new());
    spawn_local(async move {
        if let Ok(answer) = session::send(&Request::get("/api/notifications?limit=10")).await {
            found.try_set(answer.json().as_array().cloned().unwrap_or_default());
        }
    });
    let rows = move || {
        let row = |delivery: Value| {
            let title = store().read(|device| {
                let task = device.task_of(delivery["task_id"].as_i64()?)?;
                Some(task.title.clone())
            });
            let at = delivery["sent_at"].as_str().or(delivery["created_at"].as_str());
            let at = at.and_then(|at| rondo_domain::instant::parse(at).ok());
            let at = at.map(|at| crate::format::moment(at, &store().zone()));
            view! {
                <li><span class="grow">{title}<br/><span class="hint">{at}</span></span>
                    <span class="chip">{text(&delivery["channel"])}" · "{text(&delivery["status"])}</span></li>
            }
        };
        found.get().into_iter().map(row).collect::<Vec<_>>()
    };
    view! {
        {show(move || found.with(|found| !found.is_empty()), move || view! { <h3>{t(Text::Deliveries)}</h3><ul class="table">{rows}</ul> })}
    }
}

pub fn password() -> View {
    let (old, new) = (RwSignal::new(String::new()), RwSignal::new(String::new()));
    let fault = RwSignal::new(String::new());
    let submit = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        let body =
            json!({ "current_password": old.get_untracked(), "password": new.get_untracked() });
        spawn_local(async move {
            match session::send(&Request::new("POST", "/api/auth/password/change", &body)).await {
                Ok(answer) if answer.is_ok() => {
                    old.try_set(String::new());
                    new.try_set(String::new());
                    fault.try_set(String::new());
                    toast::show(t(Text::PasswordChanged).to_owned(), Action::None);
                }
                Ok(answer) => {
                    fault.try_set(answer.problem());
                }
                Err(_) => {
                    fault.try_set(t(Text::NoAnswer).to_owned());
                }
            }
        });
    };
    let content = view! {
        <form class="form" on:submit=submit>
            <input class="sr" type="text" name="username" autocomplete="username" tabindex="-1" aria-hidden="true"
                prop:value=move || text(&member("email")())/>
            <label class="field"><span>{t(Text::CurrentPassword)}</span>
                <input class="input" type="password" autocomplete="current-password" required=true maxlength="128"
                    prop:value=old on:input=move |event| old.set(event_target_value(&event))/>
            </label>
            <label class="field"><span>{t(Text::NewPassword)}</span>
                <input class="input" type="password" autocomplete="new-password" required=true minlength="8" maxlength="128"
                    prop:value=new on:input=move |event| new.set(event_target_value(&event))/>
            </label>
            <p class="error" role="alert">{fault}</p>
            <div><button class="button" type="submit">{t(Text::ChangePassword)}</button></div>
        </form>
    };
    card(Text::ChangePassword, content)
}

pub fn export() -> View {
    let export = |_| {
        let all = store().read(|device| {
            let tasks: Vec<_> = device.tasks().map(|row| row.to_value()).collect();
            let lists: Value = device.lists().into_iter().map(Form::to_value).collect();
            let filters: Value = device.filters().into_iter().map(Form::to_value).collect();
            let tags: Value = device.tags().iter().map(Form::to_value).collect();
            json!({ "tasks": tasks, "lists": lists, "filters": filters, "tags": tags })
        });
        let text = serde_json::to_string_pretty(&all).unwrap_or_default();
        platform::download("rondo.json", "application/json", &text);
    };
    let content = view! {
        <p class="hint">{t(Text::ExportHint)}</p>
        <div><button class="button" on:click=export>{t(Text::ExportButton)}</button></div>
    };
    card(Text::Export, content)
}
