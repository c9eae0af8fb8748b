//! The order of tasks and lists: moves against a model, moves at once, and a gap without room.

use std::collections::BTreeSet;

use http::Method;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rondo_domain::position::POSITION_CHARS_MAX;
use rondo_testkit::http::Response;
use rondo_tests::stage::Stage;
use rondo_tests::story::User;
use serde_json::{Value, json};
use tokio::task::JoinSet;

/// The inbox and two lists.
const LISTS: usize = 3;
const TASKS: usize = 12;
const MOVES: usize = 150;

async fn get(user: &User, path: &str) -> Value {
    user.client.get(path).await.expect("an answer").expect(200).json()
}

async fn post(user: &User, path: &str, body: &Value) -> Response {
    user.client.post(path, body).await.expect("an answer")
}

fn ids(rows: &Value) -> Vec<i64> {
    let rows = rows.as_array().expect("a list");
    rows.iter().map(|row| row["id"].as_i64().expect("an id")).collect()
}

async fn tasks(user: &User, count: usize) -> Vec<i64> {
    let mut tasks = Vec::new();
    for number in 0..count {
        let task = json!({"title": format!("task {number}")});
        tasks
            .push(post(user, "/api/tasks", &task).await.expect(201).json()["id"].as_i64().unwrap());
    }
    tasks
}

