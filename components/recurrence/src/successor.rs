//! Creates the successor of an occurrence.

use rondo_contract::cloud_event::Disposition;
use rondo_domain::due::Due;
use rondo_domain::instant::Instant;
use rondo_domain::jiff::civil::DateTime;
use rondo_domain::recurrence::{Basis, CatchUp, Successor};
use rondo_guest::database::DatabaseError;
use rondo_guest::{TraceContext, clock};

use crate::Cause;
use crate::store::{Next, Occurrence, Outcome, Store};

/// Maximum number of decisions if the occurrence changes at the same time.
const ATTEMPTS_MAX: usize = 3;
/// Maximum number of tasks that `catch_up: all` creates at once, those beneath occurrences included; one occurrence may
/// have more. The series continues from the last of them when that is completed.
const CATCH_UP_TASKS_MAX: usize = 100;

/// Creates the successor of an occurrence or ends its series, unless that has been done or is no longer
/// needed.
pub fn follow(
    store: &Store,
    user: i64,
    task: i64,
    cause: Cause,
    trace: &TraceContext,
) -> Result<Disposition, DatabaseError> {
    for _ in 0..ATTEMPTS_MAX {
        let occurrence = match store.occurrence(user, task)? {
            None => return Ok(Disposition::Done),
            Some(Err(reason)) => return Ok(Disposition::Reject { reason }),
            Some(Ok(occurrence)) => occurrence,
        };
        let now = clock::now();
        let Some(done_at) = occurrence.done_at(cause, now) else { return Ok(Disposition::Done) };
        let series = occurrence.series_id;
        let traceparent = trace.traceparent();
        let outcome = match occurrence.successors(done_at, now) {
            Some(successors) => {
                store.create(user, task, series, &successors, &occurrence.zone, &traceparent)?
            }
            None => store.end(user, task, series, &traceparent)?,
        };
        if outcome == Outcome::Done {
            return Ok(Disposition::Done);
        }
    }
    Ok(Disposition::Retry { reason: "the occurrence keeps changing".to_owned() })
}

impl Occurrence {
    /// When the occurrence was finished, if it still is and has no successor yet.
    fn done_at(&self, cause: Cause, now: Instant) -> Option<Instant> {
        let at = match cause {
            Cause::Completed if !self.deleted => self.completed_at,
            // A completed occurrence that is then deleted has a successor; this one was pending.
            Cause::Deleted if self.deleted => Some(now),
            _ => None,
        };
        at.filter(|_| !self.followed)
    }

    /// The successors in order, and the skipped slots; none if the series is over.
    fn successors(&self, done_at: Instant, now: Instant) -> Option<(Vec<Next>, Vec<DateTime>)> {
        let after =
            |slot| match self.series.successor(slot, done_at, now, self.completions, &self.taken) {
                Successor::Next { slot, due, skipped } => Some((self.next(slot, due), skipped)),
                Successor::Ended => None,
            };
        let (first, skipped) = after(self.slot)?;
        let mut next = vec![first];
        let rule = self.series.rule();
        if rule.catch_up == CatchUp::All && rule.basis == Basis::Schedule {
            while let Some(last) = next.last().filter(|last| last.due.end(&self.zone) < now)
                && (next.len() + 1) * (1 + self.steps.len()) <= CATCH_UP_TASKS_MAX
                && let Some((further, _)) = after(last.slot)
            {
                next.push(further);
            }
        }
        Some((next, skipped))
    }

    fn next(&self, slot: DateTime, due: Due) -> Next {
        let (zone, day_time) = (&self.zone, self.day_reminder_time);
        let remind_at = self.reminder_offset.map(|offset| due.remind_at(offset, zone, day_time));
        // Its start and the tasks beneath it keep their distance to it. A task without a due date is due in its slot.
        let (from, to) = (self.due.map_or(self.slot, |due| due.local(zone)), due.local(zone));
        let start = self.start.and_then(|start| start.moved(from, to, zone));
        let steps = self.steps.iter().map(|step| step.renewed(from, to, day_time)).collect();
        Next { slot, due, start, remind_at, steps }
    }
}
