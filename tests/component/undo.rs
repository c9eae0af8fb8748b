//! Undo: a change of tasks is taken back as a whole, once, unless somebody has changed one of them since.

mod model;
mod start;
mod step;

use http::Method;
use rondo_testkit::http::Response;
use rondo_tests::stage::Stage;
use rondo_tests::story::User;
use serde_json::{Value, json};

async fn get(user: &User, path: &str) -> Value {
    user.client.get(path).await.expect("an answer").expect(200).json()
}

async fn send(user: &User, method: Method, path: &str, body: Option<&Value>) -> Response {
    let request = user.client.request(method, path);
    let request = match body {
        Some(body) => request.json(body),
        None => request,
    };
    request.send().await.expect("an answer")
}

async fn post(user: &User, path: &str, body: &Value) -> Response {
    send(user, Method::POST, path, Some(body)).await
}

async fn undo(user: &User, token: &str) -> Response {
    post(user, "/api/undo", &json!({ "token": token })).await
}

async fn create(user: &User, task: &Value) -> Value {
    post(user, "/api/tasks", task).await.expect(201).json()
}

fn path(task: &Value, rest: &str) -> String {
    format!("/api/tasks/{}{rest}", task["id"])
}

#[track_caller]
fn token(answer: &Response) -> String {
    answer.header("undo-token").unwrap_or_else(|| panic!("no token: {}", answer.text())).to_owned()
}

/// A task without the members that every change sets.
fn lasting(task: &Value) -> Value {
    let mut task = task.clone();
    let members = task.as_object_mut().expect("a task");
    members.remove("revision");
    members.remove("updated_at");
    task
}

/// What a user sees of tasks, reminders and tags.
async fn seen(user: &User) -> Value {
    let tasks = get(user, "/api/tasks?sort_by=created_at&sort_order=asc&limit=500").await;
    let tasks: Vec<Value> = tasks.as_array().unwrap().iter().map(lasting).collect();
    let reminders = get(user, "/api/reminders?limit=500").await;
    json!({"tasks": tasks, "reminders": reminders, "tags": get(user, "/api/tags").await})
}

/// The series and slots of all occurrences, as far as there are tasks of their series.
async fn slots(stage: &Stage) -> Vec<String> {
    let sql = "SELECT concat_ws(' ', o.task_id, o.predecessor_task_id, o.slot, o.state, s.recurrence_rule ->> 'rrule',
                                s.anchor, s.time_zone, s.ended_at IS NOT NULL)
               FROM occurrences o JOIN series s ON s.id = o.series_id
               WHERE o.state <> 'withdrawn' AND EXISTS (SELECT FROM tasks t WHERE t.series_id = s.id) ORDER BY 1";
    let rows = stage.database.session().await.query(sql, &[]).await.expect("slots");
    rows.iter().map(|row| row.get(0)).collect()
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

