//! Sync: the feed of changes, the WebSocket, and what is fetched beside them.

use rondo_domain::instant::Instant;
use rondo_domain::jiff::SignedDuration;
use serde_json::Value;

use crate::connection::{Connection, Flight, Part, Reset, Socket, Sync};
use crate::device::Device;
use crate::effect::{Effect, Request};
use crate::form::Form as _;
use crate::place::List;
use crate::record::{Record, Table};
use crate::task::Task;

/// Maximum number of changes of a page of the feed.
const PAGE_CHANGES_MAX: u32 = 500;
/// First and longest wait after a failure, in milliseconds.
const BACKOFF_MS_MIN: i64 = 500;
const BACKOFF_MS_MAX: i64 = 60_000;
/// Above this number, ids that this device gave are forgotten at start, when no edit waits that could use them.
const ALIASES_MAX: usize = 1_000;
/// How often the feed is read while there is no WebSocket, in seconds.
const POLL_S: i64 = 30;

impl Device {
    /// This tab leads: it sends and receives.
    pub fn lead(&mut self, now: Instant) {
        self.is_leader = true;
        self.sync.wants.extend([
            Part::Account,
            Part::Feed,
            Part::Filters,
            Part::Tags,
            Part::Reminders,
        ]);
        if self.aliases.len() > ALIASES_MAX && self.outbox.is_empty() {
            for local in std::mem::take(&mut self.aliases).into_keys() {
                self.keep(Record::forget(Table::Alias, local.to_string()));
            }
        }
        let forwarded = std::mem::take(&mut self.forwarded);
        self.accept(forwarded, now);
    }

    /// Another tab leads.
    pub fn follow(&mut self) {
        self.is_leader = false;
        let Sync { cursor, is_synced, .. } = self.sync;
        self.sync = Sync { cursor, is_synced, ..Sync::default() };
    }

    #[must_use]
    pub fn is_leader(&self) -> bool {
        self.is_leader
    }

    #[must_use]
    pub fn connection(&self) -> Connection {
        match self.sync.socket {
            _ if !self.sync.is_online => Connection::Offline,
            // A browser that is in a network may still not reach the server.
            Socket::Closed | Socket::Opening
                if self.sync.socket_failures.max(self.sync.failures) > 1 =>
            {
                Connection::Offline
            }
            Socket::Open if self.sync.failures == 0 => Connection::Live,
            _ => Connection::Connecting,
        }
    }

