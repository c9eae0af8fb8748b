//! Carries out what the device wants done: storage, requests, the WebSocket, other tabs. Effects are done in their
//! order, so that an edit is kept before it is sent.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use js_sys::Array;
use rondo_device::{Device, Effect, Entry, Record, Table};
use rondo_domain::instant::Instant;
use rondo_domain::map;
use serde_json::{Value, json};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;
use web_sys::{CloseEvent, MessageEvent, WebSocket};

use crate::dom::*;
use crate::net;
use crate::platform::{self, Channel, after, on_window};
use crate::session::{self, Failure, Session};
use crate::store::{now, seed, store};
use crate::text::{Text, t, with};
use crate::toast;

/// Code of a WebSocket that could not be opened or renewed, as browsers report it.
const ABNORMAL: u16 = 1006;
/// How often what is overdue is looked at, in milliseconds.
const TICK_MS: i32 = 20_000;
/// How long after a change zones that it needs are fetched, in milliseconds.
const ZONES_MS: i32 = 300;

#[derive(Default)]
struct Shell {
    is_started: Cell<bool>,
    queue: RefCell<VecDeque<Effect>>,
    is_working: Cell<bool>,
    channel: RefCell<Option<Channel>>,
    /// What other tabs told before storage was read.
    early: RefCell<Vec<String>>,
    socket: RefCell<Option<WebSocket>>,
    /// Counted up with each wish to be woken, so that earlier ones are void.
    wake: Cell<u32>,
    is_asking_zones: Cell<bool>,
    /// Zones that the server does not have.
    unknown_zones: RefCell<map::Set<String>>,
}

thread_local! {
    static SHELL: &'static Shell = Box::leak(Box::default());
}

fn shell() -> &'static Shell {
    SHELL.with(|shell| *shell)
}

fn database(user: i64) -> String {
    format!("rondo-{user}")
}

/// Starts to work for a user: reads storage, joins the other tabs, connects if this tab leads.
pub fn start(user: i64) {
    // After a session that ended by itself: what it holds, such as the lead of the tabs, goes with the page.
    if shell().is_started.replace(true) {
        let _ = platform::window().location().reload();
        return;
    }
    let name = database(user);
    let receive = Closure::<dyn Fn(JsValue)>::new(|message: JsValue| {
        if let Some(text) = message.as_string() {
            receive(&text);
        }
    });
    let channel = platform::channel(&name, receive.as_ref().unchecked_ref());
    receive.forget();
    shell().channel.replace(Some(channel));
    spawn_local(async move {
        let records = match read(&name).await {
            Ok(records) => records,
            Err(_) => {
                store().is_storage_lost.set(true);
                Vec::new()
            }
        };
        store().change(|device| *device = Device::restore_texts(seed(), records));
        // Dates are the person's from the first moment.
        if let Some(name) = missing_own_zone() {
            zone(name).await;
        }
        store().is_loaded.set(true);
        for text in shell().early.take() {
            receive_loaded(&text);
        }
        ask_zones();
        let lead = Closure::once_into_js(|| {
            store().change(|device| device.lead(now()));
            post(&json!({ "leads": true }));
            if platform::is_online() {
                store().change(|device| device.online(now()));
            }
        });
        platform::lead(&name, lead.unchecked_ref());
        persist();
    });
    on_window("online", |_| store().change(|device| device.online(now())));
    on_window("offline", |_| store().change(Device::offline));
    on_window("rondo-update", |_| {
        toast::show(t(Text::NewVersion).to_owned(), toast::Action::Reload);
    });
    // A device that slept may have missed the end of its connection.
    on_window("focus", |_| {
        store().now.set(now());
        store().change(|device| device.tick(now()));
    });
    tick();
}

fn tick() {
    after(TICK_MS, || {
        store().now.set(now());
        tick();
    });
}

/// Asks the browser not to clear storage when space is short.
fn persist() {
    if let Ok(promise) = platform::window().navigator().storage().persist() {
        spawn_local(async move {
            let _ = wasm_bindgen_futures::JsFuture::from(promise).await;
        });
    }
}

async fn read(name: &str) -> Result<Vec<(Table, String, String)>, JsValue> {
    platform::open(name).await?;
    let records: Array = platform::load().await?.dyn_into()?;
    let texts: Vec<String> = records.iter().filter_map(|text| text.as_string()).collect();
    let mut texts = texts.into_iter();
    let mut records = Vec::new();
    while let (Some(key), Some(text)) = (texts.next(), texts.next()) {
        // `table/key`.
        let Some((table, key)) = key.split_once('/') else { continue };
        if let Some(table) = Table::ALL.into_iter().find(|known| known.as_str() == table) {
            records.push((table, key.to_owned(), text));
        }
    }
    Ok(records)
}

