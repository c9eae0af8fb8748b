//! No tool reaches another user's data: each is called with the owner's ids and names by an intruder.

use std::collections::BTreeSet;

use rondo_tests::assistant::Assistant;
use rondo_tests::stage::Stage;
use rondo_tests::story::User;
use serde_json::{Value, json};

const ALL: [&str; 3] = ["tasks:read", "tasks:write", "audit:read"];

/// All that the owner can see.
async fn seen(owner: &User) -> Vec<Value> {
    let mut seen = Vec::new();
    for path in ["tasks?deferred=true", "lists", "reminders", "trash", "tags", "changes"] {
        let answer = owner.client.get(&format!("/api/{path}")).await.expect("an answer");
        seen.push(answer.expect(200).json());
    }
    seen
}

#[tokio::test(flavor = "multi_thread")]
async fn no_tool_reaches_another_users_tasks() {
    let stage = Stage::new().await;
    let (owner, intruder) =
        (stage.user("owner@example.org").await, stage.user("bob@example.org").await);
    let post = async |path: &str, body: Value| {
        owner.client.post(path, &body).await.expect("an answer").expect(201)
    };
    let list = post("/api/lists", json!({ "name": "Secret list" })).await.json()["id"].clone();
    let answer = post(
        "/api/tasks",
        json!({ "title": "Secret", "uid": "secret-uid", "tags": ["secret-tag"], "list_id": list,
                "due_date": "2061-01-01T00:00:00Z", "recurrence_rule": { "frequency": "daily" } }),
    )
    .await;
    let undo = answer.header("undo-token").expect("a token").to_owned();
    let id = answer.json()["id"].clone();
    let reminder = post(&format!("/api/tasks/{id}/reminders"), json!({ "offset": "PT1H" })).await;
    let reminder = reminder.json()["id"].clone();
    for event in stage.events().await {
        stage.deliver("audit", &event).await;
    }
    let before = seen(&owner).await;

    let intruder = Assistant::of(&intruder, &ALL).await;
    let refused = [
        ("add_task", json!({ "tasks": [{ "title": "a", "subtask_of": id }] })),
        ("add_task", json!({ "tasks": [{ "title": "a", "blocked_by": [id] }] })),
        ("add_task", json!({ "tasks": [{ "title": "a", "list": "Secret list" }] })),
        ("add_task", json!({ "tasks": [{ "title": "a", "list_id": list }] })),
        (
            "add_recurring_task",
            json!({ "title": "a", "repeat": "daily", "list": list.to_string() }),
        ),
        ("list_tasks", json!({ "list": "Secret list" })),
        ("get_task", json!({ "id": id })),
        ("get_task", json!({ "uid": "secret-uid" })),
        ("update_task", json!({ "id": id, "changes": { "title": "Mine" } })),
        ("update_task", json!({ "id": id, "changes": { "title": "Mine" }, "scope": "future" })),
        ("update_task", json!({ "undo": undo })),
        ("update_task", json!({ "undo": format!("remove-reminder {reminder}") })),
        ("update_task", json!({ "undo": format!("add-reminder {id} PT2H") })),
        (
            "update_task",
            json!({ "undo": format!("snooze-reminder {reminder} 2060-01-01T00:00:00Z") }),
        ),
        ("reschedule_task", json!({ "ids": [id], "due": "2062-01-01" })),
        ("reschedule_task", json!({ "ids": [id], "skip": true })),
        ("complete_task", json!({ "ids": [id] })),
        ("reopen_task", json!({ "ids": [id] })),
        ("delete_task", json!({ "ids": [id] })),
        ("set_reminder", json!({ "id": id, "before": "PT2H" })),
        ("set_reminder", json!({ "id": id, "reminder_id": reminder, "remove": true })),
        ("preview_recurrence", json!({ "id": id })),
        ("search_history", json!({ "id": id })),
    ];
    for (tool, arguments) in &refused {
        let said = intruder.refused(tool, arguments.clone()).await;
        let is_echo = arguments.to_string().contains("Secret list");
        assert!(is_echo || !said.contains("Secret"), "{tool} {arguments}: {said}");
    }
    // What is found is the intruder's own: nothing.
    let nothing = [
        ("list_tasks", json!({})),
        ("list_tasks", json!({ "search": "Secret", "count": true })),
        ("list_tasks", json!({ "uid": "secret-uid" })),
        ("list_tasks", json!({ "tags": ["secret-tag"], "deferred": "true" })),
        ("search_history", json!({ "id": id, "action_type": "task.created" })),
        ("search_history", json!({})),
    ];
    for (tool, arguments) in &nothing {
        let found = intruder.done(tool, arguments.clone()).await;
        assert!(
            !found.to_string().to_lowercase().contains("secret"),
            "{tool} {arguments}: {found}"
        );
    }
    for uri in ["rondo://tasks/secret-uid", "rondo://today", "rondo://overdue"] {
        let answer = intruder.send("resources/read", json!({ "uri": uri })).await.text();
        assert!(!answer.contains("Secret\\\""), "{uri}: {answer}");
    }
    let params = json!({
        "ref": { "type": "ref/prompt", "name": "plan_my_day" },
        "argument": { "name": "tag", "value": "" },
    });
    let found = intruder.result("completion/complete", params).await;
    assert_eq!(found["completion"]["values"], json!([]));
    assert_eq!(seen(&owner).await, before, "the owner's data is as it was");

    let listed = intruder.result("tools/list", json!({})).await;
    let listed: BTreeSet<_> = listed["tools"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|tool| tool["name"].as_str().expect("a name").to_owned())
        .collect();
    let tried: BTreeSet<_> =
        refused.iter().chain(&nothing).map(|(tool, _)| (*tool).to_owned()).collect();
    assert_eq!(tried, listed, "every tool was tried");
}
