//! The side: places, lists, filters and tags, and how the connection is.

use rondo_device::{Connection, Device, List};

use crate::dialog::{self, Dialog};
use crate::dom::*;
use crate::drag::{self, Target};
use crate::icon::{Icon, icon, small};
use crate::popup::{self, Kind};
use crate::route::{Place, Route};
use crate::store::store;
use crate::text::{Text, t, with};
use crate::view::row::dot;

/// The counts beside places.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Counts {
    today: usize,
    late: usize,
    inbox: usize,
    /// By id.
    lists: Vec<(i64, usize)>,
}

fn count(device: &Device) -> Counts {
    let now = store().now.get();
    let today = device.today(now);
    let mut lists = rondo_domain::map::Map::new();
    let mut inbox = 0;
    for row in device.tasks().filter(|row| !row.is_completed() && !row.is_deferred(now)) {
        match row.list_id {
            Some(list) => *lists.entry(device.resolved(list), usize::default) += 1,
            None => inbox += 1,
        }
    }
    let late = today.iter().filter(|row| row.is_overdue(now)).count();
    Counts { today: today.len(), late, inbox, lists: lists.into_iter().collect() }
}

pub fn side() -> View {
    let store = store();
    let counts = Memo::new(move |_| store.tasks(count));
    let lists = Memo::new(move |_| {
        store.places(|device| {
            let lists = device.lists().into_iter().filter(|list| !list.archived);
            lists.cloned().collect::<Vec<List>>()
        })
    });
    let filters = Memo::new(move |_| {
        store.places(|device| device.filters().into_iter().cloned().collect::<Vec<_>>())
    });
    let tags = Memo::new(move |_| store.places(Device::tags));
    let email = Memo::new(move |_| {
        store.account(|device| {
            let account = device.account();
            account.name().map_or_else(|| account.email().to_owned(), str::to_owned)
        })
    });
    let class = move || if store.is_menu_open.get() { "side open" } else { "side" };
    let close = move |_| store.is_menu_open.set(false);
    view! {
        <nav class=class id="menu" aria-label=t(Text::Menu) on:click=close>
            <div class="side-top">
                {logo()}
                <span class="who">{email}</span>
                <button class="tool" aria-label=t(Text::Account) title=t(Text::Account)
                    on:click=move |event| popup::open(&event, Kind::Account)>{icon(Icon::More)}</button>
            </div>
            {place(Icon::Search, Text::Search, Place::Search(String::new()), none(), None)}
            {place(Icon::Today, Text::Today, Place::Today, Box::new(move || counts.with(|c| Some((c.today, c.late > 0)))), None)}
            {place(Icon::Upcoming, Text::Upcoming, Place::Upcoming, none(), None)}
            {place(Icon::Inbox, Text::Inbox, Place::Inbox, Box::new(move || counts.with(|c| Some((c.inbox, false)))), Some(None))}
            {place(Icon::Check, Text::Completed, Place::Completed, none(), None)}
            {place(Icon::Trash, Text::Trash, Place::Trash, none(), None)}
            <button class="nav" aria-expanded=move || store.chat.is_open.get().to_string()
                on:click=move |_| store.chat.toggle()>{icon(Icon::Chat)}<span class="name">{t(Text::Assistant)}</span></button>
            <div class="side-title">
                <h2>{t(Text::Lists)}</h2>
                <button class="tool s" aria-label=t(Text::NewList) title=t(Text::NewList)
                    on:click=|_| dialog::open(Dialog::NewList)>{small(Icon::Plus)}</button>
            </div>
            {each(move || lists.get(), |list| (list.id, list.name.clone(), list.color.clone(), list.icon.clone()), move |list| list_link(&list, counts))}
            <div class="side-title">
                <h2>{t(Text::Filters)}</h2>
                <button class="tool s" aria-label=t(Text::NewFilter) title=t(Text::NewFilter)
                    on:click=|_| dialog::open(Dialog::NewFilter(String::new()))>{small(Icon::Plus)}</button>
            </div>
            {each(move || filters.get(), |filter| (filter.id, filter.name.clone(), filter.icon.clone()), move |filter| {
                    let sign = match &filter.icon {
                        Some(sign) => view! { <span aria-hidden="true">{sign.clone()}</span> },
                        None => icon(Icon::Filter),
                    };
                    link(Place::Filter(filter.id.to_string()), sign, filter.name.clone(), none(), None)
                })}
            {show(move || tags.with(|tags| !tags.is_empty()), move || view! { <div class="side-title"><h2>{t(Text::Tags)}</h2></div> })}
            {each(move || tags.get(), |tag| (tag.name.clone(), tag.color.clone(), tag.count), move |tag| {
                    let sign = tag.color.clone().map_or_else(|| icon(Icon::Tag), dot);
                    let count = tag.count;
                    link(Place::Tag(tag.name.clone()), sign, tag.name.clone(), Box::new(move || Some((count, false))), None)
                })}
            <div class="side-end">{state()}</div>
        </nav>
    }
}

