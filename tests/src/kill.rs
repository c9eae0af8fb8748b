//! kill -9 under load: every acknowledged write survives, every completion has exactly one successor, every
//! event is audited once, and nothing is audited that did not happen.
//!
//! A kill proves little while hardly any events are in flight. So each kill follows a lock on the audit log,
//! which acts like a slow disk: many events are then between the outbox and their effects, for longer than
//! Kafka takes to commit offsets.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use rondo_testkit::wait::eventually;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::arrangement::{Arrangement, session};
use crate::story::{self, User};

/// How often the program is killed.
pub const KILLS: usize = 5;
const USERS: usize = 4;
/// Requests of one user at once.
const WORKERS_PER_USER: usize = 3;
/// Acknowledged completions before effects are delayed: by then queues and batches are full.
const COMPLETIONS_PER_ROUND: usize = 60;
/// Further completions, whose events are in flight at the kill.
const COMPLETIONS_HELD_UP: usize = 60;
/// Minimum delay of effects: consumers commit their offsets every half second.
const HELD_UP: Duration = Duration::from_millis(1_200);
/// Time limit for all deliveries after the last start.
const SETTLED: Duration = Duration::from_secs(90);

/// The acknowledged state of a user's tasks: ids, and whether each was completed.
type Acknowledged = BTreeMap<i64, bool>;

/// Kills and restarts the program under load, then compares its state with the acknowledged one.
///
/// # Panics
/// If something is lost or duplicated.
pub async fn survive(arrangement: &mut impl Arrangement) {
    let mut users = Vec::new();
    for number in 0..USERS {
        let email = format!("user{number}@example.org");
        let user = story::register(&arrangement.http(), &email).await;
        users.push((Arc::new(user), Acknowledged::new()));
    }
    for _ in 0..KILLS {
        let load = Load::start(&users);
        load.has_completed(COMPLETIONS_PER_ROUND).await;
        let lock = session(&arrangement.postgres()).await;
        let statement = "BEGIN; LOCK TABLE audit_logs IN SHARE ROW EXCLUSIVE MODE";
        lock.batch_execute(statement).await.expect("the lock");
        tokio::time::sleep(HELD_UP).await;
        load.has_completed(COMPLETIONS_PER_ROUND + COMPLETIONS_HELD_UP).await;
        arrangement.kill();
        load.stop(&mut users).await;
        // Statements of the killed process that still wait for the lock are terminated.
        let dead = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                    WHERE usename = 'rondo_audit' AND wait_event_type = 'Lock'";
        lock.batch_execute(dead).await.expect("the end of dead sessions");
        drop(lock);
        arrangement.start_again().await;
    }
    for (user, acknowledged) in &users {
        eventually("everything that was acknowledged, once", SETTLED, async || {
            compare(user, acknowledged).await
        })
        .await;
    }
}

/// Users that send requests.
struct Load {
    workers: JoinSet<(usize, Acknowledged)>,
    completed: Arc<AtomicUsize>,
    is_over: Arc<AtomicBool>,
}

impl Load {
    fn start(users: &[(Arc<User>, Acknowledged)]) -> Self {
        let mut load =
            Self { workers: JoinSet::new(), completed: Arc::default(), is_over: Arc::default() };
        for (index, (user, _)) in users.iter().enumerate() {
            for _ in 0..WORKERS_PER_USER {
                let work = work(user.clone(), load.completed.clone(), load.is_over.clone());
                load.workers.spawn(async move { (index, work.await) });
            }
        }
        load
    }

    async fn has_completed(&self, wanted: usize) {
        eventually("load", SETTLED, async || match self.completed.load(Ordering::Relaxed) {
            enough if enough >= wanted => Ok(()),
            few => Err(few),
        })
        .await;
    }

    /// Ends the work, and records the acknowledged state.
    async fn stop(mut self, users: &mut [(Arc<User>, Acknowledged)]) {
        self.is_over.store(true, Ordering::Relaxed);
        while let Some(worker) = self.workers.join_next().await {
            let (index, acknowledged) = worker.expect("a worker ends by itself");
            users[index].1.extend(acknowledged);
        }
    }
}

