//! Deleted tasks, as the server keeps them for some days.

use rondo_device::Edit;
use rondo_domain::instant;
use serde_json::Value;
use wasm_bindgen_futures::spawn_local;

use crate::dom::*;
use crate::format;
use crate::icon::{Icon, icon};
use crate::net::{Reading as _, Request};
use crate::session;
use crate::store::store;
use crate::text::{Text, t, with};
use crate::toast::{self, Action};

/// Tasks of a page.
const PAGE: usize = 100;

#[inline(never)]
pub fn trash() -> View {
    let tasks = RwSignal::new(None::<Vec<Value>>);
    let fault = RwSignal::new(String::new());
    let next = RwSignal::new(None::<String>);
    let read = move |cursor: Option<String>| {
        spawn_local(async move {
            let cursor = cursor.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
            let answer =
                session::send(&Request::get(format!("/api/trash?limit={PAGE}{cursor}"))).await;
            match answer {
                Ok(answer) if answer.is_ok() => {
                    let page = answer.json().as_array().cloned().unwrap_or_default();
                    next.try_set(answer.next());
                    tasks.try_update(|tasks| tasks.get_or_insert_default().extend(page));
                    fault.try_set(String::new());
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
    read(None);
    let forget = move |id: i64| {
        tasks.update(|tasks| {
            if let Some(tasks) = tasks {
                tasks.retain(|task| task["id"] != id);
            }
        });
    };
    let row = move |task: Value| {
        let id = task["id"].as_i64().unwrap_or_default();
        let title = task["title"].as_str().unwrap_or_default().to_owned();
        let at = task["deleted_at"].as_str().and_then(|text| instant::parse(text).ok());
        let at = at.map(|at| format::moment(at, &store().zone()));
        let (restored, named, label) = (task.clone(), title.clone(), title.clone());
        let restore = move |_| {
            store().edit(vec![Edit::restore(&restored)]);
            forget(id);
            toast::show(with(Text::TaskRestored, &named), Action::Undo);
        };
        let delete = move |_| {
            spawn_local(async move {
                match session::send(&Request::delete(format!("/api/trash/{id}"))).await {
                    Ok(answer) if answer.is_ok() || answer.status == 404 => forget(id),
                    Ok(answer) => toast::show(answer.problem(), Action::None),
                    Err(_) => toast::show(t(Text::NoAnswer).to_owned(), Action::None),
                }
            });
        };
        view! {
            <li>
                <span class="grow">{title}<br/><span class="hint">{at}</span></span>
                <button class="button" aria-label=format!("{}: {label}", t(Text::Restore)) on:click=restore>{t(Text::Restore)}</button>
                <button class="tool" title=t(Text::DeleteForever) aria-label=format!("{}: {label}", t(Text::DeleteForever)) on:click=delete>
                    {icon(Icon::Trash)}
                </button>
            </li>
        }
    };
    view! {
        <header class="head">
            <div class="head-title"><h1 tabindex="-1">{t(Text::Trash)}</h1><p>{t(Text::TrashHint)}</p></div>
        </header>
        <p class="error" role="alert">{fault}</p>
        {move || match tasks.get() {
            None if fault.with(String::is_empty) => view! { <p class="empty" role="status">{t(Text::Loading)}</p> },
            None => View::empty(),
            Some(tasks) if tasks.is_empty() => view! {
                <div class="empty">{icon(Icon::Trash)}<h2>{t(Text::TrashEmpty)}</h2><p>{t(Text::TrashHint)}</p></div>
            },
            Some(tasks) => view! { <ul class="table">{tasks.into_iter().map(row).collect::<Vec<_>>()}</ul> },
        }}
        {move || next.get().map(|cursor| view! {
            <button class="button wide" on:click=move |_| { next.set(None); read(Some(cursor.clone())) }>{t(Text::More)}</button>
        })}
    }
}
