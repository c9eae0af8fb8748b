//! The frames that a session still has to send: a queue bounded in bytes, written by the feed and read by the
//! session's task.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::ws::Utf8Bytes;
use rondo_telemetry::TraceContext;
use tokio::sync::Notify;

use crate::close::CloseReason;

/// Maximum size of the frames that wait for one device; above that it is too slow and gets closed. It resumes
/// from its revision, so nothing is lost.
pub const SESSION_QUEUE_BYTES_MAX: usize = 256 * 1024;
/// Memory of a queued frame in addition to its text, in bytes.
const FRAME_OVERHEAD_BYTES: usize = 64;

/// A live frame, encoded once and shared by all sessions of its user.
#[derive(Debug, Clone)]
pub struct Frame {
    pub revision: i64,
    /// Clones share the bytes.
    pub text: Utf8Bytes,
    /// What it is sent below, if that is recorded.
    pub trace: Option<Arc<TraceContext>>,
}

/// Frames in ascending revisions, or the reason for ending the session.
#[derive(Debug, Default)]
pub struct SessionQueue {
    state: Mutex<State>,
    /// Only the session's task waits, so no other task can take a stored permit.
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    frames: VecDeque<Frame>,
    bytes: usize,
    /// The sum of `bytes` over all sessions.
    all_bytes: Arc<AtomicUsize>,
    /// Highest revision that was queued or skipped.
    floor: i64,
    closed: Option<CloseReason>,
}

impl SessionQueue {
    /// An empty one; `all_bytes` counts what waits in it, too.
    pub fn new(all_bytes: Arc<AtomicUsize>) -> Self {
        let state = Mutex::new(State { all_bytes, ..State::default() });
        Self { state, changed: Notify::new() }
    }

    /// Adds a frame, unless its revision has been passed. Never waits: a device with a backlog of more than
    /// [`SESSION_QUEUE_BYTES_MAX`] is closed instead.
    pub fn push(&self, frame: &Frame) {
        let mut state = self.lock();
        if state.closed.is_some() || frame.revision <= state.floor {
            return;
        }
        state.floor = frame.revision;
        let bytes = frame.text.len() + FRAME_OVERHEAD_BYTES;
        state.bytes += bytes;
        state.all_bytes.fetch_add(bytes, Ordering::Relaxed);
        if state.bytes > SESSION_QUEUE_BYTES_MAX {
            state.close(CloseReason::TooSlow);
        } else {
            state.frames.push_back(frame.clone());
        }
        drop(state);
        self.changed.notify_one();
    }

    /// Drops queued and later frames up to this revision, because the session has these changes from
    /// elsewhere.
    pub fn skip_to(&self, revision: i64) {
        let mut state = self.lock();
        while state.frames.front().is_some_and(|frame| frame.revision <= revision) {
            state.pop();
        }
        state.floor = state.floor.max(revision);
    }

    /// Ends the session; the first reason counts.
    pub fn close(&self, reason: CloseReason) {
        self.lock().close(reason);
        self.changed.notify_one();
    }

    /// Waits for the next frame. Dropping the future loses nothing.
    ///
    /// # Errors
    /// The reason for ending the session, which takes precedence over queued frames.
    pub async fn next(&self) -> Result<Frame, CloseReason> {
        loop {
            if let Some(frame) = self.take()? {
                return Ok(frame);
            }
            self.changed.notified().await;
        }
    }

    /// The next frame, if one is queued.
    ///
    /// # Errors
    /// As for [`Self::next`].
    pub fn take(&self) -> Result<Option<Frame>, CloseReason> {
        let mut state = self.lock();
        match state.closed {
            Some(reason) => Err(reason),
            None => Ok(state.pop()),
        }
    }

