//! Small windows beside what opens them: menus, and pickers of dates, lists, tags. One is open at a time. Escape or a
//! click elsewhere closes it, and the focus goes back to where it was.

use std::cell::RefCell;

use wasm_bindgen::JsCast as _;
use web_sys::{HtmlElement, KeyboardEvent};

use crate::dom::*;
use crate::platform::{document, pixels, window};
use crate::store::store;
use crate::view::{menu, when};

/// Space between a popup and the edge of the window, in pixels.
const EDGE_PX: f64 = 8.0;

thread_local! {
    static OPENER: RefCell<Option<HtmlElement>> = const { RefCell::new(None) };
}

/// A popup and where it belongs.
#[derive(Debug, Clone, PartialEq)]
pub struct Popup {
    pub kind: Kind,
    /// Left, top, right and bottom of what opened it, in pixels of the window.
    anchor: [f64; 4],
}

/// What a popup is for, with the uids of tasks or the id of something else.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    Task(String),
    Due(Vec<String>),
    Start(String),
    Priority(Vec<String>),
    List(Vec<String>),
    Tags(Vec<String>),
    Reminder(String),
    ListMenu(i64),
    FilterMenu(i64),
    TagMenu(String),
    Account,
}

/// Opens a popup beside the element of an event, or closes it if it is open.
pub fn open(event: &web_sys::MouseEvent, kind: Kind) {
    event.stop_propagation();
    event.prevent_default();
    let element = event.current_target().and_then(|target| target.dyn_into::<HtmlElement>().ok());
    if let Some(element) = element {
        open_at(element, kind);
    }
}

/// Opens a popup beside an element.
pub fn open_at(element: HtmlElement, kind: Kind) {
    let bounds = element.get_bounding_client_rect();
    let popup =
        Popup { kind, anchor: [bounds.left(), bounds.top(), bounds.right(), bounds.bottom()] };
    OPENER.set(Some(element));
    store().popup.set(Some(popup));
}

/// Opens a popup beside the row of a task, or in the middle.
pub fn open_for(uid: &str, kind: Kind) {
    let row = document().get_element_by_id(&crate::view::row::row_id(uid));
    let element = row.or_else(|| document().active_element());
    if let Some(element) = element.and_then(|element| element.dyn_into::<HtmlElement>().ok()) {
        open_at(element, kind);
    }
}

/// Puts another popup in the place of the open one.
pub fn switch(kind: Kind) {
    store().popup.update(|popup| {
        if let Some(popup) = popup {
            popup.kind = kind;
        }
    });
}

pub fn close() {
    if store().popup.with_untracked(Option::is_none) {
        return;
    }
    store().popup.set(None);
    if let Some(opener) = OPENER.take() {
        let opener = match opener.is_connected() {
            true => Some(opener),
            // A change may have replaced the element.
            false => document().get_element_by_id(&opener.id()).and_then(|e| e.dyn_into().ok()),
        };
        // A row has its focus in its title.
        if let Some(opener) = opener {
            let title = opener.query_selector("a.title").ok().flatten();
            let target = title.and_then(|title| title.dyn_into().ok()).unwrap_or(opener);
            let _ = HtmlElement::focus(&target);
        }
    }
}

pub fn popups() -> View {
    crate::dom::switch(|| store().popup.get(), |popup| popup.map(one).into_view())
}

#[inline(never)]
fn one(popup: Popup) -> View {
    let element = NodeRef::new();
    let anchor = popup.anchor;
    Effect::new(move || {
        let Some(element) = element.get() else { return };
        place(&element, anchor);
        focus_first(&element);
    });
    let keys = move |event: KeyboardEvent| {
        let Some(element) = element.get_untracked() else { return };
        match event.key().as_str() {
            "Escape" => close(),
            "ArrowDown" | "ArrowUp" if is_in_menu(&event) => {
                step(&element, event.key() == "ArrowDown")
            }
            "Tab" => return trap(&event, &element),
            _ => return event.stop_propagation(),
        }
        event.prevent_default();
        event.stop_propagation();
    };
    view! {
        <div class="veil" on:pointerdown=|event| { event.prevent_default(); close() }></div>
        <div class="menu" node_ref=element on:keydown=keys>{content(popup.kind)}</div>
    }
}

