//! The device: its state, how it comes from storage, and how it is watched.

use rondo_domain::instant::{self, Instant};
use rondo_domain::map::{Map, Set};
use rondo_domain::order;
use rondo_domain::zone::Zone;
use serde_json::{Value, json};

use crate::connection::{Part, Sync};
use crate::effect::Effect;
use crate::form::Form;
use crate::history::History;
use crate::notice::Notice;
use crate::outbox::Entry;
use crate::place::{Account, Filter, List, Reminder, Tag};
use crate::random::Random;
use crate::record::{Record, Table};
use crate::row::Row;
use crate::task::Task;

/// The core of a client. Inputs are methods; what they want done waits in [`drain`](Self::drain).
#[derive(Debug)]
pub struct Device {
    pub(crate) random: Random,
    /// Whether this tab sends and receives. Others forward their edits to it.
    pub(crate) is_leader: bool,
    pub(crate) base_account: Account,
    pub(crate) account: Account,
    /// Tasks as the server has them, by uid.
    pub(crate) base: Map<String, Task>,
    /// Tasks as they are shown.
    pub(crate) rows: Map<String, Row>,
    pub(crate) ids: Map<i64, String>,
    /// Uids of the shown subtasks of each task, by its id.
    pub(crate) children: Map<i64, Set<String>>,
    pub(crate) base_lists: Map<i64, List>,
    pub(crate) lists: Map<i64, List>,
    pub(crate) base_filters: Map<i64, Filter>,
    pub(crate) filters: Map<i64, Filter>,
    /// By tag key.
    pub(crate) base_tags: Map<String, Tag>,
    pub(crate) reminders: Map<i64, Reminder>,
    pub(crate) outbox: Vec<Entry>,
    /// Edits that the leading tab has not taken over yet.
    pub(crate) forwarded: Vec<Entry>,
    pub(crate) place: u64,
    pub(crate) aliases: Map<i64, i64>,
    /// Undo tokens of edits that were sent, with the moment of the answer.
    pub(crate) tokens: Map<String, (String, Instant)>,
    pub(crate) notices: Map<String, Notice>,
    pub(crate) history: History,
    pub(crate) sync: Sync,
    pub(crate) effects: Vec<Effect>,
    pub(crate) changes: Changes,
}

/// What has changed since the last look, so that views update narrowly.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changes {
    /// Uids of tasks that are shown differently, or no longer.
    pub tasks: Set<String>,
    pub lists: bool,
    pub filters: bool,
    pub tags: bool,
    pub reminders: bool,
    pub account: bool,
    pub outbox: bool,
    pub notices: bool,
    pub connection: bool,
}

impl Changes {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Everything may have changed.
    fn all(tasks: Set<String>) -> Self {
        let yes = true;
        Self {
            tasks,
            lists: yes,
            filters: yes,
            tags: yes,
            reminders: yes,
            account: yes,
            outbox: yes,
            notices: yes,
            connection: yes,
        }
    }
}

impl Device {
    /// A device without anything. The seed has to be random: names of tasks and requests come from it.
    #[must_use]
    pub fn new(seed: [u8; 16]) -> Self {
        Self {
            random: Random::of(seed),
            is_leader: false,
            base_account: Account::default(),
            account: Account::default(),
            base: Map::new(),
            rows: Map::new(),
            ids: Map::new(),
            children: Map::new(),
            base_lists: Map::new(),
            lists: Map::new(),
            base_filters: Map::new(),
            filters: Map::new(),
            base_tags: Map::new(),
            reminders: Map::new(),
            outbox: Vec::new(),
            forwarded: Vec::new(),
            place: 0,
            aliases: Map::new(),
            tokens: Map::new(),
            notices: Map::new(),
            history: History::default(),
            sync: Sync::default(),
            effects: Vec::new(),
            changes: Changes::default(),
        }
    }

    /// A device with what storage has kept. The seed has to be a new one.
    #[must_use]
    pub fn restore(seed: [u8; 16], records: impl IntoIterator<Item = Record>) -> Self {
        let mut device = Self::new(seed);
        for record in records {
            device.take(&record);
        }
        device.begin();
        device
    }

    /// The same with the values as JSON, which is quicker where there are many.
    #[must_use]
    pub fn restore_texts(
        seed: [u8; 16],
        texts: impl IntoIterator<Item = (Table, String, String)>,
    ) -> Self {
        let mut device = Self::new(seed);
        for (table, key, text) in texts {
            if table == Table::Task {
                device.take_task(&key, Task::read(&text));
            } else {
                device.take(&Record { table, key, value: serde_json::from_str(&text).ok() });
            }
        }
        device.begin();
        device
    }