/// The ids of the tasks in a list, in order, page by page.
async fn in_list(user: &User, list: Option<i64>, order: &str) -> Vec<i64> {
    let list = list.map_or_else(|| "inbox".to_owned(), |list| list.to_string());
    let mut page = format!("/api/tasks?list_id={list}&sort_by=position&sort_order={order}&limit=5");
    let mut found = Vec::new();
    loop {
        let answer = user.client.get(&page).await.expect("an answer").expect(200);
        found.extend(ids(&answer.json()));
        let Some(link) = answer.header("link") else { return found };
        page = link[1..].split_once('>').expect("a link").0.to_owned();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn random_moves_end_as_in_a_model() {
    let stage = Stage::new().await;
    let user = stage.user("ada@example.org").await;
    let mut lists: Vec<Option<i64>> = vec![None];
    for name in ["Home", "Work"] {
        let list = post(&user, "/api/lists", &json!({ "name": name })).await.expect(201).json();
        lists.push(list["id"].as_i64());
    }
    let mut model: [Vec<i64>; LISTS] = [tasks(&user, TASKS).await, Vec::new(), Vec::new()];
    let seed = u64::from(rand::random::<u32>());
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    for _ in 0..MOVES {
        let from = loop {
            let from = random.random_range(0..LISTS);
            if !model[from].is_empty() {
                break from;
            }
        };
        let task = model[from].remove(random.random_range(0..model[from].len()));
        let to = random.random_range(0..LISTS);
        let at = random.random_range(0..=model[to].len());
        let mut body = json!({});
        if to != from || random.random_bool(0.5) {
            body["list_id"] = json!(lists[to]);
        }
        if at == model[to].len() && random.random_bool(0.7) {
            // The end needs no neighbour.
        } else if at > 0 && (at == model[to].len() || random.random_bool(0.5)) {
            body["after"] = json!(model[to][at - 1]);
        } else if let Some(next) = model[to].get(at) {
            body["before"] = json!(next);
        }
        model[to].insert(at, task);
        let moved = post(&user, &format!("/api/tasks/{task}/move"), &body).await.expect(200).json();
        assert_eq!(moved["list_id"], json!(lists[to]));
        // A new task comes last in its list.
        if random.random_bool(0.1) {
            let task = json!({"title": "new", "list_id": lists[to]});
            let task = post(&user, "/api/tasks", &task).await.expect(201).json();
            model[to].push(task["id"].as_i64().unwrap());
        }
        for (list, expected) in lists.iter().zip(&model) {
            assert_eq!(in_list(&user, *list, "asc").await, *expected, "{body}");
        }
    }
    for (list, expected) in lists.iter().zip(&model) {
        let mut expected = expected.clone();
        expected.reverse();
        assert_eq!(in_list(&user, *list, "desc").await, expected);
        let query = format!("list_id={}", list.map_or("inbox".to_owned(), |list| list.to_string()));
        let found = get(&user, &format!("/api/tasks?{query}&sort_by=position&search=task+")).await;
        expected.retain(|id| ids(&found).contains(id));
        assert_eq!(ids(&found), expected, "by candidates");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn moves_at_once_never_give_equal_positions() {
    let stage = Stage::new().await;
    let user = stage.user("ada@example.org").await;
    let tasks = tasks(&user, 9).await;
    for round in 0..5 {
        let mut moves = JoinSet::new();
        for task in &tasks[1..] {
            let (client, path) = (user.client.clone(), format!("/api/tasks/{task}/move"));
            let body = json!({"after": tasks[0]});
            moves.spawn(async move { client.post(&path, &body).await.expect("an answer") });
        }
        while let Some(answer) = moves.join_next().await {
            let answer = answer.expect("an answer");
            // 503: the others were faster three times.
            assert!(matches!(answer.status.as_u16(), 200 | 503), "{round}: {}", answer.text());
        }
        let all = get(&user, "/api/tasks?sort_by=position&sort_order=asc").await;
        assert_eq!(ids(&all)[0], tasks[0]);
        let positions: BTreeSet<_> =
            all.as_array().unwrap().iter().map(|task| task["position"].to_string()).collect();
        assert_eq!(positions.len(), tasks.len(), "{all}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gap_without_room_gets_some() {
    let stage = Stage::new().await;
    let user = stage.user("ada@example.org").await;
    let all = tasks(&user, 4).await;
    let mut spread = false;
    for turn in 0..700 {
        // Each closer to the first than the one before.
        let moved = all[1 + turn % 2];
        let before = get(&user, "/api/changes").await["revision"].as_i64().unwrap();
        let body = json!({"after": all[0]});
        let answer =
            post(&user, &format!("/api/tasks/{moved}/move"), &body).await.expect(200).json();
        spread |= answer["revision"].as_i64().unwrap() > before + 1;
        assert!(answer["position"].as_str().unwrap().len() <= POSITION_CHARS_MAX);
        let expected = [all[0], moved, all[1 + (turn + 1) % 2], all[3]];
        if turn > 0 {
            let found = get(&user, "/api/tasks?sort_by=position&sort_order=asc").await;
            assert_eq!(ids(&found), expected, "{turn}");
        }
    }
    assert!(spread, "there was room all the time");
    // Whatever was respaced had its event.
    let tasks = get(&user, "/api/tasks").await;
    let mut last = std::collections::BTreeMap::new();
    for event in stage.events().await {
        let value: Value = serde_json::from_str(&event.data).expect("JSON");
        last.insert(value["task_id"].as_i64(), value["task_data"].clone());
    }
    for task in tasks.as_array().unwrap() {
        assert_eq!(last[&task["id"].as_i64()], *task);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_moved_and_bad_neighbours_refused() {
    let stage = Stage::new().await;
    let [user, other] = [stage.user("ada@example.org").await, stage.user("bob@example.org").await];
    let mut lists = Vec::new();
    for name in ["A", "B", "C"] {
        let list = post(&user, "/api/lists", &json!({ "name": name })).await.expect(201).json();
        lists.push(list["id"].as_i64().unwrap());
    }
    let theirs = post(&other, "/api/lists", &json!({"name": "D"})).await.expect(201).json();
    let theirs = theirs["id"].as_i64().unwrap();
    let [a, b, c] = [lists[0], lists[1], lists[2]];
    for (moved, body, expected) in [
        (a, json!({}), [b, c, a]),
        (a, json!({"before": b}), [a, b, c]),
        (a, json!({"after": b}), [b, a, c]),
        (c, json!({"before": a}), [b, c, a]),
        (c, json!({"before": a}), [b, c, a]),
    ] {
        post(&user, &format!("/api/lists/{moved}/move"), &body).await.expect(200);
        assert_eq!(ids(&get(&user, "/api/lists").await), expected);
    }
    let events = stage.events().await;
    let updates = events.iter().filter(|event| event.event_type == "list.updated").count();
    assert_eq!(updates, 4, "the last move changed nothing");

    let inbox = tasks(&user, 2).await;
    let in_a = post(&user, "/api/tasks", &json!({"title": "in A", "list_id": a})).await;
    let in_a = in_a.expect(201).json()["id"].as_i64().unwrap();
    let foreign = tasks(&other, 1).await[0];
    let path = format!("/api/tasks/{}/move", inbox[0]);
    for (path, body, expected) in [
        (&path, json!({"after": foreign}), vec![("/after", "unknown_task")]),
        (&path, json!({"after": 9_007_199_254_740_991_i64}), vec![("/after", "unknown_task")]),
        (&path, json!({"after": inbox[0]}), vec![("/after", "unknown_task")]),
        // It is in another list.
        (&path, json!({"before": in_a}), vec![("/before", "unknown_task")]),
        (&path, json!({"list_id": a, "before": inbox[1]}), vec![("/before", "unknown_task")]),
        (&path, json!({"list_id": theirs}), vec![("/list_id", "unknown_list")]),
        (&path, json!({"list_id": 9_007_199_254_740_991_i64}), vec![("/list_id", "unknown_list")]),
        (
            &path,
            json!({"list_id": theirs, "after": foreign}),
            vec![("/list_id", "unknown_list"), ("/after", "unknown_task")],
        ),
        (
            &format!("/api/lists/{a}/move"),
            json!({"after": theirs}),
            vec![("/after", "unknown_list")],
        ),
        (&format!("/api/lists/{a}/move"), json!({"after": a}), vec![("/after", "unknown_list")]),
    ] {
        let problem = post(&user, path, &body).await.expect(422).json();
        let errors = problem["errors"].as_array().unwrap().iter();
        let found: Vec<_> = errors
            .map(|error| (error["pointer"].as_str().unwrap(), error["code"].as_str().unwrap()))
            .collect();
        assert_eq!(found, expected, "{body}");
    }
    post(&user, &format!("/api/tasks/{foreign}/move"), &json!({})).await.expect(404);
    post(&user, &format!("/api/lists/{theirs}/move"), &json!({})).await.expect(404);

    // Conditions and repeated requests, as for other changes.
    let request = user.client.request(Method::POST, &path).header("if-match", "\"1\"");
    let refused = request.json(&json!({"after": inbox[1]})).send().await.expect("an answer");
    refused.expect(412);
    for is_again in [false, true] {
        let request = user.client.request(Method::POST, &path).header("idempotency-key", "k");
        let answer = request.json(&json!({"after": inbox[1]})).send().await.expect("an answer");
        let answer = answer.expect(200);
        assert_eq!(answer.header("idempotency-replayed").is_some(), is_again);
        assert_eq!(
            answer.header("etag"),
            Some(format!("\"{}\"", answer.json()["revision"]).as_str())
        );
    }
}
