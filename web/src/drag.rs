//! Dragging tasks with a pointer: to a day, a list, or another place in their order. Every drag has a way by the
//! keyboard: keys move a task by a day or a place, and the menus have days and lists.

use std::cell::RefCell;

use rondo_device::{Beside, Edit};
use rondo_domain::jiff::civil::Date;
use web_sys::DragEvent;
use web_sys::wasm_bindgen::JsCast;

use crate::command;
use crate::dom::*;
use crate::store::store;

thread_local! {
    static DRAGGED: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
    static TARGET: ArcRwSignal<Option<Target>> = ArcRwSignal::new(None);
}

/// What the pointer is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    Row(String, Side),
    Day(Date),
    /// None is the inbox.
    List(Option<i64>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Before,
    After,
}

fn target() -> ArcRwSignal<Option<Target>> {
    TARGET.with(Clone::clone)
}

/// Begins to drag a task, and all that are picked with it.
pub fn start(event: &DragEvent, uid: &str) {
    let picked = store().picked.get_untracked();
    let uids =
        if picked.contains(uid) { picked.into_iter().collect() } else { vec![uid.to_owned()] };
    if let Some(transfer) = event.data_transfer() {
        transfer.set_effect_allowed("move");
        let titles: Vec<_> = store().read(|device| {
            uids.iter().filter_map(|uid| Some(device.task(uid)?.title.clone())).collect()
        });
        let _ = transfer.set_data("text/plain", &titles.join("\n"));
    }
    DRAGGED.set(uids);
}

pub fn end() {
    DRAGGED.take();
    target().set(None);
}

/// Where a dropped task would stand beside a row.
pub fn side(uid: &str) -> Option<Side> {
    target().with(|target| match target {
        Some(Target::Row(over, side)) if over == uid => Some(*side),
        _ => None,
    })
}

/// Whether tasks would be dropped there.
pub fn is_over(place: &Target) -> bool {
    target().with(|target| target.as_ref() == Some(place))
}

fn is_dragging() -> bool {
    DRAGGED.with_borrow(|dragged| !dragged.is_empty())
}

fn aim(event: &DragEvent, place: Target) {
    if !is_dragging() {
        return;
    }
    event.prevent_default();
    let target = target();
    if target.with_untracked(|old| old.as_ref() != Some(&place)) {
        target.set(Some(place));
    }
}

pub fn over_row(event: &DragEvent, uid: &str) {
    let Some(element) = event.current_target().and_then(|t| t.dyn_into::<web_sys::Element>().ok())
    else {
        return;
    };
    let bounds = element.get_bounding_client_rect();
    let is_upper = f64::from(event.client_y()) < bounds.top() + bounds.height() / 2.0;
    let side = if is_upper { Side::Before } else { Side::After };
    aim(event, Target::Row(uid.to_owned(), side));
}

pub fn over_day(event: &DragEvent, day: Date) {
    aim(event, Target::Day(day));
}

pub fn over_list(event: &DragEvent, list: Option<i64>) {
    aim(event, Target::List(list));
}

pub fn leave() {
    target().set(None);
}

pub fn drop_on_row(event: &DragEvent, uid: &str) {
    let side = side(uid);
    let Some(dragged) = dropped(event) else { return };
    let store = store();
    let edits: Vec<_> = store.read(|device| {
        let Some(over) = device.task(uid) else { return Vec::new() };
        let beside = match side {
            Some(Side::Before) => Beside::Before(over.id),
            _ => Beside::After(over.id),
        };
        let other = dragged.iter().filter(|dragged| *dragged != uid);
        other
            .map(|dragged| Edit::Move { uid: dragged.clone(), list_id: Some(over.list_id), beside })
            .collect()
    });
    command::moved(&dragged, edits);
}

pub fn drop_on_day(event: &DragEvent, day: Date) {
    if let Some(dragged) = dropped(event) {
        command::reschedule(&dragged, day);
    }
}

pub fn drop_on_list(event: &DragEvent, list: Option<i64>) {
    if let Some(dragged) = dropped(event) {
        command::move_to_list(&dragged, list);
    }
}

fn dropped(event: &DragEvent) -> Option<Vec<String>> {
    event.prevent_default();
    event.stop_propagation();
    let dragged = DRAGGED.take();
    target().set(None);
    (!dragged.is_empty()).then_some(dragged)
}