    fn begin(&mut self) {
        order::sort_by_key(&mut self.outbox, |entry| entry.place);
        if self.outbox.is_empty() {
            self.show_base();
            self.show_places();
            self.mark_all();
        } else {
            self.show_all();
        }
    }

    /// Takes over what the leading tab has kept.
    pub fn absorb(&mut self, records: impl IntoIterator<Item = Record>) {
        let mut tasks = Set::new();
        let mut is_other = false;
        let mut is_wide = false;
        for record in records {
            match record.table {
                Table::Task => {
                    tasks.insert(record.key.clone());
                }
                Table::Outbox => {
                    let old = self.outbox.iter().find(|entry| entry.key() == record.key).cloned();
                    self.take(&record);
                    let new = self.outbox.iter().find(|entry| entry.key() == record.key).cloned();
                    for entry in old.iter().chain(&new) {
                        tasks.extend(self.touched(entry));
                        is_wide |= entry.edit.is_wide();
                    }
                    self.changes.outbox = true;
                    is_other = true;
                    continue;
                }
                Table::Notice => self.changes.notices = true,
                Table::Reminder => self.changes.reminders = true,
                Table::Tag => self.changes.tags = true,
                Table::List | Table::Filter | Table::Meta => is_other = true,
                Table::Alias | Table::Token => {}
            }
            self.take(&record);
        }
        order::sort_by_key(&mut self.outbox, |entry| entry.place);
        if is_wide {
            tasks.extend(self.rows.keys().chain(self.base.keys()).cloned());
        }
        for uid in tasks {
            self.show(&uid);
        }
        if is_other {
            self.show_places();
        }
    }

    /// Reads a record into the state, without showing it.
    fn take(&mut self, record: &Record) {
        let Record { table, key, value } = record;
        let number = key.parse::<i64>().unwrap_or_default();
        match (table, value) {
            (Table::Task, value) => self.take_task(key, value.as_ref().and_then(Task::of)),
            (Table::List, value) => set(&mut self.base_lists, number, read(value)),
            (Table::Filter, value) => set(&mut self.base_filters, number, read(value)),
            (Table::Reminder, value) => set(&mut self.reminders, number, read(value)),
            (Table::Tag, value) => set(&mut self.base_tags, key.clone(), read(value)),
            (Table::Notice, value) => {
                let notice = value.as_ref().and_then(Notice::of);
                set(&mut self.notices, key.clone(), notice);
            }
            (Table::Alias, value) => {
                set(&mut self.aliases, number, value.as_ref().and_then(Value::as_i64));
            }
            (Table::Token, value) => {
                self.tokens.remove(key);
                let read = value.as_ref().and_then(|value| {
                    let at = instant::parse(value["at"].as_str()?).ok()?;
                    Some((value["token"].as_str()?.to_owned(), at))
                });
                self.tokens.extend(read.map(|token| (key.clone(), token)));
            }
            (Table::Outbox, value) => {
                self.outbox.retain(|entry| entry.key() != *key);
                let entry = value.as_ref().and_then(Entry::of);
                if let Some(entry) = entry {
                    self.forwarded.retain(|sent| sent.id != entry.id);
                    self.place = self.place.max(entry.place);
                    self.outbox.push(entry);
                }
            }
            (Table::Meta, value) => match (key.as_str(), value) {
                ("account", Some(value)) => self.base_account = Account::of(value),
                ("account", None) => self.base_account = Account::default(),
                ("cursor", value) => {
                    self.sync.cursor = value.as_ref().and_then(Value::as_i64).unwrap_or_default();
                }
                ("synced", value) => {
                    self.sync.is_synced = value.is_some();
                    self.changes.connection = true;
                }
                _ => {}
            },
        }
    }

    fn take_task(&mut self, key: &str, task: Option<Task>) {
        if let Some(old) = self.base.remove(key) {
            self.ids.remove(&old.id);
        }
        if let Some(task) = task {
            self.ids.insert(task.id, key.to_owned());
            self.base.insert(key.to_owned(), task);
        }
    }

