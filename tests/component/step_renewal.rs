//! The steps of recurring tasks, which the next occurrence gets anew.

use rondo_tests::stage::Stage;
use rondo_tests::story::User;
use serde_json::{Value, json};

use crate::step::{act, create, delete, get, patch, progress, step, titles};

/// Delivers all events to the recurrence component until there are no more, each several times.
async fn settle(stage: &Stage) {
    loop {
        let events = stage.events().await;
        if events.is_empty() {
            return;
        }
        for event in events.iter().chain(&events) {
            if event.topic == "task-events" {
                stage.deliver("recurrence", event).await;
            }
        }
    }
}

/// A weekly task with steps: `a` with `b` beneath it, and `c`, which `a` blocks.
async fn weekly(user: &User) -> [i64; 4] {
    let top = json!({"title": "top", "due_date": "2061-03-21T09:00:00Z", "time_zone": "Europe/Paris",
                     "recurrence_rule": {"frequency": "weekly"}});
    let top = create(user, top).await;
    let a = json!({"title": "a", "subtask_of": top, "due_date": "2061-03-20T17:00:00Z", "tags": ["x"],
                   "time_zone": "Europe/Paris", "reminder_offset": "PT1H", "priority": "high"});
    let a = create(user, a).await;
    let b = create(user, json!({"title": "b", "subtask_of": a})).await;
    let c = create(user, json!({"title": "c", "subtask_of": top, "blocked_by": [a]})).await;
    [top, a, b, c]
}

