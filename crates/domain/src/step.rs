//! Steps: the subtasks of a task, and the tasks that block it.
//!
//! The rules here need no other task. Whether a task may be a subtask of another one, or be blocked by it, depends
//! on all of its user's tasks, so the database decides that with the limits given here.

use jiff::civil::DateTime;

use crate::Violation;
use crate::instant::Instant;
use crate::zone::Zone;

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
        ids.sort_unstable();
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

/// The local time of a subtask in the next occurrence: as far from `local`, on the wall clock, as the occurrence's
/// own time `to` is from the one before, `from`. None beyond the calendar.
#[must_use]
pub fn moved(local: DateTime, from: DateTime, to: DateTime) -> Option<DateTime> {
    local.checked_add(to.duration_since(from)).ok()
}

/// When a subtask is due in the next occurrence, in the subtask's own zone.
#[must_use]
pub fn due_again(due: Instant, zone: &Zone, from: DateTime, to: DateTime) -> Option<Instant> {
    zone.instant_of(moved(zone.local_of(due), from, to)?)
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

    #[test]
    fn a_subtask_moves_as_far_as_its_task_on_the_wall_clock() {
        let check = |local: &str, from: &str, to: &str, expected: Option<&str>| {
            let [local, from, to] = [local, from, to].map(|text| text.parse().unwrap());
            let found = moved(local, from, to).map(|local| local.to_string());
            assert_eq!(found.as_deref(), expected, "{local}, from {from} to {to}");
        };
        let week = ["2031-01-13T09:00:00", "2031-01-20T09:00:00"];
        check("2031-01-11T18:30:00", week[0], week[1], Some("2031-01-18T18:30:00"));
        check("2031-01-14T00:00:00", week[0], week[1], Some("2031-01-21T00:00:00"));
        // From the end of one month to the end of the next: by days, not by months.
        let month = ["2031-01-31T09:00:00", "2031-02-28T09:00:00"];
        check("2031-01-30T09:00:00", month[0], month[1], Some("2031-02-27T09:00:00"));
        check("2031-01-01T09:00:00", month[0], month[1], Some("2031-01-29T09:00:00"));
        // A postponed task comes back to its slot, by less than its period.
        check(
            "2031-01-11T18:30:00",
            "2031-01-15T12:00:00",
            "2031-01-20T09:00:00",
            Some("2031-01-16T15:30:00"),
        );
        // Backwards, when a task was postponed beyond its next slot.
        check("2031-01-22T08:00:00", "2031-01-22T09:00:00", week[1], Some("2031-01-20T08:00:00"));
        check("9999-12-31T09:00:00", week[0], week[1], None);
    }

    #[test]
    fn the_zone_of_a_subtask_may_be_another_one() {
        let check = |due: &str, zone: &str, from: &str, to: &str, expected: Option<&str>| {
            let [from, to] = [from, to].map(|text| text.parse().unwrap());
            let zone = Zone::parse(zone).unwrap();
            let found = due_again(due.parse().unwrap(), &zone, from, to);
            assert_eq!(found.map(|due| due.to_string()).as_deref(), expected, "{due} in {zone}");
        };
        let days = ["2031-03-29T09:00:00", "2031-03-30T09:00:00"];
        // Nine o'clock stays nine o'clock when the clocks change.
        check(
            "2031-03-29T08:00:00Z",
            "Europe/Paris",
            days[0],
            days[1],
            Some("2031-03-30T07:00:00Z"),
        );
        check("2031-03-29T08:00:00Z", "UTC", days[0], days[1], Some("2031-03-30T08:00:00Z"));
        // A time that the clock skips is later by the gap.
        check(
            "2031-03-29T01:30:00Z",
            "Europe/Paris",
            days[0],
            days[1],
            Some("2031-03-30T01:30:00Z"),
        );
        check("9999-12-31T12:00:00Z", "UTC", days[0], days[1], None);
    }
}