    /// What has to be done since the last call.
    pub fn drain(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// What is shown differently since the last call.
    pub fn changes(&mut self) -> Changes {
        std::mem::take(&mut self.changes)
    }

    /// Registers a time zone by its rules, in the format of RFC 9636 (TZif). Whether the bytes have that format.
    #[inline(never)]
    pub fn add_zone(&mut self, name: &str, rules: &[u8]) -> bool {
        self.show_zone(name, Zone::register(name, rules).is_ok())
    }

    /// The same with the last rule alone, for a quick start; `add_zone` follows.
    pub fn add_last_rule(&mut self, name: &str, rules: &[u8]) -> bool {
        self.show_zone(name, Zone::register_last_rule(name, rules).is_ok())
    }

    fn show_zone(&mut self, name: &str, is_known: bool) -> bool {
        if is_known {
            self.changes.account |= name == self.account.time_zone();
            let uids = self.rows.iter().filter(|(_, row)| row.time_zone == name);
            for uid in uids.map(|(uid, _)| uid.clone()).collect::<Vec<_>>() {
                self.show(&uid);
            }
        }
        is_known
    }

    /// Names of zones that tasks or the account have and the device lacks. Until they are added, UTC stands in.
    #[must_use]
    pub fn missing_zones(&self) -> Set<String> {
        let of_tasks = self.rows.values().map(|row| row.time_zone.as_str());
        let names = Set::from_iter(of_tasks.chain([self.account.time_zone()]));
        Set::from_iter(
            names.into_iter().filter(|name| Zone::parse(name).is_err()).map(str::to_owned),
        )
    }

    /// The name of the person's time zone while its rules are not registered. Nothing can be said of dates before.
    #[must_use]
    pub fn missing_own_zone(&self) -> Option<&str> {
        Some(self.account.time_zone()).filter(|name| Zone::parse(name).is_err())
    }

    /// The person's time zone.
    #[must_use]
    pub fn zone(&self) -> Zone {
        zone_of(self.account.time_zone())
    }

    #[must_use]
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// Edits that wait, oldest first.
    #[must_use]
    pub fn outbox(&self) -> &[Entry] {
        &self.outbox
    }

    /// What the person has to be told, oldest first.
    #[must_use]
    pub fn notices(&self) -> Vec<&Notice> {
        let mut notices: Vec<_> = self.notices.values().collect();
        order::sort_by(&mut notices, |one, next| (&one.at, &one.id).cmp(&(&next.at, &next.id)));
        notices
    }

    /// Removes a notice.
    pub fn dismiss(&mut self, id: &str) {
        if self.notices.remove(id).is_some() {
            self.keep(Record::forget(Table::Notice, id));
            self.changes.notices = true;
        }
    }

    pub(crate) fn notify(&mut self, notice: Notice) {
        self.keep(Record::save(Table::Notice, &notice.id, json!(notice)));
        self.effects.push(Effect::Notify(notice.clone()));
        self.notices.insert(notice.id.clone(), notice);
        self.changes.notices = true;
    }

    pub(crate) fn keep(&mut self, record: Record) {
        self.effects.push(Effect::Keep(record));
    }

    /// The id by which the server knows what this device named by a negative one; any other as it is.
    #[must_use]
    pub fn resolved(&self, id: i64) -> i64 {
        self.aliases.get(&id).copied().unwrap_or(id)
    }

    pub(crate) fn mark_all(&mut self) {
        self.changes = Changes::all(Set::from_iter(self.rows.keys().cloned()));
    }

    /// The person has signed in. `user` is as the answer has it. Another person's data are removed.
    pub fn signed_in(&mut self, user: &Value, now: Instant) {
        let known = self.base_account.id();
        if known != 0 && user["id"].as_i64() != Some(known) {
            self.signed_out();
        }
        self.learn_part(Part::Account, user, now);
        self.sync.is_paused = false;
        self.pump(now);
    }

    /// Forgets the person.
    pub fn signed_out(&mut self) {
        let mut seed = [0; 16];
        seed[..8].copy_from_slice(&self.random.next().to_le_bytes());
        seed[8..].copy_from_slice(&self.random.next().to_le_bytes());
        let gone = Set::from_iter(self.rows.keys().cloned());
        let is_leader = self.is_leader;
        *self = Self { is_leader, ..Self::new(seed) };
        self.changes = Changes::all(gone);
        self.effects = vec![Effect::Disconnect, Effect::Clear];
    }
}

/// The zone of this name, or UTC as long as it is not known.
pub(crate) fn zone_of(name: &str) -> Zone {
    Zone::parse(name).unwrap_or_else(|_| Zone::utc())
}

fn read<T: Form>(value: &Option<Value>) -> Option<T> {
    value.as_ref().and_then(T::of)
}

fn set<K: Ord, T>(map: &mut Map<K, T>, key: K, value: Option<T>) {
    match value {
        Some(value) => map.insert(key, value),
        None => map.remove(&key),
    };
}
