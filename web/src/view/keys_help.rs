//! The keyboard shortcuts, from the table that [`crate::keys`] works by.

use crate::dialog;
use crate::dom::*;
use crate::keys::SHOWN;
use crate::text::{Text, t};

pub fn keys() -> View {
    let rows = SHOWN.iter().map(|(keys, text)| {
        let keys: Vec<_> = keys.split(' ').map(|key| view! { <kbd>{key}</kbd>" " }).collect();
        view! { <div>{keys}</div><div>{t(*text)}</div> }
    });
    view! {
        <div class="dialog">
            <h2 id="dialog-title">{t(Text::Keys)}</h2>
            <div class="keys">{rows.collect::<Vec<_>>()}</div>
            <div class="buttons end">
                <button class="button" data-first on:click=|_| dialog::close()>{t(Text::Close)}</button>
            </div>
        </div>
    }
}
