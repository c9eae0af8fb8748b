//! The main column: what each place shows.

use rondo_device::{Device, Members, Row};
use rondo_domain::instant::Instant;
use rondo_domain::jiff::ToSpan as _;
use rondo_domain::jiff::civil::Date;
use serde_json::json;

use crate::dialog::{self, Dialog};
use crate::dom::*;
use crate::format;
use crate::icon::{Icon, icon};
use crate::popup::{self, Kind};
use crate::route::{Place, Route};
use crate::store::store;
use crate::text::{Text, t, with};
use crate::view::month::month;
use crate::view::quick::quick_add;
use crate::view::tasks::{Group, tasks};
use crate::view::trash::trash;

/// How many days ahead have a heading of their own, even without tasks.
const DAYS_AHEAD: i32 = 13;

pub fn page() -> View {
    let place = Memo::new(|_| store().route.with(|route| route.place.clone()));
    // Where a person types, the page stays while the text changes.
    let kind = Memo::new(move |_| match place.get() {
        Place::Search(_) => Place::Search(String::new()),
        place => place,
    });
    Effect::new(move || {
        crate::platform::document().set_title(&format!("{} · Rondo", name_of(&kind.get())))
    });
    switch(
        move || kind.get(),
        |kind| match kind {
            Place::Today => simple(Text::Today, true, today),
            Place::Upcoming => upcoming_page(),
            Place::Month(day) => month(day),
            Place::Inbox => simple(Text::Inbox, true, inbox),
            Place::Completed => simple(Text::Completed, false, completed),
            Place::List(id) => list_page(id.parse().unwrap_or_default()),
            Place::Filter(id) => filter_page(id.parse().unwrap_or_default()),
            Place::Tag(name) => tag_page(name),
            Place::Search(_) => search(),
            Place::Trash => trash(),
            Place::Settings(part) => crate::view::settings::page(part),
            // Doors are for those who are not signed in.
            _ => simple(Text::Today, true, today),
        },
    )
}

/// The name of a place, for the window's title.
fn name_of(place: &Place) -> String {
    let text = match place {
        Place::Upcoming => Text::Upcoming,
        Place::Month(_) => Text::Month,
        Place::Inbox => Text::Inbox,
        Place::Completed => Text::Completed,
        Place::Search(_) => Text::Search,
        Place::Trash => Text::Trash,
        Place::Settings(_) => Text::Settings,
        Place::Tag(name) => return format!("#{name}"),
        Place::List(id) => {
            let id = id.parse().unwrap_or_default();
            return store()
                .places(|device| device.list_of(id).map(|list| list.name.clone()))
                .unwrap_or_default();
        }
        Place::Filter(id) => {
            let id: i64 = id.parse().unwrap_or_default();
            let name = store().places(|device| {
                let id = device.resolved(id);
                device
                    .filters()
                    .into_iter()
                    .find(|filter| filter.id == id)
                    .map(|filter| filter.name.clone())
            });
            return name.unwrap_or_default();
        }
        _ => Text::Today,
    };
    t(text).to_owned()
}

/// Groups of tasks at a moment.
type Grouping = fn(&Device, Instant) -> Vec<Group>;

fn uids(rows: &[&Row]) -> Vec<String> {
    rows.iter().map(|row| row.uid.clone()).collect()
}

fn one_group(rows: &[&Row]) -> Vec<Group> {
    if rows.is_empty() {
        return Vec::new();
    }
    vec![Group { key: "all".to_owned(), uids: uids(rows), ..Group::default() }]
}

fn today(device: &Device, now: Instant) -> Vec<Group> {
    let rows = device.today(now);
    let day = device.zone().local_of(now).date();
    let (late, due): (Vec<&Row>, Vec<&Row>) = rows.into_iter().partition(|row| row.is_overdue(now));
    let mut groups = Vec::new();
    if !late.is_empty() {
        groups.push(Group {
            key: "late".to_owned(),
            title: t(Text::Overdue).to_owned(),
            is_late: true,
            uids: uids(&late),
            day: None,
        });
    }
    if !due.is_empty() {
        groups.push(Group {
            key: "today".to_owned(),
            title: t(Text::Today).to_owned(),
            uids: uids(&due),
            day: Some(day),
            ..Group::default()
        });
    }
    groups
}

fn inbox(device: &Device, now: Instant) -> Vec<Group> {
    let rows: Vec<_> =
        device.inbox(now).into_iter().filter(|row| row.subtask_of.is_none()).collect();
    one_group(&rows)
}

