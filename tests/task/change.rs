//! The change feed: a follower ends with exactly the server's state, whatever is written meanwhile.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::Method;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rondo_testkit::http::Client;
use rondo_testkit::wait::eventually;
use rondo_tests::arrangement::Up;
use rondo_tests::story::{User, register};
use serde_json::{Value, json};

const WRITERS: u64 = 4;
const FOLLOWERS: u64 = 3;
const WRITES_PER_WRITER: usize = 60;
const TAGS: [&str; 3] = ["a", "b", "c"];
/// How long the last effects may take.
const SOON: Duration = Duration::from_secs(30);

/// A user's tasks and lists, each by its kind and id.
type State = BTreeMap<(&'static str, i64), Value>;

/// A follower's tasks, lists and position.
#[derive(Default)]
struct Replica {
    state: State,
    revision: i64,
    /// The last page's cursor, while there is more.
    cursor: Option<String>,
}

impl Replica {
    /// Fetches one page, by cursor or by revision, at random.
    async fn poll(&mut self, client: &Client, random: &mut StdRng) -> Result<bool, String> {
        let limit = random.random_range(1..8);
        let query = match self.cursor.take() {
            Some(cursor) if random.random_bool(0.7) => format!("cursor={cursor}&limit={limit}"),
            _ => format!("since={}&limit={limit}", self.revision),
        };
        let answer = client.get(&format!("/api/changes?{query}")).await;
        let page = answer.map_err(|error| error.to_string())?.expect(200).json();
        let changes = page["changes"].as_array().expect("changes");
        assert!(changes.len() <= limit);
        for change in changes {
            let revision = change["revision"].as_i64().expect("a revision");
            assert!(revision > self.revision, "{query} went back: {page}");
            self.revision = revision;
            let (kind, id_of) = match change["task"].is_object() || change["task_id"].is_i64() {
                true => ("task", "task_id"),
                false => ("list", "list_id"),
            };
            if change["op"] == "delete" {
                self.state.remove(&(kind, change[id_of].as_i64().expect("an id")));
            } else {
                assert_eq!(change[kind]["revision"], revision);
                self.state.insert((kind, id(&change[kind])), change[kind].clone());
            }
        }
        let has_more = page["has_more"].as_bool().expect("a flag");
        assert_eq!(has_more, page["cursor"].is_string(), "{page}");
        assert!(page["revision"].as_i64() >= Some(self.revision), "{page}");
        assert!(!has_more || page["revision"] == self.revision, "{page}");
        self.revision = page["revision"].as_i64().expect("a revision");
        self.cursor = page["cursor"].as_str().map(str::to_owned);
        Ok(has_more)
    }
}

fn id(task: &Value) -> i64 {
    task["id"].as_i64().expect("an id")
}

/// One random write. Another writer may have removed the task in the meantime.
async fn write(client: &Client, random: &mut StdRng, [tasks, lists]: [&Mutex<Vec<i64>>; 2]) {
    let mut some = |known: &Mutex<Vec<i64>>| {
        let known = known.lock().unwrap();
        known.get(random.random_range(0..known.len().max(1))).copied()
    };
    let (some, list) = (some(tasks), some(lists));
    if random.random_bool(0.2) {
        return write_step(client, random, tasks).await;
    }
    if random.random_bool(0.3) {
        return write_list(client, random, some, list, lists).await;
    }
    let (method, path, body) = match (random.random_range(0..10), some) {
        (0..=3, _) | (_, None) => {
            let tag = TAGS[random.random_range(0..TAGS.len())];
            let title = format!("t{}", random.random_range(0..99));
            let mut task = json!({"title": title, "tags": [tag]});
            if random.random_bool(0.2) {
                task["due_date"] = json!("2031-01-01T08:00:00Z");
                task["recurrence_rule"] = json!({"frequency": "daily"});
            }
            (Method::POST, "/api/tasks".to_owned(), task)
        }
        (4 | 5, Some(id)) => {
            let title = format!("u{}", random.random_range(0..99));
            (Method::PATCH, format!("/api/tasks/{id}"), json!({ "title": title }))
        }
        (6, Some(id)) => (Method::POST, format!("/api/tasks/{id}/complete"), json!({})),
        (7, Some(id)) => (Method::POST, format!("/api/tasks/{id}/reopen"), json!({})),
        (8, Some(id)) => (Method::DELETE, format!("/api/tasks/{id}"), json!({})),
        (_, Some(_)) => {
            let mut tag = || TAGS[random.random_range(0..TAGS.len())];
            (Method::PUT, format!("/api/tags/{}", tag()), json!({"name": tag()}))
        }
    };
    let answer = client.request(method, &path).json(&body).send().await.expect("an answer");
    match answer.status.as_u16() {
        201 => tasks.lock().unwrap().push(id(&answer.json())),
        // 503: other writers were faster three times.
        200 | 204 | 404 | 503 => {}
        status => panic!("{status}: {}", answer.text()),
    }
}

/// One random write of what is beneath a task, or of what blocks it. Another writer may have made it impossible.
async fn write_step(client: &Client, random: &mut StdRng, tasks: &Mutex<Vec<i64>>) {
    let mut some = || {
        let known = tasks.lock().unwrap();
        known.get(random.random_range(0..known.len().max(1))).copied()
    };
    let (Some(task), Some(other)) = (some(), some()) else { return };
    let path = format!("/api/tasks/{task}");
    let (method, path, body) = match random.random_range(0..6) {
        0 | 1 => (Method::POST, "/api/tasks".to_owned(), json!({"title": "s", "subtask_of": task})),
        2 => (Method::PATCH, path, json!({"subtask_of": other})),
        3 => (Method::PATCH, path, json!({"blocked_by": [other]})),
        4 => (Method::POST, format!("{path}/complete?subtasks=complete"), json!({})),
        _ => (
            Method::POST,
            "/api/tasks".to_owned(),
            json!({"title": "b", "blocked_by": [task, other]}),
        ),
    };
    let answer = client.request(method, &path).json(&body).send().await.expect("an answer");
    match answer.status.as_u16() {
        201 => tasks.lock().unwrap().push(id(&answer.json())),
        200 | 404 | 422 | 503 => {}
        status => panic!("{status}: {}", answer.text()),
    }
}

/// One random write of a list, or of a task's list.
async fn write_list(
    client: &Client,
    random: &mut StdRng,
    task: Option<i64>,
    list: Option<i64>,
    lists: &Mutex<Vec<i64>>,
) {
    let name = json!({"name": format!("l{}", random.random_range(0..99))});
    let (method, path, body) = match (random.random_range(0..10), task, list) {
        (0..=2, ..) | (_, _, None) | (_, None, _) => (Method::POST, "/api/lists".to_owned(), name),
        (3..=7, Some(task), Some(list)) => {
            (Method::PATCH, format!("/api/tasks/{task}"), json!({ "list_id": list }))
        }
        (8, _, Some(list)) => (Method::PATCH, format!("/api/lists/{list}"), name),
        (_, _, Some(list)) => {
            let fate = if random.random_bool(0.5) { "inbox" } else { "delete" };
            (Method::DELETE, format!("/api/lists/{list}?tasks={fate}"), json!({}))
        }
    };
    let answer = client.request(method, &path).json(&body).send().await.expect("an answer");
    match answer.status.as_u16() {
        201 => lists.lock().unwrap().push(id(&answer.json())),
        // 422: another writer has deleted the list.
        200 | 204 | 404 | 422 | 503 => {}
        status => panic!("{status}: {}", answer.text()),
    }
}

/// Every task and list according to the routes that list them.
async fn listed(client: &Client) -> Result<State, String> {
    let mut state = State::new();
    for (kind, path) in [("task", "/api/tasks?limit=500"), ("list", "/api/lists?limit=500")] {
        let answer = client.get(path).await.map_err(|error| error.to_string())?.expect(200).json();
        let items = answer.as_array().expect("a list").iter();
        state.extend(items.map(|item| ((kind, id(item)), item.clone())));
    }
    Ok(state)
}

async fn follow_while_others_write(user: &User, seed: u64) {
    let known: [Arc<Mutex<Vec<i64>>>; 2] = Default::default();
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let (client, known) = (user.client.clone(), known.clone());
            tokio::spawn(async move {
                let mut random = StdRng::seed_from_u64(seed + writer);
                for _ in 0..WRITES_PER_WRITER {
                    write(&client, &mut random, known.each_ref().map(|ids| &**ids)).await;
                }
            })
        })
        .collect();
    let followers: Vec<_> = (0..FOLLOWERS)
        .map(|follower| {
            let client = user.client.clone();
            tokio::spawn(async move {
                let mut random = StdRng::seed_from_u64(seed + 1_000 + follower);
                let mut replica = Replica::default();
                for _ in 0..WRITES_PER_WRITER {
                    // Now and then a follower starts over.
                    if random.random_bool(0.03) {
                        replica = Replica::default();
                    }
                    replica.poll(&client, &mut random).await.expect("a page");
                }
                (replica, random)
            })
        })
        .collect();
    for writer in writers {
        writer.await.expect("a writer");
    }
    for follower in followers {
        let (mut replica, mut random) = follower.await.expect("a follower");
        // Successors of recurring tasks appear shortly after the last write.
        eventually("equal states", SOON, async || {
            while replica.poll(&user.client, &mut random).await? {}
            let state = listed(&user.client).await?;
            if replica.state == state { Ok(()) } else { Err(format!("{} entries", state.len())) }
        })
        .await;
    }
}