/// Creates and completes tasks until it is stopped or a request fails.
async fn work(
    user: Arc<User>,
    completed: Arc<AtomicUsize>,
    is_over: Arc<AtomicBool>,
) -> Acknowledged {
    let path = format!("/api/{}/tasks", user.id);
    let mut acknowledged = Acknowledged::new();
    while !is_over.load(Ordering::Relaxed) {
        // With basis schedule, the slot has a unique key; with basis completion, only the predecessor has
        // one.
        let basis = ["schedule", "completion"][acknowledged.len() % 2];
        let task = json!({"title": "t", "due_date": "2026-01-05T08:00:00Z",
                          "recurrence_rule": {"frequency": "weekly", "basis": basis}});
        let Ok(created) = user.client.post(&path, &task).await else { break };
        if created.status != 201 {
            break;
        }
        let id = created.json()["id"].as_i64().expect("an id");
        acknowledged.insert(id, false);
        let Ok(done) = user.client.post(&format!("{path}/{id}/complete"), &json!({})).await else {
            break;
        };
        if done.status != 200 {
            break;
        }
        acknowledged.insert(id, true);
        completed.fetch_add(1, Ordering::Relaxed);
    }
    acknowledged
}

async fn compare(user: &User, acknowledged: &Acknowledged) -> Result<(), String> {
    let tasks = all(user, &format!("/api/{}/tasks?sort_by=created_at&limit=500", user.id)).await?;
    let logs = all(user, "/api/audit/logs?limit=500").await?;
    let mut successors: HashMap<i64, usize> = HashMap::new();
    let mut completed: BTreeMap<i64, bool> = BTreeMap::new();
    for task in &tasks {
        if let Some(parent) = task["parent_task_id"].as_i64() {
            *successors.entry(parent).or_default() += 1;
        }
        completed.insert(task["id"].as_i64().expect("an id"), task["status"] == "completed");
    }
    let mut audited: HashMap<(&str, i64), usize> = HashMap::new();
    let mut events = BTreeSet::new();
    for log in &logs {
        let (action, task) = (log["action_type"].as_str(), log["task_id"].as_i64());
        let (action, task) = (action.expect("a type"), task.expect("a task"));
        *audited.entry((action, task)).or_default() += 1;
        if !events.insert(log["event_id"].as_str()) {
            return Err(format!("event {} is there twice", log["event_id"]));
        }
        if !completed.contains_key(&task) {
            return Err(format!("{action} of task {task} was audited, which does not exist"));
        }
    }
    for (id, was_completed) in acknowledged {
        match completed.get(id) {
            None => return Err(format!("task {id} was acknowledged and is lost")),
            Some(false) if *was_completed => {
                return Err(format!("the completion of {id} was acknowledged and is lost"));
            }
            _ => {}
        }
    }
    // An unacknowledged change may have happened, and must then be as complete as the others.
    for (&id, &is_completed) in &completed {
        let count = |action| audited.get(&(action, id)).copied().unwrap_or_default();
        let seen = [
            count("task.created"),
            count("task.completed"),
            successors.get(&id).copied().unwrap_or_default(),
        ];
        let wanted = if is_completed { [1, 1, 1] } else { [1, 0, 0] };
        if seen != wanted {
            return Err(format!(
                "task {id}: audited creations, completions, and successors are {seen:?}, not {wanted:?}"
            ));
        }
    }
    Ok(())
}

/// All pages of a list, by their `Link` headers.
async fn all(user: &User, first: &str) -> Result<Vec<Value>, String> {
    let mut rows = Vec::new();
    let mut next = Some(first.to_owned());
    while let Some(path) = next {
        let page = user.client.get(&path).await.map_err(|error| error.to_string())?;
        if page.status != 200 {
            return Err(page.text());
        }
        rows.extend(page.json().as_array().cloned().unwrap_or_default());
        next = page.header("link").and_then(|link| {
            let (target, _) = link.split_once('>')?;
            let target = target.trim_start_matches('<');
            // Absolute or relative, the path follows the origin.
            Some(target.find("/api/").map_or(target, |at| &target[at..]).to_owned())
        });
    }
    Ok(rows)
}
