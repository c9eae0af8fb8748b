//! The sessions of each user, to which the hub distributes events.
//!
//! [`Hub::publish`] never waits: it encodes an event once and puts the shared frame into the queue
//! of each of its user's sessions. A user without a session costs a look-up.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rondo_contract::frame::ServerFrame;
use rondo_contract::topic::TASK_UPDATES;
use rondo_telemetry::Span;
use rondo_telemetry::span::Kind;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::watch;

use crate::close::CloseReason;
use crate::queue::{Frame, SessionQueue};

/// Maximum number of sessions of one user.
pub const CONNECTIONS_PER_USER_MAX: usize = 32;
/// Maximum number of sessions of a process; each takes a few KiB.
pub const CONNECTIONS_MAX: usize = 50_000;

/// All sessions of this process.
#[derive(Debug)]
pub struct Hub {
    state: Mutex<State>,
    /// Number of sessions, for waiting until the last has left.
    count: watch::Sender<usize>,
    /// What waits in the queues of all sessions.
    queued_bytes: Arc<AtomicUsize>,
}

#[derive(Debug)]
struct State {
    gate: Gate,
    users: HashMap<i64, Vec<Arc<SessionQueue>>>,
}

/// Whether sessions are accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gate {
    /// Not until the feed guarantees to deliver every event from now on.
    Shut,
    Open,
    /// The process stops; this state is final.
    Ended,
}

impl Default for Hub {
    fn default() -> Self {
        Self {
            state: Mutex::new(State { gate: Gate::Shut, users: HashMap::new() }),
            count: watch::Sender::new(0),
            queued_bytes: Arc::default(),
        }
    }
}

impl Hub {
    /// Publishes an event of `user_id` to the user's sessions. `value` is the event's JSON, `traceparent`
    /// names what sent it.
    ///
    /// A value that cannot be parsed may mean any change, so the user's sessions are closed and resume from
    /// the database.
    pub fn publish(&self, user_id: i64, value: &str, traceparent: Option<&str>) {
        let state = self.lock();
        let Some(queues) = state.users.get(&user_id) else {
            return;
        };
        let name = || format!("process {}", TASK_UPDATES.name);
        let mut span = Span::below(Kind::Consumer, traceparent, name);
        if let Some(span) = &mut span {
            span.text("messaging.destination.name", TASK_UPDATES.name);
            span.text("messaging.operation.name", "process");
            span.text("messaging.operation.type", "process");
            span.number("rondo.sessions", i64::try_from(queues.len()).unwrap_or(i64::MAX));
        }
        match live_frame(user_id, value) {
            Ok(mut frame) => {
                frame.trace = span.map(|span| Arc::new(span.context()));
                queues.iter().for_each(|queue| queue.push(&frame));
            }
            Err(error) => {
                tracing::error!(user_id, %error, "an event cannot be read; its user's sessions resume");
                queues.iter().for_each(|queue| queue.close(CloseReason::GoingAway));
            }
        }
    }

    /// Adds a session. From now on, its queue gets every event of the user.
    ///
    /// # Errors
    /// Why the session has to end instead.
    pub fn register(self: &Arc<Self>, user_id: i64) -> Result<Registration, CloseReason> {
        let mut state = self.lock();
        if state.gate != Gate::Open || *self.count.borrow() >= CONNECTIONS_MAX {
            return Err(CloseReason::GoingAway);
        }
        let queues = state.users.entry(user_id).or_default();
        if queues.len() >= CONNECTIONS_PER_USER_MAX {
            return Err(CloseReason::TooManyConnections);
        }
        let queue = Arc::new(SessionQueue::new(self.queued_bytes.clone()));
        // Growing by one keeps the memory of one or two devices small.
        queues.reserve_exact(1);
        queues.push(queue.clone());
        self.count.send_modify(|count| *count += 1);
        Ok(Registration { hub: self.clone(), user_id, queue })
    }

