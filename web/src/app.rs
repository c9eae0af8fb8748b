//! The whole page: the door, or the tasks.

use rondo_device::{Edit, Notice, NoticeKind};

use crate::command;
use crate::dialog::dialogs;
use crate::dom::*;
use crate::icon::{Icon, icon};
use crate::keys;
use crate::platform::{self, keep, kept};
use crate::popup::{self, Kind, popups};
use crate::route::{Place, Route};
use crate::store::{now, store};
use crate::text::{Text, t, with};
use crate::toast::toasts;
use crate::view::door::{door, is_door};
use crate::view::page::page;
use crate::view::panel::panel;
use crate::view::side::{is_offline, side};

pub fn app() -> View {
    let is_inside = Memo::new(|_| {
        let store = store();
        store.session.with(Option::is_some) && !store.route.with(|route| is_door(&route.place))
    });
    view! {
        {switch(move || is_inside.get(), |is_inside| if is_inside { inside() } else { door() })}
        {toasts()}
        <p class="sr" role="status" aria-live="polite">{move || store().announcement.get()}</p>
    }
}

fn inside() -> View {
    let store = store();
    let has_panel =
        move || store.chat.is_open.get() || store.route.with(|route| route.task.is_some());
    let class = move || match has_panel() {
        true => "app with-panel",
        false => "app",
    };
    let skip = |event: web_sys::MouseEvent| {
        event.prevent_default();
        keys::focus_soon("main");
    };
    view! {
        <a class="skip" href="#main" on:click=skip>{t(Text::SkipToTasks)}</a>
        <div class=class>
            {side()}
            <main class="main" id="main" tabindex="-1">
                <div class="column">
                    {notices()}
                    {page()}
                    {picked_bar()}
                </div>
            </main>
            {panel()}
            {tabs_bar()}
        </div>
        {popups()}
        {dialogs()}
    }
}

/// The places of a small screen.
fn tabs_bar() -> View {
    let link = |sign: Icon, text: Text, place: Place| {
        let href = Route::to(place.clone()).href();
        let current = move || store().route.with(|route| route.place == place).then_some("page");
        view! { <a href=href aria-current=current>{icon(sign)}{t(text)}</a> }
    };
    view! {
        <nav class="tabs-bar" aria-label=t(Text::Places)>
            {link(Icon::Today, Text::Today, Place::Today)}
            {link(Icon::Upcoming, Text::Upcoming, Place::Upcoming)}
            <button on:click=|_| keys::focus_quick_add()>{icon(Icon::Plus)}{t(Text::Add)}</button>
            {link(Icon::Search, Text::Search, Place::Search(String::new()))}
            <button aria-controls="menu" aria-expanded=move || store().is_menu_open.get().to_string()
                on:click=|_| store().is_menu_open.update(|is_open| *is_open = !*is_open)>{icon(Icon::Menu)}{t(Text::Menu)}</button>
        </nav>
    }
}

/// What can be done to all picked tasks.
fn picked_bar() -> View {
    let count = Memo::new(|_| store().picked.with(rondo_domain::map::Set::len));
    live(move || Some(count.get()).filter(|count| *count > 0).map(picked_tools))
}

#[inline(never)]
fn picked_tools(count: usize) -> View {
    let tool = |sign: Icon, text: Text, act: fn(web_sys::MouseEvent)| {
        view! { <button class="tool" title=t(text) aria-label=t(text) on:click=act>{icon(sign)}</button> }
    };
    view! {
                <div class="picked-bar" role="toolbar" aria-label=with(Text::Selected, count)>
                    <span>{with(Text::Selected, count)}</span>
                    {tool(Icon::Check, Text::Complete, |_| command::complete(&command::targets()))}
                    {tool(Icon::Today, Text::Due, |event| popup::open(&event, Kind::Due(command::targets())))}
                    {tool(Icon::Flag, Text::Priority, |event| popup::open(&event, Kind::Priority(command::targets())))}
                    {tool(Icon::List, Text::MoveTo, |event| popup::open(&event, Kind::List(command::targets())))}
                    {tool(Icon::Tag, Text::Tags, |event| popup::open(&event, Kind::Tags(command::targets())))}
                    {tool(Icon::Trash, Text::Delete, |_| command::delete(&command::targets()))}
                    {tool(Icon::Close, Text::ClearSelection, |_| store().picked.update(rondo_domain::map::Set::clear))}
                </div>
    }
}

