//! Tags across tasks, and further reminders beside those of tasks.

use std::time::Duration;

use rondo_testkit::event_schema::assert_event_valid;
use rondo_testkit::http::Response;
use rondo_testkit::smtp::{Mail, SmtpServer};
use rondo_testkit::wait::eventually;
use rondo_tests::account::is_to;
use rondo_tests::arrangement::Up;
use rondo_tests::story::{User, audited, from_now, register};
use serde_json::{Value, json};

/// How long any effect may take, on a busy machine.
const SOON: Duration = Duration::from_secs(30);
const DAY: i64 = 86_400;

async fn get(user: &User, path: &str) -> Value {
    let answer = user.client.get(&format!("/api/{}/{path}", user.id)).await.expect("an answer");
    answer.expect(200).json()
}

async fn post(user: &User, path: &str, body: &Value) -> Response {
    user.client.post(&format!("/api/{}/{path}", user.id), body).await.expect("an answer")
}

async fn put(user: &User, path: &str, body: &Value) -> Response {
    user.client.put(&format!("/api/{}/{path}", user.id), body).await.expect("an answer")
}

async fn delete(user: &User, path: &str) -> Response {
    user.client.delete(&format!("/api/{}/{path}", user.id)).await.expect("an answer")
}

async fn created(user: &User, task: Value) -> Value {
    post(user, "tasks", &task).await.expect(201).json()
}

/// Revision and tags of each task that has changed since a revision.
async fn changed_tags(user: &User, since: i64) -> Value {
    let changes = get(user, &format!("changes?since={since}")).await;
    changes["changes"]
        .as_array()
        .expect("changes")
        .iter()
        .map(|change| json!([change["revision"], change["task"]["tags"]]))
        .collect()
}

async fn tags(user: &User) {
    assert_eq!(get(user, "tags").await, json!([]));
    for tags in [json!(["Home"]), json!(["work", "x"]), json!(["Work", "home", "y"]), json!([])] {
        created(user, json!({"title": "t", "tags": tags})).await;
    }
    let named = |name: &str, color: Value, count: u32| json!({"name": name, "color": color, "count": count});
    let listed = get(user, "tags").await;
    let keys: Vec<_> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|t| (t["name"].as_str().unwrap().to_lowercase(), t["count"].as_i64().unwrap()))
        .collect();
    let pair = |name: &str, count| (name.to_owned(), count);
    assert_eq!(keys, [pair("home", 2), pair("work", 2), pair("x", 1), pair("y", 1)]);

    // A colour changes no task.
    let colored = put(user, "tags/WORK", &json!({"name": "Work", "color": "#1E90FF"})).await;
    assert_eq!(colored.expect(200).json(), named("Work", json!("#1e90ff"), 2));
    assert_eq!(changed_tags(user, 4).await, json!([[5, ["Work", "x"]]]), "one spelling differed");
    let colored = put(user, "tags/work", &json!({"color": "#ff0000"})).await;
    assert_eq!(colored.expect(200).json(), named("Work", json!("#ff0000"), 2));
    assert_eq!(changed_tags(user, 5).await, json!([]));

    // Each changed task has its own revision; tags stay sorted; a slash is part of a name.
    let renamed = put(user, "tags/work", &json!({"name": "Büro/1"})).await;
    assert_eq!(renamed.expect(200).json(), named("Büro/1", json!("#ff0000"), 2));
    let changed = changed_tags(user, 5).await;
    assert_eq!(changed, json!([[6, ["Büro/1", "home", "y"]], [7, ["Büro/1", "x"]]]));
    // Two tags are merged.
    let joined = put(user, "tags/B%C3%9CRO%2F1", &json!({"name": "HOME", "color": null})).await;
    assert_eq!(joined.expect(200).json(), named("HOME", Value::Null, 3));
    let changed = changed_tags(user, 7).await;
    assert_eq!(changed, json!([[8, ["HOME", "y"]], [9, ["HOME", "x"]]]));
    // Removed from all tasks.
    delete(user, "tags/home").await.expect(204);
    assert_eq!(changed_tags(user, 9).await, json!([[10, []], [11, ["y"]], [12, ["x"]]]));
    assert_eq!(
        get(user, "tags").await,
        json!([named("x", Value::Null, 1), named("y", Value::Null, 1)])
    );
    // A colour outlives the last task with the tag.
    put(user, "tags/x", &json!({"color": "#000000"})).await.expect(200);
    for task in get(user, "tasks?tags=x").await.as_array().unwrap() {
        delete(user, &format!("tasks/{}", task["id"])).await.expect(204);
    }
    assert_eq!(get(user, "tags").await[0], named("x", json!("#000000"), 0));
    delete(user, "tags/x").await.expect(204);

    for gone in ["tags/home", "tags/x", "tags/%00", "tags/%ff"] {
        put(user, gone, &json!({"color": "#000000"})).await.expect(404);
        delete(user, gone).await.expect(404);
    }
    let problem = put(user, "tags/y", &json!({"name": "", "color": "red", "colour": 1})).await;
    assert_eq!(problem.expect(422).json()["errors"].as_array().map(Vec::len), Some(3));
    eventually("an event for each revision", SOON, async || {
        let mut revisions: Vec<_> = audited(user)
            .await
            .iter()
            .filter(|log| log["action_type"] != "task.created")
            .map(|log| {
                assert_event_valid(&log["payload"]);
                log["payload"]["revision"].as_i64().unwrap()
            })
            .collect();
        revisions.sort_unstable();
        if revisions == (5..=13).collect::<Vec<_>>() {
            Ok(())
        } else {
            Err(format!("{revisions:?}"))
        }
    })
    .await;
}