async fn positions_are_checked(user: &User) {
    let get = async |query: &str| {
        user.client.get(&format!("/api/{}/changes{query}", user.id)).await.expect("an answer")
    };
    let empty = json!({"changes": [], "revision": 0, "has_more": false, "cursor": null});
    assert_eq!(get("").await.expect(200).json(), empty);
    let task = user.client.post("/api/tasks", &json!({"title": "t"})).await.expect("an answer");
    let task = id(&task.expect(201).json());
    user.client.delete(&format!("/api/tasks/{task}")).await.expect("an answer").expect(204);
    let changes = get("?since=1").await.expect(200).json();
    assert_eq!(changes["changes"], json!([{"revision": 2, "op": "delete", "task_id": task}]));
    for beyond in ["?since=3", "?cursor=1-3", "?cursor=3-1"] {
        let problem = get(beyond).await.expect(410).json();
        assert_eq!(problem["code"], "reset_required", "{beyond}");
    }
    for (query, parameter) in [
        ("?since=-1", "?since"),
        ("?since=", "?since"),
        ("?since=1&since=1", "?since"),
        ("?cursor=1", "?cursor"),
        ("?cursor=1-2&since=1", "?cursor"),
        ("?limit=501", "?limit"),
        ("?from=1", "?from"),
    ] {
        let problem = get(query).await.expect(422).json();
        assert_eq!(problem["errors"][0]["pointer"], parameter, "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_ends_with_the_servers_state() {
    let mut up = Up::start("task-change", &[("RATE_LIMITS", "off".to_owned())]).await;
    positions_are_checked(&register(&up.http(), "positions@example.org").await).await;
    let seed = u64::from(rand::random::<u32>());
    println!("seed {seed}");
    for round in 0..3 {
        let user = register(&up.http(), &format!("writers{round}@example.org")).await;
        follow_while_others_write(&user, seed + 10_000 * round).await;
    }
    up.stop().await;
}
