//! What blocks a task: the event of a task that becomes free, what is refused, and random changes against a model.

use std::collections::{BTreeMap, BTreeSet};

use http::Method;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rondo_tests::stage::Stage;
use rondo_tests::story::User;
use serde_json::{Value, json};

use crate::step::{act, changes, create, delete, fault, get, patch, post, task, titles};

const WRITES: usize = 250;

/// Types and tasks of what has happened since the last call.
async fn happened(stage: &Stage) -> Vec<(String, i64)> {
    changes(stage).await.into_iter().map(|(event_type, task, _)| (event_type, task)).collect()
}

fn event(event_type: &str, task: i64) -> (String, i64) {
    (event_type.to_owned(), task)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_is_free_once_its_last_blocker_is_done() {
    let stage = Stage::new().await;
    let user = stage.user("ada@example.org").await;
    let a = create(&user, json!({"title": "a"})).await;
    let b = create(&user, json!({"title": "b"})).await;
    let c = create(&user, json!({"title": "c", "blocked_by": [b, a, b]})).await;
    let d = create(&user, json!({"title": "d", "blocked_by": [c]})).await;
    assert_eq!(task(&user, c).await["blocked_by"], json!([a, b]));
    assert_eq!(titles(&user, "blocked=true").await, ["c", "d"]);
    assert_eq!(titles(&user, "blocked=false").await, ["a", "b"]);
    happened(&stage).await;
    act(&user, a, "complete").await;
    assert_eq!(happened(&stage).await, [event("task.completed", a)]);
    act(&user, b, "complete").await;
    assert_eq!(happened(&stage).await, [event("task.completed", b), event("task.unblocked", c)]);
    assert_eq!(titles(&user, "blocked=true").await, ["d"]);
    let revision = get(&user, "/api/changes").await["revision"].clone();
    assert_eq!(task(&user, c).await["revision"], revision);
    // It is said once, and again after it was blocked again.
    act(&user, a, "reopen").await;
    assert_eq!(happened(&stage).await, [event("task.reopened", a)]);
    assert_eq!(titles(&user, "blocked=true").await, ["c", "d"]);
    delete(&user, &format!("/api/tasks/{b}")).await;
    assert_eq!(happened(&stage).await, [event("task.deleted", b), event("task.updated", c)]);
    delete(&user, &format!("/api/tasks/{a}")).await;
    assert_eq!(happened(&stage).await, [event("task.deleted", a), event("task.unblocked", c)]);
    assert_eq!(task(&user, c).await["blocked_by"], json!([]));
    // Who takes the blocker away knows that the task is free.
    patch(&user, d, &json!({"blocked_by": []})).await.expect(200);
    assert_eq!(happened(&stage).await, [event("task.updated", d)]);
    assert_eq!(titles(&user, "blocked=true").await, [""; 0]);
    // A completed task needs no news.
    patch(&user, d, &json!({"blocked_by": [c], "status": "completed"})).await.expect(200);
    assert_eq!(titles(&user, "blocked=true").await, ["d"]);
    happened(&stage).await;
    act(&user, c, "complete").await;
    assert_eq!(happened(&stage).await, [event("task.completed", c)]);
    assert_eq!(titles(&user, "blocked=true").await, [""; 0]);
    let saved = json!({"name": "blocked", "query": "blocked=true&status=pending"});
    post(&user, "/api/filters", &saved).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_block_is_refused() {
    let stage = Stage::new().await;
    let user = stage.user("ada@example.org").await;
    let other = stage.user("bob@example.org").await;
    let theirs = create(&other, json!({"title": "theirs"})).await;
    let a = create(&user, json!({"title": "a"})).await;
    let b = create(&user, json!({"title": "b", "blocked_by": [a]})).await;
    let c = create(&user, json!({"title": "c", "blocked_by": [b]})).await;
    let before = get(&user, "/api/changes").await;
    for (ids, code) in [
        (json!([theirs]), "unknown_blocker"),
        (json!([c, 9_007_199_254_740_991_i64]), "unknown_blocker"),
        (json!([a]), "circular"),
        (json!([c]), "circular"),
        (json!([b]), "circular"),
        (json!(7), "malformed"),
        (json!((1..=51).collect::<Vec<_>>()), "too_many"),
    ] {
        let refused = patch(&user, a, &json!({"blocked_by": ids})).await;
        assert_eq!(fault(refused), ("/blocked_by".to_owned(), code.to_owned()), "{ids}");
    }
    let refused = post(&user, "/api/tasks", &json!({"title": "t", "blocked_by": [theirs]})).await;
    assert_eq!(fault(refused), ("/blocked_by".to_owned(), "unknown_blocker".to_owned()));
    assert_eq!(get(&user, "/api/changes").await, before);
    // Fifty are possible, in one request with the tasks themselves.
    let made = vec![json!({"op": "create", "task": {"title": "t"}}); 50];
    let made = post(&user, "/api/tasks/batch", &json!({ "operations": made })).await;
    let made = made.expect(200).json();
    let ids: Vec<_> =
        made["results"].as_array().expect("results").iter().map(|r| &r["task"]["id"]).collect();
    let blocked = patch(&user, a, &json!({"blocked_by": ids})).await.expect(200).json();
    assert_eq!(blocked["blocked_by"], json!(ids));
}

/// A task of the model.
#[derive(Debug, Clone, Default)]
struct Known {
    above: Option<i64>,
    blockers: BTreeSet<i64>,
    is_completed: bool,
}

/// What the server should have.
#[derive(Default)]
struct Model(BTreeMap<i64, Known>);

impl Model {
    fn children(&self, of: i64) -> Vec<i64> {
        let children = self.0.iter().filter(|(_, task)| task.above == Some(of));
        children.map(|(id, _)| *id).collect()
    }

    fn beneath(&self, of: i64) -> Vec<i64> {
        let children = self.children(of);
        children.iter().flat_map(|id| [vec![*id], self.beneath(*id)].concat()).collect()
    }

    fn level(&self, id: i64) -> usize {
        1 + self.0[&id].above.map_or(0, |above| self.level(above))
    }

    fn height(&self, id: i64) -> usize {
        1 + self.children(id).into_iter().map(|child| self.height(child)).max().unwrap_or(0)
    }

    /// Whether a task can come beneath another one.
    fn fits(&self, id: i64, above: i64) -> bool {
        id != above
            && !self.beneath(id).contains(&above)
            && self.level(above) + self.height(id) <= 3
    }

    /// Whether a task, or what blocks it, is blocked by another one.
    fn leads_to(&self, from: i64, to: i64) -> bool {
        from == to || self.0[&from].blockers.iter().any(|id| self.leads_to(*id, to))
    }

    fn is_blocked(&self, id: i64) -> bool {
        self.0[&id].blockers.iter().any(|blocker| !self.0[blocker].is_completed)
    }

    fn remove(&mut self, id: i64) {
        for gone in [vec![id], self.beneath(id)].concat() {
            self.0.remove(&gone);
            self.0.values_mut().for_each(|task| {
                task.blockers.remove(&gone);
            });
        }
    }

    fn complete(&mut self, id: i64, with_beneath: bool) {
        let beneath = if with_beneath { self.beneath(id) } else { Vec::new() };
        for id in beneath.into_iter().chain([id]) {
            self.0.get_mut(&id).expect("a task").is_completed = true;
        }
    }

    /// What a task is answered as, as far as the model knows.
    fn answered(&self, id: i64) -> Value {
        let children = self.children(id);
        let completed = children.iter().filter(|id| self.0[id].is_completed).count();
        let task = &self.0[&id];
        json!({
            "id": id, "subtask_of": task.above, "blocked_by": task.blockers,
            "subtasks": {"total": children.len(), "completed": completed},
            "status": if task.is_completed { "completed" } else { "pending" },
        })
    }
}

/// The same members of an answer.
fn reduced(task: &Value) -> Value {
    let names = ["id", "subtask_of", "blocked_by", "subtasks", "status"];
    Value::Object(names.iter().map(|name| ((*name).to_owned(), task[*name].clone())).collect())
}

/// What a follower of the feed has in the end.
async fn followed(user: &User) -> BTreeMap<i64, Value> {
    let (mut tasks, mut since, mut last) = (BTreeMap::new(), 0, 0);
    loop {
        let page = get(user, &format!("/api/changes?since={since}&limit=50")).await;
        for change in page["changes"].as_array().expect("changes") {
            let revision = change["revision"].as_i64().expect("a revision");
            assert!(revision > last, "{change}");
            last = revision;
            match change["task"]["id"].as_i64() {
                Some(id) => tasks.insert(id, change["task"].clone()),
                None => tasks.remove(&change["task_id"].as_i64().expect("an id")),
            };
        }
        since = page["revision"].as_i64().expect("a revision");
        if page["has_more"] == false {
            return tasks;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn random_changes_end_as_in_a_model() {
    let stage = Stage::new().await;
    let user = stage.user("ada@example.org").await;
    let seed = u64::from(rand::random::<u32>());
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let mut model = Model::default();
    let mut revision = 0;
    for _ in 0..WRITES {
        let ids: Vec<i64> = model.0.keys().copied().collect();
        let mut some = || ids.get(random.random_range(0..ids.len().max(1))).copied();
        let (one, two) = (some(), some());
        let what = random.random_range(0..12);
        let was_blocked: BTreeSet<i64> =
            ids.iter().copied().filter(|id| model.is_blocked(*id)).collect();
        let mut is_edit_of = None;
        match (what, one, two) {
            (0..=3, ..) | (_, None, _) | (_, _, None) => {
                let above = two.filter(|above| what < 2 && model.level(*above) < 3);
                let blockers: BTreeSet<i64> = one.filter(|_| what % 2 == 0).into_iter().collect();
                let body = json!({"title": "t", "subtask_of": above, "blocked_by": blockers});
                let id = create(&user, body).await;
                model.0.insert(id, Known { above, blockers, is_completed: false });
            }
            (4 | 5, Some(id), Some(above)) => {
                let moved = patch(&user, id, &json!({"subtask_of": above})).await;
                if model.0[&id].above == Some(above) || model.fits(id, above) {
                    moved.expect(200);
                    model.0.get_mut(&id).expect("a task").above = Some(above);
                } else {
                    moved.expect(422);
                }
            }
            (6, Some(id), _) => {
                patch(&user, id, &json!({"subtask_of": null})).await.expect(200);
                model.0.get_mut(&id).expect("a task").above = None;
            }
            (7, Some(id), Some(blocker)) => {
                let changed = patch(&user, id, &json!({"blocked_by": [blocker]})).await;
                is_edit_of = Some(id);
                if model.0[&id].blockers == BTreeSet::from([blocker])
                    || !model.leads_to(blocker, id)
                {
                    changed.expect(200);
                    model.0.get_mut(&id).expect("a task").blockers = BTreeSet::from([blocker]);
                } else {
                    changed.expect(422);
                }
            }
            (8, Some(id), _) => {
                act(&user, id, "reopen").await;
                model.0.get_mut(&id).expect("a task").is_completed = false;
            }
            (9, Some(id), _) if random.random_bool(0.4) => {
                delete(&user, &format!("/api/tasks/{id}")).await;
                model.remove(id);
            }
            (9 | 10, Some(id), _) => {
                act(&user, id, "complete").await;
                model.complete(id, false);
            }
            (_, Some(id), _) => {
                let was_completed = model.0[&id].is_completed;
                let path = format!("/api/tasks/{id}/complete?subtasks=complete");
                user.client
                    .request(Method::POST, &path)
                    .send()
                    .await
                    .expect("an answer")
                    .expect(200);
                model.complete(id, !was_completed);
            }
        }
        // Each task that has become free says so, once.
        let free: BTreeSet<i64> = was_blocked
            .into_iter()
            .filter(|id| model.0.get(id).is_some_and(|task| !task.is_completed))
            .filter(|id| !model.is_blocked(*id) && is_edit_of != Some(*id))
            .collect();
        let happened = changes(&stage).await;
        let said: Vec<i64> = happened
            .iter()
            .filter(|(event_type, ..)| event_type == "task.unblocked")
            .map(|(_, task, _)| *task)
            .collect();
        assert!(said.len() >= free.len(), "{said:?}, not {free:?}");
        for (_, _, taken) in &happened {
            assert_eq!(*taken, revision + 1, "{happened:?}");
            revision = *taken;
        }
        let listed = get(&user, "/api/tasks?limit=500&sort_by=created_at&sort_order=asc").await;
        let listed: BTreeMap<i64, Value> = listed
            .as_array()
            .expect("a list")
            .iter()
            .map(|task| (task["id"].as_i64().expect("an id"), reduced(task)))
            .collect();
        let expected: BTreeMap<i64, Value> =
            model.0.keys().map(|id| (*id, model.answered(*id))).collect();
        assert_eq!(listed, expected);
        let blocked = get(&user, "/api/tasks?limit=500&blocked=true").await;
        let blocked: BTreeSet<i64> = blocked
            .as_array()
            .expect("a list")
            .iter()
            .map(|task| task["id"].as_i64().expect("an id"))
            .collect();
        assert_eq!(blocked, model.0.keys().copied().filter(|id| model.is_blocked(*id)).collect());
        for id in &free {
            assert!(said.contains(id), "{said:?}, not {free:?}");
        }
    }
    let tasks = followed(&user).await;
    let listed = get(&user, "/api/tasks?limit=500").await;
    for task in listed.as_array().expect("a list") {
        assert_eq!(tasks.get(&task["id"].as_i64().expect("an id")), Some(task));
    }
    assert_eq!(listed.as_array().map(Vec::len), Some(tasks.len()));
}
