//! A task as it is shown, with what lists sort and search by.

use std::ops::Deref;

use rondo_domain::fold::fold;
use rondo_domain::instant::Instant;
use rondo_domain::task::{tag_key, title_key};
use rondo_domain::zone::Zone;

use crate::task::Task;

/// A task as the person sees it: the server's, with the edits of the outbox over it.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    task: Task,
    /// Whether an edit of it waits in the outbox.
    pub is_unsent: bool,
    /// When the task becomes overdue: the moment it is due, or the end of the day.
    pub due_at: Option<Instant>,
    /// Before it, the task is deferred.
    pub start_at: Option<Instant>,
    pub(crate) search_title: String,
    pub(crate) search_description: String,
    pub(crate) title_key: String,
    pub(crate) tag_keys: Vec<String>,
}

impl Row {
    pub(crate) fn new(task: Task, zone: &Zone, is_unsent: bool) -> Self {
        Self {
            is_unsent,
            due_at: task.due.map(|due| due.end(zone)),
            start_at: task.start.map(|start| start.start(zone)),
            search_title: fold(&task.title),
            search_description: task.description.as_deref().map(fold).unwrap_or_default(),
            title_key: title_key(&task.title),
            tag_keys: task.tags.iter().map(|tag| tag_key(tag)).collect(),
            task,
        }
    }

    #[must_use]
    pub fn task(&self) -> &Task {
        &self.task
    }

    /// Whether the task is open and its moment has passed.
    #[must_use]
    pub fn is_overdue(&self, now: Instant) -> bool {
        !self.is_completed() && self.due_at.is_some_and(|due| due < now)
    }

    /// Whether the task has not started.
    #[must_use]
    pub fn is_deferred(&self, now: Instant) -> bool {
        self.start_at.is_some_and(|start| start > now)
    }

    /// Whether the folded phrase is in the title or the description.
    pub(crate) fn contains(&self, phrase: &str) -> bool {
        self.search_title.contains(phrase) || self.search_description.contains(phrase)
    }
}

impl Deref for Row {
    type Target = Task;

    fn deref(&self) -> &Task {
        &self.task
    }
}