    /// Waits for the reason to end the session.
    pub async fn closed(&self) -> CloseReason {
        loop {
            if let Some(reason) = self.lock().closed {
                return reason;
            }
            self.changed.notified().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics half-way, so a poisoned queue is still valid.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for SessionQueue {
    fn drop(&mut self) {
        let mut state = self.lock();
        let bytes = state.bytes;
        state.release(bytes);
    }
}

impl State {
    fn pop(&mut self) -> Option<Frame> {
        let frame = self.frames.pop_front()?;
        self.release(frame.text.len() + FRAME_OVERHEAD_BYTES);
        if self.frames.is_empty() {
            // An idle connection keeps no memory for a past burst.
            self.frames = VecDeque::new();
        }
        Some(frame)
    }

    fn close(&mut self, reason: CloseReason) {
        self.closed.get_or_insert(reason);
        self.frames = VecDeque::new();
        self.release(self.bytes);
    }

    fn release(&mut self, bytes: usize) {
        self.bytes -= bytes;
        self.all_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(revision: i64, bytes: usize) -> Frame {
        Frame { revision, text: "x".repeat(bytes).into(), trace: None }
    }

    fn drain(queue: &SessionQueue) -> Vec<i64> {
        std::iter::from_fn(|| queue.take().unwrap()).map(|frame| frame.revision).collect()
    }

    #[test]
    fn revisions_only_go_up() {
        let queue = SessionQueue::default();
        for revision in [2, 3, 3, 1, 5, 4] {
            queue.push(&frame(revision, 1));
        }
        assert_eq!(drain(&queue), [2, 3, 5]);
        queue.push(&frame(5, 1));
        queue.push(&frame(6, 1));
        assert_eq!(drain(&queue), [6]);
    }

    #[test]
    fn passed_revisions_are_skipped() {
        let queue = SessionQueue::default();
        for revision in [2, 3, 4] {
            queue.push(&frame(revision, 1));
        }
        queue.skip_to(3);
        queue.push(&frame(3, 1));
        assert_eq!(drain(&queue), [4]);
        queue.skip_to(7);
        queue.push(&frame(6, 1));
        queue.push(&frame(8, 1));
        assert_eq!(drain(&queue), [8]);
    }

    #[test]
    fn a_full_queue_closes_and_frees_its_memory() {
        let queue = SessionQueue::default();
        let half = SESSION_QUEUE_BYTES_MAX / 2 - FRAME_OVERHEAD_BYTES;
        queue.push(&frame(1, half));
        queue.push(&frame(2, half));
        assert_eq!(queue.take().unwrap().unwrap().revision, 1);
        queue.push(&frame(3, half));
        queue.push(&frame(4, 0));
        assert_eq!(queue.take().unwrap_err(), CloseReason::TooSlow);
        queue.close(CloseReason::GoingAway);
        assert_eq!(queue.take().unwrap_err(), CloseReason::TooSlow);
        assert_eq!(queue.lock().frames.capacity(), 0);
    }

    #[tokio::test]
    async fn waiting_tasks_are_woken() {
        let queue = std::sync::Arc::new(SessionQueue::default());
        let next = tokio::spawn({
            let queue = queue.clone();
            async move { queue.next().await.map(|frame| frame.revision) }
        });
        queue.push(&frame(1, 1));
        assert_eq!(next.await.unwrap(), Ok(1));
        let closed = tokio::spawn({
            let queue = queue.clone();
            async move { queue.closed().await }
        });
        // A frame wakes the task too, but does not end the wait.
        queue.push(&frame(2, 1));
        queue.close(CloseReason::GoingAway);
        assert_eq!(closed.await.unwrap(), CloseReason::GoingAway);
    }

    #[test]
    fn what_waits_is_counted_over_all_sessions_until_it_is_sent_or_given_up() {
        let all = Arc::<AtomicUsize>::default();
        let [read, closed, dropped] = [(); 3].map(|()| SessionQueue::new(all.clone()));
        for queue in [&read, &closed, &dropped] {
            queue.push(&frame(1, 36));
            queue.push(&frame(2, 36));
        }
        assert_eq!(all.load(Ordering::Relaxed), 600);
        assert_eq!(drain(&read).len(), 2);
        closed.close(CloseReason::GoingAway);
        assert_eq!(all.load(Ordering::Relaxed), 200);
        drop(dropped);
        assert_eq!(all.load(Ordering::Relaxed), 0);
    }
}
