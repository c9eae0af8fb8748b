//! Lists through the API: their life, the tasks in them, what becomes of those, and what a follower of the
//! feed and the audit log learn.

use http::Method;
use rondo_domain::list::LISTS_MAX;
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

async fn delete(user: &User, path: &str) -> Response {
    user.client.delete(path).await.expect("an answer")
}

async fn patch(user: &User, path: &str, body: &Value) -> Response {
    user.client.patch(path, body).await.expect("an answer")
}

async fn list(user: &User, name: &str) -> Value {
    post(user, "/api/lists", &json!({ "name": name })).await.expect(201).json()
}

async fn task(user: &User, title: &str, list: &Value) -> Value {
    let task = json!({"title": title, "list_id": list["id"]});
    post(user, "/api/tasks", &task).await.expect(201).json()
}

/// The titles, sorted, of the tasks that a query finds.
async fn titles(user: &User, query: &str) -> Vec<String> {
    let found = get(user, &format!("/api/tasks?{query}")).await;
    let title = |task: &Value| task["title"].as_str().expect("a title").to_owned();
    let mut titles: Vec<_> = found.as_array().expect("tasks").iter().map(title).collect();
    titles.sort();
    titles
}

/// The types and revisions of all new events, in order.
async fn events(stage: &Stage) -> Vec<(String, i64)> {
    let events = stage.events().await;
    let revision = |data: &str| {
        let value: Value = serde_json::from_str(data).expect("JSON");
        value["revision"].as_i64().expect("a revision")
    };
    events.iter().map(|event| (event.event_type.clone(), revision(&event.data))).collect()
}