    /// Accepts sessions from now on: the feed delivers every event.
    pub fn open(&self) {
        let mut state = self.lock();
        if state.gate == Gate::Shut {
            state.gate = Gate::Open;
        }
    }

    /// Closes all sessions, which resume, and accepts none until [`Self::open`]: events may have been missed.
    pub fn interrupt(&self) {
        self.close_all(Gate::Shut);
    }

    /// Closes all sessions and accepts no more.
    pub fn end(&self) {
        self.close_all(Gate::Ended);
    }

    /// Waits until the last session has left.
    pub async fn emptied(&self) {
        // The sender lives as long as the hub, so this ends only when the count is 0.
        let _ = self.count.subscribe().wait_for(|count| *count == 0).await;
    }

    /// Number of sessions.
    #[must_use]
    pub fn connections(&self) -> usize {
        *self.count.borrow()
    }

    pub(crate) fn queued_bytes(&self) -> &Arc<AtomicUsize> {
        &self.queued_bytes
    }

    fn close_all(&self, gate: Gate) {
        let mut state = self.lock();
        if state.gate != Gate::Ended {
            state.gate = gate;
        }
        for queue in state.users.values().flatten() {
            queue.close(CloseReason::GoingAway);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A session's registration in the hub; dropping it removes the session.
#[derive(Debug)]
pub struct Registration {
    hub: Arc<Hub>,
    user_id: i64,
    queue: Arc<SessionQueue>,
}

impl Registration {
    #[must_use]
    pub fn queue(&self) -> &Arc<SessionQueue> {
        &self.queue
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut state = self.hub.lock();
        if let Some(queues) = state.users.get_mut(&self.user_id) {
            queues.retain(|queue| !Arc::ptr_eq(queue, &self.queue));
            if queues.is_empty() {
                state.users.remove(&self.user_id);
            }
        }
        self.hub.count.send_modify(|count| *count -= 1);
    }
}

/// The members of an event that a frame needs; the task or list is passed on unparsed.
#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow)]
    schema_version: Cow<'a, str>,
    #[serde(borrow)]
    event_id: Cow<'a, str>,
    #[serde(borrow)]
    event_type: Cow<'a, str>,
    user_id: i64,
    revision: i64,
    task_id: Option<i64>,
    #[serde(borrow)]
    task_data: Option<&'a RawValue>,
    list_id: Option<i64>,
    #[serde(borrow)]
    list_data: Option<&'a RawValue>,
}

fn live_frame(user_id: i64, value: &str) -> Result<Frame, String> {
    let event: Event<'_> = serde_json::from_str(value).map_err(|error| error.to_string())?;
    if event.schema_version.split('.').next() != Some("1") {
        return Err(format!("schema_version {:?} is not 1.x", event.schema_version));
    }
    if event.user_id != user_id {
        return Err("it is of another user than its key says".to_owned());
    }
    // The data of a deletion is what was deleted; a device has to remove it.
    let is_deletion = event.event_type.ends_with(".deleted");
    let state = |data: &RawValue| (!is_deletion).then(|| data.to_owned());
    let (event_id, event_type) = (event.event_id.into_owned(), event.event_type.into_owned());
    let revision = event.revision;
    let frame = match (event.task_id.zip(event.task_data), event.list_id.zip(event.list_data)) {
        (Some((task_id, data)), _) => {
            let task = state(data);
            ServerFrame::TaskUpdated { event_id, event_type, revision, task_id, task }
        }
        (None, Some((list_id, data))) => {
            let list = state(data);
            ServerFrame::ListUpdated { event_id, event_type, revision, list_id, list }
        }
        (None, None) => return Err("it is about neither a task nor a list".to_owned()),
    };
    let text = serde_json::to_string(&frame).map_err(|error| error.to_string())?;
    Ok(Frame { revision, text: text.into(), trace: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(user_id: i64, revision: i64, event_type: &str) -> String {
        format!(
            r#"{{"event_id":"e{revision}","schema_version":"1.2","event_type":"{event_type}","task_id":4,
            "user_id":{user_id},"revision":{revision},"task_data":{{"title":"a \"b\""}},"later":1}}"#
        )
    }

    fn open_hub() -> Arc<Hub> {
        let hub = Arc::new(Hub::default());
        hub.open();
        hub
    }

    #[test]
    fn an_event_reaches_each_session_of_its_user_as_one_shared_frame() {
        let hub = open_hub();
        let sessions = [1, 1, 2].map(|user| hub.register(user).unwrap());
        hub.publish(1, &event(1, 9, "task.completed"), None);
        let [first, second, other] =
            sessions.each_ref().map(|session| session.queue().take().unwrap());
        let (first, second) = (first.unwrap().text, second.unwrap().text);
        assert_eq!(
            first.as_str(),
            r#"{"type":"task.updated","event_id":"e9","event_type":"task.completed","revision":9,"task_id":4,"task":{"title":"a \"b\""}}"#
        );
        assert_eq!(first.as_str().as_ptr(), second.as_str().as_ptr());
        assert!(other.is_none());
        hub.publish(1, &event(1, 10, "task.deleted"), None);
        let frame = sessions[0].queue().take().unwrap().unwrap();
        assert!(frame.text.ends_with(r#""task":null}"#), "{}", frame.text);
    }

    #[test]
    fn a_list_has_frames_of_its_own() {
        let hub = open_hub();
        let session = hub.register(1).unwrap();
        let next = |revision: i64, event_type: &str| {
            let event = event(1, revision, event_type).replace("task_", "list_");
            hub.publish(1, &event, None);
            session.queue().take().unwrap().unwrap().text
        };
        assert_eq!(
            next(9, "list.created").as_str(),
            r#"{"type":"list.updated","event_id":"e9","event_type":"list.created","revision":9,"list_id":4,"list":{"title":"a \"b\""}}"#
        );
        assert!(next(10, "list.deleted").ends_with(r#""list":null}"#));
    }

    #[test]
    fn an_unreadable_event_makes_only_its_user_resume() {
        for bad in [
            "{".to_owned(),
            event(2, 3, "task.updated"),
            event(1, 3, "task.updated").replace("1.2", "2.0"),
            event(1, 3, "filter.updated").replace("task_", "filter_"),
        ] {
            let hub = open_hub();
            let sessions = [1, 2].map(|user| hub.register(user).unwrap());
            hub.publish(1, &bad, None);
            assert_eq!(sessions[0].queue().take().unwrap_err(), CloseReason::GoingAway);
            assert!(sessions[1].queue().take().is_ok());
        }
    }

    #[test]
    fn connections_of_a_user_are_bounded_and_freed() {
        let hub = open_hub();
        let mut held: Vec<_> =
            (0..CONNECTIONS_PER_USER_MAX).map(|_| hub.register(1).unwrap()).collect();
        assert_eq!(hub.register(1).unwrap_err(), CloseReason::TooManyConnections);
        assert!(hub.register(2).is_ok());
        held.pop();
        held.push(hub.register(1).unwrap());
        assert_eq!(hub.connections(), CONNECTIONS_PER_USER_MAX);
        held.clear();
        assert_eq!(hub.connections(), 0);
        assert!(hub.lock().users.is_empty());
    }

    #[tokio::test]
    async fn sessions_are_accepted_only_while_the_feed_is_complete() {
        let hub = Arc::new(Hub::default());
        assert_eq!(hub.register(1).unwrap_err(), CloseReason::GoingAway);
        hub.open();
        let session = hub.register(1).unwrap();
        hub.interrupt();
        assert_eq!(session.queue().closed().await, CloseReason::GoingAway);
        assert_eq!(hub.register(1).unwrap_err(), CloseReason::GoingAway);
        hub.open();
        let again = hub.register(1).unwrap();
        hub.end();
        hub.open();
        assert_eq!(hub.register(1).unwrap_err(), CloseReason::GoingAway);
        drop((session, again));
        hub.emptied().await;
    }
}
