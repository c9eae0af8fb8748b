//! kill -9 of the whole program under load: every acknowledged write is there, every completion has
//! exactly one successor, every event is audited once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rondo_testkit::wait::eventually;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::arrangement::Up;
use crate::story::{self, User};

/// How often the program is killed.
pub const KILLS: usize = 5;
const USERS: usize = 4;
/// Acknowledged completions before a kill: enough for all queues to have something in them.
const COMPLETIONS_PER_ROUND: usize = 60;
/// How long everything may take to be delivered after the last start.
const SETTLED: Duration = Duration::from_secs(90);

/// What a user was told had happened: ids of tasks, and whether each was completed.
type Acknowledged = BTreeMap<i64, bool>;

/// Kills and restarts `up` under load, then compares what it has with what it acknowledged.
///
/// # Panics
/// When something is lost or there twice.
pub async fn survive(up: &mut Up) {
    let mut users = Vec::new();
    for number in 0..USERS {
        let user = story::register(&up.http(), &format!("user{number}@example.org")).await;
        users.push((Arc::new(user), Acknowledged::new()));
    }
    for _ in 0..KILLS {
        let completed = Arc::new(AtomicUsize::new(0));
        let mut load = JoinSet::new();
        for (user, acknowledged) in users.drain(..) {
            load.spawn(work(user, acknowledged, completed.clone()));
        }
        eventually("load", SETTLED, async || match completed.load(Ordering::Relaxed) {
            enough if enough >= COMPLETIONS_PER_ROUND => Ok(()),
            few => Err(few),
        })
        .await;
        up.kill();
        // The workers end with the first request that is not answered.
        while let Some(worker) = load.join_next().await {
            users.push(worker.expect("a worker ends by itself"));
        }
        up.start_again().await;
    }
    for (user, acknowledged) in &users {
        eventually("everything that was acknowledged, once", SETTLED, async || {
            compare(user, acknowledged).await
        })
        .await;
    }
}

/// Creates and completes tasks until a request is not answered.
async fn work(
    user: Arc<User>,
    mut acknowledged: Acknowledged,
    completed: Arc<AtomicUsize>,
) -> (Arc<User>, Acknowledged) {
    let path = format!("/api/{}/tasks", user.id);
    let task = json!({"title": "t", "due_date": "2026-01-05T08:00:00Z",
                      "recurrence_rule": {"frequency": "weekly"}});
    loop {
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
    (user, acknowledged)
}

async fn compare(user: &User, acknowledged: &Acknowledged) -> Result<(), String> {
    let tasks = all(user, &format!("/api/{}/tasks?sort_by=created_at&limit=500", user.id)).await?;
    let logs = all(user, "/api/audit/logs?limit=500").await?;
    let successors = |id: i64| tasks.iter().filter(|task| task["parent_task_id"] == id).count();
    let audited = |action: &str, id: i64| {
        logs.iter().filter(|log| log["action_type"] == action && log["task_id"] == id).count()
    };
    for (&id, &was_completed) in acknowledged {
        let task = tasks
            .iter()
            .find(|task| task["id"] == id)
            .ok_or_else(|| format!("task {id} was acknowledged and is lost"))?;
        if audited("task.created", id) != 1 {
            return Err(format!("task {id} was created {} times", audited("task.created", id)));
        }
        // A completion that was not acknowledged may have happened all the same.
        let is_completed = task["status"] == "completed";
        if was_completed && !is_completed {
            return Err(format!("the completion of {id} was acknowledged and is lost"));
        }
        let times = (audited("task.completed", id), successors(id));
        let wanted = if is_completed { (1, 1) } else { (0, 0) };
        if times != wanted {
            return Err(format!(
                "task {id}: completions and successors are {times:?}, not {wanted:?}"
            ));
        }
    }
    // Also what nobody was told of is either whole or not there.
    for task in &tasks {
        let id = task["id"].as_i64().unwrap_or_default();
        if audited("task.created", id) != 1 {
            return Err(format!("task {id} has {} entries", audited("task.created", id)));
        }
    }
    Ok(())
}

/// All pages of a list, by its `Link` headers.
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
            // Absolute or relative, the path is what follows the origin.
            Some(target.find("/api/").map_or(target, |at| &target[at..]).to_owned())
        });
    }
    Ok(rows)
}
