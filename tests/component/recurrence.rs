//! The recurrence component: an occurrence's successor, and that there is only one.

use rondo_tests::stage::Stage;
use rondo_tests::story::User;
use rondo_wasm_host::CloudEvent;
use rondo_wasm_host::engine::recurrence::RecurrenceEnginePre;
use serde_json::{Value, json};

async fn create(user: &User, task: &Value) -> i64 {
    let answer = user.client.post("/api/tasks", task).await.expect("an answer").expect(201);
    answer.json()["id"].as_i64().expect("an id")
}

async fn act(user: &User, task: i64, action: &str) {
    let path = format!("/api/tasks/{task}/{action}");
    user.client.post(&path, &json!({})).await.expect("an answer").expect(200);
}

/// All tasks, oldest first.
async fn tasks(user: &User) -> Vec<Value> {
    let path = "/api/tasks?sort_by=created_at&sort_order=asc&limit=500";
    let answer = user.client.get(path).await.expect("an answer").expect(200);
    answer.json().as_array().cloned().expect("an array")
}

async fn pending(user: &User) -> Vec<Value> {
    let mut tasks = tasks(user).await;
    tasks.retain(|task| task["status"] == "pending");
    tasks
}

/// Completes a task, and returns its event, not yet delivered.
async fn complete(stage: &Stage, user: &User, task: i64) -> CloudEvent {
    act(user, task, "complete").await;
    stage.event("task.completed").await
}

