//! Deleted tasks: they are kept for a time, and come back with everything they had.

use http::Method;
use rondo_testkit::http::Response;
use rondo_tests::stage::Stage;
use rondo_tests::story::User;
use serde_json::{Value, json};

async fn get(user: &User, path: &str) -> Value {
    user.client.get(path).await.expect("an answer").expect(200).json()
}

async fn post(user: &User, path: &str, body: &Value) -> Response {
    user.client.post(path, body).await.expect("an answer")
}

async fn create(user: &User, task: &Value) -> Value {
    post(user, "/api/tasks", task).await.expect(201).json()
}

async fn delete(user: &User, path: &str, status: u16) {
    user.client.delete(path).await.expect("an answer").expect(status);
}

async fn restore(user: &User, task: &Value) -> Response {
    post(user, &format!("/api/tasks/{}/restore", task["id"]), &json!({})).await
}

/// A task without the members that every change sets.
fn lasting(task: &Value) -> Value {
    let mut task = task.clone();
    let members = task.as_object_mut().expect("a task");
    members.remove("revision");
    members.remove("updated_at");
    task
}

/// Delivers the events to the recurrence component until there are no new ones.
async fn settle(stage: &Stage) -> Vec<String> {
    let mut types = Vec::new();
    loop {
        let events = stage.events().await;
        if events.is_empty() {
            return types;
        }
        for event in &events {
            types.push(event.event_type.clone());
            stage.deliver("recurrence", event).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_task_comes_back_with_everything_it_had() {
    let stage = Stage::new().await;
    let user = stage.user("ada@example.org").await;
    let list = post(&user, "/api/lists", &json!({"name": "Home"})).await.expect(201).json();
    let task = create(
        &user,
        &json!({"title": "Fix the roof", "description": "with Bob", "list_id": list["id"], "tags": ["home"],
                "uid": "roof", "due_date": "2061-01-31T09:00:00Z", "reminder_offset": "P1D", "estimate": 90}),
    )
    .await;
    let path = format!("/api/tasks/{}", task["id"]);
    post(&user, &format!("{path}/reminders"), &json!({"offset": "PT2H"})).await.expect(201);
    let fixed = json!({"remind_at": "2061-01-01T09:00:00Z"});
    post(&user, &format!("{path}/reminders"), &fixed).await.expect(201);
    let other = create(&user, &json!({"title": "other"})).await;
    let reminders = get(&user, "/api/reminders").await;
    let before = get(&user, "/api/changes").await["revision"].as_i64().unwrap();
    stage.events().await;

    delete(&user, &path, 204).await;
    assert_eq!(get(&user, "/api/reminders").await, json!([]));
    let trash = get(&user, "/api/trash").await;
    let mut expected = task.clone();
    expected["deleted_at"] = trash[0]["deleted_at"].clone();
    expected["kept_until"] = trash[0]["kept_until"].clone();
    assert_eq!(trash, json!([expected]));
    let feed = get(&user, &format!("/api/changes?since={before}")).await;
    assert_eq!(
        feed["changes"],
        json!([{"revision": before + 1, "op": "delete", "task_id": task["id"]}])
    );

    let restored = restore(&user, &task).await.expect(200);
    assert!(restored.header("undo-token").is_some() && restored.header("etag").is_some());
    let restored = restored.json();
    assert_eq!(lasting(&restored), lasting(&task));
    assert_eq!(restored["revision"], before + 2);
    assert_eq!(get(&user, &path).await, restored);
    assert_eq!(get(&user, "/api/tasks?search=roof").await, json!([restored]));
    assert_eq!(get(&user, "/api/reminders").await, reminders);
    assert_eq!(get(&user, "/api/trash").await, json!([]));
    // The feed has it once, wherever its follower was.
    for since in [0, before, before + 1] {
        let feed = get(&user, &format!("/api/changes?since={since}")).await;
        let changes = feed["changes"].as_array().unwrap();
        assert_eq!(changes.last().unwrap()["task"], restored, "{since}");
        assert!(changes.iter().all(|change| change["op"] == "upsert"), "{since}");
    }
    let types: Vec<_> =
        stage.events().await.into_iter().map(|event| event.event_type.clone()).collect();
    let cancelled = vec!["reminder.cancelled"; 3];
    let scheduled = vec!["reminder.scheduled"; 3];
    let expected = [cancelled, vec!["task.deleted", "task.restored"], scheduled].concat();
    assert_eq!(types, expected);
    // Once more changes nothing.
    let again = restore(&user, &task).await.expect(200);
    assert_eq!((again.header("undo-token"), again.json()), (None, restored));
    assert_eq!(get(&user, "/api/tasks").await[0]["id"], other["id"], "the order is as it was");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_the_way_of_a_restored_task() {
    let stage = Stage::new().await;
    let [user, other] = [stage.user("ada@example.org").await, stage.user("bob@example.org").await];
    let list = post(&user, "/api/lists", &json!({"name": "Home"})).await.expect(201).json();
    let task = create(&user, &json!({"title": "a", "uid": "mine", "list_id": list["id"]})).await;
    let path = format!("/api/tasks/{}", task["id"]);
    let list_path = format!("/api/lists/{}?tasks=delete", list["id"]);
    delete(&user, &list_path, 204).await;
    assert_eq!(get(&user, "/api/trash").await[0]["id"], task["id"]);
    // Another user has neither.
    restore(&other, &task).await.expect(404);
    delete(&other, &format!("/api/trash/{}", task["id"]), 404).await;
    assert_eq!(get(&other, "/api/trash").await, json!([]));
    // Its uid.
    let taker = create(&user, &json!({"title": "b", "uid": "mine"})).await;
    let refused = restore(&user, &task).await.expect(409);
    assert_eq!(refused.json()["code"], "uid_taken");
    let location = format!("/api/{}/tasks/{}", user.id, taker["id"]);
    assert_eq!(refused.header("location"), Some(location.as_str()));
    delete(&user, &format!("/api/tasks/{}", taker["id"]), 204).await;
    // Its list is gone, and its position is taken.
    let place = "UPDATE tasks SET position = $1 WHERE id = $2";
    let third = create(&user, &json!({"title": "c"})).await;
    let position = task["position"].as_str();
    let session = stage.database.session().await;
    session.execute(place, &[&position, &third["id"].as_i64()]).await.expect("a position");
    let restored = restore(&user, &task).await.expect(200).json();
    assert_eq!(restored["list_id"], Value::Null);
    let order = get(&user, "/api/tasks?sort_by=position&sort_order=asc").await;
    assert_eq!((&order[0]["id"], &order[1]["id"]), (&third["id"], &task["id"]));
    // A reminder whose moment is past stays silent.
    let late = create(
        &user,
        &json!({"title": "late", "due_date": "2061-01-31T09:00:00Z", "reminder_offset": "P1D"}),
    )
    .await;
    delete(&user, &format!("/api/tasks/{}", late["id"]), 204).await;
    let past = "UPDATE trash SET snapshot = jsonb_set(snapshot, '{reminders,0,remind_at}', to_jsonb(now()))
                WHERE task_id = $1";
    session.execute(past, &[&late["id"].as_i64()]).await.expect("a snapshot");
    restore(&user, &late).await.expect(200);
    assert_eq!(get(&user, "/api/reminders").await[0]["status"], "cancelled");
    // For good.
    delete(&user, &path, 204).await;
    delete(&user, &format!("/api/trash/{}", task["id"]), 204).await;
    delete(&user, &format!("/api/trash/{}", task["id"]), 404).await;
    restore(&user, &task).await.expect(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_trash_has_pages_and_a_key_restores_once() {
    let stage = Stage::new().await;
    let user = stage.user("ada@example.org").await;
    let mut ids = Vec::new();
    for title in ["a", "b", "c"] {
        let task = create(&user, &json!({ "title": title })).await;
        delete(&user, &format!("/api/tasks/{}", task["id"]), 204).await;
        ids.insert(0, task["id"].clone());
    }
    let (mut found, mut path) = (Vec::new(), "/api/trash?limit=2".to_owned());
    loop {
        let page = user.client.get(&path).await.expect("an answer").expect(200);
        found.extend(page.json().as_array().unwrap().iter().map(|task| task["id"].clone()));
        let Some(link) = page.header("link") else { break };
        path = link.trim_start_matches('<').split('>').next().unwrap().to_owned();
    }
    assert_eq!(found, ids);
    let path = format!("/api/tasks/{}/restore", ids[0]);
    let send = || user.client.request(Method::POST, &path).header("idempotency-key", "k").send();
    let first = send().await.expect("an answer").expect(200);
    delete(&user, &format!("/api/tasks/{}", ids[0]), 204).await;
    let second = send().await.expect("an answer").expect(200);
    assert_eq!(
        (second.json(), second.header("idempotency-replayed")),
        (first.json(), Some("true"))
    );
    assert_eq!(get(&user, "/api/tasks").await, json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_occurrence_has_one_successor_at_most() {
    let stage = Stage::new().await;
    let user = stage.user("ada@example.org").await;
    let daily = json!({"title": "Water the plants", "due_date": "2061-01-31T09:00:00Z",
                       "recurrence_rule": {"frequency": "daily"}});
    let complete = async |task: &Value| {
        post(&user, &format!("/api/tasks/{}/complete", task["id"]), &json!({})).await.expect(200);
        settle(&stage).await
    };
    let all = async || {
        let tasks = get(&user, "/api/tasks?sort_by=created_at&sort_order=asc").await;
        tasks.as_array().unwrap().clone()
    };
    // Deleted alone: the series went on, and the restored one has that successor.
    let task = create(&user, &daily).await;
    let path = format!("/api/tasks/{}", task["id"]);
    delete(&user, &format!("{path}?scope=this"), 204).await;
    settle(&stage).await;
    assert_eq!(all().await.len(), 1, "a successor");
    restore(&user, &task).await.expect(200);
    complete(&task).await;
    assert_eq!(all().await.len(), 2);
    // Restored before there is a successor: it is still to come.
    let task = all().await.pop().expect("a successor");
    let path = format!("/api/tasks/{}", task["id"]);
    delete(&user, &format!("{path}?scope=this"), 204).await;
    restore(&user, &task).await.expect(200);
    settle(&stage).await;
    assert_eq!(all().await.len(), 2);
    complete(&task).await;
    assert_eq!(all().await.len(), 3);
    // Deleted with its series: both come back.
    let task = all().await.pop().expect("a successor");
    let path = format!("/api/tasks/{}", task["id"]);
    delete(&user, &format!("{path}?scope=all"), 204).await;
    assert!(settle(&stage).await.contains(&"series.ended".to_owned()));
    restore(&user, &task).await.expect(200);
    complete(&task).await;
    assert_eq!(all().await.len(), 4);
    // Completed and deleted before it was followed.
    let task = all().await.pop().expect("a successor");
    let path = format!("/api/tasks/{}", task["id"]);
    post(&user, &format!("{path}/complete"), &json!({})).await.expect(200);
    delete(&user, &path, 204).await;
    settle(&stage).await;
    restore(&user, &task).await.expect(200);
    settle(&stage).await;
    assert_eq!(all().await.len(), 5);
}