    /// Whether the first sync has ended, so that an empty view is empty.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.sync.is_synced && self.sync.page.is_none()
    }

    /// Fetches a part anew.
    pub fn refresh(&mut self, part: Part, now: Instant) {
        self.sync.wants.insert(part);
        self.pump(now);
    }

    /// The network is there.
    pub fn online(&mut self, now: Instant) {
        self.sync.is_online = true;
        (self.sync.wait, self.sync.failures) = (None, 0);
        (self.sync.socket_wait, self.sync.socket_failures) = (None, 0);
        self.sync.wants.insert(Part::Feed);
        self.changes.connection = true;
        self.pump(now);
    }

    /// The network is gone.
    pub fn offline(&mut self) {
        self.sync.is_online = false;
        if self.sync.socket != Socket::Closed {
            self.sync.socket = Socket::Closed;
            self.effects.push(Effect::Disconnect);
        }
        self.changes.connection = true;
    }

    /// There is a new access token.
    pub fn refreshed(&mut self, now: Instant) {
        self.sync.is_paused = false;
        self.sync.socket_wait = None;
        self.pump(now);
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Instant) {
        self.sync.woken = None;
        self.forget_tokens(now);
        if self.sync.next_poll.is_some_and(|at| at <= now) {
            self.sync.next_poll = None;
            self.sync.wants.insert(Part::Feed);
        }
        self.pump(now);
    }

    /// The WebSocket is open.
    pub fn connected(&mut self, _now: Instant) {
        self.sync.socket = Socket::Open;
        self.sync.socket_failures = 0;
        self.sync.next_poll = None;
        self.changes.connection = true;
    }

    /// The WebSocket is closed, or could not be opened.
    pub fn closed(&mut self, code: u16, now: Instant) {
        use rondo_contract::frame::close;
        self.sync.socket = Socket::Closed;
        self.changes.connection = true;
        match code {
            close::UNAUTHENTICATED => self.pause(),
            close::RESET_REQUIRED => self.restart(),
            _ => {}
        }
        self.sync.socket_failures += 1;
        self.sync.socket_wait = Some(self.later(self.sync.socket_failures, now));
        self.sync.next_poll = add(now, POLL_S * 1_000);
        self.pump(now);
    }

    /// A frame of the WebSocket.
    pub fn frame(&mut self, text: &str, now: Instant) {
        let frame: Value = serde_json::from_str(text).unwrap_or_default();
        let revision = frame["revision"].as_i64().unwrap_or_default();
        match frame["type"].as_str().unwrap_or_default() {
            "task.updated" | "task.snapshot" => {
                let id = frame["task_id"].as_i64().unwrap_or_default();
                self.change(id, Task::of(&frame["task"]), revision, now);
                self.advance(revision);
            }
            "list.updated" | "list.snapshot" => {
                let id = frame["list_id"].as_i64().unwrap_or_default();
                self.change_list(id, List::of(&frame["list"]), revision);
                self.advance(revision);
            }
            "token.expiring" => self.effects.push(Effect::Refresh),
            _ => {}
        }
        self.pump(now);
    }

    pub(crate) fn change(&mut self, id: i64, task: Option<Task>, revision: i64, now: Instant) {
        match task {
            Some(task) => {
                let uid = task.uid.clone();
                self.learn(task);
                if !self.outbox.is_empty() {
                    self.reconcile(&uid, now);
                }
            }
            None => {
                let uid = self.ids.get(&id).cloned();
                let known = uid.filter(|uid| {
                    self.base.get(uid).is_some_and(|task| task.id == id && task.revision < revision)
                });
                if let Some(uid) = known {
                    self.lose(&uid, now);
                }
                self.sync.see(id, revision);
            }
        }
    }

    pub(crate) fn change_list(&mut self, id: i64, list: Option<List>, revision: i64) {
        match list {
            Some(list) => self.learn_list(list),
            None if self.base_lists.get(&id).is_some_and(|list| list.revision < revision) => {
                self.unlearn_list(id);
            }
            None => {}
        }
        if let Some(reset) = &mut self.sync.reset {
            reset.lists.insert(id, revision);
        }
    }

    pub(crate) fn advance(&mut self, revision: i64) {
        if revision > self.sync.cursor {
            self.sync.cursor = revision;
            self.keep(Record::save(Table::Meta, "cursor", revision.into()));
        }
    }

    /// Starts from nothing, since deletions are no longer known. What is shown stays until the end.
    pub(crate) fn restart(&mut self) {
        self.sync.cursor = 0;
        self.sync.page = None;
        self.sync.reset = Some(Reset::default());
        // A page that was asked for before does not continue this.
        self.sync.flight.retain(|_, flight| *flight != Flight::Part(Part::Feed));
        self.keep(Record::save(Table::Meta, "cursor", 0.into()));
        self.sync.wants.insert(Part::Feed);
        if self.sync.socket != Socket::Closed {
            self.sync.socket = Socket::Closed;
            self.effects.push(Effect::Disconnect);
        }
    }

    /// The feed has been read to its end.
    pub(crate) fn caught_up(&mut self, now: Instant) {
        self.sync.page = None;
        if !self.sync.is_synced {
            self.sync.is_synced = true;
            self.keep(Record::save(Table::Meta, "synced", true.into()));
        }
        if let Some(seen) = self.sync.reset.take() {
            let is_lost = |task: &&Task| !seen.tasks.contains_key(&task.id);
            let lost: Vec<_> = self.base.values().filter(is_lost).map(|t| t.uid.clone()).collect();
            for uid in lost {
                self.lose(&uid, now);
            }
            let lists: Vec<_> = self.base_lists.keys().copied().collect();
            for id in lists.into_iter().filter(|id| !seen.lists.contains_key(id)) {
                self.unlearn_list(id);
            }
        }
        if self.sync.socket != Socket::Open {
            self.sync.next_poll = add(now, POLL_S * 1_000);
        }
    }

    pub(crate) fn pause(&mut self) {
        if !self.sync.is_paused {
            self.sync.is_paused = true;
            self.effects.push(Effect::Refresh);
        }
    }

    /// Sends what there is to send.
    pub(crate) fn pump(&mut self, now: Instant) {
        if !self.is_leader || !self.sync.is_online || self.sync.is_paused {
            return;
        }
        self.send(now);
        let waits = [self.sync.wait, self.sync.socket_wait, self.sync.next_poll];
        let next = waits.into_iter().flatten().filter(|wait| *wait > now).min();
        if next != self.sync.woken {
            self.sync.woken = next;
            self.effects.extend(next.map(Effect::Wake));
        }
    }

    fn send(&mut self, now: Instant) {
        if self.sync.wait.is_some_and(|wait| wait > now) {
            return;
        }
        self.sync.wait = None;
        if !self.sync.has_change() {
            self.send_next(now);
        }
        for part in std::mem::take(&mut self.sync.wants) {
            if self.sync.flight.values().any(|flight| *flight == Flight::Part(part)) {
                self.sync.wants.insert(part);
                continue;
            }
            let path = self.path_of(part);
            self.request(Flight::Part(part), "GET", path, None, Vec::new());
        }
        let is_feed = |flight: &Flight| *flight == Flight::Part(Part::Feed);
        let is_reading = self.sync.flight.values().any(is_feed);
        let is_caught_up = !is_reading && self.sync.page.is_none();
        let may_connect = self.sync.socket_wait.is_none_or(|wait| wait <= now);
        if self.sync.socket == Socket::Closed && is_caught_up && may_connect {
            self.sync.socket = Socket::Opening;
            self.effects.push(Effect::Connect { since: self.sync.cursor });
        }
    }

    fn path_of(&self, part: Part) -> String {
        match part {
            Part::Account => "/api/auth/me".to_owned(),
            Part::Filters => "/api/filters".to_owned(),
            Part::Tags => "/api/tags".to_owned(),
            Part::Reminders => "/api/reminders?status=armed&limit=500".to_owned(),
            Part::Feed => {
                let start = match &self.sync.page {
                    Some(page) => format!("cursor={page}"),
                    None => format!("since={}", self.sync.cursor),
                };
                format!("/api/changes?{start}&limit={PAGE_CHANGES_MAX}")
            }
        }
    }

    pub(crate) fn request(
        &mut self,
        flight: Flight,
        method: &'static str,
        path: String,
        body: Option<String>,
        headers: Vec<(&'static str, String)>,
    ) {
        self.sync.ticket += 1;
        let ticket = self.sync.ticket;
        self.sync.flight.insert(ticket, flight);
        self.effects.push(Effect::Send(Request { ticket, method, path, body, headers }));
    }

    /// A wait that doubles with each failure, somewhere between half of it and all of it.
    pub(crate) fn later(&mut self, failures: u32, now: Instant) -> Instant {
        let doubled = BACKOFF_MS_MIN << failures.min(10);
        let half = doubled.min(BACKOFF_MS_MAX) / 2;
        let jitter = (self.random.next() % (half as u64 + 1)) as i64;
        add(now, half + jitter).unwrap_or(now)
    }

    /// Nothing is sent for a while.
    pub(crate) fn back_off(&mut self, retry_after_s: Option<i64>, now: Instant) {
        let waiting = self.sync.wait.filter(|wait| *wait > now);
        // Requests that fail together count once.
        let own = waiting.unwrap_or_else(|| {
            self.sync.failures += 1;
            self.later(self.sync.failures, now)
        });
        let asked = retry_after_s.and_then(|s| add(now, s.clamp(0, 3_600) * 1_000));
        self.sync.wait = Some(asked.map_or(own, |asked| asked.max(own)));
        self.changes.connection = true;
    }
}

fn add(now: Instant, ms: i64) -> Option<Instant> {
    now.checked_add(SignedDuration::from_millis(ms))
}
