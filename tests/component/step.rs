//! Subtasks: the counts of their task, what is refused, completing and deleting with them, and trees.

use http::Method;
use rondo_domain::step::SUBTASKS_MAX;
use rondo_testkit::http::Response;
use rondo_tests::stage::Stage;
use rondo_tests::story::User;
use serde_json::{Value, json};

pub async fn get(user: &User, path: &str) -> Value {
    user.client.get(path).await.expect("an answer").expect(200).json()
}

pub async fn post(user: &User, path: &str, body: &Value) -> Response {
    user.client.post(path, body).await.expect("an answer")
}

pub async fn patch(user: &User, task: i64, body: &Value) -> Response {
    user.client.patch(&format!("/api/tasks/{task}"), body).await.expect("an answer")
}

pub async fn act(user: &User, task: i64, action: &str) -> Value {
    let path = format!("/api/tasks/{task}/{action}");
    let acted = user.client.request(Method::POST, &path).send().await.expect("an answer");
    acted.expect(200).json()
}

pub async fn delete(user: &User, path: &str) {
    user.client.delete(path).await.expect("an answer").expect(204);
}

pub async fn create(user: &User, task: Value) -> i64 {
    let made = post(user, "/api/tasks", &task).await.expect(201).json();
    made["id"].as_i64().expect("an id")
}

/// A subtask, or a task by itself.
pub async fn step(user: &User, title: &str, of: Option<i64>) -> i64 {
    create(user, json!({"title": title, "subtask_of": of})).await
}

pub async fn task(user: &User, task: i64) -> Value {
    get(user, &format!("/api/tasks/{task}")).await
}

/// How many subtasks a task has, and how many of them are completed.
pub async fn progress(user: &User, id: i64) -> (i64, i64) {
    let found = &task(user, id).await["subtasks"];
    let number = |name: &str| found[name].as_i64().expect("a number");
    (number("total"), number("completed"))
}

/// What has happened since the last call: type, task and revision of each change.
pub async fn changes(stage: &Stage) -> Vec<(String, i64, i64)> {
    let events = stage.events().await.into_iter();
    let events = events.map(|event| {
        let value: Value = serde_json::from_str(&event.data).expect("JSON");
        let number = |name: &str| value[name].as_i64().unwrap_or_default();
        (event.event_type, number("task_id"), number("revision"))
    });
    events.filter(|(event_type, ..)| event_type.starts_with("task.")).collect()
}

/// The titles of a list.
pub async fn titles(user: &User, query: &str) -> Vec<String> {
    let found = get(user, &format!("/api/tasks?sort_by=position&sort_order=asc&{query}")).await;
    let found = found.as_array().expect("a list").iter();
    found.map(|task| task["title"].as_str().expect("a title").to_owned()).collect()
}

/// The one fault of a refused task.
pub fn fault(refused: Response) -> (String, String) {
    let problem = refused.expect(422).json();
    let error = &problem["errors"][0];
    let text = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
    (text("pointer"), text("code"))
}