pub fn logo() -> View {
    view! {
        <svg class="logo" viewBox="0 0 512 512" aria-hidden="true" focusable="false">
            <rect width="512" height="512" rx="112" fill="var(--accent)"/>
            <path d="M374 208a128 128 0 1 0 10 48" fill="none" stroke="var(--accent-ink)" stroke-width="44" stroke-linecap="round"/>
            <path d="m204 254 44 44 118-130" fill="none" stroke="var(--accent-ink)" stroke-width="44" stroke-linecap="round" stroke-linejoin="round"/>
        </svg>
    }
}

/// How many tasks a place has, and whether one is late.
type Count = Box<dyn Fn() -> Option<(usize, bool)>>;

fn none() -> Count {
    Box::new(|| None)
}

fn place(sign: Icon, text: Text, place: Place, count: Count, list: Option<Option<i64>>) -> View {
    link(place, icon(sign), t(text).to_owned(), count, list)
}

fn list_link(list: &List, counts: Memo<Counts>) -> View {
    let id = list.id;
    let sign = match (&list.icon, &list.color) {
        (Some(sign), _) => view! { <span aria-hidden="true">{sign.clone()}</span> },
        (None, Some(color)) => dot(color.clone()),
        (None, None) => view! { <span class="dot"></span> },
    };
    let count = move || {
        let open = counts
            .with(|counts| counts.lists.iter().find(|(list, _)| *list == id).map(|(_, n)| *n));
        Some((open.unwrap_or_default(), false))
    };
    link(Place::List(id.to_string()), sign, list.name.clone(), Box::new(count), Some(Some(id)))
}

/// A link to a place. Tasks can be dropped on one with a list.
fn link(place: Place, sign: View, name: String, count: Count, list: Option<Option<i64>>) -> View {
    let href = Route::to(place.clone()).href();
    let is_here = Memo::new(move |_| {
        store().route.with(|route| match (&route.place, &place) {
            (Place::Search(_), Place::Search(_)) => true,
            // The address may have the id that a list had before the server gave it another.
            (Place::List(here), Place::List(there)) => {
                let resolved = |id: &str| {
                    let id = id.parse().ok()?;
                    Some(store().places(|device| device.resolved(id)))
                };
                resolved(here) == resolved(there)
            }
            (here, there) => here == there,
        })
    });
    let current = move || is_here.get().then_some("page");
    let class = move || match list {
        Some(list) if drag::is_over(&Target::List(list)) => "nav drop",
        _ => "nav",
    };
    let number = move || {
        count().filter(|(count, _)| *count > 0).map(|(count, is_late)| {
            view! { <span class=if is_late { "count late" } else { "count" }>{count}</span> }
        })
    };
    view! {
        <a
            class=class href=href aria-current=current
            on:dragover=move |event| if let Some(list) = list { drag::over_list(&event, list) }
            on:dragleave=|_| drag::leave()
            on:drop=move |event| if let Some(list) = list { drag::drop_on_list(&event, list) }
        >
            {sign}<span class="name">{name}</span>{number}
        </a>
    }
}

/// How the connection is, and what waits to be sent.
fn state() -> View {
    let store = store();
    let state = Memo::new(move |_| {
        store.connection.track();
        store.read(|device| (connection_of(device), device.outbox().len()))
    });
    let lost = move || {
        store
            .is_storage_lost
            .get()
            .then(|| view! { <p class="state off">{t(Text::StorageFull)}</p> })
    };
    let words = move || match state.get() {
        (Connection::Offline, 0) => t(Text::Offline).to_owned(),
        (Connection::Offline, 1) => t(Text::OfflineOne).to_owned(),
        (Connection::Offline, count) => with(Text::OfflineMany, count),
        (Connection::Live, 0) => t(Text::Synced).to_owned(),
        _ => t(Text::Syncing).to_owned(),
    };
    let is_off = move || state.get().0 == Connection::Offline;
    view! {
        {lost}
        <p class="state" class:off=is_off role="status" title=move || is_off().then(|| t(Text::OfflineHint))>
            {move || if is_off() { small(Icon::Offline) } else { small(Icon::Check) }}
            <span>{words}</span>
        </p>
    }
}

/// Whether nothing can be sent, watched.
pub fn is_offline() -> bool {
    store().connection.track();
    store().read(connection_of) == Connection::Offline
}

/// A tab that follows another has no connection of its own.
fn connection_of(device: &Device) -> Connection {
    match device.is_leader() {
        false if crate::platform::is_online() => Connection::Live,
        _ => device.connection(),
    }
}
