//! Changes of a task whose start the clock has told since.

use http::Method;
use rondo_tests::stage::Stage;
use serde_json::json;

use super::{create, get, lasting, path, post, send, settle, token, undo};

/// Lets the clock tell the start of a task, as when that has come.
async fn start(stage: &Stage, task: &serde_json::Value) {
    let session = stage.database.session().await;
    let id = &task["id"];
    session
        .batch_execute(&format!(
            "UPDATE tasks SET starts_at = clock_timestamp() WHERE id = {id};
             DO $$ BEGIN
                 ASSERT (SELECT s.outcome = 'started' FROM tasks t, task_start(t.user_id, t.id, NULL) s WHERE t.id = {id});
             END $$"
        ))
        .await
        .expect("a start");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_before_the_start_can_be_undone() {
    let stage = Stage::new().await;
    let user = stage.user("ada@example.org").await;
    let deferred = json!({"title": "Paint", "start_date": "2061-01-31T09:00:00Z"});
    let created = post(&user, "/api/tasks", &deferred).await.expect(201);
    let task = created.json();
    let renamed = json!({"title": "Paint the door"});
    let changed = send(&user, Method::PATCH, &path(&task, ""), Some(&renamed)).await.expect(200);
    // Twice, because the task can be deferred again without being changed in between.
    start(&stage, &task).await;
    start(&stage, &task).await;
    let started = get(&user, &path(&task, "")).await;
    assert!(started["revision"].as_i64() > changed.json()["revision"].as_i64(), "{started}");
    let undone = undo(&user, &token(&changed)).await.expect(200);
    assert_eq!(lasting(&get(&user, &path(&task, "")).await), lasting(&task));
    // To undo that is to rename it again, whether or not it has started in between.
    start(&stage, &task).await;
    undo(&user, &token(&undone)).await.expect(200);
    assert_eq!(get(&user, &path(&task, "")).await["title"], renamed["title"]);
    // A user's change afterwards counts, though.
    let changed = send(&user, Method::PATCH, &path(&task, ""), Some(&json!({"estimate": 5}))).await;
    start(&stage, &task).await;
    let latest = json!({"priority": "low"});
    send(&user, Method::PATCH, &path(&task, ""), Some(&latest)).await.expect(200);
    let refused = undo(&user, &token(&changed)).await.expect(412).json();
    assert_eq!(refused["tasks"], json!([task["id"]]));
    // A creation, too, can be undone until somebody changes the task.
    undo(&user, &token(&created)).await.expect(412);
    let created = post(&user, "/api/tasks", &deferred).await.expect(201);
    start(&stage, &created.json()).await;
    undo(&user, &token(&created)).await.expect(200);
    send(&user, Method::GET, &path(&created.json(), ""), None).await.expect(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_successor_whose_steps_have_started_is_withdrawn() {
    let stage = Stage::new().await;
    let user = stage.user("ada@example.org").await;
    let weekly = json!({"title": "Wash", "due_date": "2061-03-21T09:00:00Z", "recurrence_pattern": "weekly"});
    let task = create(&user, &weekly).await;
    let step =
        json!({"title": "Sort", "subtask_of": task["id"], "start_date": "2061-03-20T09:00:00Z"});
    create(&user, &step).await;
    let steps = "/api/tasks?search=sort&deferred=true&sort_by=created_at&sort_order=desc";
    for undoes in [false, true] {
        let completed = send(&user, Method::POST, &path(&task, "/complete"), None).await;
        settle(&stage).await;
        let copies = get(&user, steps).await;
        assert_eq!(copies.as_array().map(Vec::len), Some(2), "{copies}");
        start(&stage, &copies[0]).await;
        if undoes {
            undo(&user, &token(&completed)).await.expect(200);
        } else {
            send(&user, Method::POST, &path(&task, "/reopen"), None).await.expect(200);
        }
        assert_eq!(get(&user, steps).await.as_array().map(Vec::len), Some(1));
    }
}