/// Takes over what has to be done.
pub fn carry_out(effects: Vec<Effect>) {
    if effects.is_empty() {
        return;
    }
    if effects.iter().any(|effect| matches!(effect, Effect::Keep(_))) {
        ask_zones();
    }
    let shell = shell();
    shell.queue.borrow_mut().extend(effects);
    if !shell.is_working.replace(true) {
        spawn_local(async {
            work().await;
        });
    }
}

async fn work() {
    let shell = shell();
    loop {
        let mut kept = Vec::new();
        let next = {
            let mut queue = shell.queue.borrow_mut();
            while matches!(queue.front(), Some(Effect::Keep(_))) {
                if let Some(Effect::Keep(record)) = queue.pop_front() {
                    kept.push(record);
                }
            }
            if kept.is_empty() { queue.pop_front() } else { None }
        };
        if !kept.is_empty() {
            keep(&kept).await;
            continue;
        }
        match next {
            None => break,
            Some(effect) => one(effect).await,
        }
    }
    shell.is_working.set(false);
}

async fn keep(records: &[Record]) {
    post(&json!({ "records": records }));
    let texts = Array::new();
    for Record { table, key, value } in records {
        texts.push(&JsValue::from_str(&format!("{}/{key}", table.as_str())));
        texts.push(
            &value.as_ref().map_or(JsValue::NULL, |value| JsValue::from_str(&value.to_string())),
        );
    }
    if platform::save(texts).await.is_err() {
        store().is_storage_lost.set(true);
    }
}

async fn one(effect: Effect) {
    match effect {
        Effect::Keep(record) => keep(&[record]).await,
        Effect::Send(request) => {
            spawn_local(async move { send(request).await });
        }
        Effect::Connect { since } => connect(since).await,
        Effect::Disconnect => disconnect(),
        Effect::Refresh => refresh().await,
        Effect::Wake(at) => wake(at),
        Effect::Forward(entries) => post(&json!({ "edits": entries })),
        // Views watch the notices.
        Effect::Notify(_) => {}
        Effect::Clear => {
            if let Some(user) =
                store().session.with_untracked(|session| session.as_ref().map(|s| s.user))
            {
                let _ = platform::drop(&database(user)).await;
            }
        }
    }
}

async fn send(request: rondo_device::Request) {
    let ticket = request.ticket;
    let sent = net::Request {
        method: request.method,
        path: request.path,
        body: request.body,
        headers: request
            .headers
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
    };
    match session::send(&sent).await {
        Ok(answer) => store().change(|device| device.answered(ticket, &answer, now())),
        Err(Failure::NoAnswer) => store().change(|device| device.failed(ticket, now())),
        Err(Failure::SignedOut) => {
            store().change(|device| device.failed(ticket, now()));
            expired();
        }
    }
}

/// The session is over, but not what the person did: it is sent after the next sign-in.
fn expired() {
    store().change(Device::offline);
    if Session::kept().is_none() {
        store().is_expired.set(true);
        store().session.set(None);
    }
}

async fn refresh() {
    match session::token().await {
        Ok(token) => {
            if let Some(socket) = shell().socket.borrow().as_ref() {
                let _ =
                    socket.send_with_str(&json!({ "type": "auth", "token": token }).to_string());
            }
            store().change(|device| device.refreshed(now()));
        }
        Err(Failure::NoAnswer) => after(5_000, || spawn_local(refresh())),
        Err(Failure::SignedOut) => expired(),
    }
}

fn wake(at: Instant) {
    let shell = shell();
    let number = shell.wake.get().wrapping_add(1);
    shell.wake.set(number);
    let milliseconds = at.as_millisecond() - now().as_millisecond();
    after(i32::try_from(milliseconds.max(0)).unwrap_or(i32::MAX), move || {
        if shell.wake.get() == number {
            store().change(|device| device.tick(now()));
        }
    });
}

