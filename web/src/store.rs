//! The one owner of all state that outlives a view: the device, and the signals that views watch. It lives as long
//! as the page, because a read of a signal that is gone would end the client.

use std::cell::OnceCell;
use std::sync::{PoisonError, RwLock};

use rondo_device::{Device, Edit, Fault, Row, Scope, Tag};
use rondo_domain::instant::Instant;
use rondo_domain::map::{self, Map};
use rondo_domain::task::tag_key;
use rondo_domain::zone::Zone;

use crate::dialog::Dialog;
use crate::dom::*;
use crate::platform;
use crate::popup::Popup;
use crate::route::{self, Route};
use crate::session::Session;
use crate::sync;
use crate::toast::{self, Toast};
use crate::view::chat::Chat;

thread_local! {
    static STORE: OnceCell<&'static Store> = const { OnceCell::new() };
}

pub struct Store {
    /// The lock is never contended: a page has one thread. Signals want what could be shared.
    device: RwLock<Device>,
    /// Counted up when tasks, or what belongs to them, are shown differently.
    pub tasks: ArcRwSignal<u64>,
    /// The same for lists, filters and tags.
    pub places: ArcRwSignal<u64>,
    /// By tag key.
    tag_colors: ArcMemo<Map<String, String>>,
    pub account: ArcRwSignal<u64>,
    pub notices: ArcRwSignal<u64>,
    /// Counted up when the connection, or what waits to be sent, changes.
    pub connection: ArcRwSignal<u64>,
    pub route: ArcRwSignal<Route>,
    /// The current minute: countdowns, and what is overdue, follow it.
    pub now: ArcRwSignal<Instant>,
    pub session: ArcRwSignal<Option<Session>>,
    /// Whether the session ended without the person's doing.
    pub is_expired: ArcRwSignal<bool>,
    /// Whether everything that storage has was read.
    pub is_loaded: ArcRwSignal<bool>,
    /// Whether the browser refuses to keep anything.
    pub is_storage_lost: ArcRwSignal<bool>,
    /// Uids of the tasks in the order in which they stand in the main column.
    pub order: ArcRwSignal<Vec<String>>,
    /// The task that keys act on.
    pub at: ArcRwSignal<Option<String>>,
    pub picked: ArcRwSignal<map::Set<String>>,
    /// Which occurrences a change of the task in the panel is for, by its uid.
    pub scope: ArcRwSignal<Option<(String, Scope)>>,
    pub popup: ArcRwSignal<Option<Popup>>,
    pub dialog: ArcRwSignal<Option<Dialog>>,
    pub toasts: ArcRwSignal<Vec<Toast>>,
    /// What a screen reader is told.
    pub announcement: ArcRwSignal<String>,
    pub is_menu_open: ArcRwSignal<bool>,
    pub chat: Chat,
}

/// The store.
pub fn store() -> &'static Store {
    STORE.with(|store| *store.get_or_init(|| Box::leak(Box::new(Store::new()))))
}

impl Store {
    fn new() -> Self {
        Self {
            device: RwLock::new(Device::new(seed())),
            tasks: ArcRwSignal::new(0),
            places: ArcRwSignal::new(0),
            tag_colors: ArcMemo::new(|_| {
                let colored = |tag: Tag| Some((tag.key(), tag.color?));
                store()
                    .places(|device| Map::from_iter(device.tags().into_iter().filter_map(colored)))
            }),
            account: ArcRwSignal::new(0),
            notices: ArcRwSignal::new(0),
            connection: ArcRwSignal::new(0),
            route: route::follow(),
            now: ArcRwSignal::new(now()),
            session: ArcRwSignal::new(Session::kept()),
            is_expired: ArcRwSignal::new(false),
            is_loaded: ArcRwSignal::new(false),
            is_storage_lost: ArcRwSignal::new(false),
            order: ArcRwSignal::new(Vec::new()),
            at: ArcRwSignal::new(None),
            picked: ArcRwSignal::new(map::Set::new()),
            scope: ArcRwSignal::new(None),
            popup: ArcRwSignal::new(None),
            dialog: ArcRwSignal::new(None),
            toasts: ArcRwSignal::new(Vec::new()),
            announcement: ArcRwSignal::new(String::new()),
            is_menu_open: ArcRwSignal::new(false),
            chat: Chat::new(),
        }
    }

    /// Reads from the device, without watching it.
    pub fn read<T>(&self, read: impl FnOnce(&Device) -> T) -> T {
        read(&self.device.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads tasks, and watches them.
    pub fn tasks<T>(&self, read: impl FnOnce(&Device) -> T) -> T {
        self.tasks.track();
        self.read(read)
    }

    /// Reads lists, filters and tags, and watches them.
    pub fn places<T>(&self, read: impl FnOnce(&Device) -> T) -> T {
        self.places.track();
        self.read(read)
    }

    pub fn account<T>(&self, read: impl FnOnce(&Device) -> T) -> T {
        self.account.track();
        self.read(read)
    }

    /// A task as it is shown, watched.
    pub fn row(&self, uid: &str) -> Option<Row> {
        self.tasks(|device| device.task(uid).cloned())
    }

    /// The person's zone, watched.
    pub fn zone(&self) -> Zone {
        self.account(Device::zone)
    }

    /// The colour of a tag, watched.
    pub fn tag_color(&self, name: &str) -> Option<String> {
        self.tag_colors.with(|colors| colors.get(&tag_key(name)).cloned())
    }

    /// Changes the device, and carries out what it wants done.
    pub fn change<T>(&self, change: impl FnOnce(&mut Device) -> T) -> T {
        let (result, effects, changes) = {
            let mut device = self.device.write().unwrap_or_else(PoisonError::into_inner);
            let result = change(&mut device);
            (result, device.drain(), device.changes())
        };
        let count = |signal: &ArcRwSignal<u64>| signal.update(|count| *count += 1);
        if !changes.tasks.is_empty() || changes.reminders {
            count(&self.tasks);
        }
        if changes.lists || changes.filters || changes.tags {
            count(&self.places);
        }
        if changes.account {
            count(&self.account);
        }
        if changes.notices {
            count(&self.notices);
        }
        if changes.outbox || changes.connection {
            count(&self.connection);
        }
        sync::carry_out(effects);
        result
    }

    /// Makes edits that are undone together. Returns the uids of created tasks. Says what is wrong, if something is.
    pub fn edit(&self, edits: Vec<Edit>) -> Vec<String> {
        match self.change(|device| device.edit(edits, now())) {
            Ok(uids) => uids,
            Err(faults) => {
                toast::show(words(&faults), toast::Action::None);
                Vec::new()
            }
        }
    }

    /// Tells a screen reader.
    pub fn announce(&self, text: String) {
        self.announcement.set(text);
    }
}

/// Faults in words.
pub fn words(faults: &[Fault]) -> String {
    faults.iter().map(|fault| fault.detail.clone()).collect::<Vec<_>>().join(" ")
}

/// The current moment.
pub fn now() -> Instant {
    #[expect(clippy::cast_possible_truncation, reason = "milliseconds of the clock fit 53 bits")]
    let microseconds = (platform::now_ms() * 1000.0) as i64;
    Instant::from_microsecond(microseconds).unwrap_or(Instant::UNIX_EPOCH)
}

pub fn seed() -> [u8; 16] {
    platform::random(16).try_into().unwrap_or_default()
}
