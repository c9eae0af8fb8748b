//! Menus: what can be done to tasks, lists, filters and tags.

use rondo_device::{Beside, Device, Edit};
use rondo_domain::jiff::ToSpan as _;
use rondo_domain::jiff::civil::Weekday;
use rondo_domain::task::Priority;
use serde_json::{Value, json};

use crate::command;
use crate::dialog::{self, Dialog};
use crate::dom::*;
use crate::icon::{Icon, icon};
use crate::popup::{self, Kind};
use crate::route::{Place, Route};
use crate::store::store;
use crate::sync;
use crate::text::{Text, t};
use crate::view::row::{dot, priority_name};

/// An entry: its sign, its text, and what it does after the menu has closed.
fn item(sign: Icon, text: Text, act: impl Fn() + 'static) -> View {
    entry(icon(sign), t(text).to_owned(), "", false, act)
}

fn entry(
    sign: View,
    text: String,
    class: &'static str,
    is_chosen: bool,
    act: impl Fn() + 'static,
) -> View {
    let act = move |_| {
        popup::close();
        act();
    };
    view! {
        <button class=class role="menuitem" aria-current=is_chosen.then_some("true") on:click=act>
            {sign}<span>{text}</span>
            {is_chosen.then(|| view! { <span class="end">{icon(Icon::Check)}</span> })}
        </button>
    }
}

/// An entry that puts another popup in the place of the menu.
fn next(sign: Icon, text: Text, kind: Kind) -> View {
    view! {
        <button role="menuitem" aria-haspopup="true" on:click=move |_| popup::switch(kind.clone())>
            {icon(sign)}<span>{t(text)}</span>
        </button>
    }
}

fn menu(label: Text, entries: Vec<View>) -> View {
    view! { <div role="menu" aria-label=t(label)>{entries}</div> }
}

pub fn task(uid: String) -> View {
    let Some(row) = store().read(|device| device.task(&uid).cloned()) else { return View::empty() };
    let one = || vec![uid.clone()];
    let tomorrow = command::today().checked_add(1.days()).ok();
    let act = |act: fn(&str)| {
        let uid = uid.clone();
        move || act(&uid)
    };
    let mut entries = Vec::new();
    let toggle = if row.is_completed() { Text::Reopen } else { Text::Complete };
    entries.push(item(Icon::Check, toggle, act(command::toggle)));
    if row.recurrence_rule.is_some() && !row.is_completed() {
        entries.push(item(Icon::Skip, Text::Skip, act(command::skip)));
    }
    if let Some(tomorrow) = tomorrow {
        let uids = one();
        entries
            .push(item(Icon::Right, Text::Tomorrow, move || command::reschedule(&uids, tomorrow)));
    }
    entries.push(next(Icon::Today, Text::Due, Kind::Due(one())));
    entries.push(next(Icon::Bell, Text::Reminder, Kind::Reminder(uid.clone())));
    let repeated = uid.clone();
    entries.push(item(Icon::Repeat, Text::Repeat, move || {
        dialog::open(Dialog::Recurrence(repeated.clone()))
    }));
    entries.push(next(Icon::Flag, Text::Priority, Kind::Priority(one())));
    entries.push(next(Icon::List, Text::MoveTo, Kind::List(one())));
    entries.push(next(Icon::Tag, Text::Tags, Kind::Tags(one())));
    entries.push(item(Icon::Plus, Text::Duplicate, act(command::duplicate)));
    let uids = one();
    entries.push(entry(
        icon(Icon::Trash),
        t(Text::Delete).to_owned(),
        "danger",
        false,
        move || command::delete(&uids),
    ));
    menu(Text::Task, entries)
}

pub fn priority(uids: Vec<String>) -> View {
    let current = store().read(|device| device.task(uids.first()?)?.priority);
    let all = [
        Some(Priority::Urgent),
        Some(Priority::High),
        Some(Priority::Medium),
        Some(Priority::Low),
        None,
    ];
    let entries = all.into_iter().map(|priority| {
        let name = priority.map_or(t(Text::None), priority_name);
        let uids = uids.clone();
        let act = move || command::set(&uids, "priority", &json!(priority.map(Priority::as_str)));
        let class = priority.map_or("", Priority::as_str);
        let sign = view! { <span class=format!("tick {class}")><span></span></span> };
        entry(sign, name.to_owned(), "", priority == current, act)
    });
    menu(Text::Priority, entries.collect())
}

pub fn list(uids: Vec<String>) -> View {
    let current = store().read(|device| device.task(uids.first()?).map(|row| row.list_id));
    let inbox = {
        let uids = uids.clone();
        let act = move || command::move_to_list(&uids, None);
        entry(icon(Icon::Inbox), t(Text::Inbox).to_owned(), "", current == Some(None), act)
    };
    let lists = store().read(|device| device.lists().into_iter().cloned().collect::<Vec<_>>());
    let others = lists.into_iter().filter(|list| !list.archived).map(|list| {
        let (uids, id) = (uids.clone(), list.id);
        let sign = list.color.map_or_else(|| icon(Icon::List), dot);
        let act = move || command::move_to_list(&uids, Some(id));
        entry(sign, list.name, "", current == Some(Some(id)), act)
    });
    let mut entries = vec![inbox];
    entries.extend(others);
    entries.push(item(Icon::Plus, Text::NewList, || dialog::open(Dialog::NewList)));
    menu(Text::MoveTo, entries)
}

