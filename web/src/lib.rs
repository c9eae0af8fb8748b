//! The web client: views over the core of a device (`crates/device`), and what connects it to a browser.
//!
//! [`store`] owns all state, [`sync`] carries out what the device wants done, [`view`] shows it, [`command`] has what
//! a person does.

mod app;
mod command;
mod dialog;
mod dom;
mod drag;
mod format;
mod icon;
mod keys;
mod net;
mod platform;
mod popup;
mod route;
mod session;
mod store;
mod sync;
mod text;
mod toast;
mod view;

use wasm_bindgen::prelude::*;

use crate::session::Session;

/// Starts the client.
#[wasm_bindgen(start)]
pub fn start() {
    std::panic::set_hook(Box::new(|info| platform::broken(&info.to_string())));
    rondo_domain::normal::register(platform::normalize);
    text::choose();
    if let Some(root) = platform::document().document_element() {
        let _ = root.set_attribute("lang", text::language());
    }
    if let Some(session) = Session::kept() {
        sync::start(session.user);
    }
    keys::listen();
    if platform::window().location().hash().is_ok_and(|hash| hash.ends_with("?add")) {
        keys::focus_quick_add();
    }
    dom::mount(app::app);
    if let Some(shell) = platform::document().get_element_by_id("shell") {
        shell.remove();
    }
}