#[tokio::test(flavor = "multi_thread")]
async fn each_successor_is_the_next_slot_of_its_series() {
    let stage = Stage::new().await;
    let user = stage.user("ada@example.org").await;
    let due = |due_date: &str, zone: &str, rule: Value| json!({"title": "t", "due_date": due_date, "time_zone": zone, "recurrence_rule": rule});
    for (name, task, dates) in [
        (
            "the last day of a month does not drift",
            due("2031-01-31T09:00:00Z", "UTC", json!({"frequency": "monthly"})),
            ["2031-02-28T09:00:00Z", "2031-03-31T09:00:00Z", "2031-04-30T09:00:00Z"],
        ),
        (
            "a month without the day is skipped",
            due(
                "2031-01-31T09:00:00Z",
                "UTC",
                json!({"frequency": "monthly", "month_end": "skip"}),
            ),
            ["2031-03-31T09:00:00Z", "2031-05-31T09:00:00Z", "2031-07-31T09:00:00Z"],
        ),
        (
            "a time in the spring gap moves forward on that day only",
            due("2031-03-29T01:30:00Z", "Europe/Berlin", json!({"frequency": "daily"})),
            ["2031-03-30T01:30:00Z", "2031-03-31T00:30:00Z", "2031-04-01T00:30:00Z"],
        ),
        (
            "a time that occurs twice in autumn is the first",
            due("2031-10-25T00:30:00Z", "Europe/Berlin", json!({"frequency": "daily"})),
            ["2031-10-26T00:30:00Z", "2031-10-27T01:30:00Z", "2031-10-28T01:30:00Z"],
        ),
        (
            "days of the week",
            due(
                "2031-01-06T08:00:00Z",
                "UTC",
                json!({"frequency": "weekly", "days_of_week": [0, 2]}),
            ),
            ["2031-01-08T08:00:00Z", "2031-01-13T08:00:00Z", "2031-01-15T08:00:00Z"],
        ),
    ] {
        let first = create(&user, &task).await;
        let mut id = first;
        for date in dates {
            let completed = complete(&stage, &user, id).await;
            stage.deliver("recurrence", &completed).await;
            let pending = pending(&user).await;
            assert_eq!(pending.len(), 1, "{name}");
            assert_eq!(pending[0]["due_date"], date, "{name}");
            assert_eq!(pending[0]["parent_task_id"], first, "{name}");
            id = pending[0]["id"].as_i64().expect("an id");
        }
        let path = format!("/api/tasks/{id}?scope=all");
        user.client.delete(&path).await.expect("an answer").expect(204);
        stage.events().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_basis_completion_the_successor_counts_from_the_day_of_completion() {
    let stage = Stage::new().await;
    let user = stage.user("ada@example.org").await;
    let rule = json!({"frequency": "daily", "interval": 3, "basis": "completion"});
    let task = json!({"title": "t", "due_date": "2020-01-01T09:00:00Z", "recurrence_rule": rule});
    let id = create(&user, &task).await;
    let completed = complete(&stage, &user, id).await;
    stage.deliver("recurrence", &completed).await;
    let [first, second] = &tasks(&user).await[..] else { panic!("not two tasks") };
    // By the database's calendar instead of ours.
    let sql = "SELECT instant((($1::text::timestamptz AT TIME ZONE 'UTC')::date + 3 + time '09:00')
                              AT TIME ZONE 'UTC')";
    let done = first["completed_at"].as_str().expect("an instant");
    let row = stage.database.session().await.query_one(sql, &[&done]).await.expect("a date");
    assert_eq!(second["due_date"], row.get::<_, &str>(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_series_ends_with_its_count() {
    let stage = Stage::new().await;
    let user = stage.user("ada@example.org").await;
    let task = json!({"title": "t", "due_date": "2031-01-01T09:00:00Z",
                      "recurrence_rule": {"frequency": "daily", "count": 2}});
    let first = create(&user, &task).await;
    let completed = complete(&stage, &user, first).await;
    stage.deliver("recurrence", &completed).await;
    let second = pending(&user).await[0]["id"].as_i64().expect("an id");
    let completed = complete(&stage, &user, second).await;
    for _ in 0..2 {
        stage.deliver("recurrence", &completed).await;
    }
    assert!(pending(&user).await.is_empty());
    let ended = stage.event("series.ended").await;
    stage.deliver("audit", &ended).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_or_late_event_changes_nothing() {
    let stage = Stage::new().await;
    let user = stage.user("ada@example.org").await;
    let task = json!({"title": "t", "due_date": "2031-01-01T09:00:00Z", "tags": ["a"],
                      "recurrence_rule": {"frequency": "daily"}});
    for basis in ["schedule", "completion"] {
        let mut task = task.clone();
        task["recurrence_rule"]["basis"] = basis.into();
        let id = create(&user, &task).await;
        let completed = complete(&stage, &user, id).await;

        // The completion is withdrawn before its event is delivered.
        act(&user, id, "reopen").await;
        let before = tasks(&user).await;
        stage.deliver("recurrence", &completed).await;
        assert_eq!(tasks(&user).await, before, "{basis}: nothing follows a pending task");
        stage.events().await;

        let again = complete(&stage, &user, id).await;
        stage.deliver("recurrence", &again).await;
        let made = stage.event("task.created").await;
        let before = tasks(&user).await;
        for event in [&again, &completed, &made, &completed, &again] {
            stage.deliver("recurrence", event).await;
        }
        assert_eq!(tasks(&user).await, before, "{basis}: one successor");

        // The successor is completed too, and then the first event comes again.
        let successor = pending(&user).await[0]["id"].as_i64().expect("an id");
        let next = complete(&stage, &user, successor).await;
        stage.deliver("recurrence", &next).await;
        stage.events().await;
        let before = tasks(&user).await;
        for event in [&completed, &next, &again] {
            stage.deliver("recurrence", event).await;
        }
        assert_eq!(tasks(&user).await, before, "{basis}: later tasks stay as they are");
        assert!(stage.events().await.is_empty(), "{basis}: no further event");

        let id = pending(&user).await[0]["id"].as_i64().expect("an id");
        let path = format!("/api/tasks/{id}?scope=all");
        user.client.delete(&path).await.expect("an answer").expect(204);
        stage.deliver("recurrence", &next).await;
        assert!(pending(&user).await.is_empty(), "{basis}: a series that was ended stays so");
        stage.events().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_withdrawn_successor_is_revived_once_and_a_changed_one_is_kept() {
    let stage = Stage::new().await;
    let user = stage.user("ada@example.org").await;
    let task = json!({"title": "t", "due_date": "2031-01-01T09:00:00Z",
                      "recurrence_rule": {"frequency": "daily"}});
    let id = create(&user, &task).await;
    let first = complete(&stage, &user, id).await;
    stage.deliver("recurrence", &first).await;
    stage.events().await;

    act(&user, id, "reopen").await;
    let withdrawn = stage.event("task.deleted").await;
    assert!(withdrawn.data.contains(r#""reason":"withdrawn""#), "{}", withdrawn.data);
    stage.deliver("recurrence", &withdrawn).await;
    assert_eq!(pending(&user).await.len(), 1, "the reopened one alone");

    let second = complete(&stage, &user, id).await;
    for event in [&second, &first, &second] {
        stage.deliver("recurrence", event).await;
    }
    let [revived] = &pending(&user).await[..] else { panic!("not one successor") };
    assert_eq!(revived["due_date"], "2031-01-02T09:00:00Z");
    stage.events().await;

    let path = format!("/api/tasks/{}", revived["id"]);
    user.client.patch(&path, &json!({"title": "mine"})).await.expect("an answer").expect(200);
    act(&user, id, "reopen").await;
    let third = complete(&stage, &user, id).await;
    stage.deliver("recurrence", &third).await;
    let [kept] = &pending(&user).await[..] else { panic!("not one successor") };
    assert_eq!(kept["title"], "mine");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_recurrence_engine_can_be_composed() {
    let stage = Stage::without_database().await;
    let (mut store, pre) = stage.app.instance_of("recurrence");
    let engine = RecurrenceEnginePre::new(pre).expect("the export");
    let engine = engine.instantiate_async(&mut store).await.expect("an instance");
    let slots = engine
        .rondo_recurrence_engine()
        .call_preview(&mut store, r#"{"frequency":"monthly"}"#, "2031-01-31T09:00:00", "UTC", 3)
        .await
        .expect("a call")
        .expect("slots");
    let local: Vec<&str> = slots.iter().map(|slot| slot.local.as_str()).collect();
    assert_eq!(local, ["2031-01-31T09:00:00", "2031-02-28T09:00:00", "2031-03-31T09:00:00"]);
}
