//! Keys that work everywhere but while a person types.

use rondo_device::{Beside, Edit};
use wasm_bindgen::JsCast as _;
use web_sys::{HtmlElement, KeyboardEvent, ScrollIntoViewOptions, ScrollLogicalPosition};

use crate::command;
use crate::dialog::{self, Dialog};
use crate::dom::*;
use crate::platform::{after, document, on_window};
use crate::popup::{self, Kind};
use crate::route::{Place, Route};
use crate::store::store;
use crate::text::Text;

/// How long the second key of a pair may take, in milliseconds.
const PAIR_MS: i32 = 1_500;
/// How often the focus is tried, while a row that scrolls into view is made.
const FOCUS_TRIES: u32 = 10;
/// The time between two tries, in milliseconds.
const FOCUS_MS: i32 = 16;

/// The keys in the order of the help.
pub const SHOWN: [(&str, Text); 21] = [
    ("q", Text::KeyAdd),
    ("/", Text::KeySearch),
    ("a", Text::Assistant),
    ("j", Text::KeyNext),
    ("k", Text::KeyPrevious),
    ("Enter", Text::KeyOpen),
    ("e", Text::KeyComplete),
    ("x", Text::KeyPick),
    ("t", Text::KeySchedule),
    ("p", Text::KeyPriority),
    ("#", Text::KeyTags),
    ("l", Text::MoveTo),
    ("Shift+← Shift+→", Text::KeyDay),
    ("Alt+↑ Alt+↓", Text::KeyMove),
    ("Delete", Text::KeyDelete),
    ("Ctrl+Z Ctrl+Shift+Z", Text::KeyUndo),
    ("g t", Text::KeyGoToday),
    ("g u", Text::KeyGoUpcoming),
    ("g i", Text::KeyGoInbox),
    ("Escape", Text::Close),
    ("?", Text::KeyHelp),
];

/// Listens.
pub fn listen() {
    let pair = std::cell::Cell::new(false);
    let pair: &'static std::cell::Cell<bool> = Box::leak(Box::new(pair));
    on_window("keydown", move |event| {
        if let Ok(event) = event.dyn_into() {
            pressed(&event, pair);
        }
    });
}

#[inline(never)]
fn pressed(event: &KeyboardEvent, pair: &'static std::cell::Cell<bool>) {
    if store().session.with_untracked(Option::is_none) || event.default_prevented() {
        return;
    }
    let is_done = if pair.replace(false) { go(event) } else { press(event, pair) };
    if is_done {
        event.prevent_default();
    }
}

/// The second key after `g`.
fn go(event: &KeyboardEvent) -> bool {
    let place = match event.key().as_str() {
        "t" => Place::Today,
        "u" => Place::Upcoming,
        "i" => Place::Inbox,
        "c" => Place::Completed,
        _ => return false,
    };
    Route::to(place).go();
    true
}

fn press(event: &KeyboardEvent, pair: &'static std::cell::Cell<bool>) -> bool {
    let key = event.key();
    let is_command = event.ctrl_key() || event.meta_key();
    if is_command && key.eq_ignore_ascii_case("z") && !is_typing() {
        if event.shift_key() {
            command::redo()
        } else {
            command::undo()
        }
        return true;
    }
    if key == "Escape" {
        return escape();
    }
    if is_command || is_typing() {
        return false;
    }
    if event.alt_key() {
        return match key.as_str() {
            "ArrowUp" => reorder(-1),
            "ArrowDown" => reorder(1),
            _ => false,
        };
    }
    let targets = command::targets;
    match key.as_str() {
        "q" => focus_quick_add(),
        "/" => {
            Route::to(Place::Search(String::new())).go();
            focus_soon("search");
        }
        "a" => store().chat.toggle(),
        "?" => dialog::open(Dialog::Keys),
        "g" => {
            pair.set(true);
            after(PAIR_MS, || pair.set(false));
        }
        "j" => step(1),
        "k" => step(-1),
        "ArrowDown" if is_row_focused() => step(1),
        "ArrowUp" if is_row_focused() => step(-1),
        "ArrowLeft" if event.shift_key() => return with_targets(|uids| command::shift(uids, -1)),
        "ArrowRight" if event.shift_key() => return with_targets(|uids| command::shift(uids, 1)),
        "e" => return with_targets(complete_or_reopen),
        "x" => {
            let Some(uid) = store().at.get_untracked() else { return false };
            command::pick(&uid);
        }
        "t" => return open(&targets(), Kind::Due),
        "p" => return open(&targets(), Kind::Priority),
        "#" => return open(&targets(), Kind::Tags),
        "l" => return open(&targets(), Kind::List),
        "Delete" | "Backspace" => return with_targets(command::delete),
        _ => return false,
    }
    true
}

