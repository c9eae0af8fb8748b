//! Several changes in one request: all or none, each for itself, and once for a key.

use http::Method;
use rondo_testkit::http::Response;
use rondo_tests::stage::Stage;
use rondo_tests::story::User;
use serde_json::{Value, json};

async fn get(user: &User, path: &str) -> Value {
    user.client.get(path).await.expect("an answer").expect(200).json()
}

async fn batch(user: &User, body: &Value) -> Response {
    user.client.post("/api/tasks/batch", body).await.expect("an answer")
}

async fn create(user: &User, title: &str) -> i64 {
    let made = user.client.post("/api/tasks", &json!({ "title": title })).await.expect("an answer");
    made.expect(201).json()["id"].as_i64().expect("an id")
}

fn statuses(answer: &Value) -> Vec<u64> {
    let results = answer["results"].as_array().expect("results").iter();
    results.map(|result| result["status"].as_u64().expect("a status")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_what_its_operations_are_one_by_one() {
    let stage = Stage::new().await;
    let user = stage.user("ada@example.org").await;
    let list = json!({"name": "Home"});
    let list = user.client.post("/api/lists", &list).await.expect("an answer").expect(201).json();
    let [a, b, c] = [create(&user, "a").await, create(&user, "b").await, create(&user, "c").await];
    let before = get(&user, "/api/changes").await["revision"].as_i64().unwrap();
    let operations = json!({"operations": [
        {"op": "create", "task": {"title": "d", "estimate": 5, "recurrence_rule": {"frequency": "daily"}}},
        {"op": "patch", "id": a, "revision": 2, "task": {"priority": "high"}},
        {"op": "complete", "id": b},
        {"op": "reopen", "id": b},
        {"op": "move", "id": a, "list_id": list["id"]},
        {"op": "move", "id": b, "before": c},
        {"op": "delete", "id": c},
    ]});
    let answer = batch(&user, &operations).await.expect(200).json();
    assert_eq!(statuses(&answer), [201, 200, 200, 200, 200, 200, 204], "{answer}");
    assert_eq!(answer["results"][1]["task"]["priority"], "high");
    assert_eq!(answer["results"][4]["task"]["list_id"], list["id"]);
    let revisions: Vec<_> = answer["results"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|r| r["task"]["revision"].as_i64())
        .collect();
    // The last move changes nothing: it comes right before that one already.
    let first = before + 1;
    assert_eq!(revisions, [first, first + 1, first + 2, first + 3, first + 4, first + 3]);
    let feed = get(&user, &format!("/api/changes?since={before}")).await;
    assert_eq!(feed["revision"], before + 6);
    let types: Vec<_> =
        stage.events().await.into_iter().skip(4).map(|event| event.event_type).collect();
    let expected = [
        "task.created",
        "task.updated",
        "task.completed",
        "task.reopened",
        "task.updated",
        "task.deleted",
    ];
    assert_eq!(types, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_atomic_batch_that_is_refused_leaves_nothing() {
    let stage = Stage::new().await;
    let user = stage.user("ada@example.org").await;
    let other = stage.user("bob@example.org").await;
    let [mine, theirs] = [create(&user, "mine").await, create(&other, "theirs").await];
    let before = (get(&user, "/api/tasks").await, get(&user, "/api/changes").await);
    stage.events().await;
    for (bad, status, named) in [
        (
            json!({"op": "patch", "id": mine, "task": {"title": ""}}),
            422,
            "/operations/2/task/title",
        ),
        (
            json!({"op": "create", "task": {"title": "t", "colour": 1}}),
            422,
            "/operations/2/task/colour",
        ),
        (json!({"op": "move", "id": mine, "after": theirs}), 422, "/operations/2/after"),
        (json!({"op": "complete", "id": theirs}), 404, "/operations/2"),
        (json!({"op": "delete", "id": 9_007_199_254_740_991_i64}), 404, "/operations/2"),
        (json!({"op": "complete", "id": mine, "revision": 1}), 412, "/operations/2"),
    ] {
        let operations = json!({"operations": [
            {"op": "create", "task": {"title": "new"}}, {"op": "complete", "id": mine}, bad,
        ]});
        let problem = batch(&user, &operations).await.expect(status).json();
        let place = problem["errors"][0]["pointer"].as_str().or(problem["detail"].as_str());
        assert!(place.is_some_and(|place| place.starts_with(named)), "{problem}");
        assert_eq!((get(&user, "/api/tasks").await, get(&user, "/api/changes").await), before);
        assert!(stage.events().await.is_empty());
        // Each for itself, the others happen.
        if status == 404 {
            let each = json!({"atomic": false, "operations": [
                {"op": "patch", "id": mine, "task": {"description": null}}, bad,
                {"op": "patch", "id": mine, "task": {"description": null}},
            ]});
            let answer = batch(&user, &each).await.expect(200).json();
            assert_eq!(statuses(&answer), [200, 404, 200]);
            let problem = &answer["results"][1]["problem"];
            assert_eq!(problem["code"], "not_found");
            assert!(!problem["detail"].as_str().unwrap_or_default().starts_with(':'), "{problem}");
        }
    }
    let each = json!({"atomic": false, "operations": [
        {"op": "create", "task": {"title": ""}}, {"op": "create", "task": {"title": "new"}},
    ]});
    let answer = batch(&user, &each).await.expect(200).json();
    assert_eq!(statuses(&answer), [422, 201]);
    assert_eq!(answer["results"][0]["problem"]["errors"][0]["pointer"], "/task/title");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_with_a_key_happens_once() {
    let stage = Stage::new().await;
    let user = stage.user("ada@example.org").await;
    for (key, atomic) in [("k1", true), ("k2", false)] {
        let body = json!({"atomic": atomic, "operations": [
            {"op": "create", "task": {"title": "a"}}, {"op": "create", "task": {"title": "b"}},
        ]});
        let send = |body: Value| {
            let request = user.client.request(Method::POST, "/api/tasks/batch");
            request.header("idempotency-key", key).json(&body).send()
        };
        let first = send(body.clone()).await.expect("an answer").expect(200);
        let second = send(body).await.expect("an answer").expect(200);
        assert_eq!(
            (first.json(), second.header("idempotency-replayed")),
            (second.json(), Some("true"))
        );
        let other = json!({"operations": [{"op": "create", "task": {"title": "c"}}]});
        send(other).await.expect("an answer").expect(422);
    }
    assert_eq!(get(&user, "/api/tasks").await.as_array().map(Vec::len), Some(4));
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_at_once_have_revisions_in_a_row() {
    let stage = Stage::new().await;
    let user = stage.user("ada@example.org").await;
    let mut sent = tokio::task::JoinSet::new();
    for _ in 0..6 {
        let client = user.client.clone();
        let operations = vec![json!({"op": "create", "task": {"title": "t"}}); 100];
        let body = json!({ "operations": operations });
        sent.spawn(async move { client.post("/api/tasks/batch", &body).await.expect("an answer") });
    }
    while let Some(answer) = sent.join_next().await {
        let answer = answer.expect("an answer").expect(200).json();
        let results = answer["results"].as_array().unwrap();
        let revisions: Vec<_> =
            results.iter().map(|r| r["task"]["revision"].as_i64().unwrap()).collect();
        assert!(revisions.windows(2).all(|pair| pair[1] == pair[0] + 1), "{revisions:?}");
    }
    assert_eq!(get(&user, "/api/changes?since=599").await["revision"], 600);
}
