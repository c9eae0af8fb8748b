//! The web client.

mod icon;
mod net;
mod platform;
mod route;
mod session;
mod text;

use leptos::prelude::*;
use wasm_bindgen::prelude::*;

/// Starts the client.
#[wasm_bindgen(start)]
pub fn start() {
    std::panic::set_hook(Box::new(|info| platform::broken(&info.to_string())));
    text::choose();
    let route = route::follow();
    leptos::mount::mount_to_body(move || view! { <main><h1>{move || format!("{:?}", route.get())}</h1></main> });
}