async fn connect(since: i64) {
    disconnect();
    let token = match session::token().await {
        Ok(token) => token,
        Err(Failure::NoAnswer) => return store().change(|device| device.closed(ABNORMAL, now())),
        Err(Failure::SignedOut) => return expired(),
    };
    let protocols = Array::of2(&"rondo.v1".into(), &format!("bearer.{token}").into());
    let location = platform::window().location();
    let scheme = if location.protocol().as_deref() == Ok("https:") { "wss" } else { "ws" };
    let host = location.host().unwrap_or_default();
    let url = format!("{scheme}://{host}/ws?since={since}");
    let Ok(socket) = WebSocket::new_with_str_sequence(&url, &protocols) else {
        return store().change(|device| device.closed(ABNORMAL, now()));
    };
    let opened = Closure::<dyn Fn()>::new(|| store().change(|device| device.connected(now())));
    socket.set_onopen(Some(opened.into_js_value().unchecked_ref()));
    let received = Closure::<dyn Fn(MessageEvent)>::new(|event: MessageEvent| {
        if let Some(text) = event.data().as_string() {
            announce_new(&text);
            store().change(|device| device.frame(&text, now()));
        }
    });
    socket.set_onmessage(Some(received.into_js_value().unchecked_ref()));
    let closed = Closure::<dyn Fn(CloseEvent)>::new(|event: CloseEvent| {
        shell().socket.replace(None);
        store().change(|device| device.closed(event.code(), now()));
    });
    socket.set_onclose(Some(closed.into_js_value().unchecked_ref()));
    shell().socket.replace(Some(socket));
}

/// Tells a screen reader of a task that was made elsewhere.
fn announce_new(frame: &str) {
    let frame: Value = serde_json::from_str(frame).unwrap_or_default();
    let is_known = || {
        let uid = frame["task"]["uid"].as_str().unwrap_or_default();
        store().read(|device| device.task(uid).is_some())
    };
    if frame["event_type"] == "task.created" && !is_known() {
        let title = frame["task"]["title"].as_str().unwrap_or_default();
        store().announce(with(Text::NewTask, title));
    }
}

fn disconnect() {
    if let Some(socket) = shell().socket.take() {
        socket.set_onclose(None);
        socket.set_onmessage(None);
        let _ = socket.close();
    }
}

fn post(message: &Value) {
    if let Some(channel) = shell().channel.borrow().as_ref() {
        channel.post(&message.to_string());
    }
}

fn receive(text: &str) {
    if store().is_loaded.get_untracked() {
        receive_loaded(text);
    } else {
        shell().early.borrow_mut().push(text.to_owned());
    }
}

fn receive_loaded(text: &str) {
    let Ok(mut message) = serde_json::from_str::<Value>(text) else { return };
    if let Ok(records) = serde_json::from_value::<Vec<Record>>(message["records"].take()) {
        store().change(|device| device.absorb(records));
        ask_zones();
    }
    if store().read(Device::is_leader)
        && let Ok(edits) = serde_json::from_value::<Vec<Entry>>(message["edits"].take())
    {
        store().change(|device| device.accept(edits, now()));
    }
    if message["leads"] == true {
        store().change(Device::forward_again);
    }
    if message["signed_out"] == true {
        let _ = platform::window().location().reload();
    }
}

/// Fetches the zones that the device lacks, a little later and all at once.
fn ask_zones() {
    // The person's own cannot wait: without it, quick add understands nothing.
    if let Some(name) = missing_own_zone() {
        spawn_local(async move { zone(name).await });
    }
    if shell().is_asking_zones.replace(true) {
        return;
    }
    after(ZONES_MS, || {
        shell().is_asking_zones.set(false);
        let missing = store().read(Device::missing_zones);
        for name in missing {
            if shell().unknown_zones.borrow_mut().insert(name.clone()) {
                spawn_local(async move { zone(name).await });
            }
        }
    });
}

/// The person's own zone, if it has to be fetched and is not being fetched yet.
fn missing_own_zone() -> Option<String> {
    let name = store().read(|device| device.missing_own_zone().map(str::to_owned))?;
    shell().unknown_zones.borrow_mut().insert(name.clone()).then_some(name)
}

async fn zone(name: String) {
    match platform::bytes(&format!("/zones/{name}")).await {
        Ok(rules) => {
            let rules = js_sys::Uint8Array::new(&rules).to_vec();
            if store().change(|device| device.add_last_rule(&name, &rules)) {
                // All rules take more to read, and are for other times than those of most tasks.
                spawn_local(async move {
                    if platform::later().await.is_ok() {
                        store().change(|device| device.add_zone(&name, &rules));
                    }
                });
            } else {
                store().change(|device| device.add_zone(&name, &rules));
            }
        }
        Err(_) => {
            // Asked for again with the next change, since there may have been no network.
            shell().unknown_zones.borrow_mut().remove(&name);
        }
    }
}

/// Signs out here and in the other tabs, and forgets everything.
pub fn sign_out() {
    store().chat.clear();
    spawn_local(async {
        store().change(Device::signed_out);
        if let Some(session) = Session::kept() {
            let user = session.user;
            session.end().await;
            let _ = platform::drop(&database(user)).await;
        }
        post(&json!({ "signed_out": true }));
        let _ = platform::window().location().reload();
    });
}
