//! Places in the client. Each is a fragment of the address, so that the server has one page.

use crate::dom::*;
use crate::platform::{on_window, window};

/// What the main column shows, and the task whose panel is open.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Route {
    pub place: Place,
    /// A task's uid, or its id in links from mails.
    pub task: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Place {
    #[default]
    Today,
    Upcoming,
    /// A month grid around a day of the form 2026-11-29.
    Month(String),
    Inbox,
    /// By uid or id.
    List(String),
    Filter(String),
    Tag(String),
    Search(String),
    Completed,
    Trash,
    Settings(String),
    Register,
    Forgot,
    /// With the token of a mailed link.
    Verify(String),
    Reset(String),
}

impl Route {
    /// Reads the fragment of an address, with or without `#`.
    pub fn parse(fragment: &str) -> Self {
        let path = fragment.trim_start_matches('#').trim_start_matches('/');
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let mut parts = path.split('/').map(decoded);
        let first = parts.next().unwrap_or_default();
        let second = parts.next().unwrap_or_default();
        let mut task = query.split('&').find_map(|part| part.strip_prefix("task=")).map(decoded);
        let place = match first.as_str() {
            "upcoming" => Place::Upcoming,
            "month" => Place::Month(second),
            "inbox" => Place::Inbox,
            "list" => Place::List(second),
            "filter" => Place::Filter(second),
            "tag" => Place::Tag(second),
            "search" => Place::Search(second),
            "completed" => Place::Completed,
            "trash" => Place::Trash,
            "settings" => Place::Settings(second),
            "register" => Place::Register,
            "forgot" => Place::Forgot,
            "verify" => Place::Verify(second),
            "reset" => Place::Reset(second),
            // Mails name a task by its id.
            "tasks" => {
                task = Some(second);
                Place::Today
            }
            _ => Place::Today,
        };
        Self { place, task }
    }

    pub fn to(place: Place) -> Self {
        Self { place, task: None }
    }

    /// The same place with a task's panel, or without one.
    #[must_use]
    pub fn with_task(&self, task: Option<&str>) -> Self {
        Self { place: self.place.clone(), task: task.map(str::to_owned) }
    }

    /// The address of the route.
    pub fn href(&self) -> String {
        let (name, rest) = match &self.place {
            Place::Today => ("today", None),
            Place::Upcoming => ("upcoming", None),
            Place::Month(day) => ("month", Some(day)),
            Place::Inbox => ("inbox", None),
            Place::List(list) => ("list", Some(list)),
            Place::Filter(filter) => ("filter", Some(filter)),
            Place::Tag(tag) => ("tag", Some(tag)),
            Place::Search(text) => ("search", Some(text)),
            Place::Completed => ("completed", None),
            Place::Trash => ("trash", None),
            Place::Settings(part) => ("settings", Some(part)),
            Place::Register => ("register", None),
            Place::Forgot => ("forgot", None),
            Place::Verify(token) => ("verify", Some(token)),
            Place::Reset(token) => ("reset", Some(token)),
        };
        let mut href = format!("#/{name}");
        if let Some(rest) = rest.filter(|rest| !rest.is_empty()) {
            href.push('/');
            href.push_str(&encoded(rest));
        }
        if let Some(task) = &self.task {
            href.push_str("?task=");
            href.push_str(&encoded(task));
        }
        href
    }

    /// Goes there.
    pub fn go(&self) {
        let _ = window().location().set_hash(&self.href());
    }

    /// Goes there without leaving a way back.
    pub fn replace(&self) {
        let _ = window().location().replace(&self.href());
    }
}

/// The current route, which follows the address.
pub fn follow() -> ArcRwSignal<Route> {
    let current = || Route::parse(&window().location().hash().unwrap_or_default());
    let route = ArcRwSignal::new(current());
    let followed = route.clone();
    on_window("hashchange", move |_| followed.set(current()));
    route
}

fn decoded(text: &str) -> String {
    js_sys::decode_uri_component(text).map_or_else(|_| text.to_owned(), String::from)
}

pub fn encoded(text: &str) -> String {
    String::from(js_sys::encode_uri_component(text))
}