/// Undoes a change, does it again and undoes it again; what the user sees and the series are as they were each time.
async fn back_and_forth(
    stage: &Stage,
    user: &User,
    method: Method,
    path: &str,
    body: Option<Value>,
) {
    settle(stage).await;
    let before = (seen(user).await, slots(stage).await);
    let changed = send(user, method.clone(), path, body.as_ref()).await;
    assert!(changed.status.is_success(), "{method} {path}: {}", changed.text());
    let mut token = token(&changed);
    let after = (seen(user).await, slots(stage).await);
    assert_ne!(before.0, after.0, "{method} {path}");
    for expected in [&before, &after, &before, &after, &before] {
        let since = get(user, "/api/changes").await["revision"].as_i64().unwrap();
        stage.events().await;
        let answer = undo(user, &token).await.expect(200);
        assert_eq!(
            (&seen(user).await, &slots(stage).await),
            (&expected.0, &expected.1),
            "{method} {path}"
        );
        // Each task that is put back has a revision and an event of its own.
        let results = answer.json()["results"].as_array().unwrap().len();
        let last = since + i64::try_from(results).unwrap();
        let feed = get(user, &format!("/api/changes?since={since}")).await;
        assert_eq!(feed["revision"], json!(last), "{method} {path}");
        let events = stage.events().await;
        let changes = events.iter().filter(|event| event.event_type.starts_with("task."));
        assert_eq!(changes.count(), results, "{method} {path}");
        // Once.
        let again = undo(user, &token).await;
        assert!(matches!(again.status.as_u16(), 410 | 412), "{method} {path}: {}", again.text());
        token = self::token(&answer);
    }
    settle(stage).await;
    assert_eq!(seen(user).await, before.0, "{method} {path}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_change_is_undone_and_done_again() {
    let stage = Stage::new().await;
    let user = stage.user("ada@example.org").await;
    let list = post(&user, "/api/lists", &json!({"name": "Home"})).await.expect(201).json();
    let task = create(
        &user,
        &json!({"title": "Fix the roof", "description": "with Bob", "tags": ["home", "work"], "estimate": 90,
                "due_date": "2061-01-31T09:00:00Z", "reminder_offset": "P1D", "priority": "low"}),
    )
    .await;
    post(&user, &path(&task, "/reminders"), &json!({"offset": "PT2H"})).await.expect(201);
    let other =
        create(&user, &json!({"title": "other", "tags": ["work"], "list_id": list["id"]})).await;
    let color = json!({"color": "#3366ff"});
    send(&user, Method::PUT, "/api/tags/home", Some(&color)).await.expect(200);
    let (patch, put) = (Method::PATCH, Method::PUT);
    for (method, path, body) in [
        (Method::POST, "/api/tasks".to_owned(), Some(json!({"title": "new", "uid": "new"}))),
        (Method::POST, "/api/quick-add".to_owned(), Some(json!({"text": "new tomorrow #home"}))),
        (
            patch.clone(),
            path(&task, ""),
            Some(json!({"title": "Mend it", "tags": [], "priority": null})),
        ),
        (patch.clone(), path(&task, ""), Some(json!({"due_date": "2061-03-01T09:00:00Z"}))),
        (patch.clone(), path(&task, ""), Some(json!({"reminder_offset": null}))),
        (
            patch.clone(),
            path(&other, ""),
            Some(json!({"due_date": "2061-03-01T09:00:00Z", "reminder_offset": "PT1H"})),
        ),
        (
            patch.clone(),
            path(&task, ""),
            Some(json!({"status": "in_progress", "list_id": list["id"]})),
        ),
        (put.clone(), path(&task, ""), Some(json!({"title": "Mend it"}))),
        (Method::POST, path(&task, "/complete"), None),
        (
            Method::POST,
            path(&task, "/move"),
            Some(json!({"list_id": list["id"], "after": other["id"]})),
        ),
        (Method::DELETE, path(&task, ""), None),
        (put.clone(), "/api/tags/work".to_owned(), Some(json!({"name": "Office"}))),
        (put.clone(), "/api/tags/home".to_owned(), Some(json!({"name": "work", "color": null}))),
        (put.clone(), "/api/tags/work".to_owned(), Some(json!({"name": "home"}))),
        (Method::DELETE, "/api/tags/home".to_owned(), None),
        (
            Method::POST,
            "/api/tasks/batch".to_owned(),
            Some(json!({"operations": [
                {"op": "create", "task": {"title": "d"}},
                {"op": "patch", "id": task["id"], "task": {"title": "a"}},
                {"op": "patch", "id": task["id"], "task": {"priority": "high"}},
                {"op": "complete", "id": other["id"]},
                {"op": "move", "id": task["id"], "list_id": list["id"], "before": other["id"]},
                {"op": "delete", "id": other["id"]},
            ]})),
        ),
        (
            Method::POST,
            "/api/tasks/batch".to_owned(),
            Some(json!({"atomic": false, "operations": [
                {"op": "create", "task": {"title": "d"}},
                {"op": "patch", "id": task["id"], "task": {"title": ""}},
                {"op": "complete", "id": task["id"]},
            ]})),
        ),
    ] {
        back_and_forth(&stage, &user, method, &path, body).await;
    }
    send(&user, Method::POST, &path(&task, "/complete"), None).await.expect(200);
    back_and_forth(&stage, &user, Method::POST, &path(&task, "/reopen"), None).await;
    send(&user, Method::DELETE, &path(&task, ""), None).await.expect(204);
    back_and_forth(&stage, &user, Method::POST, &path(&task, "/restore"), None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_series_is_as_it_was() {
    let stage = Stage::new().await;
    let user = stage.user("ada@example.org").await;
    let daily = json!({"frequency": "daily"});
    let patch = Method::PATCH;
    for (action, is_recurring, body) in [
        ("/skip", true, None),
        ("/complete", true, None),
        ("?scope=this", true, Some(json!({"due_date": "2061-01-31T11:00:00Z"}))),
        ("?scope=future", true, Some(json!({"due_date": "2061-01-31T11:00:00Z"}))),
        ("?scope=all", true, Some(json!({"due_date": "2061-01-31T11:00:00Z"}))),
        ("?scope=all", true, Some(json!({"recurrence_rule": {"interval": 2}}))),
        ("", true, Some(json!({"recurrence_rule": null}))),
        ("", true, Some(json!({"recurrence_rule": {"frequency": "weekly"}}))),
        ("", false, Some(json!({"recurrence_rule": {"frequency": "daily"}}))),
        ("?scope=this", true, None),
        ("?scope=all", true, None),
    ] {
        let mut task = json!({"title": "Water the plants", "due_date": "2061-01-31T09:00:00Z", "reminder_offset": "PT1H"});
        if is_recurring {
            task["recurrence_rule"] = daily.clone();
        }
        let task = create(&user, &task).await;
        let method = match (action, &body) {
            (_, Some(_)) => patch.clone(),
            ("/skip" | "/complete", None) => Method::POST,
            _ => Method::DELETE,
        };
        back_and_forth(&stage, &user, method, &path(&task, action), body).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_followed_a_change_goes_with_it() {
    let stage = Stage::new().await;
    let user = stage.user("ada@example.org").await;
    let daily = json!({"title": "Water the plants", "due_date": "2061-01-31T09:00:00Z",
                       "recurrence_rule": {"frequency": "daily"}});
    // Completing and deleting alone are followed by the next occurrence; reopening withdraws it.
    for (method, action) in [(Method::POST, "/complete"), (Method::DELETE, "?scope=this")] {
        let task = create(&user, &daily).await;
        settle(&stage).await;
        let before = seen(&user).await;
        let first = token(&send(&user, method.clone(), &path(&task, action), None).await);
        settle(&stage).await;
        let after = seen(&user).await;
        let undone = undo(&user, &first).await.expect(200);
        assert_eq!(undone.json()["results"].as_array().map(Vec::len), Some(2), "{}", undone.text());
        settle(&stage).await;
        assert_eq!(seen(&user).await, before);
        let redone = undo(&user, &token(&undone)).await.expect(200);
        settle(&stage).await;
        assert_eq!(seen(&user).await, after, "with the same next occurrence");
        if action == "/complete" {
            let reopened = send(&user, Method::POST, &path(&task, "/reopen"), None).await;
            assert_eq!(seen(&user).await, before);
            undo(&user, &token(&reopened)).await.expect(200);
            settle(&stage).await;
            assert_eq!(seen(&user).await, after);
            undo(&user, &token(&redone)).await.expect(412);
        }
        // The next occurrence has been changed: it stays, and so does the change.
        let next = get(&user, "/api/tasks?status=pending").await[0].clone();
        let again = send(&user, Method::POST, &path(&next, "/complete"), None).await;
        settle(&stage).await;
        let newest = get(&user, "/api/tasks?status=pending").await[0].clone();
        send(&user, patch(), &path(&newest, ""), Some(&json!({"title": "mine"}))).await.expect(200);
        let before = seen(&user).await;
        let refused = undo(&user, &token(&again)).await.expect(412).json();
        assert_eq!(
            (&refused["code"], &refused["tasks"]),
            (&json!("changed_since"), &json!([newest["id"]]))
        );
        assert_eq!(seen(&user).await, before);
        send(&user, Method::DELETE, &path(&newest, "?scope=all"), None).await.expect(204);
        for task in get(&user, "/api/tasks").await.as_array().unwrap() {
            send(&user, Method::DELETE, &path(task, ""), None).await.expect(204);
        }
        settle(&stage).await;
    }
    // Undone before the next occurrence is there.
    let task = create(&user, &daily).await;
    let before = seen(&user).await;
    let completed = token(&send(&user, Method::POST, &path(&task, "/complete"), None).await);
    undo(&user, &completed).await.expect(200);
    settle(&stage).await;
    assert_eq!(seen(&user).await, before);
}

const fn patch() -> Method {
    Method::PATCH
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_changed_since_is_named_and_nothing_happens() {
    let stage = Stage::new().await;
    let [user, other] = [stage.user("ada@example.org").await, stage.user("bob@example.org").await];
    let [a, b, c] = [
        create(&user, &json!({"title": "a"})).await,
        create(&user, &json!({"title": "b"})).await,
        create(&user, &json!({"title": "c"})).await,
    ];
    let batch = json!({"operations": [
        {"op": "complete", "id": a["id"]}, {"op": "delete", "id": b["id"]}, {"op": "complete", "id": c["id"]},
        {"op": "create", "task": {"title": "d"}},
    ]});
    let done = post(&user, "/api/tasks/batch", &batch).await.expect(200);
    let d = done.json()["results"][3]["task"].clone();
    let token_of_batch = token(&done);
    // Another user's token, or none at all.
    undo(&other, &token_of_batch).await.expect(410);
    undo(&user, "r4711").await.expect(410);
    undo(&user, "r4711-4711").await.expect(410);
    for bad in ["", "x", "4711", "r2.1", "r0"] {
        let problem = undo(&user, bad).await.expect(422).json();
        assert_eq!(problem["errors"][0]["pointer"], "/token");
    }
    let restored = post(&user, &path(&b, "/restore"), &json!({})).await.expect(200);
    let patched =
        send(&user, patch(), &path(&c, ""), Some(&json!({"title": "C"}))).await.expect(200);
    let changed =
        send(&user, patch(), &path(&d, ""), Some(&json!({"title": "D"}))).await.expect(200);
    let before = (seen(&user).await, get(&user, "/api/changes").await);
    stage.events().await;
    let refused = undo(&user, &token_of_batch).await.expect(412).json();
    let mut named = vec![b["id"].clone(), c["id"].clone(), d["id"].clone()];
    named.sort_by_key(Value::as_i64);
    assert_eq!((&refused["code"], &refused["tasks"]), (&json!("changed_since"), &json!(named)));
    assert_eq!((seen(&user).await, get(&user, "/api/changes").await), before);
    assert!(stage.events().await.is_empty());
    // A change that is undone is a change too.
    for answer in [&changed, &patched, &restored] {
        undo(&user, &token(answer)).await.expect(200);
    }
    undo(&user, &token_of_batch).await.expect(412);

    // A reminder that was added since; a task that was deleted for good; a uid that was taken.
    let task = create(&user, &json!({"title": "e", "uid": "mine"})).await;
    let changed =
        send(&user, patch(), &path(&task, ""), Some(&json!({"title": "E"}))).await.expect(200);
    let reminder = json!({"remind_at": "2061-01-01T09:00:00Z"});
    let reminder = post(&user, &path(&task, "/reminders"), &reminder).await.expect(201).json();
    undo(&user, &token(&changed)).await.expect(412);
    let gone =
        send(&user, Method::DELETE, &format!("/api/reminders/{}", reminder["id"]), None).await;
    gone.expect(204);
    undo(&user, &token(&changed)).await.expect(200);
    let deleted = token(&send(&user, Method::DELETE, &path(&task, ""), None).await.expect(204));
    let taker = create(&user, &json!({"title": "f", "uid": "mine"})).await;
    let refused = undo(&user, &deleted).await.expect(409);
    let location = format!("/api/{}/tasks/{}", user.id, taker["id"]);
    assert_eq!(refused.header("location"), Some(location.as_str()));
    send(&user, Method::DELETE, &format!("/api/trash/{}", task["id"]), None).await.expect(204);
    let refused = undo(&user, &deleted).await.expect(412).json();
    assert_eq!(refused["tasks"], json!([task["id"]]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_can_be_undone_for_an_hour_and_once_with_a_key() {
    let stage = Stage::new().await;
    let user = stage.user("ada@example.org").await;
    let session = stage.database.session().await;
    let made = post(&user, "/api/tasks", &json!({"title": "a"})).await.expect(201);
    let task = made.json();
    let rename = async |title: &str| {
        let renamed =
            send(&user, patch(), &path(&task, ""), Some(&json!({ "title": title }))).await;
        renamed.expect(200)
    };
    let aged = async |minutes: i32| {
        for sql in [
            "UPDATE undo_steps SET changed_at = now() - $1 * interval '1 minute'",
            "UPDATE tasks SET created_at = now() - $1 * interval '1 minute'",
        ] {
            session.execute(sql, &[&f64::from(minutes)]).await.expect("older changes");
        }
    };
    aged(61).await;
    undo(&user, &token(&made)).await.expect(410);
    let renamed = rename("b").await;
    aged(61).await;
    assert_eq!(undo(&user, &token(&renamed)).await.expect(410).json()["code"], "undo_expired");
    aged(59).await;
    let with_key = |token: String| {
        let request = user.client.request(Method::POST, "/api/undo").header("idempotency-key", "k");
        request.json(&json!({ "token": token })).send()
    };
    let first = with_key(token(&renamed)).await.expect("an answer").expect(200);
    let second = with_key(token(&renamed)).await.expect("an answer").expect(200);
    assert_eq!(
        (first.json(), second.header("idempotency-replayed")),
        (second.json(), Some("true"))
    );
    with_key("r4711".to_owned()).await.expect("an answer").expect(422);
    // What changes nothing has no token.
    let unchanged = send(&user, patch(), &path(&task, ""), Some(&json!({"title": "a"}))).await;
    assert_eq!(unchanged.expect(200).header("undo-token"), None);
    let list = post(&user, "/api/lists", &json!({"name": "a"})).await.expect(201);
    assert_eq!(list.header("undo-token"), None);
    // Places that others have taken since.
    let [b, c] =
        [create(&user, &json!({"title": "b"})).await, create(&user, &json!({"title": "c"})).await];
    let moved = post(&user, &path(&b, "/move"), &json!({})).await.expect(200);
    let place = "UPDATE tasks SET position = $1 WHERE id = $2";
    session
        .execute(place, &[&b["position"].as_str(), &task["id"].as_i64()])
        .await
        .expect("a position");
    undo(&user, &token(&moved)).await.expect(200);
    let order = get(&user, "/api/tasks?sort_by=position&sort_order=asc").await;
    let order: Vec<_> = order.as_array().unwrap().iter().map(|task| task["id"].clone()).collect();
    assert_eq!(order, [task["id"].clone(), b["id"].clone(), c["id"].clone()]);
    // Two at once that have each other's.
    let swap = json!({"operations": [
        {"op": "move", "id": b["id"]}, {"op": "move", "id": c["id"], "after": task["id"]},
        {"op": "move", "id": task["id"], "after": b["id"]},
    ]});
    back_and_forth(&stage, &user, Method::POST, "/api/tasks/batch", Some(swap)).await;
}