/// Spellings of one tag, and tags that contain commas.
async fn spellings(user: &User) {
    let composed = created(user, json!({"title": "t", "tags": ["Café", "a,b"]})).await;
    created(user, json!({"title": "t", "tags": ["CAFE\u{301}", r"a\", "STRASSE"]})).await;
    created(user, json!({"title": "t", "tags": ["a", "b", "straße"]})).await;
    let listed = get(user, "tags").await;
    let listed = listed.as_array().unwrap().iter();
    let count = |tag: &Value| tag["count"].as_i64().unwrap();
    let listed: Vec<_> = listed.map(|tag| (tag["name"].as_str().unwrap(), count(tag))).collect();
    assert_eq!(listed.len(), 6, "{listed:?}");
    assert_eq!(listed.iter().filter(|(_, count)| *count == 2).count(), 2, "{listed:?}");
    for (query, expected) in [
        ("tags=cafe%CC%81", 2),
        ("tags=CAF%C3%89", 2),
        ("tags_all=caf%C3%A9,stra%C3%9Fe", 1),
        ("tags=a,b", 1),
        ("tags=a%5C%2Cb", 1),
        ("tags=a%5C,b,strasse", 3),
        ("tags_all=a%5C,b,CAFE%CC%81", 1),
        ("tags=a%5C", 1),
        ("tags=a%5C%5C,x", 1),
        ("tags_all=a,a%5C%2Cb", 0),
    ] {
        let found = get(user, &format!("tasks?{query}")).await;
        assert_eq!(found.as_array().map(Vec::len), Some(expected), "{query}");
    }
    // Any spelling finds the tag, and a new spelling renames it.
    let renamed = put(user, "tags/CAFE%CC%81", &json!({"name": "cafe\u{301}"})).await;
    assert_eq!(renamed.expect(200).json()["count"], 2);
    let task = get(user, &format!("tasks/{}", composed["id"])).await;
    assert_eq!(task["tags"], json!(["a,b", "cafe\u{301}"]));
    delete(user, "tags/CAF%C3%89").await.expect(204);
    delete(user, "tags/cafe%CC%81").await.expect(404);
    delete(user, "tags/a%2Cb").await.expect(204);
    for (name, code) in [("\u{200b}\u{2060}", "required"), ("\u{115f}", "required")] {
        let problem = put(user, "tags/a", &json!({"name": name})).await.expect(422).json();
        assert_eq!(problem["errors"][0]["code"], code, "{name:?}");
    }
}

async fn reminders(user: &User) {
    let due = "2031-03-10T09:00:00Z";
    let task =
        created(user, json!({"title": "t", "due_date": due, "reminder_offset": "PT1H"})).await;
    let path = format!("tasks/{}", task["id"]);
    let own = get(user, "reminders").await[0].clone();
    assert_eq!(
        (&own["kind"], &own["offset"], &own["status"], &own["snoozed"]),
        (&json!("task"), &json!("PT1H"), &json!("armed"), &json!(false))
    );
    let further = format!("{path}/reminders");
    let before = post(user, &further, &json!({"offset": "P1D"})).await.expect(201).json();
    assert_eq!(before["remind_at"], "2031-03-09T09:00:00Z");
    let at = from_now(60);
    let fixed = post(user, &further, &json!({"remind_at": at})).await.expect(201).json();
    assert_eq!((&fixed["remind_at"], &fixed["offset"]), (&json!(at), &Value::Null));

    // Reminders follow the due date, except one at a fixed moment.
    let due = "2031-03-12T09:00:00Z";
    let moved = user.client.patch(&format!("/api/{path}"), &json!({"due_date": due})).await;
    let moved = moved.expect("an answer").expect(200).json();
    let list = get(user, "reminders").await;
    assert_eq!(list[0]["remind_at"], at);
    assert_eq!(list[1]["remind_at"], "2031-03-11T09:00:00Z");
    assert_eq!(list[2]["id"], own["id"]);
    // Page by page.
    let first = user.client.get("/api/reminders?limit=2").await.expect("an answer");
    let link = first.header("link").expect("a next page").to_owned();
    let rest = user.client.get(link[1..].split_once('>').unwrap().0).await.expect("an answer");
    assert_eq!(rest.header("link"), None);
    assert_eq!(
        [first.json().as_array().unwrap().clone(), rest.json().as_array().unwrap().clone()]
            .concat(),
        *list.as_array().unwrap()
    );
    assert_eq!(
        get(user, &format!("reminders?status=armed,fired&task_id={}", task["id"])).await,
        list
    );
    assert_eq!(get(user, "reminders?status=cancelled").await, json!([]));
    assert_eq!(get(user, "reminders?task_id=9007199254740991").await, json!([]));

    // Snoozed until the plan changes.
    let id = |reminder: &Value| reminder["id"].as_i64().expect("an id");
    let snooze = format!("reminders/{}/snooze", id(&own));
    let snoozed = post(user, &snooze, &json!({"for": "PT10M"})).await.expect(200).json();
    assert_eq!((&snoozed["snoozed"], &snoozed["status"]), (&json!(true), &json!("armed")));
    let until = from_now(DAY);
    let snoozed = post(user, &snooze, &json!({"until": until})).await.expect(200).json();
    assert_eq!(snoozed["remind_at"], until);
    let patch = json!({"title": "u"});
    user.client.patch(&format!("/api/{path}"), &patch).await.expect("an answer").expect(200);
    let own_now = async || {
        get(user, "reminders")
            .await
            .as_array()
            .unwrap()
            .iter()
            .find(|r| r["kind"] == "task")
            .cloned()
    };
    assert_eq!(own_now().await, Some(snoozed));

    // Removing a further reminder does not change the task; removing the task's own clears its offset.
    delete(user, &format!("reminders/{}", id(&fixed))).await.expect(204);
    let revision = moved["revision"].as_i64().unwrap() + 1;
    assert_eq!(get(user, &path).await["revision"], revision);
    delete(user, &format!("reminders/{}", id(&own))).await.expect(204);
    let task = get(user, &path).await;
    assert_eq!((&task["revision"], &task["reminder_offset"]), (&json!(revision + 1), &Value::Null));
    post(user, &format!("{path}/complete"), &json!({})).await.expect(200);
    let list = get(user, "reminders").await;
    assert_eq!((list.as_array().map(Vec::len), &list[0]["status"]), (Some(1), &json!("cancelled")));

    let completed = [&further, &format!("reminders/{}/snooze", id(&before))];
    for (path, body) in completed.iter().zip([json!({"offset": "PT1H"}), json!({"for": 60})]) {
        assert_eq!(post(user, path, &body).await.expect(409).json()["code"], "task_completed");
    }
    refused_reminders(user).await;
}

async fn refused_reminders(user: &User) {
    let undated = created(user, json!({"title": "t"})).await;
    let path = format!("tasks/{}/reminders", undated["id"]);
    let at = from_now(DAY);
    for (body, pointer, code) in [
        (json!({}), "", "malformed"),
        (json!({"offset": "PT1H"}), "/offset", "needs_due_date"),
        (json!({"remind_at": from_now(-60)}), "/remind_at", "in_the_past"),
        (json!({"remind_at": at, "offset": 1}), "/offset", "conflict"),
        (json!({"at": at}), "/at", "unknown_member"),
    ] {
        let problem = post(user, &path, &body).await.expect(422).json();
        let error = &problem["errors"][0];
        assert_eq!(
            (error["pointer"].as_str(), error["code"].as_str()),
            (Some(pointer), Some(code))
        );
    }
    let fixed = post(user, &path, &json!({"remind_at": at})).await.expect(201).json();
    let snooze = format!("reminders/{}/snooze", fixed["id"]);
    for (body, code) in [
        (json!({"for": 0}), "in_the_past"),
        (json!({"until": from_now(-1)}), "in_the_past"),
        (json!({"for": "1h"}), "malformed"),
    ] {
        let problem = post(user, &snooze, &body).await.expect(422).json();
        assert_eq!(problem["errors"][0]["code"], code, "{body}");
    }
    for _ in 1..10 {
        post(user, &path, &json!({"remind_at": at})).await.expect(201);
    }
    let problem = post(user, &path, &json!({"remind_at": at})).await.expect(409).json();
    assert_eq!(problem["code"], "too_many_reminders");
    delete(user, "reminders/0").await.expect(404);
    post(user, "reminders/0/snooze", &json!({"for": 60})).await.expect(404);
    post(user, "tasks/0/reminders", &json!({"remind_at": at})).await.expect(404);
}

/// A further reminder fires, is snoozed, and fires again: two mails.
async fn snoozed_mails(user: &User, smtp: &SmtpServer, email: &str) {
    let task = created(user, json!({"title": "Kettle", "due_date": from_now(DAY)})).await;
    let path = format!("tasks/{}/reminders", task["id"]);
    let reminder = post(user, &path, &json!({"remind_at": from_now(2)})).await.expect(201).json();
    let mails = async |count: usize| {
        eventually("mails", SOON, async || {
            // The registration has sent a mail, too.
            let is_it = |mail: &&Mail| is_to(mail, email) && mail.body().contains("Kettle");
            let sent = smtp.mails().iter().filter(is_it).count();
            if sent == count { Ok(()) } else { Err(sent.to_string()) }
        })
        .await;
    };
    mails(1).await;
    assert_eq!(get(user, "reminders?status=fired").await[0]["id"], reminder["id"]);
    let snooze = format!("reminders/{}/snooze", reminder["id"]);
    post(user, &snooze, &json!({"for": "PT1S"})).await.expect(200);
    mails(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_and_reminders() {
    let smtp = SmtpServer::start().await;
    let settings = [("SMTP_URL", smtp.url()), ("RATE_LIMITS", "off".to_owned())];
    let mut up = Up::start("task-tag", &settings).await;
    tags(&register(&up.http(), "tags@example.org").await).await;
    spellings(&register(&up.http(), "spellings@example.org").await).await;
    reminders(&register(&up.http(), "reminders@example.org").await).await;
    let user = register(&up.http(), "snooze@example.org").await;
    snoozed_mails(&user, &smtp, "snooze@example.org").await;
    up.stop().await;
}
