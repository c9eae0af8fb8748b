//! Takes over what was fetched: pages of the feed of changes, and what has no revision.

use rondo_domain::instant::Instant;
use rondo_domain::map::Map;
use serde_json::{Value, json};

use crate::connection::Part;
use crate::device::Device;
use crate::form::Form;
use crate::place::{Account, Filter, List, Reminder, Tag};
use crate::record::{Record, Table};
use crate::task::Task;

impl Device {
    /// Takes over a fetched part.
    pub(crate) fn learn_part(&mut self, part: Part, body: &Value, now: Instant) {
        match part {
            Part::Account => {
                self.base_account = Account::of(body);
                self.keep(Record::save(Table::Meta, "account", body.clone()));
                self.show_places();
            }
            Part::Feed => self.learn_page(body, now),
            Part::Filters => {
                let new = keyed(body, |filter: &Filter| filter.id);
                self.keep_all(Table::Filter, &self.base_filters.clone(), &new);
                self.base_filters = new;
                self.show_places();
            }
            Part::Tags => {
                let new = keyed(body, Tag::key);
                self.keep_all(Table::Tag, &self.base_tags.clone(), &new);
                self.base_tags = new;
                self.changes.tags = true;
            }
            Part::Reminders => {
                let new = keyed(body, |reminder: &Reminder| reminder.id);
                self.keep_all(Table::Reminder, &self.reminders.clone(), &new);
                self.reminders = new;
                self.changes.reminders = true;
            }
        }
    }

    fn learn_page(&mut self, body: &Value, now: Instant) {
        let integer = |value: &Value| value.as_i64().unwrap_or_default();
        for change in body["changes"].as_array().into_iter().flatten() {
            let revision = integer(&change["revision"]);
            if let Some(task) = Task::of(&change["task"]) {
                self.change(task.id, Some(task), revision, now);
            } else if let Some(id) = change["task_id"].as_i64() {
                self.change(id, None, revision, now);
            } else if let Some(list) = List::of(&change["list"]) {
                self.change_list(list.id, Some(list), revision);
            } else if let Some(id) = change["list_id"].as_i64() {
                self.change_list(id, None, revision);
            }
        }
        self.advance(integer(&body["revision"]));
        self.sync.page = body["cursor"].as_str().map(str::to_owned);
        if body["has_more"] == json!(true) {
            self.sync.wants.insert(Part::Feed);
            return;
        }
        self.caught_up(now);
        self.changes.connection = true;
    }

    fn keep_all<K: Ord + ToString, T: PartialEq + Form>(
        &mut self,
        table: Table,
        old: &Map<K, T>,
        new: &Map<K, T>,
    ) {
        for (key, item) in new {
            if old.get(key) != Some(item) {
                self.keep(Record::save(table, key.to_string(), item.to_value()));
            }
        }
        for key in old.keys().filter(|key| !new.contains_key(key)) {
            self.keep(Record::forget(table, key.to_string()));
        }
    }
}

fn keyed<K: Ord, T: Form>(body: &Value, key: impl Fn(&T) -> K) -> Map<K, T> {
    let items = body.as_array().into_iter().flatten();
    Map::from_iter(items.filter_map(|item| T::of(item)).map(|item| (key(&item), item)))
}