fn content(kind: Kind) -> View {
    match kind {
        Kind::Task(uid) => menu::task(uid),
        Kind::Due(uids) => when::due(uids),
        Kind::Start(uid) => when::start(uid),
        Kind::Priority(uids) => menu::priority(uids),
        Kind::List(uids) => menu::list(uids),
        Kind::Tags(uids) => menu::tags(uids),
        Kind::Reminder(uid) => when::reminder(uid),
        Kind::ListMenu(id) => menu::list_menu(id),
        Kind::FilterMenu(id) => menu::filter_menu(id),
        Kind::TagMenu(name) => menu::tag_menu(name),
        Kind::Account => menu::account(),
    }
}

/// Below what opened it, or above if there is more space, and within the window.
fn place(element: &HtmlElement, [left, top, right, bottom]: [f64; 4]) {
    let size = element.get_bounding_client_rect();
    let number = |value: Result<wasm_bindgen::JsValue, _>| value.ok().and_then(|v| v.as_f64());
    let width = number(window().inner_width()).unwrap_or_default();
    let height = number(window().inner_height()).unwrap_or_default();
    let is_rtl = document().dir() == "rtl";
    let x = if is_rtl { right - size.width() } else { left };
    let x = x.min(width - size.width() - EDGE_PX).max(EDGE_PX);
    let below = bottom + 4.0;
    let y =
        if below + size.height() + EDGE_PX <= height { below } else { top - size.height() - 4.0 };
    let y = y.min(height - size.height() - EDGE_PX).max(EDGE_PX);
    let style = element.style();
    let _ = style.set_property("left", &pixels(x));
    let _ = style.set_property("top", &pixels(y));
}

const FOCUSABLE: &str = "input, select, textarea, button:not([disabled]), a[href], [tabindex='0']";

fn focusable(element: &HtmlElement) -> Vec<HtmlElement> {
    let Ok(found) = element.query_selector_all(FOCUSABLE) else { return Vec::new() };
    (0..found.length()).filter_map(|at| found.get(at)?.dyn_into().ok()).collect()
}

pub fn focus_first(element: &HtmlElement) {
    let wanted = element.query_selector("[data-first]").ok().flatten();
    let first = wanted.and_then(|first| first.dyn_into::<HtmlElement>().ok());
    if let Some(first) = first.or_else(|| focusable(element).into_iter().next()) {
        let _ = first.focus();
    }
}

fn is_in_menu(event: &KeyboardEvent) -> bool {
    let target = event.target().and_then(|target| target.dyn_into::<web_sys::Element>().ok());
    target.is_some_and(|target| {
        target.get_attribute("role").is_some_and(|role| role.starts_with("menuitem"))
    })
}

/// Moves the focus within a menu.
fn step(element: &HtmlElement, is_down: bool) {
    let items = focusable(element);
    let active = document().active_element();
    let at = items.iter().position(|item| Some(item.as_ref()) == active.as_ref());
    let count = items.len();
    let next = match at {
        Some(at) if is_down => (at + 1) % count,
        Some(at) => (at + count - 1) % count,
        None => 0,
    };
    if let Some(item) = items.get(next) {
        let _ = item.focus();
    }
}

/// Keeps the focus inside.
fn trap(event: &KeyboardEvent, element: &HtmlElement) {
    let items = focusable(element);
    let active = document().active_element();
    let end = if event.shift_key() { items.first() } else { items.last() };
    let is_end = end.is_some_and(|end| Some(end.as_ref()) == active.as_ref());
    if is_end {
        event.prevent_default();
        let other = if event.shift_key() { items.last() } else { items.first() };
        if let Some(other) = other {
            let _ = other.focus();
        }
    }
}
