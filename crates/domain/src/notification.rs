//! Whether to send a notification: decided when its mail is rendered, and again at each attempt to send it.

use crate::instant::Instant;

/// The firing of a reminder that a notification is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Firing {
    pub reminder_id: i64,
    /// How often the reminder has come due, including this time.
    pub number: i64,
    pub remind_at: Instant,
}

/// The current state of a reminder and its task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReminderNow {
    /// The reminder has come due, and has been neither armed again nor cancelled since.
    pub is_fired: bool,
    /// False if its task has lost the due date or the offset that the reminder was planned by.
    pub is_planned: bool,
    pub firing: i64,
    pub remind_at: Instant,
    pub is_completed: bool,
    pub task: Version,
}

/// The version of a task that a mail states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version {
    pub revision: i64,
    pub due_date: Option<Instant>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    Send,
    /// The mail is outdated or unwanted.
    Cancel,
    /// The mail states another due date than the task's: the reminder fires again, and a new mail is
    /// rendered.
    Rearm,
}

/// Whether a firing still deserves a mail: the task is open, the reminder has not moved on, and the user can
/// be reached.
#[must_use]
pub fn is_current(firing: &Firing, now: &ReminderNow, is_reachable: bool) -> bool {
    let is_same = now.is_fired && now.is_planned;
    let is_same = is_same && (now.firing, now.remind_at) == (firing.number, firing.remind_at);
    is_same && !now.is_completed && is_reachable
}

/// Decides about a mail `rendered` from a version of its task. `now` is none when the reminder or its task is
/// gone. A task that was only renamed keeps its mail.
#[must_use]
pub fn decide(
    firing: &Firing,
    rendered: Version,
    now: Option<&ReminderNow>,
    is_reachable: bool,
) -> Decision {
    match now.filter(|now| is_current(firing, now, is_reachable)) {
        None => Decision::Cancel,
        Some(ReminderNow { task, .. })
            if task.revision != rendered.revision && task.due_date != rendered.due_date =>
        {
            Decision::Rearm
        }
        Some(_) => Decision::Send,
    }
}

/// Decides about a digest's mail.
#[must_use]
pub const fn decide_digest(wants_digest: bool, is_reachable: bool) -> Decision {
    if wants_digest && is_reachable { Decision::Send } else { Decision::Cancel }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hour: u8) -> Instant {
        format!("2026-01-12T{hour:02}:00:00Z").parse().unwrap()
    }

    #[test]
    fn a_mail_is_sent_only_while_current_and_wanted() {
        let firing = Firing { reminder_id: 1, number: 2, remind_at: at(9) };
        let rendered = Version { revision: 5, due_date: Some(at(10)) };
        let same = ReminderNow {
            is_fired: true,
            is_planned: true,
            firing: 2,
            remind_at: at(9),
            is_completed: false,
            task: rendered,
        };
        let check = |name: &str, now: Option<&ReminderNow>, is_reachable, expected| {
            assert_eq!(decide(&firing, rendered, now, is_reachable), expected, "{name}");
        };
        let with = |name: &str, change: fn(&mut ReminderNow), expected| {
            let mut now = same.clone();
            change(&mut now);
            check(name, Some(&now), true, expected);
        };
        with("as it was", |_| (), Decision::Send);
        with("armed again", |now| now.is_fired = false, Decision::Cancel);
        with("without a plan", |now| now.is_planned = false, Decision::Cancel);
        with("fired again", |now| now.firing = 3, Decision::Cancel);
        with("snoozed", |now| now.remind_at = at(11), Decision::Cancel);
        with("completed", |now| now.is_completed = true, Decision::Cancel);
        with("renamed", |now| now.task.revision = 6, Decision::Send);
        with(
            "another due date",
            |now| now.task = Version { revision: 6, due_date: None },
            Decision::Rearm,
        );
        with(
            "completed, with another due date",
            |now| {
                now.is_completed = true;
                now.task = Version { revision: 6, due_date: None };
            },
            Decision::Cancel,
        );
        check("gone", None, true, Decision::Cancel);
        check("not wanted", Some(&same), false, Decision::Cancel);
    }

    #[test]
    fn a_digest_is_sent_only_while_wanted() {
        assert_eq!(decide_digest(true, true), Decision::Send);
        assert_eq!(decide_digest(true, false), Decision::Cancel);
        assert_eq!(decide_digest(false, true), Decision::Cancel);
    }
}
