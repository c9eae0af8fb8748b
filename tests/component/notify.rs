//! The notify component: one notification for each firing of a reminder, with the task's current state.

use rondo_tests::stage::Stage;
use rondo_tests::story::{User, from_now};
use rondo_wasm_host::CloudEvent;
use serde_json::{Value, json};

/// A task whose reminder is due at once, and its event `reminder.due`.
async fn due(stage: &Stage, user: &User) -> (i64, CloudEvent) {
    let task = json!({"title": "Call <Bob> & co", "due_date": from_now(600),
                      "reminder_offset": "PT1H"});
    let created = user.client.post("/api/tasks", &task).await.expect("an answer").expect(201);
    stage.fire_reminders().await;
    let event = stage.event("reminder.due").await;
    (created.json()["id"].as_i64().expect("an id"), event)
}

async fn statuses(user: &User) -> Vec<String> {
    let answer = user.client.get("/api/notifications").await.expect("an answer").expect(200);
    let answer = answer.json();
    let list = answer.as_array().expect("an array").iter();
    list.map(|one| one["status"].as_str().unwrap_or_default().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_firing_is_one_notification_however_often_its_event_comes() {
    let stage = Stage::new().await;
    let user = stage.user("ada@example.org").await;
    let (id, first) = due(&stage, &user).await;
    for _ in 0..3 {
        stage.deliver("notify", &first).await;
    }
    assert_eq!(statuses(&user).await, ["pending"]);
    let sql = "SELECT subject, body_text, body_html FROM notifications";
    let mail = stage.database.session().await.query_one(sql, &[]).await.expect("one mail");
    let [subject, text, html] = [0, 1, 2].map(|column| mail.get::<_, String>(column));
    assert!(subject.contains("Call <Bob> & co"), "{subject}");
    assert!(text.contains("Call <Bob> & co"), "{text}");
    assert!(html.contains("Call &#60;Bob&#62; &#38; co"), "{html}");

    // Another due date arms the reminder again, so it comes due a second time.
    let change = json!({"due_date": from_now(900)});
    let path = format!("/api/tasks/{id}");
    user.client.patch(&path, &change).await.expect("an answer").expect(200);
    stage.fire_reminders().await;
    let second = stage.event("reminder.due").await;
    for event in [&second, &first, &second] {
        stage.deliver("notify", event).await;
    }
    assert_eq!(statuses(&user).await, ["pending", "pending"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_has_moved_on_gets_no_stale_mail() {
    let stage = Stage::new().await;
    let ways: [(&str, &str, Value); 4] = [
        ("completed", "complete", json!({})),
        ("moved", "", json!({"due_date": "2031-01-01T09:00:00Z"})),
        ("without a reminder", "", json!({"reminder_offset": null})),
        ("without a due date", "", json!({"due_date": null, "reminder_offset": null})),
    ];
    for (number, (name, action, change)) in ways.into_iter().enumerate() {
        let user = stage.user(&format!("user{number}@example.org")).await;
        let (id, event) = due(&stage, &user).await;
        let path = format!("/api/tasks/{id}/{action}");
        let path = path.trim_end_matches('/');
        user.client.patch(path, &change).await.expect("an answer").expect(200);
        for _ in 0..2 {
            stage.deliver("notify", &event).await;
        }
        let statuses = statuses(&user).await;
        assert!(
            statuses.len() <= 1 && statuses.iter().all(|status| status == "cancelled"),
            "{name}: {statuses:?}"
        );
        stage.events().await;
    }
    let user = stage.user("deleted@example.org").await;
    let (id, event) = due(&stage, &user).await;
    let path = format!("/api/tasks/{id}");
    user.client.delete(&path).await.expect("an answer").expect(204);
    stage.deliver("notify", &event).await;
    assert!(!statuses(&user).await.contains(&"pending".to_owned()));
}
