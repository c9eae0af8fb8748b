//! Quick add: one line of text, previewed and created.

use http::Method;
use rondo_testkit::http::Response;
use rondo_tests::arrangement::Up;
use rondo_tests::story::{User, register};
use serde_json::{Value, json};

const TEXT: &str = "Übung 2031-03-27 9:00 jeden Donnerstag #haus p1 !30 Min !1 Tag vorher !2031-03-26 8:00 // für Bob";

async fn post(user: &User, path: &str, body: &Value) -> Response {
    user.client.post(path, body).await.expect("an answer")
}

async fn get(user: &User, path: &str) -> Value {
    user.client.get(path).await.expect("an answer").expect(200).json()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_becomes_what_its_preview_showed() {
    let mut up = Up::start("quick-add", &[]).await;
    let user = register(&up.http(), "ada@example.org").await;
    let own = format!("/api/{}/quick-add", user.id);
    let line = json!({"text": TEXT, "language": "de", "time_zone": "Europe/Berlin"});

    let preview = post(&user, "/api/quick-add?preview=true", &line).await.expect(200).json();
    assert_eq!(preview["task"]["title"], "Übung");
    assert_eq!(preview["task"]["due_date"], "2031-03-27T08:00:00Z");
    assert_eq!(preview["task"]["reminder_offset"], "PT30M");
    let further = json!([
        {"offset": "P1D", "remind_at": "2031-03-26T08:00:00Z"},
        {"offset": null, "remind_at": "2031-03-26T07:00:00Z"},
    ]);
    assert_eq!(preview["further_reminders"], further);
    assert_eq!(get(&user, "/api/tasks").await, json!([]), "a preview creates nothing");

    // The task, its reminders, and the answer kept for a key.
    let keyed =
        || user.client.request(Method::POST, &own).header("idempotency-key", "k").json(&line);
    let created = keyed().send().await.expect("an answer").expect(201);
    let task = created.json();
    assert_eq!(
        created.header("location"),
        Some(&*format!("/api/{}/tasks/{}", user.id, task["id"]))
    );
    let previewed = preview["task"].as_object().expect("a task");
    for (name, value) in previewed.iter().filter(|(name, _)| *name != "uid") {
        assert_eq!(&task[name], value, "{name}");
    }
    let reminders = get(&user, "/api/reminders").await;
    let moments = reminders.as_array().expect("reminders").iter();
    let moments: Value = moments.map(|r| json!([r["kind"], r["remind_at"]])).collect();
    let expected = json!([
        ["further", "2031-03-26T07:00:00Z"],
        ["further", "2031-03-26T08:00:00Z"],
        ["task", "2031-03-27T07:30:00Z"],
    ]);
    assert_eq!(moments, expected);
    let replayed = keyed().send().await.expect("an answer").expect(201);
    assert_eq!(replayed.header("idempotency-replayed"), Some("true"));
    assert_eq!(replayed.json(), task);
    assert_eq!(get(&user, "/api/reminders").await, reminders);
    // The key belongs to this path.
    let other = user.client.request(Method::POST, "/api/tasks").header("idempotency-key", "k");
    other.json(&json!({"title": "t"})).send().await.expect("an answer").expect(201);

    // Spans are in characters, and each can be switched off.
    for span in preview["spans"].as_array().expect("spans") {
        let mut fewer = line.clone();
        fewer["ignored"] = json!([{"start": span["start"], "end": span["end"]}]);
        let fewer = post(&user, "/api/quick-add?preview=true", &fewer).await.expect(200).json();
        assert_ne!(fewer["task"]["title"], preview["task"]["title"], "{span}");
        let kept = fewer["spans"].as_array().expect("spans");
        assert!(kept.iter().all(|kept| kept["start"] != span["start"]), "{span}");
    }
    for (text, code) in [("tomorrow", "required"), ("call !1h", "needs_due_date")] {
        let refused = post(&user, &own, &json!({"text": text})).await.expect(422).json();
        let error = &refused["errors"][0];
        assert_eq!((&error["pointer"], &error["code"]), (&json!("/text"), &json!(code)), "{text}");
    }

    // The list that the text names, or that of the body.
    let mut lists = Vec::new();
    for name in ["Home", "Two words"] {
        let list = post(&user, "/api/lists", &json!({"name": name})).await.expect(201).json();
        lists.push(list["id"].clone());
    }
    for (text, list_id, list, title) in [
        ("call +two words", Value::Null, &lists[1], "call"),
        ("call +two words", lists[0].clone(), &lists[1], "call"),
        ("call +bob", lists[0].clone(), &lists[0], "call +bob"),
        ("call +bob", Value::Null, &Value::Null, "call +bob"),
    ] {
        let line = json!({"text": text, "list_id": list_id});
        let shown = post(&user, "/api/quick-add?preview=true", &line).await.expect(200).json();
        let task = post(&user, &own, &line).await.expect(201).json();
        for task in [&shown["task"], &task] {
            assert_eq!((&task["list_id"], &task["title"]), (list, &json!(title)), "{line}");
        }
    }
    for path in ["/api/quick-add?preview=true", &own] {
        let line = json!({"text": "call", "list_id": 9_007_199_254_740_991_i64});
        let refused = post(&user, path, &line).await.expect(422).json();
        assert_eq!(refused["errors"][0]["code"], "unknown_list");
    }
    up.stop().await;
}
