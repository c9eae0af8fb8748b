//! Undoing, and restoring, with what is beneath a task and what it blocks.

use http::Method;
use rondo_tests::stage::Stage;
use rondo_tests::story::User;
use serde_json::{Value, json};

use super::{create, get, path, post, seen, send, settle, token, undo};

/// A task with two subtasks, the second blocked by the first, and a task by itself that the first one blocks.
async fn house(user: &User, more: Value) -> [Value; 4] {
    let mut house = json!({"title": "Move house"});
    house.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let house = create(user, &house).await;
    let day = json!({"title": "Pack", "subtask_of": house["id"], "due_day": "2061-05-01", "reminder_offset": "P1D"});
    let pack = create(user, &day).await;
    let keys = json!({"title": "Keys", "subtask_of": house["id"], "blocked_by": [pack["id"]]});
    let keys = create(user, &keys).await;
    let sell = create(user, &json!({"title": "Sell the van", "blocked_by": [pack["id"]]})).await;
    [house, pack, keys, sell]
}

async fn blocked(user: &User) -> Vec<String> {
    let tasks = get(user, "/api/tasks?blocked=true&sort_by=title").await;
    let tasks = tasks.as_array().unwrap().iter();
    tasks.map(|task| task["title"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_of_a_task_with_subtasks_go_back_and_forth() {
    let stage = Stage::new().await;
    let user = stage.user("ada@example.org").await;
    let [house, pack, keys, _] = house(&user, json!({})).await;
    for (method, path, body) in [
        (Method::DELETE, path(&house, ""), None),
        (Method::DELETE, path(&pack, ""), None),
        (Method::POST, path(&house, "/complete?subtasks=complete"), None),
        (Method::POST, path(&pack, "/complete"), None),
        (Method::PATCH, path(&keys, ""), Some(json!({"subtask_of": null, "blocked_by": []}))),
        (Method::PATCH, path(&keys, ""), Some(json!({"subtask_of": pack["id"]}))),
        (Method::POST, path(&keys, "/move"), Some(json!({"before": pack["id"]}))),
    ] {
        let before = (seen(&user).await, blocked(&user).await);
        let changed = send(&user, method.clone(), &path, body.as_ref()).await;
        assert!(changed.status.is_success(), "{method} {path}: {}", changed.text());
        let after = (seen(&user).await, blocked(&user).await);
        let mut token = token(&changed);
        for expected in [&before, &after, &before, &after, &before] {
            let answer = undo(&user, &token).await.expect(200);
            let found = (seen(&user).await, blocked(&user).await);
            assert_eq!(&found, expected, "{method} {path}");
            token = super::token(&answer);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_follows_a_task_with_subtasks_is_withdrawn_and_comes_back() {
    let stage = Stage::new().await;
    let user = stage.user("ada@example.org").await;
    let weekly =
        json!({"due_date": "2061-05-02T09:00:00Z", "recurrence_rule": {"frequency": "weekly"}});
    let [house, ..] = house(&user, weekly).await;
    settle(&stage).await;
    let before = seen(&user).await;
    let done = send(&user, Method::POST, &path(&house, "/complete"), None).await.expect(200);
    settle(&stage).await;
    let after = seen(&user).await;
    assert_eq!(after["tasks"].as_array().unwrap().len(), 7, "{after:#}");
    let mut token = token(&done);
    for expected in [&before, &after, &before] {
        let answer = undo(&user, &token).await.expect(200);
        assert_eq!(&seen(&user).await, expected);
        settle(&stage).await;
        assert_eq!(&seen(&user).await, expected, "the events bring nothing back");
        token = super::token(&answer);
    }
    // A changed subtask of the next occurrence is in the way.
    let done = send(&user, Method::POST, &path(&house, "/complete"), None).await.expect(200);
    settle(&stage).await;
    let renewed = get(&user, "/api/tasks?search=pack&sort_by=created_at&sort_order=desc").await;
    let title = json!({"title": "Pack the books"});
    send(&user, Method::PATCH, &path(&renewed[0], ""), Some(&title)).await.expect(200);
    let refused = undo(&user, &super::token(&done)).await.expect(412).json();
    assert_eq!(refused["code"], "changed_since");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_is_restored_with_its_subtasks() {
    let stage = Stage::new().await;
    let user = stage.user("ada@example.org").await;
    let [house, pack, ..] = house(&user, json!({})).await;
    let before = seen(&user).await;
    send(&user, Method::DELETE, &path(&house, ""), None).await.expect(204);
    assert_eq!(get(&user, "/api/trash").await.as_array().unwrap().len(), 3);
    assert_eq!(blocked(&user).await, [] as [String; 0]);
    let restored = post(&user, &path(&house, "/restore"), &json!({})).await.expect(200);
    assert_eq!(seen(&user).await, before);
    assert_eq!(get(&user, "/api/trash").await, json!([]));
    assert_eq!(blocked(&user).await, ["Sell the van", "Keys"]);
    // All of it goes back into the trash.
    undo(&user, &token(&restored)).await.expect(200);
    assert_eq!(get(&user, "/api/trash").await.as_array().unwrap().len(), 3);
    // A subtask alone is a task by itself while its task is deleted.
    let alone = post(&user, &path(&pack, "/restore"), &json!({})).await.expect(200).json();
    assert_eq!(alone["subtask_of"], Value::Null);
}