/// Keeps the zone of this device that was taken or declined.
const ZONE_KEY: &str = "rondo.zone";

/// Offers the zone of this device, once for each that it comes to.
fn zone_note() -> Option<View> {
    let here = platform::time_zone();
    let account =
        store().account(|device| device.account().text("time_zone").map(str::to_owned))?;
    if account == here || kept(ZONE_KEY).as_ref() == Some(&here) {
        return None;
    }
    Some(other_zone(account, here))
}

fn other_zone(account: String, here: String) -> View {
    let is_open = RwSignal::new(true);
    let (used, declined) = (here.clone(), here);
    let close = move |zone: &str| {
        keep(ZONE_KEY, Some(zone));
        is_open.set(false);
    };
    let take = move |_| {
        let members = command::members("time_zone", used.clone().into());
        store().edit(vec![Edit::PatchAccount { members }]);
        close(&used);
    };
    let decline = move |_| close(&declined);
    let note = move || {
        let (take, decline) = (take.clone(), decline.clone());
        is_open.get().then(|| {
            view! {
                <div class="note">
                    <span>{with(Text::ZoneDiffers, &account)}</span>
                    <span class="buttons">
                        <button class="button" on:click=take>{t(Text::UseThisZone)}</button>
                        <button class="button" on:click=decline>{t(Text::Dismiss)}</button>
                    </span>
                </div>
            }
        })
    };
    note.into_view()
}

/// What the person has to be told, with a way to decide otherwise.
fn notices() -> View {
    let notices = Memo::new(|_| {
        store().notices.track();
        store().read(|device| device.notices().into_iter().cloned().collect::<Vec<_>>())
    });
    // The side says it too, but is not there on a small screen.
    let offline = || {
        is_offline().then(|| {
            view! {
                <p class="note"><span>{icon(Icon::Offline)}</span><span>{t(Text::Offline)}". "{t(Text::OfflineHint)}</span></p>
            }
        })
    };
    view! {
        {offline}
        {zone_note}
        {each(move || notices.get(), |notice| notice.id.clone(), one_notice)}
    }
}

#[inline(never)]
fn one_notice(notice: Notice) -> View {
    let (text, offer) = match notice.kind {
        NoticeKind::Refused => (Text::Refused, Text::TryAgain),
        NoticeKind::Lost => (Text::ConflictLost, Text::TakeMine),
        NoticeKind::Replaced => (Text::ConflictReplaced, Text::TakeTheirs),
        NoticeKind::Gone => (Text::ConflictGone, Text::Restore),
        NoticeKind::Kept => (Text::ConflictKept, Text::DeleteAnyway),
        NoticeKind::NotUndone => (Text::NotUndone, Text::TryAgain),
    };
    let reason = notice.problem.as_ref().map(|problem| problem.detail.clone());
    let (answered, dismissed) = (notice.id.clone(), notice.id.clone());
    let has_offer = !notice.offer.is_empty();
    view! {
        <div class="note" role="alert">
            <span>{with(text, &notice.title)}{reason}</span>
            <span class="buttons">
                {has_offer.then(|| view! {
                    <button class="button" on:click=move |_| {
                        let _ = store().change(|device| device.answer(&answered, now()));
                    }>{t(offer)}</button>
                })}
                <button class="button" on:click=move |_| store().change(|device| device.dismiss(&dismissed))>{t(Text::Dismiss)}</button>
            </span>
        </div>
    }
}
