//! The tools: what they do, what they ask before it, and how it is taken back.

use rondo_tests::assistant::{Assistant, api_token};
use rondo_tests::stage::Stage;
use rondo_tests::story::User;
use serde_json::{Value, json};

const ALL: [&str; 3] = ["tasks:read", "tasks:write", "audit:read"];

async fn start() -> (Stage, User, Assistant) {
    let stage = Stage::new().await;
    let user = stage.user("ada@example.org").await;
    let assistant = Assistant::of(&user, &ALL).await;
    (stage, user, assistant)
}

async fn titles(assistant: &Assistant, filter: Value) -> Vec<String> {
    let found = assistant.done("list_tasks", filter).await;
    let tasks = found["tasks"].as_array().expect("a list").iter();
    tasks.map(|task| task["title"].as_str().expect("a title").to_owned()).collect()
}

async fn undo(assistant: &Assistant, done: &Value) -> Value {
    assert!(done["undo"].is_string(), "{done}");
    assistant.done("update_task", json!({ "undo": done["undo"] })).await
}

/// The ids of new tasks with these titles.
async fn add(assistant: &Assistant, titles: &[&str]) -> Vec<Value> {
    let tasks: Vec<_> = titles.iter().map(|title| json!({ "title": title })).collect();
    let done = assistant.done("add_task", json!({ "tasks": tasks })).await;
    let tasks = done["tasks"].as_array().expect("a list").iter();
    tasks.map(|task| task["id"].clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_are_added_in_members_or_in_a_line() {
    let (_stage, user, assistant) = start().await;
    user.client
        .patch("/api/auth/me", &json!({ "time_zone": "Asia/Kolkata" }))
        .await
        .expect("an answer")
        .expect(200);
    let list = json!({ "name": "Groceries" });
    let list = user.client.post("/api/lists", &list).await.expect("an answer").expect(201).json();
    let tasks = json!([
        { "title": "Milk", "list": "groceries", "due": "2061-03-30T15:00:00+05:30", "reminder": "PT30M" },
        { "text": "Call Bob 30 Mar 2061 9am !1h !30min #home p1" },
        { "text": "Bread #food", "list": "Groceries", "due": "2061-04-01" },
        { "title": "Later", "start": "2061-01-01", "due": "5 May 2061" },
    ]);
    let done = assistant.done("add_task", json!({ "tasks": tasks })).await;
    let added = &done["tasks"];
    assert_eq!((&added[0]["list_id"], &added[2]["list_id"]), (&list["id"], &list["id"]));
    assert_eq!(added[0]["due_date"], "2061-03-30T15:00:00+05:30");
    assert_eq!(added[1]["title"], "Call Bob");
    assert_eq!(added[1]["due_date"], "2061-03-30T09:00:00+05:30");
    assert_eq!((&added[1]["tags"], &added[1]["priority"]), (&json!(["home"]), &json!("urgent")));
    assert_eq!(added[2]["due_day"], "2061-04-01");
    assert_eq!(added[3]["due_day"], "2061-05-05");
    let bob = assistant.done("get_task", json!({ "id": added[1]["id"] })).await;
    assert_eq!(bob["reminders"].as_array().map(Vec::len), Some(2), "{bob}");
    assert_eq!(
        titles(&assistant, json!({ "list": "groceries", "sort_by": "title" })).await,
        ["Milk", "Bread"]
    );
    assert_eq!(titles(&assistant, json!({ "list": "inbox" })).await, ["Call Bob"]);
    let taken_back = undo(&assistant, &done).await;
    assert_eq!(titles(&assistant, json!({ "deferred": "true" })).await, Vec::<String>::new());
    undo(&assistant, &taken_back).await;
    assert_eq!(titles(&assistant, json!({ "deferred": "only" })).await, ["Later"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_model_can_mend_says_how() {
    let (_stage, _user, assistant) = start().await;
    let id = add(&assistant, &["a"]).await[0].clone();
    for (tool, arguments, words) in [
        ("add_task", json!({ "tasks": [] }), "1 to 25"),
        ("add_task", json!({ "tasks": [{ "title": "a" }, {}] }), "1: title must be given"),
        ("add_task", json!({ "tasks": [{ "title": "a", "due": "someday" }] }), "tomorrow 9am"),
        (
            "add_task",
            json!({ "tasks": [{ "title": "a", "colour": "red" }] }),
            "colour is not known",
        ),
        ("add_task", json!({ "tasks": [{ "title": "a", "list": "none" }] }), "inbox"),
        ("add_task", json!({ "task": { "title": "a" } }), "The arguments are: confirm, tasks."),
        ("add_recurring_task", json!({ "title": "a", "repeat": "sometimes" }), "every weekday"),
        ("add_recurring_task", json!({ "title": "a" }), "repeat"),
        ("list_tasks", json!({ "limit": 0 }), "1 to 100"),
        ("list_tasks", json!({ "status": ["done"] }), "status"),
        ("get_task", json!({}), "id"),
        ("get_task", json!({ "id": 999 }), "list_tasks"),
        ("update_task", json!({ "id": id }), "changes"),
        ("update_task", json!({ "id": id, "changes": { "title": null } }), "title must be given"),
        ("update_task", json!({ "id": id, "changes": {}, "expected_revision": 99 }), "get_task"),
        ("update_task", json!({ "undo": "x" }), "Undo-Token"),
        ("reschedule_task", json!({ "ids": [id] }), "due, or skip"),
        ("reschedule_task", json!({ "ids": [id], "skip": true }), "does not recur"),
        ("complete_task", json!({ "ids": [] }), "1 to 100"),
        ("delete_task", json!({ "ids": [999] }), "#999"),
        ("set_reminder", json!({ "id": id, "before": "PT1H" }), "due"),
        ("set_reminder", json!({ "id": id }), "Give one of"),
        ("preview_recurrence", json!({ "id": id }), "does not repeat"),
        ("search_history", json!({ "start_date": "then" }), "start_date"),
    ] {
        let said = assistant.refused(tool, arguments.clone()).await;
        assert!(said.contains(words), "{tool} {arguments}: {said}");
    }
    assert_eq!(titles(&assistant, json!({})).await, ["a"]);
    let unknown = assistant.send("tools/call", json!({ "name": "none" })).await.expect(200).json();
    assert_eq!(unknown["error"]["code"], -32602);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_changes_only_what_it_names() {
    let (_stage, _user, assistant) = start().await;
    let arguments = json!({
        "title": "Bins", "repeat": "every week", "due": "2061-01-03", "tags": ["home"], "reminder": "P1D",
    });
    let done = assistant.done("add_recurring_task", arguments).await;
    let task = done["tasks"][0].clone();
    assert_eq!(task["due_day"], "2061-01-03");
    let update = async |changes: Value| {
        let arguments = json!({ "id": task["id"], "changes": changes });
        assistant.done("update_task", arguments).await["tasks"][0].clone()
    };
    let renamed = update(json!({ "title": "Paper bins" })).await;
    for member in ["recurrence_rule", "due_day", "tags", "reminder_offset"] {
        assert_eq!(renamed[member], task[member], "{member}");
    }
    let untagged = update(json!({ "tags": null, "priority": "high" })).await;
    assert_eq!((untagged.get("tags"), &untagged["priority"]), (None, &json!("high")));
    let moved = assistant
        .done("reschedule_task", json!({ "ids": [task["id"]], "due": "2061-01-05T09:00:00Z" }))
        .await;
    assert_eq!(moved["tasks"][0]["recurrence_rule"], task["recurrence_rule"]);
    assert_eq!(moved["tasks"][0]["due_date"], "2061-01-05T09:00:00+00:00");
    let back = undo(&assistant, &moved).await;
    assert_eq!(back["tasks"][0]["due_day"], "2061-01-03");
    let skipped =
        assistant.done("reschedule_task", json!({ "ids": [task["id"]], "skip": true })).await;
    assert_eq!(skipped["tasks"][0]["due_day"], "2061-01-10");
    let stale = json!({ "id": task["id"], "changes": { "title": "x" }, "expected_revision": task["revision"] });
    assert!(assistant.refused("update_task", stale).await.contains("changed since"));
    let shown = assistant.done("preview_recurrence", json!({ "id": task["id"], "count": 2 })).await;
    assert_eq!(
        shown["occurrences"],
        json!([{ "due_day": "2061-01-10" }, { "due_day": "2061-01-17" }])
    );
    let shown = json!({ "repeat": "FREQ=MONTHLY;BYDAY=2TU", "due": "2061-01-01", "count": 1 });
    let shown = assistant.done("preview_recurrence", shown).await;
    assert_eq!(shown["occurrences"], json!([{ "due_day": "2061-01-11" }]), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_is_asked_for() {
    let (_stage, user, assistant) = start().await;
    let ids = add(&assistant, &["a", "b"]).await;
    let arguments = json!({ "ids": ids });
    let asked = assistant.call("delete_task", arguments.clone()).await;
    assert_eq!(asked["resultType"], "input_required");
    let form = &asked["inputRequests"]["confirmation"];
    assert_eq!(form["method"], "elicitation/create");
    let message = form["params"]["message"].as_str().expect("a message");
    assert!(message.contains("2 tasks") && message.contains(" a\n"), "{message}");
    let again = |arguments: &Value, state: &Value, action: &str, confirm: bool| {
        json!({
            "name": "delete_task", "arguments": arguments, "requestState": state,
            "inputResponses": { "confirmation": { "action": action, "content": { "confirm": confirm } } },
        })
    };
    let state = &asked["requestState"];
    for (action, confirm) in [("decline", true), ("cancel", true), ("accept", false)] {
        let result =
            assistant.result("tools/call", again(&arguments, state, action, confirm)).await;
        assert_eq!(result["isError"], true, "{action}: {result}");
    }
    // Neither a state of one's own, nor that of another call, nor that of another user.
    let one = json!({ "ids": [ids[0]] });
    for (arguments, state) in [(&arguments, &json!("9999999999.x")), (&one, state)] {
        let result = assistant.result("tools/call", again(arguments, state, "accept", true)).await;
        assert_eq!(result["resultType"], "input_required", "{result}");
    }
    let result = json!({ "name": "delete_task", "arguments": arguments, "requestState": state });
    let result = assistant.result("tools/call", result).await;
    assert_eq!(result["resultType"], "input_required", "a state alone is no answer");
    assert_eq!(titles(&assistant, json!({})).await.len(), 2);

    // The task is not what it was: the user has to see that.
    let rename = json!({ "id": ids[0], "changes": { "title": "renamed" } });
    assistant.done("update_task", rename).await;
    let result = assistant.result("tools/call", again(&arguments, state, "accept", true)).await;
    assert_eq!(result["resultType"], "input_required");
    let done =
        assistant.result("tools/call", again(&arguments, &result["requestState"], "accept", true));
    let done = done.await["structuredContent"].clone();
    assert_eq!(titles(&assistant, json!({})).await.len(), 0);
    undo(&assistant, &done).await;
    assert_eq!(titles(&assistant, json!({ "sort_by": "title" })).await, ["renamed", "b"]);

    // A client without forms shows a preview, and passes its token on.
    let token = api_token(&user, &ALL).await;
    for capabilities in [None, Some(json!({})), Some(json!({ "elicitation": { "url": {} } }))] {
        let plain = Assistant::with(&token, &user, capabilities);
        let shown = plain.call("delete_task", one.clone()).await;
        let text = shown["content"][0]["text"].as_str().expect("a text");
        assert!(text.starts_with("Nothing has changed yet. Deletes:"), "{text}");
        let confirm = &shown["structuredContent"]["confirm"];
        let mut other = arguments.clone();
        other["confirm"] = confirm.clone();
        let other = plain.call("delete_task", other).await;
        assert!(other["structuredContent"]["confirm"].is_string(), "another call: {other}");
        let mut confirmed = one.clone();
        confirmed["confirm"] = confirm.clone();
        let done = plain.done("delete_task", confirmed).await;
        assert_eq!(done["tasks"][0]["title"], "renamed");
        undo(&plain, &done).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bulk_and_series_are_asked_for() {
    let (_stage, _user, assistant) = start().await;
    let six = ["a", "b", "c", "d", "e", "f"];
    let tasks: Vec<_> = six.iter().map(|title| json!({ "title": title })).collect();
    let added = assistant.agreed("add_task", json!({ "tasks": tasks })).await;
    let ids: Vec<_> =
        added["tasks"].as_array().expect("a list").iter().map(|task| task["id"].clone()).collect();
    assistant.done("complete_task", json!({ "ids": ids[..5] })).await;
    assistant.done("reopen_task", json!({ "ids": ids[..5] })).await;
    let done = assistant.agreed("complete_task", json!({ "ids": ids })).await;
    assert_eq!(titles(&assistant, json!({ "status": ["completed"] })).await.len(), 6);
    undo(&assistant, &done).await;
    assistant.agreed("reschedule_task", json!({ "ids": ids, "due": "2061-01-01" })).await;
    let cleared = assistant.agreed("reschedule_task", json!({ "ids": ids, "due": "none" })).await;
    assert!(cleared["tasks"][0].get("due_day").is_none());

    let series = json!({ "title": "Bins", "repeat": "every week", "due": "2061-01-03" });
    let task = assistant.done("add_recurring_task", series).await["tasks"][0].clone();
    let future =
        json!({ "id": task["id"], "changes": { "repeat": "every 2 weeks" }, "scope": "future" });
    let changed = assistant.agreed("update_task", future).await;
    assert_ne!(changed["tasks"][0]["recurrence_rule"], task["recurrence_rule"]);
    assert_eq!(changed["tasks"][0]["due_day"], "2061-01-03");
    assistant.agreed("delete_task", json!({ "ids": [task["id"]], "scope": "future" })).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reminders_are_set_and_taken_back() {
    let (_stage, _user, assistant) = start().await;
    let tasks = json!([{ "title": "a", "due": "2061-01-03T12:00:00Z" }]);
    let done = assistant.done("add_task", json!({ "tasks": tasks })).await;
    let id = &done["tasks"][0]["id"];
    let reminders = async || {
        let found = assistant.done("get_task", json!({ "id": id })).await;
        let reminders = found["reminders"].as_array().cloned().unwrap_or_default();
        reminders
            .iter()
            .map(|r| r["remind_at"].as_str().expect("at").to_owned())
            .collect::<Vec<_>>()
    };
    let own = assistant.done("set_reminder", json!({ "id": id, "before": "PT1H" })).await;
    let further = assistant.done("set_reminder", json!({ "id": id, "before": "P1D" })).await;
    let at = json!({ "id": id, "at": "2060-12-24T08:00:00Z" });
    assert_eq!(reminders().await.len(), 2);
    let all = ["2060-12-24T08:00:00Z", "2061-01-02T12:00:00Z", "2061-01-03T11:00:00Z"];
    assert_eq!(reminders().await, all[1..]);
    undo(&assistant, &further).await;
    undo(&assistant, &own).await;
    assert_eq!(reminders().await, [""; 0]);
    assistant.done("set_reminder", at).await;
    assert_eq!(reminders().await, all[..1]);
    let found = assistant.done("get_task", json!({ "id": id })).await;
    let reminder = &found["reminders"][0]["id"];
    let snooze = json!({ "id": id, "reminder_id": reminder, "snooze": "PT1H" });
    let snoozed = assistant.done("set_reminder", snooze).await;
    assert!(reminders().await[0].starts_with("20") && reminders().await != all[..1]);
    undo(&assistant, &snoozed).await;
    assert_eq!(reminders().await, all[..1]);
    let remove = json!({ "id": id, "reminder_id": reminder, "remove": true });
    let removed = assistant.done("set_reminder", remove).await;
    assert_eq!(reminders().await, [""; 0]);
    undo(&assistant, &removed).await;
    assert_eq!(reminders().await, all[..1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_says_who_acted() {
    let (stage, user, assistant) = start().await;
    let id = add(&assistant, &["a"]).await[0].clone();
    assistant.done("set_reminder", json!({ "id": id, "at": "2061-01-01T00:00:00Z" })).await;
    let token = api_token(&user, &ALL).await;
    let earlier = Assistant::with(&token, &user, None);
    earlier.done("complete_task", json!({ "ids": [id] })).await;
    let path = format!("/api/tasks/{id}/reopen");
    user.client.post(&path, &json!({})).await.expect("an answer").expect(200);
    let events = stage.events().await;
    let mut acted = Vec::new();
    for event in &events {
        stage.deliver("audit", event).await;
        let value: Value = serde_json::from_str(&event.data).expect("JSON");
        let traceparent = event.traceparent.as_deref().expect("a trace");
        assert_eq!(traceparent.len(), 55, "{traceparent}");
        let word = |name: &str| value[name].as_str().unwrap_or("-").to_owned();
        acted.push(format!("{} {} {}", event.event_type, word("actor"), word("client")));
    }
    let expected = [
        "task.created mcp test-client",
        "reminder.scheduled mcp test-client",
        "task.completed mcp old-client",
        "reminder.cancelled mcp old-client",
        "task.reopened - -",
        "reminder.scheduled - -",
    ];
    assert_eq!(acted, expected);
    let log = user.client.get("/api/audit/logs?action_type=task.created").await;
    let log = log.expect("an answer").expect(200).json();
    assert_eq!(
        (&log[0]["payload"]["actor"], &log[0]["payload"]["client"]),
        (&json!("mcp"), &json!("test-client"))
    );
    let found = assistant.done("search_history", json!({ "action_type": "task.completed" })).await;
    assert_eq!(found["entries"][0]["client"], "old-client");
    let of_task = assistant.done("search_history", json!({ "id": id })).await;
    assert_eq!(of_task["entries"].as_array().map(Vec::len), Some(3), "{of_task}");
    // When it fires, it is nobody's act, and its trace goes on.
    let session = stage.database.session().await;
    let kept = session.query_one("SELECT length(max(traceparent)) FROM reminders", &[]).await;
    assert_eq!(kept.expect("a row").get::<_, i32>(0), 55);
}
