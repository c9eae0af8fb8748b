//! Short messages, such as what was just done, with a way back.

use crate::dom::*;
use crate::icon::{Icon, small};
use crate::platform::after;
use crate::store::store;
use crate::text::{Text, t};

/// How long a message stays, in milliseconds: long enough to read it and to reach the button (WCAG 2.2.1 does not
/// apply, because Ctrl+Z does the same at any time).
const SHOWN_MS: i32 = 8_000;
/// Messages at once. Older ones go.
const SHOWN_MAX: usize = 3;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Toast {
    number: u64,
    text: String,
    action: Action,
}

/// What the button of a message does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    None,
    Undo,
    Redo,
    Reload,
}

/// Shows a message, and tells a screen reader.
pub fn show(text: String, action: Action) {
    let store = store();
    store.announce(text.clone());
    let mut number = 0;
    store.toasts.update(|toasts| {
        number = toasts.last().map_or(0, |last| last.number + 1);
        // One way back at a time: the newest.
        toasts.retain(|toast| !matches!(toast.action, Action::Undo | Action::Redo));
        toasts.push(Toast { number, text, action });
        if toasts.len() > SHOWN_MAX {
            toasts.remove(0);
        }
    });
    if action != Action::Reload {
        after(SHOWN_MS, move || hide(number));
    }
}

fn hide(number: u64) {
    store().toasts.update(|toasts| toasts.retain(|toast| toast.number != number));
}

pub fn toasts() -> View {
    let toasts = move || store().toasts.get();
    view! {
        <div class="toasts">
            {each(toasts, |toast| toast.number, one)}
        </div>
    }
}

#[inline(never)]
fn one(toast: Toast) -> View {
    let Toast { number, text, action } = toast;
    view! {
        <div class="toast">
            <span>{text}</span>
            {button(action)}
            <button class="tool" aria-label=t(Text::Dismiss) on:click=move |_| hide(number)>
                {small(Icon::Close)}
            </button>
        </div>
    }
}

fn button(action: Action) -> Option<View> {
    let (text, act): (_, fn()) = match action {
        Action::None => return None,
        Action::Undo => (Text::Undo, crate::command::undo),
        Action::Redo => (Text::Redo, crate::command::redo),
        Action::Reload => (Text::Reload, || {
            let _ = crate::platform::window().location().reload();
        }),
    };
    Some(view! { <button class="tool" on:click=move |_| act()>{t(text)}</button> })
}
