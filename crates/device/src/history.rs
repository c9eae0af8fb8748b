//! What can be undone and redone.

use crate::edit::Edit;

/// Maximum number of steps that can be undone.
const STEPS_MAX: usize = 200;

/// What can be undone and redone, oldest first.
#[derive(Debug, Default)]
pub(crate) struct History {
    pub(crate) undo: Vec<Step>,
    pub(crate) redo: Vec<Step>,
}

/// Edits that are undone together.
#[derive(Debug, Clone, Default)]
pub(crate) struct Step {
    pub(crate) parts: Vec<Done>,
}

/// An edit that was made.
#[derive(Debug, Clone)]
pub(crate) struct Done {
    /// Its entry of the outbox; none if it was withdrawn.
    pub(crate) entry: Option<String>,
    pub(crate) edit: Edit,
    /// What puts things back by hand.
    pub(crate) inverse: Vec<Edit>,
}

impl History {
    /// A new step. What was undone before can no longer be redone.
    pub(crate) fn done(&mut self, step: Step) {
        if !step.parts.is_empty() {
            self.redo.clear();
            self.undo.push(step);
            if self.undo.len() > STEPS_MAX {
                self.undo.remove(0);
            }
        }
    }

    /// An entry has another id now.
    pub(crate) fn rekey(&mut self, old: &str, new: &str) {
        let steps = self.undo.iter_mut().chain(&mut self.redo);
        for done in steps.flat_map(|step| &mut step.parts) {
            if done.entry.as_deref() == Some(old) {
                done.entry = Some(new.to_owned());
            }
        }
    }

    pub(crate) fn rename(&mut self, local: i64, id: i64) {
        let steps = self.undo.iter_mut().chain(&mut self.redo);
        for done in steps.flat_map(|step| &mut step.parts) {
            done.edit.rename(local, id);
            done.inverse.iter_mut().for_each(|edit| edit.rename(local, id));
        }
    }
}
