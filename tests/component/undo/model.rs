//! Random changes and undos, compared with what a model expects.

use std::collections::BTreeMap;

use http::Method;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rondo_testkit::http::Response;
use rondo_tests::stage::Stage;
use rondo_tests::story::User;
use serde_json::{Value, json};

use super::{get, lasting, post, send, token, undo};

/// Steps of each story.
const STEPS: usize = 120;

/// A change that can be undone: the tasks that it changed, and what all were before it.
struct Done {
    token: String,
    step: usize,
    own: Vec<i64>,
    before: BTreeMap<i64, Value>,
}

/// The tasks by their ids.
async fn by_id(user: &User) -> BTreeMap<i64, Value> {
    let tasks = get(user, "/api/tasks?limit=500").await;
    let tasks = tasks.as_array().unwrap().iter();
    tasks.map(|task| (task["id"].as_i64().unwrap(), task.clone())).collect()
}

/// Random changes and undos, compared with what the model expects: an undo is refused exactly if a task of its change has
/// changed since, which it names; otherwise these tasks are as they were, and all others untouched.
#[tokio::test(flavor = "multi_thread")]
async fn random_changes_and_undos_agree_with_a_model() {
    let stage = Stage::new().await;
    for seed in 0..4 {
        let user = stage.user(&format!("user{seed}@example.org")).await;
        let mut random = StdRng::seed_from_u64(seed);
        let (mut done, mut trashed) = (Vec::<Done>::new(), Vec::<i64>::new());
        // The step that was the last to change a task.
        let mut changed_in = BTreeMap::<i64, usize>::new();
        let (mut undone, mut refused) = (0, 0);
        for step in 0..STEPS {
            let before = by_id(&user).await;
            if !done.is_empty() && random.random_bool(0.4) {
                // Mostly a late one.
                let last = done.len() - 1;
                let choice =
                    if random.random_bool(0.7) { last } else { random.random_range(0..=last) };
                let change = done.remove(choice);
                let outrun: Vec<_> =
                    change.own.iter().filter(|id| changed_in[id] != change.step).collect();
                let answer = undo(&user, &change.token).await;
                let after = by_id(&user).await;
                let own = changed(&before, &after);
                changed_in.extend(own.iter().map(|id| (*id, step)));
                if outrun.is_empty() {
                    let answer = answer.expect(200);
                    assert_eq!(own, change.own, "seed {seed}, step {step}");
                    for id in before.keys().chain(after.keys()) {
                        let expected = if own.contains(id) { &change.before } else { &before };
                        let expected = expected.get(id).map(|task| placed(task, *id, &after));
                        let found = after.get(id).map(lasting);
                        assert_eq!(found, expected, "seed {seed}, step {step}, task {id}");
                    }
                    done.push(Done { token: token(&answer), step, own, before });
                    undone += 1;
                } else {
                    let problem = answer.expect(412).json();
                    assert_eq!(problem["tasks"], json!(outrun), "seed {seed}, step {step}");
                    assert_eq!(before, after, "seed {seed}, step {step}");
                    refused += 1;
                }
                continue;
            }
            let ids: Vec<i64> = before.keys().copied().collect();
            let answer = write(&user, &mut random, &ids, &trashed).await;
            let after = by_id(&user).await;
            let own = changed(&before, &after);
            changed_in.extend(own.iter().map(|id| (*id, step)));
            trashed.extend(before.keys().filter(|id| !after.contains_key(id)));
            if let Some(token) = answer.header("undo-token") {
                done.push(Done { token: token.to_owned(), step, own, before });
            }
        }
        assert!(undone > 10 && refused > 1, "seed {seed}: {undone} undone, {refused} refused");
        // A follower that was away all the time has what is there.
        let mut followed = BTreeMap::new();
        let feed = get(&user, "/api/changes?limit=500").await;
        for change in feed["changes"].as_array().unwrap() {
            match change["task_id"].as_i64() {
                Some(id) => followed.remove(&id),
                None => {
                    followed.insert(change["task"]["id"].as_i64().unwrap(), change["task"].clone())
                }
            };
        }
        assert_eq!(followed, by_id(&user).await, "seed {seed}");
    }
}

/// A task as it has to be after an undo. If another one has its position by now, it has what comes right after that.
fn placed(task: &Value, id: i64, after: &BTreeMap<i64, Value>) -> Value {
    let mut task = lasting(task);
    while after.iter().any(|(other, found)| *other != id && found["position"] == task["position"]) {
        task["position"] = format!("{}V", task["position"].as_str().unwrap()).into();
    }
    task
}

/// The tasks that differ.
fn changed(before: &BTreeMap<i64, Value>, after: &BTreeMap<i64, Value>) -> Vec<i64> {
    let mut ids: Vec<i64> = before.keys().chain(after.keys()).copied().collect();
    ids.sort_unstable();
    ids.dedup();
    ids.retain(|id| before.get(id) != after.get(id));
    ids
}

/// One random change.
async fn write(user: &User, random: &mut StdRng, ids: &[i64], trashed: &[i64]) -> Response {
    let title = format!("task {}", random.random_range(0..1_000));
    let some = |ids: &[i64], random: &mut StdRng| ids[random.random_range(0..ids.len())];
    if ids.len() < 3 {
        return post(user, "/api/tasks", &json!({ "title": title, "tags": ["a"] }))
            .await
            .expect(201);
    }
    let (one, two) = (some(ids, random), some(ids, random));
    let operation = |kind: u32| match kind {
        0 => json!({"op": "patch", "id": one, "task": {"title": title, "tags": ["b"]}}),
        1 => json!({"op": "complete", "id": one}),
        2 => json!({"op": "reopen", "id": one}),
        3 if one != two => json!({"op": "move", "id": one, "after": two}),
        4 => json!({"op": "delete", "id": one}),
        _ => json!({"op": "create", "task": {"title": title, "tags": ["a"]}}),
    };
    match random.random_range(0..10) {
        kind @ 0..=5 => {
            let body = json!({"operations": [operation(kind)]});
            post(user, "/api/tasks/batch", &body).await.expect(200)
        }
        6 => {
            let body = json!({"operations": [operation(5), operation(0), operation(random.random_range(1..5))]});
            post(user, "/api/tasks/batch", &body).await.expect(200)
        }
        7 if !trashed.is_empty() => {
            let restored = format!("/api/tasks/{}/restore", some(trashed, random));
            post(user, &restored, &json!({})).await.expect(200)
        }
        8 => {
            let (from, to) = if random.random_bool(0.5) { ("a", "b") } else { ("b", "a") };
            send(user, Method::PUT, &format!("/api/tags/{from}"), Some(&json!({ "name": to })))
                .await
        }
        _ => post(user, "/api/tasks", &json!({ "title": title, "tags": ["b"] })).await.expect(201),
    }
}
