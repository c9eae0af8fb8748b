//! What `web/static/platform.js` does for the client.

use std::sync::atomic::{AtomicBool, Ordering};

use js_sys::{Array, Function, Promise};
use rondo_domain::normal::Form;
use wasm_bindgen::prelude::*;

#[wasm_bindgen(js_namespace = rondo)]
extern "C" {
    #[wasm_bindgen(catch)]
    pub async fn open(name: &str) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(catch)]
    pub async fn load() -> Result<JsValue, JsValue>;
    #[wasm_bindgen(catch)]
    pub async fn save(records: Array) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(catch)]
    pub async fn drop(name: &str) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(catch)]
    pub async fn bytes(path: &str) -> Result<JsValue, JsValue>;
    pub fn lead(name: &str, callback: &Function);
    pub fn locked(name: &str, work: &Function) -> Promise;
    pub fn channel(name: &str, receive: &Function) -> Channel;
    pub fn random(count: u32) -> Vec<u8>;
    pub fn date(language: &str, zone: &str, form: &str, milliseconds: f64) -> String;
    pub fn number(language: &str, value: f64) -> String;
    pub fn amount(language: &str, value: f64, unit: &str) -> String;
    pub fn relative(language: &str, value: f64, unit: &str) -> String;
    #[wasm_bindgen(js_name = timeZone)]
    pub fn time_zone() -> String;
    #[wasm_bindgen(js_name = timeZones)]
    pub fn time_zones() -> Vec<String>;
    #[wasm_bindgen(js_name = firstDay)]
    pub fn first_day(language: &str) -> u8;
    #[wasm_bindgen(catch)]
    pub async fn converse(token: &str, body: &str, receive: &Function) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(js_name = canListen)]
    pub fn can_listen() -> bool;
    pub fn listen(language: &str, hear: &Function);
    pub fn hush();
    #[wasm_bindgen(js_name = smallLetters)]
    fn small_letters(text: &str) -> String;
    pub fn download(name: &str, media_type: &str, text: &str);
    /// Waits for the second module.
    #[wasm_bindgen(catch)]
    pub async fn later() -> Result<JsValue, JsValue>;
    fn enter(exports: &JsValue);
}

#[wasm_bindgen]
extern "C" {
    /// A `BroadcastChannel`.
    #[derive(Clone)]
    pub type Channel;
    #[wasm_bindgen(method, js_name = postMessage)]
    pub fn post(this: &Channel, message: &str);

    /// Shows that the client has stopped, and offers to load it again.
    #[wasm_bindgen(js_name = rondoBroken)]
    pub fn broken(reason: &str);
}

/// The browser has the tables of Unicode, which would be a tenth of the page.
pub fn normalize(text: &str, form: Form) -> String {
    match form {
        Form::Case => small_letters(text),
        form => js_sys::JsString::from(text).normalize(form.as_str()).into(),
    }
}

/// Puts in the second module, if it is not there yet. Each function of it that the first one calls begins with this
/// (`web/bundle/src/split.rs`).
#[wasm_bindgen(js_name = enterLater)]
pub fn enter_later() {
    static IS_THERE: AtomicBool = AtomicBool::new(false);
    if !IS_THERE.load(Ordering::Relaxed) {
        // Throws if it cannot be fetched; the next call tries again.
        enter(&wasm_bindgen::exports());
        IS_THERE.store(true, Ordering::Relaxed);
    }
}

/// Milliseconds since 1970.
pub fn now_ms() -> f64 {
    js_sys::Date::now()
}

/// A value in the browser's local storage.
pub fn kept(key: &str) -> Option<String> {
    storage()?.get_item(key).ok()?
}

/// Keeps a value in the browser's local storage, or forgets it.
pub fn keep(key: &str, value: Option<&str>) {
    let Some(storage) = storage() else { return };
    // A full or forbidden storage costs the value when the tab is closed.
    let _ = match value {
        Some(value) => storage.set_item(key, value),
        None => storage.remove_item(key),
    };
}

fn storage() -> Option<web_sys::Storage> {
    window().local_storage().ok()?
}

pub fn window() -> web_sys::Window {
    web_sys::window().unwrap_throw()
}

pub fn document() -> web_sys::Document {
    window().document().unwrap_throw()
}

/// A length for a style. The browser writes the number, because Rust would need tables for it.
pub fn pixels(length: f64) -> String {
    js_sys::Number::from(length)
        .to_string_with_radix(10)
        .map_or_else(|_| String::new(), |text| format!("{text}px"))
}

/// Whether the browser believes that it has a network.
pub fn is_online() -> bool {
    window().navigator().on_line()
}

/// Calls back on an event of the window, for as long as the page lives.
pub fn on_window(name: &str, callback: impl FnMut(web_sys::Event) + 'static) {
    let callback = Closure::<dyn FnMut(web_sys::Event)>::new(callback);
    let _ = window().add_event_listener_with_callback(name, callback.as_ref().unchecked_ref());
    callback.forget();
}

/// Calls back once after some milliseconds.
pub fn after(milliseconds: i32, callback: impl FnOnce() + 'static) {
    let callback = Closure::once_into_js(callback);
    let _ = window().set_timeout_with_callback_and_timeout_and_arguments_0(
        callback.unchecked_ref(),
        milliseconds,
    );
}