fn event(event_type: &str, revision: i64) -> (String, i64) {
    (event_type.to_owned(), revision)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_life_of_a_list() {
    let stage = Stage::new().await;
    let user = stage.user("ada@example.org").await;
    let body = json!({"name": " Groceries ", "color": "#1E90FF", "icon": "🛒"});
    let created = post(&user, &format!("/api/{}/lists", user.id), &body).await.expect(201);
    let mut list = created.json();
    let path = format!("/api/{}/lists/{}", user.id, list["id"]);
    assert_eq!(created.header("location"), Some(path.as_str()));
    assert_eq!(created.header("etag"), Some("\"1\""));
    let members = ["name", "color", "icon", "archived", "revision"].map(|name| &list[name]);
    assert_eq!(json!(members), json!(["Groceries", "#1e90ff", "🛒", false, 1]));
    assert_eq!(get(&user, &path).await, list);
    let known = user.client.request(Method::GET, &path).header("if-none-match", "\"1\"").send();
    known.await.expect("an answer").expect(304);

    // What was answered can be sent back, and changes nothing.
    let same = user.client.put(&path, &list).await.expect("an answer").expect(200);
    assert_eq!(same.json(), list);
    let archived = patch(&user, &path, &json!({"archived": true, "icon": null})).await.expect(200);
    list["archived"] = true.into();
    list["icon"] = Value::Null;
    list["revision"] = 2.into();
    list["updated_at"] = archived.json()["updated_at"].clone();
    assert_eq!((archived.json(), archived.header("etag")), (list.clone(), Some("\"2\"")));
    assert_eq!(get(&user, "/api/lists?archived=true").await, json!([list]));
    assert_eq!(get(&user, "/api/lists?archived=false").await, json!([]));
    let replaced = user.client.put(&path, &json!({"name": "Food"})).await.expect("an answer");
    let replaced = replaced.expect(200).json();
    assert_eq!((&replaced["color"], &replaced["archived"]), (&Value::Null, &false.into()));
    assert_eq!(replaced["position"], list["position"]);

    // A condition that does not hold.
    for method in [Method::PUT, Method::PATCH, Method::DELETE] {
        let request = user.client.request(method, &path).header("if-match", "\"2\"");
        let refused = request.json(&json!({"name": "Late"})).send().await.expect("an answer");
        assert_eq!(refused.expect(412).json()["code"], "precondition_failed");
    }
    let request = user.client.request(Method::DELETE, &path).header("if-match", "\"3\"");
    request.send().await.expect("an answer").expect(204);
    delete(&user, &path).await.expect(404);
    patch(&user, &path, &json!({})).await.expect(404);
    patch(&user, &path, &json!({"name": ""})).await.expect(422);
    assert_eq!(get(&user, "/api/lists").await, json!([]));
    let feed = get(&user, "/api/changes").await;
    assert_eq!(feed["changes"], json!([{"revision": 4, "op": "delete", "list_id": list["id"]}]));

    // The audit log has each change once.
    let events = stage.events().await;
    let audited = stage.outcomes("audit", &[events.clone(), events].concat()).await;
    assert_eq!(audited.expect("outcomes"), ["done"; 8]);
    let logs = get(&user, "/api/audit/logs").await;
    // Events of one batch have no order there.
    let mut logs: Vec<_> =
        logs.as_array().expect("logs").iter().map(|log| &log["payload"]).collect();
    logs.sort_by_key(|log| log["revision"].as_i64());
    let types: Vec<_> = logs.iter().map(|log| &log["event_type"]).collect();
    assert_eq!(types, ["list.created", "list.updated", "list.updated", "list.deleted"]);
    assert_eq!(logs[0]["list_data"]["name"], "Groceries");
    assert_eq!(logs[3]["tasks"], "inbox");
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_come_in_pages_and_a_repeated_request_makes_one() {
    let stage = Stage::new().await;
    let user = stage.user("ada@example.org").await;
    let make = async |name: &str, key: &str| {
        let request = user.client.request(Method::POST, "/api/lists");
        let request = request.header("idempotency-key", key).json(&json!({ "name": name }));
        request.send().await.expect("an answer")
    };
    let first = make("A", "one").await.expect(201);
    let again = make("A", "one").await.expect(201);
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!((again.json(), again.header("etag")), (first.json(), first.header("etag")));
    assert_eq!(make("B", "one").await.expect(422).json()["code"], "idempotency_key_reused");
    // The key of a task is another.
    let request = user.client.request(Method::POST, "/api/tasks").header("idempotency-key", "one");
    request.json(&json!({"title": "A"})).send().await.expect("an answer").expect(201);

    for number in 1..LISTS_MAX {
        list(&user, &format!("list {number}")).await;
    }
    let refused = post(&user, "/api/lists", &json!({"name": "one more"})).await.expect(409);
    assert_eq!(refused.json()["code"], "too_many_lists");
    let mut all = Vec::new();
    let mut page = "/api/lists?limit=77".to_owned();
    loop {
        let answer = user.client.get(&page).await.expect("an answer").expect(200);
        all.extend(answer.json().as_array().expect("lists").clone());
        let Some(link) = answer.header("link") else { break };
        page = link[1..].split_once('>').expect("a link").0.to_owned();
    }
    let names: Vec<_> = all.iter().map(|list| list["name"].as_str().expect("a name")).collect();
    let expected: Vec<_> = (1..LISTS_MAX).map(|number| format!("list {number}")).collect();
    assert_eq!(
        (names[0], &names[1..]),
        ("A", &expected.iter().map(String::as_str).collect::<Vec<_>>()[..])
    );
    let positions: Vec<_> = all.iter().map(|list| list["position"].as_str().unwrap()).collect();
    assert!(positions.is_sorted_by(|one, next| one.as_bytes() < next.as_bytes()), "{positions:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_is_in_one_list_or_in_the_inbox() {
    let stage = Stage::new().await;
    let user = stage.user("ada@example.org").await;
    let [home, work] = [list(&user, "Home").await, list(&user, "Work").await];
    let buy = task(&user, "buy the roof", &home).await;
    assert_eq!(buy["list_id"], home["id"]);
    task(&user, "write the report", &work).await;
    let call =
        post(&user, "/api/tasks", &json!({"title": "call the roof"})).await.expect(201).json();
    assert_eq!(call["list_id"], Value::Null);

    let in_home = format!("list_id={}", home["id"]);
    for sort_by in ["created_at", "updated_at", "due_date", "priority", "title", "position"] {
        for order in ["asc", "desc"] {
            let sort = format!("sort_by={sort_by}&sort_order={order}");
            assert_eq!(titles(&user, &format!("{in_home}&{sort}")).await, ["buy the roof"]);
            assert_eq!(titles(&user, &format!("list_id=inbox&{sort}")).await, ["call the roof"]);
        }
    }
    assert_eq!(titles(&user, &format!("{in_home}&search=the+roof")).await, ["buy the roof"]);
    assert_eq!(titles(&user, "list_id=inbox&search=the+roof").await, ["call the roof"]);
    assert_eq!(titles(&user, "list_id=9007199254740991").await, Vec::<String>::new());
    let counted = user.client.get(&format!("/api/tasks?{in_home}&count=true")).await;
    assert_eq!(counted.expect("an answer").header("x-total-count"), Some("1"));

    // Moved, left alone by a patch of something else, and back in the inbox.
    let path = format!("/api/tasks/{}", buy["id"]);
    let moved = patch(&user, &path, &json!({"list_id": work["id"]})).await.expect(200).json();
    assert_eq!(moved["list_id"], work["id"]);
    let renamed = patch(&user, &path, &json!({"title": "sell it"})).await.expect(200).json();
    assert_eq!(renamed["list_id"], work["id"]);
    let emptied = patch(&user, &path, &json!({"list_id": null})).await.expect(200).json();
    assert_eq!(emptied["list_id"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_of_another_user_is_refused_like_a_missing_one() {
    let stage = Stage::new().await;
    let [user, other] = [stage.user("ada@example.org").await, stage.user("bob@example.org").await];
    let theirs = list(&other, "Theirs").await["id"].clone();
    let mine = task(&user, "mine", &Value::Null).await;
    let path = format!("/api/tasks/{}", mine["id"]);
    stage.events().await;
    let mut refusals = Vec::new();
    for id in [theirs, json!(9_007_199_254_740_991_i64)] {
        for (method, path) in
            [(Method::POST, "/api/tasks"), (Method::PUT, &path), (Method::PATCH, &path)]
        {
            let request = user.client.request(method, path);
            let request = request.json(&json!({"title": "in there", "list_id": id}));
            let mut problem = request.send().await.expect("an answer").expect(422).json();
            assert_eq!(problem["errors"][0]["pointer"], "/list_id", "{problem}");
            assert_eq!(problem["errors"][0]["code"], "unknown_list", "{problem}");
            problem["request_id"] = Value::Null;
            refusals.push(problem);
        }
    }
    assert!(refusals.iter().all(|problem| *problem == refusals[0]), "{refusals:#?}");
    assert_eq!(get(&user, &path).await, mine);
    assert_eq!(events(&stage).await, []);
    // No revision was lost.
    assert_eq!(list(&user, "Mine").await["revision"], 2);
    for (body, code) in [
        (json!({"list_id": 0}), "out_of_range"),
        (json!({"list_id": "7"}), "malformed"),
        (json!({"list_id": 1.5}), "malformed"),
    ] {
        let problem = patch(&user, &path, &body).await.expect(422).json();
        assert_eq!(problem["errors"][0]["code"], code, "{body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_lists_tasks_move_to_the_inbox() {
    let stage = Stage::new().await;
    let user = stage.user("ada@example.org").await;
    let [home, work] = [list(&user, "Home").await, list(&user, "Work").await];
    for (title, list) in [("one", &home), ("two", &home), ("other", &work)] {
        task(&user, title, list).await;
    }
    stage.events().await;
    delete(&user, &format!("/api/lists/{}", home["id"])).await.expect(204);
    let expected = [event("task.updated", 6), event("task.updated", 7), event("list.deleted", 8)];
    assert_eq!(events(&stage).await, expected);
    assert_eq!(titles(&user, "list_id=inbox").await, ["one", "two"]);
    assert_eq!(titles(&user, &format!("list_id={}", work["id"])).await, ["other"]);
    let feed = get(&user, "/api/changes?since=5").await;
    let changed: Vec<_> = feed["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| json!([change["revision"], change["task"]["list_id"], change["list_id"]]))
        .collect();
    assert_eq!(
        changed,
        [json!([6, null, null]), json!([7, null, null]), json!([8, null, home["id"]])]
    );
}

/// Deletes the list and delivers the events until nothing follows from them.
async fn delete_along(stage: &Stage, user: &User, list: &Value) -> Vec<(String, i64)> {
    delete(user, &format!("/api/lists/{}?tasks=delete", list["id"])).await.expect(204);
    let events = stage.events().await;
    for event in &events {
        stage.deliver("recurrence", event).await;
    }
    let seen = |event: &rondo_wasm_host::CloudEvent| {
        let value: Value = serde_json::from_str(&event.data).expect("JSON");
        (event.event_type.clone(), value["revision"].as_i64().expect("a revision"))
    };
    events.iter().map(seen).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_list_takes_its_tasks_along() {
    let stage = Stage::new().await;
    let user = stage.user("ada@example.org").await;
    let home = list(&user, "Home").await;
    task(&user, "plain", &home).await;
    let daily = json!({"title": "daily", "list_id": home["id"], "due_date": "2061-01-01T08:00:00Z",
                       "reminder_offset": "PT1H", "recurrence_rule": {"frequency": "daily"}});
    post(&user, "/api/tasks", &daily).await.expect(201);
    let kept = post(&user, "/api/tasks", &json!({"title": "kept"})).await.expect(201).json();
    stage.events().await;
    let expected = [
        event("task.deleted", 5),
        event("reminder.cancelled", 6),
        event("task.deleted", 6),
        event("series.ended", 6),
        event("list.deleted", 7),
    ];
    assert_eq!(delete_along(&stage, &user, &home).await, expected);
    // No occurrence follows.
    assert_eq!(stage.events().await, []);
    assert_eq!(get(&user, "/api/tasks").await, json!([kept]));
    assert_eq!(get(&user, "/api/reminders").await, json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_occurrence_is_in_the_list_of_the_one_before() {
    let stage = Stage::new().await;
    let user = stage.user("ada@example.org").await;
    let [home, gone] = [list(&user, "Home").await, list(&user, "Gone").await];
    let daily = |list: &Value| {
        json!({"title": "daily", "list_id": list["id"], "due_date": "2061-01-01T08:00:00Z",
               "recurrence_rule": {"frequency": "daily"}})
    };
    let first = post(&user, "/api/tasks", &daily(&home)).await.expect(201).json();
    post(&user, &format!("/api/tasks/{}/complete", first["id"]), &json!({})).await.expect(200);
    // An occurrence deleted alone is the model of the next one, but its list is gone by then.
    let other = post(&user, "/api/tasks", &daily(&gone)).await.expect(201).json();
    delete(&user, &format!("/api/tasks/{}?scope=this", other["id"])).await.expect(204);
    delete(&user, &format!("/api/lists/{}", gone["id"])).await.expect(204);
    for event in stage.events().await {
        stage.deliver("recurrence", &event).await;
    }
    let pending = get(&user, "/api/tasks?status=pending&sort_order=asc").await;
    let lists: Vec<_> = pending.as_array().unwrap().iter().map(|task| &task["list_id"]).collect();
    assert_eq!(lists, [&home["id"], &Value::Null]);
}

#[tokio::test(flavor = "multi_thread")]
async fn estimates_are_summed() {
    let stage = Stage::new().await;
    let [user, other] = [stage.user("ada@example.org").await, stage.user("bob@example.org").await];
    for (user, task) in [
        (&user, json!({"title": "paint the roof", "estimate": 90, "uid": "paint"})),
        (&user, json!({"title": "sweep the roof", "estimate": 5, "tags": ["short"]})),
        (&user, json!({"title": "look at the roof"})),
        (&other, json!({"title": "sell the roof", "estimate": 1_000})),
    ] {
        post(user, "/api/tasks", &task).await.expect(201);
    }
    for (query, expected) in [
        ("", "95"),
        ("limit=1", "95"),
        ("search=the+roof", "95"),
        ("search=sweep+the", "5"),
        ("uid=paint", "90"),
        ("uid=none", "0"),
        ("tags=short", "5"),
        ("status=completed", "0"),
    ] {
        let path = format!("/api/tasks?total_estimate=true&{query}");
        let answer = user.client.get(&path).await.expect("an answer").expect(200);
        assert_eq!(answer.header("x-total-estimate"), Some(expected), "{query}");
    }
    let plain = user.client.get("/api/tasks").await.expect("an answer").expect(200);
    assert_eq!(plain.header("x-total-estimate"), None);
    for estimate in [json!(0), json!(525_601), json!(1.5), json!("5"), json!(-1)] {
        let task = json!({"title": "t", "estimate": estimate});
        let problem = post(&user, "/api/tasks", &task).await.expect(422).json();
        assert_eq!(problem["errors"][0]["pointer"], "/estimate");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_has_a_history() {
    let stage = Stage::new().await;
    let [user, other] = [stage.user("ada@example.org").await, stage.user("bob@example.org").await];
    let task = post(&user, "/api/tasks", &json!({"title": "call", "tags": ["home"]}))
        .await
        .expect(201)
        .json();
    let path = format!("/api/tasks/{}", task["id"]);
    let history = format!("{path}/history");
    patch(&user, &path, &json!({"priority": "high", "title": "call Bob"})).await.expect(200);
    post(&user, &format!("{path}/complete"), &json!({})).await.expect(200);
    delete(&user, &path).await.expect(204);
    let events = stage.events().await;
    stage.outcomes("audit", &events).await.expect("outcomes");

    let all = get(&user, &history).await;
    let changes: Vec<_> = all.as_array().expect("a list").iter().collect();
    let types: Vec<_> =
        changes.iter().map(|change| change["event_type"].as_str().unwrap()).collect();
    assert_eq!(types, ["task.deleted", "task.completed", "task.updated", "task.created"]);
    assert_eq!(changes[0]["changes"], json!({}));
    assert_eq!(changes[1]["changes"]["status"], json!({"from": "pending", "to": "completed"}));
    let updated = json!({
        "priority": {"from": null, "to": "high"}, "title": {"from": "call", "to": "call Bob"},
    });
    assert_eq!(changes[2]["changes"], updated);
    assert_eq!(changes[3]["changes"]["tags"], json!({"from": null, "to": ["home"]}));
    assert_eq!(changes[3]["changes"]["description"], Value::Null, "it is null before and after");
    assert!(changes.iter().all(|change| change["user_id"] == user.id));

    // Page by page, the same.
    let mut paged = Vec::new();
    let mut next = Some(format!("{history}?limit=1"));
    while let Some(path) = next {
        let answer = user.client.get(&path).await.expect("an answer").expect(200);
        paged.extend(answer.json().as_array().expect("a list").clone());
        next = answer
            .header("link")
            .map(|link| link[1..].split_once('>').expect("a link").0.to_owned());
    }
    assert_eq!(Value::Array(paged), all);

    // What retention has deleted is not guessed.
    let session = stage.database.session().await;
    let sql = "DELETE FROM audit_logs WHERE action_type = 'task.created'";
    session.execute(sql, &[]).await.expect("deleted");
    assert_eq!(get(&user, &history).await[2]["changes"], Value::Null);

    other.client.get(&history).await.expect("an answer").expect(404);
    let foreign = format!("/api/{}/tasks/{}/history", user.id, task["id"]);
    other.client.get(&foreign).await.expect("an answer").expect(403);
    user.client.get("/api/tasks/9007199254740991/history").await.expect("an answer").expect(404);
}