/// Tags to switch, and a field for a new one.
pub fn tags(uids: Vec<String>) -> View {
    let text = RwSignal::new(String::new());
    let targets = uids.clone();
    let rows = move || {
        let typed = text.get();
        let folded = typed.trim().to_lowercase();
        let tags = store().places(Device::tags);
        let chosen = store().tasks(|device| {
            let rows: Vec<_> = targets.iter().filter_map(|uid| device.task(uid)).collect();
            let all = |name: &str| {
                rows.iter().all(|row| row.tags.iter().any(|tag| tag.eq_ignore_ascii_case(name)))
            };
            tags.iter().filter(|tag| all(&tag.name)).map(|tag| tag.name.clone()).collect::<Vec<_>>()
        });
        let found = tags.into_iter().filter(|tag| tag.name.to_lowercase().contains(&folded));
        found
            .map(|tag| {
                let (uids, name) = (targets.clone(), tag.name.clone());
                let is_on = chosen.contains(&tag.name);
                let sign = tag.color.map_or_else(|| icon(Icon::Tag), dot);
                view! {
                    <button class="menu-item" role="menuitemcheckbox" aria-checked=is_on.to_string()
                        on:click=move |_| command::toggle_tag(&uids, &name)>
                        {sign}<span>{tag.name}</span>
                        {is_on.then(|| view! { <span class="end">{icon(Icon::Check)}</span> })}
                    </button>
                }
            })
            .collect::<Vec<_>>()
    };
    let add = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        let name = text.get_untracked().trim().trim_start_matches('#').to_owned();
        if !name.is_empty() {
            command::toggle_tag(&uids, &name);
            text.set(String::new());
        }
    };
    view! {
        <form class="pad" on:submit=add>
            <input class="input" name="tags" data-first="" autocomplete="off" maxlength="50" aria-label=t(Text::AddTag)
                placeholder=t(Text::AddTag) prop:value=text on:input=move |event| text.set(event_target_value(&event))/>
        </form>
        <div role="menu" aria-label=t(Text::Tags)>{rows}</div>
    }
}

pub fn list_menu(id: i64) -> View {
    let Some(list) = store().read(|device| device.list_of(id).cloned()) else {
        return View::empty();
    };
    let archived = list.archived;
    let archive = move || {
        store().edit(vec![Edit::PatchList {
            id,
            members: command::members("archived", (!archived).into()),
        }]);
    };
    let text = if archived { Text::Unarchive } else { Text::Archive };
    let entries = vec![
        item(Icon::Text, Text::Edit, move || dialog::open(Dialog::EditList(id))),
        item(Icon::Up, Text::MoveUp, move || move_list(id, -1)),
        item(Icon::Down, Text::MoveDown, move || move_list(id, 1)),
        item(Icon::Inbox, text, archive),
        entry(icon(Icon::Trash), t(Text::Delete).to_owned(), "danger", false, move || {
            dialog::open(Dialog::DeleteList(id));
        }),
    ];
    menu(Text::List, entries)
}

/// Moves a list among those that are shown.
fn move_list(id: i64, by: isize) {
    let beside = store().read(|device| {
        let lists: Vec<_> = device.lists().into_iter().filter(|list| !list.archived).collect();
        let id = device.resolved(id);
        let at = lists.iter().position(|list| list.id == id)?;
        let other = lists.get(at.checked_add_signed(by)?)?.id;
        Some(if by < 0 { Beside::Before(other) } else { Beside::After(other) })
    });
    if let Some(beside) = beside {
        store().edit(vec![Edit::MoveList { id, beside }]);
    }
}

pub fn filter_menu(id: i64) -> View {
    let delete = move || {
        store().edit(vec![Edit::DeleteFilter { id }]);
        Route::to(Place::Today).go();
    };
    let entries = vec![
        item(Icon::Text, Text::Edit, move || dialog::open(Dialog::EditFilter(id))),
        entry(icon(Icon::Trash), t(Text::Delete).to_owned(), "danger", false, delete),
    ];
    menu(Text::Filters, entries)
}

pub fn tag_menu(name: String) -> View {
    let edited = name.clone();
    let delete = move || {
        store().edit(vec![Edit::DeleteTag { name: name.clone() }]);
        Route::to(Place::Today).go();
    };
    let entries = vec![
        item(Icon::Text, Text::Edit, move || dialog::open(Dialog::EditTag(edited.clone()))),
        entry(icon(Icon::Trash), t(Text::Delete).to_owned(), "danger", false, delete),
    ];
    menu(Text::Tags, entries)
}

pub fn account() -> View {
    let sign_out = || {
        let unsent = store().read(|device| device.outbox().len());
        match unsent {
            0 => sync::sign_out(),
            count => dialog::open(Dialog::SignOut(count)),
        }
    };
    let entries = vec![
        item(Icon::Settings, Text::Settings, || Route::to(Place::Settings(String::new())).go()),
        item(Icon::Text, Text::Keys, || dialog::open(Dialog::Keys)),
        item(Icon::Left, Text::SignOut, sign_out),
    ];
    menu(Text::Account, entries)
}

/// The days of the quick choices for a date.
pub fn quick_days() -> Vec<(Text, rondo_domain::jiff::civil::Date)> {
    let today = command::today();
    let next = |weekday: Weekday| today.nth_weekday(1, weekday).ok();
    let days = [
        (Text::Today, Some(today)),
        (Text::Tomorrow, today.checked_add(1.days()).ok()),
        (Text::ThisWeekend, next(Weekday::Saturday)),
        (Text::NextWeek, next(Weekday::Monday)),
    ];
    days.into_iter().filter_map(|(text, day)| Some((text, day?))).collect()
}

/// A member's value of the API, as JSON null if there is none.
pub fn optional(text: &str) -> Value {
    let text = text.trim();
    if text.is_empty() { Value::Null } else { text.into() }
}