fn with_targets(act: impl FnOnce(&[String])) -> bool {
    let targets = command::targets();
    if targets.is_empty() {
        return false;
    }
    act(&targets);
    true
}

fn open(targets: &[String], kind: fn(Vec<String>) -> Kind) -> bool {
    let Some(first) = targets.first() else { return false };
    popup::open_for(first, kind(targets.to_vec()));
    true
}

fn complete_or_reopen(uids: &[String]) {
    match uids {
        [uid] => command::toggle(uid),
        uids => command::complete(uids),
    }
}

/// Closes what is open, the innermost first.
fn escape() -> bool {
    let store = store();
    if store.is_menu_open.get_untracked() {
        store.is_menu_open.set(false);
    } else if store.route.with_untracked(|route| route.task.is_some()) {
        close_panel();
    } else if store.chat.is_open.get_untracked() {
        store.chat.toggle();
    } else if store.picked.with_untracked(|picked| !picked.is_empty()) {
        store.picked.update(rondo_domain::map::Set::clear);
    } else if let Some(active) =
        document().active_element().and_then(|e| e.dyn_into::<HtmlElement>().ok())
    {
        let _ = active.blur();
        return false;
    }
    true
}

/// Closes the panel. The focus goes back to the task's row.
pub fn close_panel() {
    let route = store().route.get_untracked();
    route.with_task(None).go();
    if let Some(uid) = route.task {
        focus_row(&uid, FOCUS_TRIES);
    }
}

/// Whether a letter belongs to a field.
fn is_typing() -> bool {
    let Some(active) = document().active_element() else { return false };
    let is_field = matches!(active.tag_name().as_str(), "INPUT" | "TEXTAREA" | "SELECT");
    let kind = active.get_attribute("type").unwrap_or_default();
    is_field && !matches!(kind.as_str(), "checkbox" | "radio" | "button" | "submit" | "color")
}

fn is_row_focused() -> bool {
    document().active_element().is_some_and(|e| e.class_list().contains("title"))
}

/// Goes to the next task or the one before.
fn step(by: isize) {
    let store = store();
    let order = store.order.get_untracked();
    let at = store.at.get_untracked();
    let now = at.and_then(|at| order.iter().position(|uid| *uid == at));
    let next = match now {
        Some(now) => now.saturating_add_signed(by).min(order.len().saturating_sub(1)),
        None => 0,
    };
    if let Some(uid) = order.get(next) {
        store.at.set(Some(uid.clone()));
        focus_row(uid, FOCUS_TRIES);
    }
}

/// Focuses the title of a task's row, once it is in the document.
pub fn focus_row(uid: &str, tries: u32) {
    let row = document().get_element_by_id(&crate::view::row::row_id(uid));
    let title = row.and_then(|row| row.query_selector("a.title").ok().flatten());
    match title.and_then(|title| title.dyn_into::<HtmlElement>().ok()) {
        Some(title) => {
            let _ = title.focus();
            let options = ScrollIntoViewOptions::new();
            options.set_block(ScrollLogicalPosition::Nearest);
            title.scroll_into_view_with_scroll_into_view_options(&options);
        }
        None if tries > 0 => {
            let uid = uid.to_owned();
            after(FOCUS_MS, move || focus_row(&uid, tries - 1));
        }
        None => {}
    }
}

/// Moves the current task up or down in its order.
fn reorder(by: isize) -> bool {
    let store = store();
    let Some(uid) = store.at.get_untracked() else { return false };
    let order = store.order.get_untracked();
    let Some(at) = order.iter().position(|other| *other == uid) else { return false };
    let Some(other) = at.checked_add_signed(by).and_then(|to| order.get(to)) else { return true };
    let Some(id) = store.read(|device| device.task(other).map(|row| row.id)) else { return true };
    let beside = if by < 0 { Beside::Before(id) } else { Beside::After(id) };
    command::moved(
        std::slice::from_ref(&uid),
        vec![Edit::Move { uid: uid.clone(), list_id: None, beside }],
    );
    focus_row(&uid, FOCUS_TRIES);
    true
}

/// Focuses the quick-add line, on a page that has one.
pub fn focus_quick_add() {
    if document().get_element_by_id("quick-add").is_none() {
        Route::to(Place::Today).go();
    }
    focus_soon("quick-add");
}

/// Focuses an element once it is in the document.
pub fn focus_soon(id: &'static str) {
    fn attempt(id: &'static str, tries: u32) {
        match document().get_element_by_id(id).and_then(|e| e.dyn_into::<HtmlElement>().ok()) {
            Some(element) => {
                let _ = element.focus();
            }
            None if tries > 0 => after(FOCUS_MS, move || attempt(id, tries - 1)),
            None => {}
        }
    }
    attempt(id, FOCUS_TRIES);
}
