//! What pages show: today, upcoming, a list, the inbox, a tag, what is completed, what a text finds.

use rondo_contract::task_query::{SortBy, SortOrder, TaskQuery};
use rondo_domain::fold::fold;
use rondo_domain::instant::{self, Instant};
use rondo_domain::jiff::civil::Date;
use rondo_domain::map::Map;
use rondo_domain::offset::ReminderOffset;
use rondo_domain::order;
use rondo_domain::task::tag_key;
use serde_json::Value;

use crate::device::{Device, zone_of};
use crate::edit::{Edit, Members};
use crate::matching::sort;
use crate::notice::Fault;
use crate::place::{Filter, List, Reminder, Tag};
use crate::row::Row;

impl Device {
    /// All tasks, by uid.
    pub fn tasks(&self) -> impl Iterator<Item = &Row> {
        self.rows.values()
    }

    /// Open tasks that are overdue or due today, by their moment. Deferred ones are left out.
    #[must_use]
    pub fn today(&self, now: Instant) -> Vec<&Row> {
        let zone = self.zone();
        let day = zone.local_of(now).date();
        let end = zone.last_instant_of(day).unwrap_or(Instant::MAX);
        // A day is that day wherever its owner is.
        self.sorted(SortBy::DueDate, |row| {
            let is_due = match row.due.and_then(rondo_domain::due::Due::day) {
                Some(due) => due <= day,
                None => row.due_at.is_some_and(|due| due <= end),
            };
            !row.is_completed() && is_due && !row.is_deferred(now)
        })
    }

    /// Open tasks due from one day to another, by day.
    #[must_use]
    pub fn upcoming(&self, first: Date, last: Date) -> Map<Date, Vec<&Row>> {
        let zone = self.zone();
        let mut days: Map<Date, Vec<&Row>> = Map::new();
        for row in self.sorted(SortBy::DueDate, |row| !row.is_completed()) {
            let Some(due) = row.due else { continue };
            let day = due.day().unwrap_or_else(|| due.local(&zone).date());
            if (first..=last).contains(&day) {
                days.entry(day, Vec::new).push(row);
            }
        }
        days
    }

    /// Open tasks of a list, in the person's order. Deferred ones are left out.
    #[must_use]
    pub fn list(&self, id: i64, now: Instant) -> Vec<&Row> {
        let id = self.resolved(id);
        self.sorted(SortBy::Position, |row| {
            row.list_id == Some(id) && !row.is_completed() && !row.is_deferred(now)
        })
    }

    /// Open tasks in no list. Deferred ones are left out.
    #[must_use]
    pub fn inbox(&self, now: Instant) -> Vec<&Row> {
        self.sorted(SortBy::Position, |row| {
            row.list_id.is_none() && !row.is_completed() && !row.is_deferred(now)
        })
    }

    /// Open tasks that have not started, the next to start first.
    #[must_use]
    pub fn deferred(&self, now: Instant) -> Vec<&Row> {
        let mut rows: Vec<&Row> =
            self.sorted(SortBy::Position, |row| !row.is_completed() && row.is_deferred(now));
        order::sort_by_key(&mut rows, |row| row.start_at);
        rows
    }

    /// Open tasks with a tag, in any spelling.
    #[must_use]
    pub fn tag(&self, name: &str) -> Vec<&Row> {
        let key = tag_key(name);
        self.sorted(SortBy::DueDate, |row| !row.is_completed() && row.tag_keys.contains(&key))
    }

    /// Completed tasks, the latest first.
    #[must_use]
    pub fn completed(&self) -> Vec<&Row> {
        let mut rows: Vec<&Row> = self.rows.values().filter(|row| row.is_completed()).collect();
        order::sort_by_key(&mut rows, |row| std::cmp::Reverse((row.completed_at, row.id)));
        rows
    }

    /// The tasks that a text is in, open ones first, those with it in the title before those with it in the description.
    #[must_use]
    pub fn search(&self, text: &str) -> Vec<&Row> {
        let phrase = fold(text.trim());
        let found = self.rows.values().filter(|row| row.contains(&phrase));
        let key = |row: &Row| {
            let place = row.search_title().find(&phrase).unwrap_or(usize::MAX);
            (row.is_completed(), place, std::cmp::Reverse(row.updated_at), row.id)
        };
        let mut keyed: Vec<_> = found.map(|row| (key(row), row)).collect();
        order::sort_by(&mut keyed, |(one, _), (other, _)| one.cmp(other));
        keyed.into_iter().map(|(_, row)| row).collect()
    }

    /// The tasks that a saved filter finds.
    ///
    /// # Errors
    /// The faults of its query.
    pub fn filter(&self, id: i64, now: Instant) -> Result<Vec<&Row>, Vec<Fault>> {
        let Some(filter) = self.filters.get(&self.resolved(id)) else { return Ok(Vec::new()) };
        self.query(&filter.query, now)
    }

    /// The tasks that parameters of `/api/tasks` find, as in a URL.
    ///
    /// # Errors
    /// All faults of the query.
    pub fn query(&self, query: &str, now: Instant) -> Result<Vec<&Row>, Vec<Fault>> {
        match TaskQuery::parse(query) {
            Ok(query) => Ok(self.find(&query, now)),
            Err(errors) => Err(errors.into_iter().map(Fault::from).collect()),
        }
    }

