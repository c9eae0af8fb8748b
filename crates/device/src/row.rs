//! A task as it is shown, with what lists sort and search by.

use std::ops::Deref;
use std::sync::OnceLock;

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
    pub(crate) tag_keys: Vec<String>,
    words: Words,
}

/// What a task is searched and sorted by, made when it is first asked for: a start with many tasks needs none of it.
#[derive(Debug, Clone, Default)]
struct Words(OnceLock<[String; 3]>);

/// They follow from the task.
impl PartialEq for Words {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Row {
    pub(crate) fn new(task: Task, zone: &Zone, is_unsent: bool) -> Self {
        Self {
            is_unsent,
            due_at: task.due.map(|due| due.end(zone)),
            start_at: task.start.map(|start| start.start(zone)),
            words: Words::default(),
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

    fn words(&self) -> &[String; 3] {
        self.words.0.get_or_init(|| {
            let description = self.task.description.as_deref().map(fold).unwrap_or_default();
            [fold(&self.task.title), description, title_key(&self.task.title)]
        })
    }

    /// The folded title.
    pub(crate) fn search_title(&self) -> &str {
        &self.words()[0]
    }

    pub(crate) fn title_key(&self) -> &str {
        &self.words()[2]
    }

    /// Whether the folded phrase is in the title or the description.
    pub(crate) fn contains(&self, phrase: &str) -> bool {
        let [title, description, _] = self.words();
        title.contains(phrase) || description.contains(phrase)
    }
}

impl Deref for Row {
    type Target = Task;

    fn deref(&self) -> &Task {
        &self.task
    }
}
