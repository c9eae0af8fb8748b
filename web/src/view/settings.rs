//! The account and how the client looks.

mod account;
mod look;
mod program;

use crate::dom::*;
use crate::text::{Text, t};

#[inline(never)]
pub fn page(_part: String) -> View {
    view! {
        <header class="head"><div class="head-title"><h1 tabindex="-1">{t(Text::Settings)}</h1></div></header>
        <div class="cards">
            {account::account()}
            {look::look()}
            {account::notifications()}
            {account::password()}
            {program::sessions()}
            {program::tokens()}
            {program::webhooks()}
            {account::export()}
        </div>
    }
}

fn card(title: Text, content: View) -> View {
    view! { <section class="card" aria-label=t(title)><h2>{t(title)}</h2>{content}</section> }
}
