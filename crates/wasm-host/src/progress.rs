//! The progress of a component's call, as far as its response depends on it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether the call has failed: a component that traps or runs out of time drops its body, which by itself looks
/// like a proper end.
#[derive(Default)]
pub(crate) struct Progress {
    has_failed: Arc<AtomicBool>,
}

/// Records a failure when dropped, unless the call succeeded. Must be dropped before the store, and with it
/// the other end of the body.
pub(crate) struct Verdict {
    has_failed: Arc<AtomicBool>,
    is_good: bool,
}

impl Progress {
    pub(crate) fn verdict(&self) -> Verdict {
        Verdict { has_failed: self.has_failed.clone(), is_good: false }
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.has_failed.load(Ordering::Acquire)
    }
}

impl Verdict {
    pub(crate) fn good(mut self) {
        self.is_good = true;
    }
}

impl Drop for Verdict {
    fn drop(&mut self) {
        if !self.is_good {
            self.has_failed.store(true, Ordering::Release);
        }
    }
}