#[inline(never)]
fn completed(device: &Device, now: Instant) -> Vec<Group> {
    let zone = device.zone();
    let today = zone.local_of(now).date();
    let mut groups: Vec<Group> = Vec::new();
    for row in device.completed() {
        let day = zone.local_of(row.completed_at.unwrap_or(row.updated_at)).date();
        let key = day.to_string();
        match groups.last_mut() {
            Some(group) if group.key == key => group.uids.push(row.uid.clone()),
            _ => groups.push(Group {
                key,
                title: format::near_day(day, today),
                uids: vec![row.uid.clone()],
                ..Group::default()
            }),
        }
    }
    groups
}

/// A page of one view, with its quick-add line.
fn simple(title: Text, has_line: bool, grouping: Grouping) -> View {
    let groups = Memo::new(move |_| {
        let now = store().now.get();
        store().tasks(|device| grouping(device, now))
    });
    let is_today = title == Text::Today;
    let subtitle = move || is_today.then(|| format::date(today_watched(), "day"));
    let more = Signal::derive(move || match is_today {
        true => crate::command::members("due_day", today_watched().to_string().into()),
        false => Members::new(),
    });
    let is_ordered = title == Text::Inbox;
    view! {
        <header class="head">
            <div class="head-title"><h1 tabindex="-1">{t(title)}</h1><p>{subtitle}</p></div>
        </header>
        {has_line.then(|| quick_add(more))}
        {tasks(groups, is_ordered)}
        {empty(groups, title)}
    }
}

fn today_watched() -> Date {
    store().zone().local_of(store().now.get()).date()
}

/// What an empty page says.
fn empty(groups: Memo<Vec<Group>>, title: Text) -> View {
    let store = store();
    let is_empty =
        Memo::new(move |_| groups.with(|groups| groups.iter().all(|group| group.uids.is_empty())));
    let is_known = Memo::new(move |_| {
        store.tasks.track();
        store.connection.track();
        store.is_loaded.get()
            && store.read(|device| device.is_complete() || !crate::platform::is_online())
    });
    let (sign, head, hint) = match title {
        Text::Today => (Icon::Sun, Text::NothingToday, Text::NothingTodayHint),
        Text::Completed => (Icon::Check, Text::NothingCompleted, Text::NothingHereHint),
        Text::Search => (Icon::Search, Text::NothingFound, Text::NothingFoundHint),
        _ => (Icon::Inbox, Text::NothingHere, Text::NothingHereHint),
    };
    live(move || {
        is_empty.get().then(|| match is_known.get() {
            true => {
                view! { <div class="empty">{icon(sign)}<h2>{t(head)}</h2><p>{t(hint)}</p></div> }
            }
            false => view! { <p class="empty" role="status">{t(Text::Loading)}</p> },
        })
    })
}

#[inline(never)]
fn upcoming_page() -> View {
    let groups = Memo::new(move |_| {
        let now = store().now.get();
        store().tasks(|device| upcoming(device, now))
    });
    let more = Signal::derive(Members::new);
    let month = Route::to(Place::Month(String::new())).href();
    view! {
        <header class="head">
            <div class="head-title"><h1 tabindex="-1">{t(Text::Upcoming)}</h1></div>
            <a class="tool" href=month>{icon(Icon::Month)}{t(Text::Month)}</a>
        </header>
        {quick_add(more)}
        {tasks(groups, false)}
    }
}

/// The next days, each with its tasks, and later days that have some.
fn upcoming(device: &Device, now: Instant) -> Vec<Group> {
    let today = device.zone().local_of(now).date();
    let last = Date::MAX;
    let days = device.upcoming(today, last);
    let group = |day: Date, rows: &[&Row]| Group {
        key: day.to_string(),
        title: match (day - today).get_days() {
            0 | 1 => {
                format!("{} · {}", format::near_day(day, today), format::date(day, "weekdayDay"))
            }
            _ if day.year() == today.year() => format::date(day, "day"),
            _ => format::date(day, "dayYear"),
        },
        is_late: false,
        uids: uids(rows),
        day: Some(day),
    };
    let near = (0..=DAYS_AHEAD).filter_map(|days| today.checked_add(days.days()).ok());
    let mut groups: Vec<Group> =
        near.map(|day| group(day, days.get(&day).map(Vec::as_slice).unwrap_or_default())).collect();
    let shown = groups.len();
    let later = days.iter().filter(|(day, _)| (**day - today).get_days() > DAYS_AHEAD);
    groups.extend(later.map(|(day, rows)| group(*day, rows)));
    debug_assert!(groups.len() >= shown);
    groups
}

