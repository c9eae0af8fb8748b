//! A task in a list. Its elements stay while the task changes, so that the focus does.

use rondo_device::Row;
use rondo_domain::task::{Priority, Status};

use crate::command;
use crate::dom::*;
use crate::drag;
use crate::format;
use crate::icon::{Icon, icon, small};
use crate::popup::{self, Kind};
use crate::route::Place;
use crate::store::store;
use crate::text::{Text, t, with};

pub fn task_row(uid: String, is_ordered: bool) -> View {
    let row = {
        let uid = uid.clone();
        Memo::new(move |_| store().row(&uid))
    };
    let is_there = Memo::new(move |_| row.with(Option::is_some));
    show(move || is_there.get(), move || one(row, uid.clone(), is_ordered))
}

fn one(row: Memo<Option<Row>>, uid: String, is_ordered: bool) -> View {
    let store = store();
    let uid = StoredValue::new(uid);
    let title = Memo::new(move |_| title_of(row));
    let href = move || store.route.get().with_task(Some(&uid.get_value())).href();
    let class = move || {
        let uid = uid.get_value();
        let side = drag::side(&uid);
        let names = [
            ("done", row.with(|row| row.as_ref().is_some_and(|row| row.is_completed()))),
            ("at", store.at.with(|at| at.as_ref() == Some(&uid))),
            ("picked", store.picked.with(|picked| picked.contains(&uid))),
            ("before", side == Some(drag::Side::Before)),
            ("after", side == Some(drag::Side::After)),
        ];
        let on = names.into_iter().filter_map(|(name, is_on)| is_on.then_some(name));
        std::iter::once("row").chain(on).collect::<Vec<_>>().join(" ")
    };
    view! {
        <div
            role="listitem"
            class=class
            id=row_id(&uid.get_value())
            draggable="true"
            on:focusin=move |_| store.at.set(Some(uid.get_value()))
            on:click=move |event| if event.ctrl_key() || event.meta_key() {
                event.prevent_default();
                command::pick(&uid.get_value());
            }
            on:dragstart=move |event| drag::start(&event, &uid.get_value())
            on:dragend=move |_| drag::end()
            on:dragover=move |event| if is_ordered { drag::over_row(&event, &uid.get_value()) }
            on:drop=move |event| if is_ordered { drag::drop_on_row(&event, &uid.get_value()) }
        >
            {tick(row)}
            <div class="row-text">
                <a class="title" href=href>{title}</a>
                {move || row.with(|row| row.as_ref().and_then(meta))}
            </div>
            <div class="row-actions">
                <button class="tool s" title=t(Text::Reschedule)
                    aria-label=move || format!("{}: {}", t(Text::Reschedule), title.get())
                    on:click=move |event| popup::open(&event, Kind::Due(vec![uid.get_value()]))>
                    {icon(Icon::Today)}
                </button>
                <button class="tool s" title=t(Text::More)
                    aria-label=move || format!("{}: {}", t(Text::More), title.get())
                    on:click=move |event| popup::open(&event, Kind::Task(uid.get_value()))>
                    {icon(Icon::More)}
                </button>
            </div>
        </div>
    }
}

fn title_of(row: Memo<Option<Row>>) -> String {
    row.with(|row| row.as_ref().map(|row| row.title.clone()).unwrap_or_default())
}

/// The element of a task's row.
pub fn row_id(uid: &str) -> String {
    format!("task-{uid}")
}

/// The box that completes a task. Its colour is the priority, which its line has in words.
pub fn tick(row: Memo<Option<Row>>) -> View {
    let is_done = move || row.with(|row| row.as_ref().is_some_and(|row| row.is_completed()));
    let label =
        move || with(if is_done() { Text::ReopenOf } else { Text::CompleteOf }, title_of(row));
    let class = move || {
        let priority = row.with(|row| row.as_ref().and_then(|row| row.priority));
        format!("tick {}", priority.map_or("", Priority::as_str))
    };
    let toggle = move |event: web_sys::MouseEvent| {
        event.stop_propagation();
        if let Some(uid) = row.with_untracked(|row| row.as_ref().map(|row| row.uid.clone())) {
            command::toggle(&uid);
        }
    };
    view! {
        <button class=class role="checkbox" aria-checked=move || is_done().to_string() aria-label=label on:click=toggle>
            <span>{small(Icon::Check)}</span>
        </button>
    }
}

/// What else there is to know about a task, in one line.
fn meta(row: &Row) -> Option<View> {
    let store = store();
    let mut parts: Vec<View> = Vec::new();
    let mut part = |icon: Icon, text: String| {
        parts.push(view! { <span>{small(icon)}{text}</span> });
    };
    if row.status == Status::InProgress {
        part(Icon::Clock, t(Text::InProgress).to_owned());
    }
    if let Some(offset) = &row.reminder_offset {
        part(Icon::Bell, format::offset(offset));
    }
    let (total, done) = store.tasks(|device| device.progress(&row.uid));
    if total > 0 {
        part(Icon::Steps, format!("{done}/{total}"));
    }
    if !row.blocked_by.is_empty() && store.tasks(|device| device.is_blocked(row)) {
        part(Icon::Blocked, t(Text::Blocked).to_owned());
    }
    if let Some(priority) = row.priority.filter(|p| matches!(p, Priority::Urgent | Priority::High))
    {
        part(Icon::Flag, priority_name(priority).to_owned());
    }
    if let Some(minutes) = row.estimate {
        part(Icon::Clock, format::minutes(minutes));
    }
    let is_in_list = matches!(store.route.read_untracked().place, Place::List(_));
    if let Some(list) = row.list_id.filter(|_| !is_in_list) {
        let name = store.places(|device| device.list_of(list).map(|list| list.name.clone()));
        part(Icon::List, name.unwrap_or_default());
    }
    parts.extend(row.tags.iter().map(|tag| tag_mark(tag)));
    if row.recurrence_rule.is_some() {
        let repeats = t(Text::Repeat);
        parts.insert(
            0,
            view! { <span title=repeats>{small(Icon::Repeat)}<span class="sr">{repeats}</span></span> },
        );
    }
    if let Some(due) = due_mark(row) {
        parts.insert(0, due);
    }
    (!parts.is_empty()).then(|| view! { <div class="meta">{parts}</div> })
}

/// When a task is due, how soon that is, and whether it is late.
fn due_mark(row: &Row) -> Option<View> {
    let (due, now, zone) = (row.due?, store().now.get(), store().zone());
    let text = format::due(due, now, &zone);
    if row.is_completed() {
        return Some(view! { <span>{small(Icon::Today)}{text}</span> });
    }
    let class = format::urgency(due, row.due_at, now, &zone).class();
    let countdown = row.due_at.and_then(|end| format::countdown(end, now));
    // A day has no hour to count down to.
    let countdown = countdown.filter(|_| due.day().is_none() || class == "late");
    Some(view! {
        <span class=class>{small(Icon::Today)}{text}{countdown.map(|soon| format!(" · {soon}"))}</span>
    })
}

/// A tag with its colour.
pub fn tag_mark(tag: &str) -> View {
    let color = store().tag_color(tag);
    view! { <span>{color.map(dot)}"#"{tag.to_owned()}</span> }
}

/// A spot in a person's colour.
pub fn dot(color: String) -> View {
    view! { <span class="dot" style:border-color=color.clone() style:background=color></span> }
}

pub fn priority_name(priority: Priority) -> &'static str {
    t(match priority {
        Priority::Urgent => Text::Urgent,
        Priority::High => Text::High,
        Priority::Medium => Text::Medium,
        Priority::Low => Text::Low,
    })
}
