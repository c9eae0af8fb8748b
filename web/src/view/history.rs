//! Who changed what in a task, and when: from the audit log, read when a person asks for it.

use rondo_device::Row;
use rondo_domain::instant;
use serde_json::Value;
use wasm_bindgen_futures::spawn_local;

use crate::dom::*;
use crate::format;
use crate::net::{Reading as _, Request};
use crate::session;
use crate::store::store;
use crate::text::{Text, t};

/// Changes that are read at once.
const PAGE: usize = 30;

#[derive(Clone, PartialEq)]
enum State {
    Closed,
    Loading,
    Read(Vec<Value>),
    Failed(String),
}

pub fn history(row: Memo<Option<Row>>) -> View {
    let state = RwSignal::new(State::Closed);
    let id = move || {
        row.with_untracked(|row| {
            row.as_ref().map(|row| store().read(|device| device.resolved(row.id)))
        })
    };
    let read = move |_| {
        let Some(id) = id().filter(|id| *id > 0) else { return state.set(State::Read(Vec::new())) };
        state.set(State::Loading);
        spawn_local(async move {
            let request = Request::get(format!("/api/tasks/{id}/history?limit={PAGE}"));
            let next = match session::send(&request).await {
                Ok(answer) if answer.is_ok() => {
                    State::Read(answer.json().as_array().cloned().unwrap_or_default())
                }
                Ok(answer) => State::Failed(answer.problem()),
                Err(_) => State::Failed(t(Text::NoAnswer).to_owned()),
            };
            // The panel may be gone by now.
            state.try_set(next);
        });
    };
    let created = move || {
        let at = row.with(|row| row.as_ref().map(|row| row.created_at))?;
        Some(format!("{} {}", t(Text::Created), format::moment(at, &store().zone())))
    };
    view! {
        <section aria-label=t(Text::History)>
            <h2>{t(Text::History)}</h2>
            <p class="hint">{created}</p>
            {move || match state.get() {
                State::Closed => view! { <div><button class="button" on:click=read>{t(Text::ShowHistory)}</button></div> },
                State::Loading => view! { <p class="hint" role="status">{t(Text::Loading)}</p> },
                State::Failed(reason) => view! { <p class="error" role="alert">{reason}</p> },
                State::Read(entries) => {
                    let entries: Vec<_> = entries.iter().map(entry).collect();
                    view! { <ol class="history">{entries}</ol> }
                }
            }}
        </section>
    }
}

/// One change: when, what kind, and the members with their old and new values.
fn entry(entry: &Value) -> View {
    let at = entry["occurred_at"].as_str().and_then(|text| instant::parse(text).ok());
    let at = at.map(|at| format::moment(at, &store().zone()));
    let kind = entry["event_type"].as_str().unwrap_or_default().replace(['.', '_'], " ");
    let changes = entry["changes"].as_object().cloned().unwrap_or_default();
    let changes: Vec<_> = changes
        .into_iter()
        .map(|(name, change)| {
            let (old, new) = (word(&change["from"]), word(&change["to"]));
            view! { <li>{name.replace('_', " ")}": "<del>{old}</del>" → "<ins>{new}</ins></li> }
        })
        .collect();
    view! { <li><time>{at}</time>" · "{kind}<ul>{changes}</ul></li> }
}

fn word(value: &Value) -> String {
    match value {
        Value::Null => "–".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