/// The tasks that are not these, by title.
async fn others(user: &User, known: &[i64]) -> Vec<Value> {
    let tasks = get(user, "/api/tasks?limit=500&sort_by=title&sort_order=asc").await;
    let tasks = tasks.as_array().expect("a list").iter();
    tasks
        .filter(|task| task["id"].as_i64().is_none_or(|id| !known.contains(&id)))
        .cloned()
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_occurrence_gets_its_steps_anew() {
    let stage = Stage::new().await;
    let user = stage.user("ada@example.org").await;
    let known = weekly(&user).await;
    let outside = step(&user, "outside", None).await;
    patch(&user, known[2], &json!({"blocked_by": [outside]})).await.expect(200);
    settle(&stage).await;
    act(&user, known[0], "complete?subtasks=complete").await;
    settle(&stage).await;
    let known = [known.as_slice(), &[outside]].concat();
    let next = others(&user, &known).await;
    let [a, b, c, top] = &next[..] else { panic!("{next:#?}") };
    assert_eq!(
        (&top["subtasks"], &a["subtasks"]),
        (&json!({"total": 2, "completed": 0}), &json!({"total": 1, "completed": 0}))
    );
    // Summer time has begun in between, and the clock shows the same.
    assert_eq!(top["due_date"], "2061-03-28T08:00:00Z");
    assert_eq!(
        (&a["due_date"], &a["reminder_offset"]),
        (&json!("2061-03-27T16:00:00Z"), &json!("PT1H"))
    );
    assert_eq!((&b["due_date"], &b["blocked_by"]), (&Value::Null, &json!([])));
    assert_eq!((&a["tags"], &a["priority"]), (&json!(["x"]), &json!("high")));
    assert_eq!(
        (&a["subtask_of"], &b["subtask_of"], &c["subtask_of"]),
        (&top["id"], &a["id"], &top["id"])
    );
    assert_eq!(c["blocked_by"], json!([a["id"]]));
    for task in &next {
        assert_eq!(task["status"], "pending");
    }
    let reminders = get(&user, "/api/reminders?status=armed").await;
    assert_eq!(reminders.as_array().map(Vec::len), Some(1));
    assert_eq!(
        (&reminders[0]["task_id"], &reminders[0]["remind_at"]),
        (&a["id"], &json!("2061-03-27T15:00:00Z"))
    );
    assert_eq!(titles(&user, "blocked=true&status=pending").await, ["c"]);
    assert_eq!(titles(&user, "search=b&status=pending").await, ["b"]);

    // Reopening withdraws all of it, and completing again brings it back once.
    let id = |task: &Value| task["id"].as_i64().expect("an id");
    act(&user, known[0], "reopen").await;
    assert_eq!(others(&user, &known).await, [Value::Null; 0]);
    act(&user, known[0], "complete").await;
    settle(&stage).await;
    let next = others(&user, &known).await;
    assert_eq!(next.len(), 4);
    // But not if something of it has changed.
    patch(&user, id(&next[1]), &json!({"title": "b2"})).await.expect(200);
    act(&user, known[0], "reopen").await;
    settle(&stage).await;
    assert_eq!(others(&user, &known).await.len(), 4);
    act(&user, known[0], "complete").await;
    settle(&stage).await;
    assert_eq!(others(&user, &known).await.len(), 4);
    let feed = get(&user, "/api/changes?limit=500").await;
    let alive = feed["changes"].as_array().expect("changes").iter();
    let alive = alive.filter(|change| change["op"] == "upsert").count();
    assert_eq!(get(&user, "/api/tasks").await.as_array().map(Vec::len), Some(alive));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_occurrence_that_is_deleted_alone_leaves_its_steps_to_the_next() {
    let stage = Stage::new().await;
    let user = stage.user("ada@example.org").await;
    let known = weekly(&user).await;
    delete(&user, &format!("/api/tasks/{}?scope=this", known[0])).await;
    assert_eq!(others(&user, &[]).await, [Value::Null; 0]);
    settle(&stage).await;
    let next = others(&user, &[]).await;
    let [a, b, c, top] = &next[..] else { panic!("{next:#?}") };
    assert_eq!(
        (&a["due_date"], &c["blocked_by"]),
        (&json!("2061-03-27T16:00:00Z"), &json!([a["id"]]))
    );
    assert_eq!((&b["subtask_of"], &a["subtask_of"]), (&a["id"], &top["id"]));
    assert_eq!(titles(&user, "search=b").await, ["b"]);
    // With the series, nothing comes back.
    delete(&user, &format!("/api/tasks/{}?scope=all", top["id"])).await;
    settle(&stage).await;
    assert_eq!(others(&user, &[]).await, [Value::Null; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_recurs_stays_where_it_is() {
    let stage = Stage::new().await;
    let user = stage.user("ada@example.org").await;
    let top = json!({"title": "top", "due_date": "2061-03-21T09:00:00Z", "recurrence_rule": {"frequency": "weekly"}});
    let top = create(&user, top).await;
    let daily = json!({"title": "daily", "subtask_of": top, "due_date": "2061-03-20T09:00:00Z",
                       "recurrence_rule": {"frequency": "daily"}});
    let first = create(&user, daily).await;
    act(&user, first, "complete").await;
    settle(&stage).await;
    assert_eq!(progress(&user, top).await, (2, 1));
    act(&user, top, "complete").await;
    settle(&stage).await;
    let pending = get(&user, "/api/tasks?status=pending&sort_by=created_at&sort_order=asc").await;
    let [second, next, copy] = &pending.as_array().expect("a list")[..] else {
        panic!("{pending:#}")
    };
    // The second occurrence is still beneath the first one of the week.
    assert_eq!(
        (&second["subtask_of"], &second["due_date"]),
        (&json!(top), &json!("2061-03-21T09:00:00Z"))
    );
    assert_eq!(
        (&next["title"], &next["subtasks"]),
        (&json!("top"), &json!({"total": 1, "completed": 0}))
    );
    assert_eq!((&copy["subtask_of"], &copy["recurrence_rule"]), (&next["id"], &Value::Null));
    assert_eq!(copy["due_date"], "2061-03-28T09:00:00Z");
    // Of the next occurrence of the step, its task counts one more.
    act(&user, second["id"].as_i64().expect("an id"), "complete").await;
    settle(&stage).await;
    assert_eq!(progress(&user, top).await, (3, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn missed_occurrences_are_created_with_their_steps_in_bounds() {
    let stage = Stage::new().await;
    let user = stage.user("ada@example.org").await;
    let top = json!({"title": "top", "due_date": "2020-01-01T09:00:00Z",
                     "recurrence_rule": {"frequency": "daily", "catch_up": "all"}});
    let top = create(&user, top).await;
    for _ in 0..9 {
        create(&user, json!({"title": "s", "subtask_of": top, "due_date": "2020-01-01T08:00:00Z"}))
            .await;
    }
    act(&user, top, "complete").await;
    settle(&stage).await;
    let made = others(&user, &[]).await.len();
    assert_eq!(made, 110, "ten, and the first");
    let query = "/api/tasks?sort_by=due_date&sort_order=asc&search=s&limit=500";
    let steps = get(&user, query).await;
    let steps = steps.as_array().expect("a list");
    assert_eq!(
        (&steps[9]["due_date"], &steps[98]["due_date"]),
        (&json!("2020-01-02T08:00:00Z"), &json!("2020-01-11T08:00:00Z"))
    );
}
