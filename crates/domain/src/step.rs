//! Steps: the subtasks of a task, and the tasks that block it.
//!
//! The rules here need no other task. Whether a task may be a subtask of another one, or be blocked by it, depends
//! on all of its user's tasks, so the database decides that with the limits given here.

use crate::{Violation, order};

/// Maximum number of levels: a task, its subtasks, and theirs.
pub const LEVELS_MAX: i64 = 3;
/// Maximum number of tasks beneath a task that is no subtask itself, on all levels.
pub const SUBTASKS_MAX: i64 = 200;
/// Maximum number of tasks that block a task.
pub const BLOCKERS_MAX: usize = 50;

/// At most 50 ids of tasks, each once, in ascending order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Blockers(Vec<i64>);

impl Blockers {
    /// # Errors
    /// `too_many`.
    pub fn of(ids: impl IntoIterator<Item = i64>) -> Result<Self, Violation> {
        let mut ids: Vec<i64> = ids.into_iter().collect();
        order::sort(&mut ids);
        ids.dedup();
        if ids.len() > BLOCKERS_MAX {
            return Err(Violation::TooMany { max: BLOCKERS_MAX });
        }
        Ok(Self(ids))
    }

    #[must_use]
    pub fn as_slice(&self) -> &[i64] {
        &self.0
    }
}

word_enum! {
    /// What becomes of the open subtasks of a task that is completed.
    pub enum SubtaskFate {
        /// They are completed too.
        Complete = "complete",
        /// They stay open.
        Keep = "keep",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blockers_are_a_set() {
        let check = |ids: &[i64], expected: Result<&[i64], &str>| {
            let found = Blockers::of(ids.iter().copied());
            let found = found.as_ref().map(Blockers::as_slice);
            assert_eq!(found.map_err(|violation| violation.code()), expected, "{ids:?}");
        };
        check(&[], Ok(&[]));
        check(&[7, 3, 7, 5], Ok(&[3, 5, 7]));
        let fifty: Vec<i64> = (1..=50).collect();
        check(&fifty, Ok(&fifty));
        check(&[fifty.as_slice(), &[50]].concat(), Ok(&fifty));
        check(&[fifty.as_slice(), &[51]].concat(), Err("too_many"));
    }
}
