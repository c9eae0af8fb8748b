//! What goes on while parts are away: a user at work, and a device that follows.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rondo_testkit::websocket::{Frame, WebSocket};
use rondo_tests::story::User;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

/// How long a device waits for the next frame before it looks whether it is over.
const FRAME: Duration = Duration::from_millis(200);
/// Pause of a device that cannot connect.
const RECONNECT: Duration = Duration::from_millis(20);

/// Requests that did not succeed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Refusals {
    /// Answered with 503.
    pub unavailable: usize,
    /// Not answered: no connection, or one that broke.
    pub unanswered: usize,
    /// Answered with something else, which should not be.
    pub other: usize,
    /// Between the first and the last.
    pub span_s: f64,
}

/// When a request did not succeed, and the status of its answer if there was one.
type Refusal = (Instant, Option<u16>);

/// A user at work.
pub struct Load {
    is_over: Arc<AtomicBool>,
    refusals: Arc<Mutex<Vec<Refusal>>>,
    worker: JoinHandle<BTreeMap<i64, bool>>,
}

impl Load {
    pub fn start(user: Arc<User>, rate: u32) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let refusals = Arc::new(Mutex::new(Vec::new()));
        let worker = work(user, rate, is_over.clone(), refusals.clone());
        Self { is_over, refusals, worker: tokio::spawn(worker) }
    }

    pub fn forget_refusals(&self) {
        self.refusals.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    pub fn refusals(&self) -> Refusals {
        let refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        let span = refusals.last().zip(refusals.first()).map(|(last, first)| last.0 - first.0);
        let mut sum =
            Refusals { span_s: span.unwrap_or_default().as_secs_f64(), ..Refusals::default() };
        for (_, status) in refusals.iter() {
            match status {
                Some(503) => sum.unavailable += 1,
                None => sum.unanswered += 1,
                Some(_) => sum.other += 1,
            }
        }
        sum
    }

    pub async fn stop(self) -> BTreeMap<i64, bool> {
        self.is_over.store(true, Ordering::Relaxed);
        self.worker.await.expect("the load ends by itself")
    }
}

/// Creates and completes recurring tasks at an even rate; ids that were acknowledged, and whether the
/// completion was too.
async fn work(
    user: Arc<User>,
    rate: u32,
    is_over: Arc<AtomicBool>,
    refusals: Arc<Mutex<Vec<Refusal>>>,
) -> BTreeMap<i64, bool> {
    let mut due = tokio::time::interval(Duration::from_secs(1) / rate.max(1));
    due.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut acknowledged = BTreeMap::new();
    let task = json!({"title": "Water the plants", "due_date": "2031-01-01T08:00:00Z",
                      "recurrence_rule": {"frequency": "daily"}});
    let refuse = |status: Option<u16>| {
        let mut refusals = refusals.lock().unwrap_or_else(PoisonError::into_inner);
        refusals.push((Instant::now(), status));
    };
    while !is_over.load(Ordering::Relaxed) {
        due.tick().await;
        let id = match user.client.post("/api/tasks", &task).await {
            Ok(made) if made.status == 201 => made.json()["id"].as_i64().expect("an id"),
            made => {
                refuse(made.ok().map(|made| made.status.as_u16()));
                continue;
            }
        };
        acknowledged.insert(id, false);
        due.tick().await;
        match user.client.post(&format!("/api/tasks/{id}/complete"), &json!({})).await {
            Ok(done) if done.status == 200 => _ = acknowledged.insert(id, true),
            done => refuse(done.ok().map(|done| done.status.as_u16())),
        }
    }
    acknowledged
}

/// What a device knows.
#[derive(Default)]
pub struct Seen {
    /// The last revision of each task.
    pub tasks: BTreeMap<i64, i64>,
    /// Where it goes on after a disconnection.
    pub last: i64,
}

/// A device that follows the user's changes, and resumes from where it was.
pub struct Device {
    pub seen: Arc<Mutex<Seen>>,
    is_over: Arc<AtomicBool>,
    follower: JoinHandle<Result<usize, String>>,
}

impl Device {
    pub fn start(ws: String, user: Arc<User>) -> Self {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let is_over = Arc::new(AtomicBool::new(false));
        let follower = tokio::spawn(follow(ws, user, seen.clone(), is_over.clone()));
        Self { seen, is_over, follower }
    }

    /// How often it has resumed.
    pub async fn stop(self) -> anyhow::Result<usize> {
        self.is_over.store(true, Ordering::Relaxed);
        self.follower.await?.map_err(anyhow::Error::msg)
    }
}

async fn follow(
    ws: String,
    user: Arc<User>,
    seen: Arc<Mutex<Seen>>,
    is_over: Arc<AtomicBool>,
) -> Result<usize, String> {
    let mut connections = 0_usize;
    while !is_over.load(Ordering::Relaxed) {
        let last = seen.lock().unwrap_or_else(PoisonError::into_inner).last;
        let url = format!("{ws}?token={}&since={last}", user.token);
        let Ok(mut socket) = WebSocket::connect(&url).await else {
            tokio::time::sleep(RECONNECT).await;
            continue;
        };
        connections += 1;
        while !is_over.load(Ordering::Relaxed) {
            match socket.next_within(FRAME).await {
                Some(Frame::Json(frame)) => note(&frame, &seen)?,
                Some(Frame::Closed { .. }) => break,
                None => {}
            }
        }
    }
    Ok(connections.saturating_sub(1))
}

/// Notes a frame. Revisions only go up.
fn note(frame: &Value, seen: &Mutex<Seen>) -> Result<(), String> {
    let (Some(task), Some(revision)) = (frame["task_id"].as_i64(), frame["revision"].as_i64())
    else {
        return Ok(());
    };
    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    if revision <= seen.last {
        return Err(format!("revision {revision} after {}", seen.last));
    }
    seen.tasks.insert(task, revision);
    seen.last = revision;
    Ok(())
}
