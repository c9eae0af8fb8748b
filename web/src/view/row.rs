//! A task in a list.

use leptos::prelude::*;
use rondo_device::Row;
use rondo_domain::task::{Priority, Status};

use crate::command;
use crate::drag;
use crate::format;
use crate::icon::{Icon, icon, small};
use crate::popup::{self, Kind};
use crate::store::store;
use crate::text::{Text, t, with};

#[component]
pub fn TaskRow(uid: String, #[prop(optional)] is_ordered: bool) -> impl IntoView {
    let row = {
        let uid = uid.clone();
        Memo::new(move |_| store().row(&uid))
    };
    move || row.get().map(|row| one(row, is_ordered))
}

fn one(row: Row, is_ordered: bool) -> AnyView {
    let uid = row.uid.clone();
    let store = store();
    let href = {
        let uid = uid.clone();
        move || store.route.get().with_task(Some(&uid)).href()
    };
    let class = {
        let (uid, is_done) = (uid.clone(), row.is_completed());
        move || {
            let is_at = store.at.get().as_ref() == Some(&uid);
            let is_picked = store.picked.with(|picked| picked.contains(&uid));
            let side = drag::side(&uid);
            [("row", true), ("done", is_done), ("at", is_at), ("picked", is_picked)]
                .into_iter()
                .chain([("before", side == Some(drag::Side::Before)), ("after", side == Some(drag::Side::After))])
                .filter_map(|(name, is_on)| is_on.then_some(name))
                .collect::<Vec<_>>()
                .join(" ")
        }
    };
    let title = row.title.clone();
    let (at, menu_uid, date_uid, drag_uid, over_uid, drop_uid) =
        (uid.clone(), uid.clone(), uid.clone(), uid.clone(), uid.clone(), uid.clone());
    view! {
        <div
            role="listitem"
            class=class
            id=row_id(&uid)
            draggable="true"
            on:focusin=move |_| store.at.set(Some(at.clone()))
            on:click={
                let uid = uid.clone();
                move |event| if event.ctrl_key() || event.meta_key() {
                    event.prevent_default();
                    command::pick(&uid);
                }
            }
            on:dragstart=move |event| drag::start(&event, &drag_uid)
            on:dragend=move |_| drag::end()
            on:dragover=move |event| if is_ordered { drag::over_row(&event, &over_uid) }
            on:drop=move |event| if is_ordered { drag::drop_on_row(&event, &drop_uid) }
        >
            {tick(&row)}
            <div class="row-text">
                <a class="title" href=href>{title.clone()}</a>
                {meta(&row)}
            </div>
            <div class="row-actions">
                <button class="tool s" title=t(Text::Reschedule) aria-label=format!("{}: {title}", t(Text::Reschedule))
                    on:click=move |event| popup::open(&event, Kind::Due(vec![date_uid.clone()]))>
                    {icon(Icon::Today)}
                </button>
                <button class="tool s" title=t(Text::More) aria-label=format!("{}: {title}", t(Text::More))
                    on:click=move |event| popup::open(&event, Kind::Task(menu_uid.clone()))>
                    {icon(Icon::More)}
                </button>
            </div>
        </div>
    }
    .into_any()
}

/// The element of a task's row.
pub fn row_id(uid: &str) -> String {
    format!("task-{uid}")
}

/// The box that completes a task. Its colour is the priority, which its name has in words.
pub fn tick(row: &Row) -> AnyView {
    let (uid, is_done) = (row.uid.clone(), row.is_completed());
    let label = with(if is_done { Text::ReopenOf } else { Text::CompleteOf }, &row.title);
    let class = format!("tick {}", row.priority.map_or("", Priority::as_str));
    view! {
        <button class=class role="checkbox" aria-checked=is_done.to_string() aria-label=label
            on:click=move |event| { event.stop_propagation(); command::toggle(&uid) }>
            <span>{small(Icon::Check)}</span>
        </button>
    }
    .into_any()
}

/// What else there is to know about a task, in one line.
pub fn meta(row: &Row) -> Option<AnyView> {
    let store = store();
    let mut parts: Vec<AnyView> = Vec::new();
    if let Some(due) = row.due {
        let now = store.now.get();
        let zone = store.zone();
        let urgency = format::urgency(due, row.due_at, now, &zone);
        let is_open = !row.is_completed();
        let title = row.due_at.filter(|_| is_open).and_then(|end| format::countdown(end, now));
        let class = if is_open { urgency.class() } else { "" };
        parts.push(
            view! { <span class=class title=title>{small(Icon::Today)}{format::due(due, now, &zone)}</span> }
                .into_any(),
        );
    }
    if row.recurrence_rule.is_some() {
        parts.push(
            view! { <span title=t(Text::Repeat)>{small(Icon::Repeat)}<span class="sr">{t(Text::Repeat)}</span></span> }
                .into_any(),
        );
    }
    if let Some(offset) = &row.reminder_offset {
        parts.push(view! { <span>{small(Icon::Bell)}{format::offset(offset)}</span> }.into_any());
    }
    let (total, done) = store.tasks(|device| device.progress(row.id));
    if total > 0 {
        parts.push(view! { <span>{small(Icon::Steps)}{format!("{done}/{total}")}</span> }.into_any());
    }
    if store.tasks(|device| device.is_blocked(row)) {
        parts.push(view! { <span>{small(Icon::Blocked)}{t(Text::Blocked)}</span> }.into_any());
    }
    if row.status == Status::InProgress {
        parts.push(view! { <span>{small(Icon::Clock)}{t(Text::InProgress)}</span> }.into_any());
    }
    if let Some(priority) = row.priority.filter(|p| matches!(p, Priority::Urgent | Priority::High)) {
        parts.push(view! { <span>{small(Icon::Flag)}{priority_name(priority)}</span> }.into_any());
    }
    if let Some(minutes) = row.estimate {
        parts.push(view! { <span>{small(Icon::Clock)}{format::minutes(minutes)}</span> }.into_any());
    }
    for tag in &row.tags {
        parts.push(tag_chip(tag));
    }
    if let Some(list) = row.list_id {
        let name = store.places(|device| device.list(list).map(|list| list.name.clone()));
        let is_elsewhere = !matches!(&store.route.read_untracked().place, crate::route::Place::List(_));
        if let Some(name) = name.filter(|_| is_elsewhere) {
            parts.push(view! { <span>{small(Icon::List)}{name}</span> }.into_any());
        }
    }
    (!parts.is_empty()).then(|| view! { <div class="meta">{parts}</div> }.into_any())
}

/// A tag with its colour.
pub fn tag_chip(tag: &str) -> AnyView {
    let color = store().places(|device| device.tag(tag).and_then(|tag| tag.color.clone()));
    let name = tag.to_owned();
    view! {
        <span>{color.map(|color| view! { <span class="dot" style:border-color=color.clone() style:background=color></span> })}
        "#"{name}</span>
    }
    .into_any()
}

pub fn priority_name(priority: Priority) -> &'static str {
    t(match priority {
        Priority::Urgent => Text::Urgent,
        Priority::High => Text::High,
        Priority::Medium => Text::Medium,
        Priority::Low => Text::Low,
    })
}