fn change(event_type: &str, task: i64, revision: i64) -> (String, i64, i64) {
    (event_type.to_owned(), task, revision)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_counts_its_subtasks() {
    let stage = Stage::new().await;
    let user = stage.user("ada@example.org").await;
    let [trip, other] = [step(&user, "trip", None).await, step(&user, "other", None).await];
    changes(&stage).await;
    let tickets = step(&user, "tickets", Some(trip)).await;
    let expected = [change("task.created", tickets, 3), change("task.updated", trip, 4)];
    assert_eq!(changes(&stage).await, expected);
    let bag = step(&user, "bag", Some(trip)).await;
    assert_eq!(progress(&user, trip).await, (2, 0));
    changes(&stage).await;
    act(&user, bag, "complete").await;
    let expected = [change("task.completed", bag, 7), change("task.updated", trip, 8)];
    assert_eq!(changes(&stage).await, expected);
    assert_eq!(progress(&user, trip).await, (2, 1));
    // A change that does not count changes the subtask alone.
    patch(&user, bag, &json!({"title": "big bag"})).await.expect(200);
    assert_eq!(changes(&stage).await, [change("task.updated", bag, 9)]);
    act(&user, bag, "reopen").await;
    assert_eq!(progress(&user, trip).await, (2, 0));
    act(&user, bag, "complete").await;
    patch(&user, bag, &json!({"subtask_of": other})).await.expect(200);
    assert_eq!((progress(&user, trip).await, progress(&user, other).await), ((1, 0), (1, 1)));
    patch(&user, bag, &json!({"subtask_of": null})).await.expect(200);
    assert_eq!((progress(&user, trip).await, progress(&user, other).await), ((1, 0), (0, 0)));
    // Beneath a subtask, it does not count for the uppermost task.
    step(&user, "seat", Some(tickets)).await;
    assert_eq!((progress(&user, trip).await, progress(&user, tickets).await), ((1, 0), (1, 0)));
    delete(&user, &format!("/api/tasks/{tickets}")).await;
    assert_eq!(progress(&user, trip).await, (0, 0));
    // The feed has the same.
    let feed = get(&user, "/api/changes?limit=500").await;
    let mut changes = feed["changes"].as_array().expect("changes").iter();
    let last = changes.rfind(|change| change["task"]["id"] == trip).expect("the task");
    assert_eq!(last["task"], task(&user, trip).await);
    assert_eq!(titles(&user, &format!("subtask_of={trip}")).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn siblings_have_an_order_and_are_found_by_their_task() {
    let stage = Stage::new().await;
    let user = stage.user("ada@example.org").await;
    let other = stage.user("bob@example.org").await;
    let top = step(&user, "top", None).await;
    let mut made = Vec::new();
    for title in ["a", "b", "c"] {
        made.push(step(&user, title, Some(top)).await);
    }
    let query = format!("subtask_of={top}");
    let place = json!({"before": made[0]});
    post(&user, &format!("/api/tasks/{}/move", made[2]), &place).await.expect(200);
    assert_eq!(titles(&user, &query).await, ["c", "a", "b"]);
    act(&user, made[0], "complete").await;
    assert_eq!(titles(&user, &format!("{query}&status=pending")).await, ["c", "b"]);
    let counted = user.client.get(&format!("/api/tasks?{query}&count=true&limit=1")).await;
    assert_eq!(counted.expect("an answer").expect(200).header("x-total-count"), Some("3"));
    assert_eq!(titles(&other, &query).await, [""; 0]);
    let filter = json!({"name": "steps", "query": format!("{query}&status=pending")});
    let filter = post(&user, "/api/filters", &filter).await.expect(201).json();
    let found = get(&user, &format!("/api/filters/{}/tasks", filter["id"])).await;
    assert_eq!(found.as_array().map(Vec::len), Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_a_subtask_is_refused() {
    let stage = Stage::new().await;
    let user = stage.user("ada@example.org").await;
    let other = stage.user("bob@example.org").await;
    let theirs = step(&other, "theirs", None).await;
    let [a, x] = [step(&user, "a", None).await, step(&user, "x", None).await];
    let b = step(&user, "b", Some(a)).await;
    let c = step(&user, "c", Some(b)).await;
    let y = step(&user, "y", Some(x)).await;
    let state = || async { (get(&user, "/api/tasks").await, get(&user, "/api/changes").await) };
    let before = state().await;
    for (moved, to, code) in [
        (x, theirs, "unknown_parent"),
        (x, 9_007_199_254_740_991, "unknown_parent"),
        (a, a, "circular"),
        (a, c, "circular"),
        (b, c, "circular"),
        (y, c, "too_deep"),
        (x, b, "too_deep"),
    ] {
        let refused = patch(&user, moved, &json!({"subtask_of": to})).await;
        assert_eq!(fault(refused), ("/subtask_of".to_owned(), code.to_owned()), "{moved} {to}");
    }
    for (to, code) in [(theirs, "unknown_parent"), (c, "too_deep")] {
        let refused = post(&user, "/api/tasks", &json!({"title": "t", "subtask_of": to})).await;
        assert_eq!(fault(refused), ("/subtask_of".to_owned(), code.to_owned()));
    }
    let refused = post(&user, "/api/tasks", &json!({"title": "t", "subtask_of": "1"})).await;
    assert_eq!(fault(refused), ("/subtask_of".to_owned(), "malformed".to_owned()));
    assert_eq!(state().await, before);
    // Three levels fit, also when two of them move at once.
    patch(&user, x, &json!({"subtask_of": a})).await.expect(200);
    assert_eq!(progress(&user, a).await, (2, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn beneath_a_task_there_are_at_most_two_hundred() {
    let stage = Stage::new().await;
    let user = stage.user("ada@example.org").await;
    let [top, other] = [step(&user, "top", None).await, step(&user, "other", None).await];
    let middle = step(&user, "middle", Some(top)).await;
    let single = step(&user, "single", Some(other)).await;
    for _ in 0..2 {
        let operation = json!({"op": "create", "task": {"title": "t", "subtask_of": middle}});
        let operations = vec![operation; 99];
        post(&user, "/api/tasks/batch", &json!({ "operations": operations })).await.expect(200);
    }
    let last = step(&user, "last", Some(top)).await;
    assert_eq!((progress(&user, top).await, progress(&user, middle).await), ((2, 0), (198, 0)));
    let full = ("/subtask_of".to_owned(), "too_many_subtasks".to_owned());
    assert_eq!(1 + 198 + 1, SUBTASKS_MAX);
    for at in [top, middle, last] {
        let refused = post(&user, "/api/tasks", &json!({"title": "t", "subtask_of": at})).await;
        assert_eq!(fault(refused), full);
    }
    assert_eq!(fault(patch(&user, other, &json!({"subtask_of": top})).await), full);
    // Within the task there is room.
    patch(&user, last, &json!({"subtask_of": middle})).await.expect(200);
    assert_eq!(fault(patch(&user, single, &json!({"subtask_of": middle})).await), full);
    delete(&user, &format!("/api/tasks/{last}")).await;
    patch(&user, single, &json!({"subtask_of": middle})).await.expect(200);
    // The whole is completed in one request, and deleted.
    let done = act(&user, top, "complete?subtasks=complete").await;
    assert_eq!(done["subtasks"], json!({"total": 1, "completed": 1}));
    let open = get(&user, "/api/tasks?status=pending&limit=500").await;
    assert_eq!(open.as_array().map(Vec::len), Some(1), "the other one");
    delete(&user, &format!("/api/tasks/{top}")).await;
    assert_eq!(titles(&user, "").await, ["other"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn completing_a_task_completes_its_subtasks_on_request() {
    let stage = Stage::new().await;
    let user = stage.user("ada@example.org").await;
    let fresh = async || {
        let top = step(&user, "top", None).await;
        let a = create(
            &user,
            json!({"title": "a", "subtask_of": top, "due_date": "2061-01-01T09:00:00Z",
                   "reminder_offset": "PT1H"}),
        )
        .await;
        let b = step(&user, "b", Some(top)).await;
        let c = step(&user, "c", Some(b)).await;
        act(&user, b, "complete").await;
        [top, a, b, c]
    };
    // As before, subtasks stay open.
    let [top, a, _, c] = fresh().await;
    act(&user, top, "complete").await;
    assert_eq!(
        (task(&user, a).await["status"].clone(), progress(&user, top).await),
        (json!("pending"), (2, 1))
    );
    act(&user, c, "complete").await;

    let [top, a, b, c] = fresh().await;
    let revision = task(&user, b).await["revision"].as_i64().expect("a revision") + 1;
    changes(&stage).await;
    let done = act(&user, top, "complete?subtasks=complete").await;
    assert_eq!(done["subtasks"], json!({"total": 2, "completed": 2}));
    let expected = [
        change("task.completed", c, revision + 1),
        change("task.completed", a, revision + 2),
        change("task.updated", b, revision + 3),
        change("task.completed", top, revision + 4),
    ];
    assert_eq!(changes(&stage).await, expected);
    assert_eq!(done["revision"], revision + 4);
    assert_eq!(progress(&user, b).await, (1, 1));
    let reminder = &get(&user, &format!("/api/reminders?task_id={a}")).await[0];
    assert_eq!(reminder["status"], "cancelled");
    act(&user, a, "reopen").await;
    let reminder = &get(&user, &format!("/api/reminders?task_id={a}")).await[0];
    assert_eq!((&reminder["status"], progress(&user, top).await), (&json!("armed"), (2, 1)));
    // Where nothing is open, nothing else changes.
    act(&user, a, "complete").await;
    act(&user, top, "reopen").await;
    changes(&stage).await;
    act(&user, top, "complete?subtasks=complete").await;
    assert_eq!(changes(&stage).await.len(), 1);

    // On all routes, and as the user has set it.
    let complete = json!({"status": "completed"});
    let whole = json!({"title": "top", "status": "completed"});
    let path = |task: i64, query: &str| format!("/api/tasks/{task}{query}");
    for setting in [false, true] {
        let set = user.client.patch("/api/auth/me", &json!({"complete_subtasks": setting})).await;
        assert_eq!(set.expect("an answer").expect(200).json()["complete_subtasks"], setting);
        for (query, completes) in
            [("", setting), ("?subtasks=keep", false), ("?subtasks=complete", true)]
        {
            let [first, second, third, fourth] =
                [fresh().await, fresh().await, fresh().await, fresh().await];
            let patched = user.client.patch(&path(first[0], query), &complete).await;
            patched.expect("an answer").expect(200);
            let put = user.client.put(&path(second[0], query), &whole).await;
            put.expect("an answer").expect(200);
            act(&user, third[0], &format!("complete{query}")).await;
            let mut operation = json!({"op": "complete", "id": fourth[0]});
            if let Some((_, word)) = query.split_once('=') {
                operation["subtasks"] = json!(word);
            }
            let batch = json!({"operations": [operation]});
            post(&user, "/api/tasks/batch", &batch).await.expect(200);
            for [top, a, ..] in [first, second, third, fourth] {
                let expected = if completes { "completed" } else { "pending" };
                assert_eq!(task(&user, a).await["status"], expected, "{setting} {query}");
                assert_eq!(progress(&user, top).await, (2, 1 + i64::from(completes)));
            }
        }
    }
    let refused = user.client.patch(&path(top, "?subtasks=eat"), &complete).await;
    assert_eq!(
        fault(refused.expect("an answer")),
        ("?subtasks".to_owned(), "unknown_value".to_owned())
    );
    let refused = post(&user, &path(top, "/reopen?subtasks=keep"), &json!({})).await;
    assert_eq!(fault(refused), ("?subtasks".to_owned(), "unknown_parameter".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn deleting_takes_everything_beneath_along() {
    let stage = Stage::new().await;
    let user = stage.user("ada@example.org").await;
    let outer = step(&user, "outer", None).await;
    let top = step(&user, "top", Some(outer)).await;
    let [a, b] = [step(&user, "a", Some(top)).await, step(&user, "b", Some(top)).await];
    let before = get(&user, "/api/changes").await["revision"].as_i64().expect("a revision");
    changes(&stage).await;
    delete(&user, &format!("/api/tasks/{top}")).await;
    let expected = [
        change("task.deleted", a, before + 1),
        change("task.deleted", b, before + 2),
        change("task.deleted", top, before + 3),
        change("task.updated", outer, before + 4),
    ];
    assert_eq!(changes(&stage).await, expected);
    let feed = get(&user, &format!("/api/changes?since={before}")).await;
    assert_eq!(feed["changes"].as_array().map(Vec::len), Some(4));

    // With a list, in whatever order its tasks have changed, and wherever what is beneath them is.
    let list =
        post(&user, "/api/lists", &json!({"name": "l"})).await.expect(201).json()["id"].clone();
    let top = create(&user, json!({"title": "top", "list_id": list})).await;
    let inside =
        create(&user, json!({"title": "inside", "list_id": list, "subtask_of": top})).await;
    step(&user, "outside", Some(top)).await;
    let daily =
        json!({"title": "daily", "subtask_of": inside, "recurrence_rule": {"frequency": "daily"}});
    create(&user, daily).await;
    create(&user, json!({"title": "counted", "list_id": list, "subtask_of": outer})).await;
    patch(&user, top, &json!({"priority": "high"})).await.expect(200);
    stage.events().await;
    delete(&user, &format!("/api/lists/{}?tasks=delete", list)).await;
    assert_eq!(titles(&user, "").await, ["outer"]);
    assert_eq!(progress(&user, outer).await, (0, 0));
    let types: Vec<_> = stage.events().await.into_iter().map(|event| event.event_type).collect();
    let count = |name: &str| types.iter().filter(|event_type| *event_type == name).count();
    assert_eq!((count("task.deleted"), count("series.ended"), count("list.deleted")), (5, 1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tree_has_the_tasks_that_match_or_have_one_beneath_that_does() {
    let stage = Stage::new().await;
    let user = stage.user("ada@example.org").await;
    let mut tops = Vec::new();
    for number in 0..3 {
        tops.push(step(&user, &format!("top {number}"), None).await);
    }
    let middle =
        create(&user, json!({"title": "middle", "subtask_of": tops[1], "estimate": 10})).await;
    let low =
        json!({"title": "a low one", "subtask_of": middle, "priority": "high", "estimate": 5});
    create(&user, low).await;
    let first = step(&user, "first", Some(tops[1])).await;
    post(&user, &format!("/api/tasks/{first}/move"), &json!({"before": middle})).await.expect(200);
    let tree = get(&user, "/api/tasks?tree=true&sort_by=position&sort_order=asc").await;
    let shape = |tree: &Value| {
        fn shape(task: &Value) -> Value {
            let children = task["children"].as_array().expect("children").iter();
            json!([task["title"], children.map(shape).collect::<Vec<_>>()])
        }
        tree.as_array().expect("a list").iter().map(shape).collect::<Vec<_>>()
    };
    let beneath = json!(["top 1", [["first", []], ["middle", [["a low one", []]]]]]);
    assert_eq!(shape(&tree), [json!(["top 0", []]), beneath.clone(), json!(["top 2", []])]);
    // Everything else is as in a flat list.
    let mut child = tree[1]["children"][1].clone();
    child.as_object_mut().expect("a task").remove("children");
    assert_eq!(child, task(&user, middle).await);
    for (query, found) in [
        ("priority=high", 1),
        ("search=low", 1),
        ("search=a+low+one", 1),
        ("priority=high&search=middle", 0),
        ("search=top", 3),
        ("blocked=true", 0),
    ] {
        for sort_by in ["created_at", "updated_at", "due_date", "priority", "title", "position"] {
            let query = format!("/api/tasks?tree=true&count=true&sort_by={sort_by}&{query}");
            let answer = user.client.get(&query).await.expect("an answer").expect(200);
            let tree = answer.json();
            assert_eq!(tree.as_array().map(Vec::len), Some(found), "{query}");
            assert_eq!(answer.header("x-total-count"), Some(found.to_string().as_str()), "{query}");
            if found == 1 {
                assert_eq!(shape(&tree), std::slice::from_ref(&beneath), "{query}");
            }
        }
    }
    let sum = user.client.get("/api/tasks?tree=true&total_estimate=true").await.expect("an answer");
    assert_eq!(sum.expect(200).header("x-total-estimate"), Some("15"));
    // Page by page.
    let mut page = "/api/tasks?tree=true&limit=1&sort_by=position&sort_order=asc".to_owned();
    let mut found = Vec::new();
    loop {
        let answer = user.client.get(&page).await.expect("an answer").expect(200);
        found.extend(shape(&answer.json()));
        let Some(link) = answer.header("link") else { break };
        page = link[1..].split_once('>').expect("a link").0.to_owned();
    }
    assert_eq!(found, shape(&tree));
    let filter = json!({"name": "high", "query": "priority=high"});
    let filter = post(&user, "/api/filters", &filter).await.expect(201).json();
    let found = get(&user, &format!("/api/filters/{}/tasks?tree=true", filter["id"])).await;
    assert_eq!(shape(&found), [beneath]);
    let refused = user.client.get("/api/tasks?tree=true&uid=a").await.expect("an answer");
    assert_eq!(fault(refused), ("?uid".to_owned(), "conflict".to_owned()));
}