#[inline(never)]
fn list_page(id: i64) -> View {
    let list = Memo::new(move |_| store().places(|device| device.list_of(id).cloned()));
    let groups = Memo::new(move |_| {
        let now = store().now.get();
        store().tasks(|device| {
            let rows = device.list(id, now).into_iter().filter(|row| row.subtask_of.is_none());
            one_group(&rows.collect::<Vec<_>>())
        })
    });
    let more = Signal::derive(move || crate::command::members("list_id", json!(id)));
    let is_there = Memo::new(move |_| list.with(Option::is_some));
    let name = Memo::new(move |_| {
        list.with(|list| list.as_ref().map(|list| list.name.clone()).unwrap_or_default())
    });
    switch(
        move || is_there.get(),
        move |is_there| match is_there {
            true => view! {
                <header class="head">
                    <div class="head-title"><h1 tabindex="-1">{name}</h1></div>
                    <button class="tool" aria-label=t(Text::More) on:click=move |event| popup::open(&event, Kind::ListMenu(id))>
                        {icon(Icon::More)}
                    </button>
                </header>
                {quick_add(more)}
                {tasks(groups, true)}
                {empty(groups, Text::List)}
            },
            false => view! { <p class="empty">{t(Text::NoList)}</p> },
        },
    )
}

#[inline(never)]
fn filter_page(id: i64) -> View {
    let filter = Memo::new(move |_| {
        store().places(|device| {
            device.filters().into_iter().find(|filter| filter.id == device.resolved(id)).cloned()
        })
    });
    let found = Memo::new(move |_| {
        let now = store().now.get();
        store().tasks(|device| match device.filter(id, now) {
            Ok(rows) => (one_group(&rows), String::new()),
            Err(faults) => (Vec::new(), crate::store::words(&faults)),
        })
    });
    let groups = Memo::new(move |_| found.with(|(groups, _)| groups.clone()));
    let more = Signal::derive(Members::new);
    let name = move || filter.with(|filter| filter.as_ref().map(|filter| filter.name.clone()));
    let fault = move || {
        found.with(|(_, fault)| {
            (!fault.is_empty()).then(|| view! { <p class="error">{fault.clone()}</p> })
        })
    };
    view! {
        <header class="head">
            <div class="head-title"><h1 tabindex="-1">{name}</h1></div>
            <button class="tool" aria-label=t(Text::More) on:click=move |event| popup::open(&event, Kind::FilterMenu(id))>
                {icon(Icon::More)}
            </button>
        </header>
        {fault}
        {quick_add(more)}
        {tasks(groups, false)}
        {empty(groups, Text::Filters)}
    }
}

#[inline(never)]
fn tag_page(name: String) -> View {
    let (of_tag, more_of, menu) = (name.clone(), name.clone(), name.clone());
    let groups = Memo::new(move |_| store().tasks(|device| one_group(&device.tag(&of_tag))));
    let more = Signal::derive(move || crate::command::members("tags", json!([more_of])));
    view! {
        <header class="head">
            <div class="head-title"><h1 tabindex="-1">"#"{name}</h1></div>
            <button class="tool" aria-label=t(Text::More)
                on:click=move |event| popup::open(&event, Kind::TagMenu(menu.clone()))>{icon(Icon::More)}</button>
        </header>
        {quick_add(more)}
        {tasks(groups, false)}
        {empty(groups, Text::Tags)}
    }
}

#[inline(never)]
fn search() -> View {
    let text = Memo::new(|_| {
        store().route.with(|route| match &route.place {
            Place::Search(text) => text.clone(),
            _ => String::new(),
        })
    });
    let groups = Memo::new(move |_| {
        let text = text.get();
        if text.trim().is_empty() {
            return Vec::new();
        }
        store().tasks(|device| one_group(&device.search(&text)))
    });
    let count = move || groups.with(|groups| groups.first().map_or(0, |group| group.uids.len()));
    let found = move || match count() {
        0 => String::new(),
        1 => t(Text::OneTask).to_owned(),
        count => with(Text::ManyTasks, count),
    };
    let save = move |_| {
        let query = format!("search={}", crate::route::encoded(&text.get_untracked()));
        dialog::open(Dialog::NewFilter(query));
    };
    view! {
        <header class="head">
            <div class="head-title"><h1 tabindex="-1">{t(Text::Search)}</h1></div>
            {show(move || { count() > 0 }, move || view! { <button class="tool" on:click=save>{icon(Icon::Filter)}{t(Text::SaveAsFilter)}</button> })}
        </header>
        <div class="field">
            <input class="input" id="search" name="search" type="search" aria-label=t(Text::Search)
                placeholder=t(Text::Search) autocomplete="off" prop:value=text
                on:input=|event| Route::to(Place::Search(event_target_value(&event))).replace()/>
            <p class="hint" role="status">{found}</p>
        </div>
        {tasks(groups, false)}
        {show(move || text.with(|text| !text.trim().is_empty()), move || empty(groups, Text::Search))}
    }
}