    /// The subtasks of a task, by position.
    #[must_use]
    pub fn subtasks(&self, uid: &str) -> Vec<&Row> {
        let Some(row) = self.rows.get(uid) else { return Vec::new() };
        let local = self.aliases.iter().filter(|(_, id)| **id == row.id).map(|(local, _)| *local);
        let ids = local.chain([row.id]);
        let uids = ids.filter_map(|id| self.children.get(&id)).flatten();
        let mut rows: Vec<&Row> = uids.filter_map(|uid| self.rows.get(uid)).collect();
        sort(&mut rows, SortBy::Position, SortOrder::Asc);
        rows
    }

    /// How many subtasks a task has, and how many of them are completed.
    #[must_use]
    pub fn progress(&self, uid: &str) -> (usize, usize) {
        let rows = self.subtasks(uid);
        (rows.len(), rows.iter().filter(|row| row.is_completed()).count())
    }

    /// Lists in the person's order, archived ones too.
    #[must_use]
    pub fn lists(&self) -> Vec<&List> {
        let mut lists: Vec<&List> = self.lists.values().collect();
        order::sort_by(&mut lists, |one, other| one.position.cmp(&other.position));
        lists
    }

    #[must_use]
    pub fn list_of(&self, id: i64) -> Option<&List> {
        self.lists.get(&self.resolved(id))
    }

    /// Saved filters, oldest first; those that wait come last.
    #[must_use]
    pub fn filters(&self) -> Vec<&Filter> {
        let mut filters: Vec<&Filter> = self.filters.values().collect();
        order::sort_by_key(&mut filters, |filter| (filter.id < 0, filter.id));
        filters
    }

    /// Tags of open tasks and those with a colour, by name, with the number of open tasks.
    #[must_use]
    pub fn tags(&self) -> Vec<Tag> {
        let mut tags: Map<String, Tag> = self.base_tags.clone();
        tags.values_mut().for_each(|tag| tag.count = 0);
        let mut counts: Map<&str, (&str, usize)> = Map::new();
        for row in self.rows.values().filter(|row| !row.is_completed()) {
            for (key, name) in row.tag_keys.iter().zip(&row.tags) {
                counts.entry(key, || (name, 0)).1 += 1;
            }
        }
        for (key, (name, count)) in counts {
            let known =
                tags.entry(key.to_owned(), || Tag { name: name.to_owned(), color: None, count: 0 });
            known.count = count;
        }
        let waiting = self.outbox.iter().chain(&self.forwarded);
        crate::tag::replay(&mut tags, waiting.map(|entry| &entry.edit));
        tags.retain(|_, tag| tag.count > 0 || tag.color.is_some());
        tags.into_values().collect()
    }

    /// Reminders of a task, earliest first, as far as the server told.
    #[must_use]
    pub fn reminders(&self, uid: &str) -> Vec<Reminder> {
        let Some(row) = self.rows.get(uid) else { return Vec::new() };
        let of_task = self.reminders.values().filter(|reminder| reminder.task_id == row.id);
        let mut reminders: Vec<Reminder> = of_task.cloned().collect();
        for entry in self.outbox.iter().chain(&self.forwarded) {
            match &entry.edit {
                Edit::AddReminder { uid: own, id, reminder } if own == uid => {
                    reminders.extend(self.planned(row, *id, reminder));
                }
                Edit::RemoveReminder { id } => reminders.retain(|reminder| reminder.id != *id),
                Edit::Snooze { id, snooze } => {
                    let own = reminders.iter_mut().find(|reminder| reminder.id == *id);
                    if let (Some(own), Some(until)) = (own, snooze.get("until")) {
                        own.remind_at = until.as_str().unwrap_or_default().to_owned();
                        own.snoozed = true;
                    }
                }
                _ => {}
            }
        }
        order::sort_by(&mut reminders, |one, other| one.remind_at.cmp(&other.remind_at));
        reminders
    }

    /// A further reminder as the server will plan it.
    fn planned(&self, row: &Row, id: i64, given: &Members) -> Option<Reminder> {
        let text = |name: &str| given.get(name).and_then(Value::as_str).map(str::to_owned);
        let offset = text("offset");
        let remind_at = match (&offset, row.due) {
            (Some(offset), Some(due)) => {
                let offset = ReminderOffset::parse(offset).ok()?;
                let zone = zone_of(&row.time_zone);
                let at = due.remind_at(offset, &zone, self.account.day_reminder_time());
                instant::format(at)
            }
            _ => text("remind_at")?,
        };
        let (kind, status) = ("further".to_owned(), "armed".to_owned());
        Some(Reminder { id, task_id: row.id, kind, offset, remind_at, snoozed: false, status })
    }

    fn sorted(&self, by: SortBy, is_wanted: impl Fn(&Row) -> bool) -> Vec<&Row> {
        let mut rows: Vec<&Row> = self.rows.values().filter(|row| is_wanted(row)).collect();
        sort(&mut rows, by, SortOrder::Asc);
        rows
    }
}
