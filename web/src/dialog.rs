//! Windows that ask for something before anything else: one at a time, over the page.

use wasm_bindgen::JsCast as _;
use web_sys::HtmlDialogElement;

use crate::dom::*;
use crate::store::store;
use crate::view::{ask, keys_help, list_form, recurrence};

#[derive(Debug, Clone, PartialEq)]
pub enum Dialog {
    Keys,
    NewList,
    EditList(i64),
    DeleteList(i64),
    /// With a query to begin with.
    NewFilter(String),
    EditFilter(i64),
    EditTag(String),
    /// Which occurrences of a repeating task are deleted.
    DeleteOccurrence(String),
    Recurrence(String),
    /// With the number of changes that would be lost.
    SignOut(usize),
}

pub fn open(dialog: Dialog) {
    crate::popup::close();
    store().dialog.set(Some(dialog));
}

pub fn close() {
    store().dialog.set(None);
}

pub fn dialogs() -> View {
    switch(|| store().dialog.get(), |dialog| dialog.map(one).into_view())
}

/// The browser keeps the focus inside, closes it at Escape, and gives the focus back.
#[inline(never)]
fn one(dialog: Dialog) -> View {
    let element = NodeRef::new();
    Effect::new(move || {
        if let Some(element) =
            element.get().and_then(|element| element.dyn_into::<HtmlDialogElement>().ok())
        {
            // After the content is in place, so that its first field gets the focus.
            crate::platform::after(0, move || {
                if element.is_connected() && !element.open() {
                    let _ = element.show_modal();
                    crate::popup::focus_first(&element);
                }
            });
        }
    });
    view! {
        <dialog
            node_ref=element
            aria-labelledby="dialog-title"
            on:close=|_| close()
            on:keydown=|event| event.stop_propagation()
            on:click=move |event| {
                // A click on the backdrop has the dialog itself as its target.
                let is_backdrop = element.get_untracked().is_some_and(|element| {
                    event.target().as_ref() == Some(element.as_ref())
                });
                if is_backdrop { close() }
            }
        >
            {content(dialog)}
        </dialog>
    }
}

fn content(dialog: Dialog) -> View {
    match dialog {
        Dialog::Keys => keys_help::keys(),
        Dialog::NewList => list_form::list(None),
        Dialog::EditList(id) => list_form::list(Some(id)),
        Dialog::DeleteList(id) => ask::delete_list(id),
        Dialog::NewFilter(query) => list_form::filter(None, query),
        Dialog::EditFilter(id) => list_form::filter(Some(id), String::new()),
        Dialog::EditTag(name) => list_form::tag(name),
        Dialog::DeleteOccurrence(uid) => ask::delete_occurrence(uid),
        Dialog::Recurrence(uid) => recurrence::editor(uid),
        Dialog::SignOut(count) => ask::sign_out(count),
    }
}
