//! Undo and redo. An edit that was not sent is withdrawn; one that was is undone by the server's token while that is
//! valid, and otherwise by the opposite edit.

use rondo_contract::undo_token::UNDO_MINUTES;
use rondo_domain::instant::Instant;

use crate::device::Device;
use crate::edit::{Edit, Members, members};
use crate::history::{Done, Step};
use crate::notice::NoticeKind;
use crate::record::{Record, Table};

impl Device {
    /// What `undo` would undo, for a label.
    #[must_use]
    pub fn undoable(&self) -> Option<Vec<&Edit>> {
        Some(self.history.undo.last()?.parts.iter().map(|done| &done.edit).collect())
    }

    /// What `redo` would do again.
    #[must_use]
    pub fn redoable(&self) -> Option<Vec<&Edit>> {
        Some(self.history.redo.last()?.parts.iter().flat_map(|done| &done.inverse).collect())
    }

    /// Undoes the last step. Whether there was one.
    pub fn undo(&mut self, now: Instant) -> bool {
        let Some(step) = self.history.undo.pop() else { return false };
        let opposite = self.reverse(step, now);
        self.history.redo.push(opposite);
        self.pump(now);
        true
    }

    /// Does again what was undone last. Whether there was something.
    pub fn redo(&mut self, now: Instant) -> bool {
        let Some(step) = self.history.redo.pop() else { return false };
        let opposite = self.reverse(step, now);
        self.history.undo.push(opposite);
        self.pump(now);
        true
    }

    /// Reverses a step, and returns the step that reverses that.
    fn reverse(&mut self, step: Step, now: Instant) -> Step {
        let mut opposite = Step::default();
        for done in step.parts.into_iter().rev() {
            if self.withdraw(done.entry.as_deref()) {
                let inverse = vec![done.edit];
                opposite.parts.push(Done { entry: None, edit: again(&done.inverse), inverse });
                continue;
            }
            let token = done.entry.as_deref().and_then(|entry| self.token(entry, now));
            let edits = match token {
                Some(token) => vec![Edit::Undo { token, inverse: done.inverse }],
                None => {
                    let made = done.edit.wanted();
                    self.still_possible(done.inverse, &made, now)
                }
            };
            for edit in edits {
                if let Ok(mut undone) = self.push(edit, now) {
                    if matches!(undone.edit, Edit::Undo { .. }) {
                        undone.inverse = vec![done.edit.clone()];
                    }
                    opposite.parts.push(undone);
                }
            }
        }
        opposite
    }

    /// The edits of an undo by hand, without what others have changed since. Of that the person is told.
    pub(crate) fn still_possible(
        &mut self,
        inverse: Vec<Edit>,
        made: &Members,
        now: Instant,
    ) -> Vec<Edit> {
        let mut possible = Vec::new();
        for mut edit in inverse {
            let row = edit.uid().and_then(|uid| self.rows.get(uid));
            let Some(task) = row.map(|row| row.task().clone()) else {
                possible.push(edit);
                continue;
            };
            let is_other =
                |name: &str| made.get(name).is_some_and(|value| *value != task.member(name));
            let wanted = edit.wanted();
            let is_deletion = matches!(edit, Edit::Delete { .. });
            let names = if is_deletion { made } else { &wanted };
            let changed: Vec<String> =
                names.keys().filter(|name| is_other(name)).cloned().collect();
            if changed.is_empty() {
                possible.push(edit);
                continue;
            }
            let of = |value: &dyn Fn(&String) -> serde_json::Value| -> Members {
                members(changed.iter().map(|name| (name.clone(), value(name))))
            };
            let mine = if is_deletion { Members::new() } else { of(&|name| wanted[name].clone()) };
            let theirs = of(&|name| task.member(name));
            let by_hand =
                if is_deletion { edit.clone() } else { Edit::patch(&task.uid, mine.clone()) };
            let offer = vec![by_hand];
            self.tell(NoticeKind::NotUndone, &task, mine, theirs, offer, now);
            if let Edit::Patch { members, .. } = &mut edit {
                members.retain(|name, _| !changed.contains(name));
                if !members.is_empty() {
                    possible.push(edit);
                }
            }
        }
        possible
    }

    /// Forgets tokens that are no longer valid.
    pub(crate) fn forget_tokens(&mut self, now: Instant) {
        let is_old = |at: Instant| now.duration_since(at).as_secs() >= i64::from(UNDO_MINUTES) * 60;
        let old = self.tokens.iter().filter(|(_, (_, at))| is_old(*at));
        for id in old.map(|(id, _)| id.clone()).collect::<Vec<_>>() {
            self.tokens.remove(&id);
            self.keep(Record::forget(Table::Token, id));
        }
    }

    /// The server's token for an entry, if it is valid.
    fn token(&self, entry: &str, now: Instant) -> Option<String> {
        let (token, at) = self.tokens.get(entry)?;
        let is_valid = now.duration_since(*at).as_secs() < i64::from(UNDO_MINUTES) * 60;
        is_valid.then(|| token.clone())
    }

    /// Removes an entry that no request has carried and no later one builds on. Whether there was such a one.
    fn withdraw(&mut self, entry: Option<&str>) -> bool {
        let Some(id) = entry.filter(|_| self.is_leader) else { return false };
        let Some(at) = self.outbox.iter().position(|entry| entry.id == id) else { return false };
        let entry = self.outbox[at].clone();
        let uid = entry.edit.uid();
        let is_base = self.outbox[at + 1..].iter().any(|later| match uid {
            Some(uid) => later.edit.uid() == Some(uid) || later.takes_along(uid),
            None => true,
        });
        let is_creation = matches!(
            entry.edit,
            Edit::Create { .. } | Edit::CreateList { .. } | Edit::CreateFilter { .. }
        );
        let is_named = is_creation && at + 1 < self.outbox.len();
        if entry.is_tried || is_base || is_named {
            return false;
        }
        self.finish(&entry);
        true
    }
}

/// The first of the edits that would put back, as the name of what was withdrawn.
fn again(inverse: &[Edit]) -> Edit {
    inverse.first().cloned().unwrap_or(Edit::PatchAccount { members: Members::new() })
}
