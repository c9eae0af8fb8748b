//! All requests about tasks: conditions, idempotency keys, and the report of errors.

use http::Method;
use rondo_testkit::http::{Client, Response};
use rondo_tests::arrangement::Up;
use rondo_tests::story::{User, register};
use serde_json::{Value, json};

/// Number of concurrent requests with the same key.
const AT_ONCE: usize = 8;

async fn created(client: &Client, task: Value) -> Value {
    client.post("/api/tasks", &task).await.expect("an answer").expect(201).json()
}

async fn send(
    client: &Client,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Response {
    let mut request = client.request(method, path);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    request.body(body.to_owned()).send().await.expect("an answer")
}

async fn conditions(user: &User) {
    let task = created(&user.client, json!({"title": "t"})).await;
    let path = format!("/api/tasks/{}", task["id"]);
    let get = async |condition: &str| {
        send(&user.client, Method::GET, &path, &[("if-none-match", condition)], "").await
    };
    assert_eq!(get("\"0\"").await.expect(200).header("etag"), Some("\"1\""));
    for unchanged in ["\"1\"", "W/\"1\"", "\"7\", W/\"1\"", "*"] {
        let answer = get(unchanged).await.expect(304);
        assert!(answer.body.is_empty() && answer.header("etag") == Some("\"1\""), "{unchanged}");
    }
    // Each route that changes a task, and the revision after it.
    let json = ("content-type", "application/json");
    let changes = [
        (Method::PUT, "", r#"{"title":"u"}"#),
        (Method::PATCH, "", r#"{"title":"v"}"#),
        (Method::POST, "/complete", ""),
        (Method::PATCH, "/reopen", ""),
        (Method::DELETE, "", ""),
    ];
    for (revision, (method, action, body)) in (1..).zip(changes) {
        let path = format!("{path}{action}");
        for stale in ["\"0\"", "W/\"1\"", "1", ""] {
            let headers = [json, ("if-match", stale)];
            let answer = send(&user.client, method.clone(), &path, &headers, body).await;
            assert_eq!(answer.expect(412).json()["code"], "precondition_failed", "{stale}");
        }
        let current = format!("\"0\", \"{revision}\"");
        let headers = [json, ("if-match", current.as_str())];
        let answer = send(&user.client, method.clone(), &path, &headers, body).await;
        assert!(answer.status.is_success(), "{method} {path}: {}", answer.text());
    }
    // A deleted task matches no condition, not even *.
    for method in [Method::GET, Method::PUT, Method::PATCH, Method::DELETE] {
        let headers = [json, ("if-match", "*")];
        send(&user.client, method, &path, &headers, r#"{"title":"w"}"#).await.expect(404);
    }
}

async fn keys(user: &User) {
    let keyed = async |path: &str, key: &str, body: &str| {
        let headers = [("content-type", "application/json"), ("idempotency-key", key)];
        send(&user.client, Method::POST, path, &headers, body).await
    };
    let own = format!("/api/{}/tasks", user.id);
    let first = keyed(&own, "k", r#"{"title":"t","due_date":"2031-01-01T00:00:00Z"}"#).await;
    assert_eq!(first.header("idempotency-replayed"), None);
    let task = first.expect(201).json();
    // The path without the user is the same path.
    let again =
        keyed("/api/tasks", "k", r#"{"title":"t","due_date":"2031-01-01T00:00:00Z"}"#).await;
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(again.header("etag"), Some(format!("\"{}\"", task["revision"]).as_str()));
    assert!(again.header("location").is_some_and(|l| l.ends_with(&task["id"].to_string())));
    assert_eq!(again.expect(201).json(), task);
    // The same JSON counts as the same, however it is formatted.
    let body =
        "\u{feff} { \"due_date\" : \"2031\\u002d01-01T00:00:00Z\", \"title\":\"\\u0074\" }\n";
    let again = keyed(&own, "k", body).await;
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(again.expect(201).json(), task);
    let rule = |interval: &str| {
        format!(
            r#"{{"title":"t","recurrence_rule":{{"interval":{interval},"frequency":"daily"}}}}"#
        )
    };
    let first = keyed(&own, "number", &rule("10")).await.expect(201).json();
    let again = keyed(&own, "number", &rule("1.0e1")).await.expect(201);
    assert_eq!((again.header("idempotency-replayed"), again.json()), (Some("true"), first));
    keyed(&own, "number", &rule("11")).await.expect(422);
    let reused = keyed(&own, "k", r#"{"title":"u"}"#).await.expect(422).json();
    assert_eq!(reused["code"], "idempotency_key_reused");
    // Faults of the request come first, and only 2xx answers are kept.
    keyed(&own, "k", r#"{"title":""}"#).await.expect(422);
    keyed(&own, "new", r#"{"title":""}"#).await.expect(422);
    keyed(&own, "new", r#"{"title":"t"}"#).await.expect(201);
    for key in ["", "a b", "a\tb", &"x".repeat(256)] {
        let problem = keyed(&own, key, r#"{"title":"t"}"#).await.expect(422).json();
        assert_eq!(problem["errors"][0]["pointer"], "Idempotency-Key", "{key}");
    }
    // Another path is another key; the kept answer has the state of its time.
    let path = format!("{own}/{}", task["id"]);
    let completed = keyed(&format!("{path}/complete"), "k", "").await.expect(200).json();
    user.client.post(&format!("{path}/reopen"), &json!({})).await.expect("an answer").expect(200);
    let again = keyed(&format!("{path}/complete"), "k", "").await;
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(again.expect(200).json(), completed);
    let again = keyed(&format!("{path}/complete"), "k", "{ }").await;
    assert_eq!(again.expect(200).json(), completed);
    keyed(&format!("{own}/0/complete"), "k", "").await.expect(404);
    let reminder = keyed(&format!("{path}/reminders"), "k", r#"{"offset":"PT1H"}"#).await;
    let reminder = reminder.expect(201).json();
    let again = keyed(&format!("{path}/reminders"), "k", r#"{"offset":"PT1H"}"#).await;
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(again.expect(201).json(), reminder);
    // A kept answer outlives the task.
    user.client.delete(&path).await.expect("an answer").expect(204);
    assert_eq!(keyed(&format!("{path}/complete"), "k", "").await.expect(200).json(), completed);
    assert_eq!(
        keyed(&format!("{path}/reminders"), "k", r#"{"offset":"PT1H"}"#).await.expect(201).json(),
        reminder
    );
}

/// Of several concurrent requests with a key, one is carried out and all get its answer.
async fn keys_at_once(user: &User) {
    let task = created(&user.client, json!({"title": "t"})).await;
    let paths = ["/api/tasks".to_owned(), format!("/api/tasks/{}/complete", task["id"])];
    for (path, body) in paths.iter().zip([r#"{"title":"once"}"#, ""]) {
        let requests = (0..AT_ONCE).map(|_| {
            let (client, path) = (user.client.clone(), path.clone());
            tokio::spawn(async move {
                let headers = [("content-type", "application/json"), ("idempotency-key", "once")];
                send(&client, Method::POST, &path, &headers, body).await
            })
        });
        let mut answers = Vec::new();
        for request in requests.collect::<Vec<_>>() {
            answers.push(request.await.expect("an answer"));
        }
        let replayed = answers.iter().filter(|a| a.header("idempotency-replayed").is_some());
        assert_eq!(replayed.count(), AT_ONCE - 1);
        assert!(answers.iter().all(|answer| answer.status.is_success()));
        assert!(answers.iter().all(|answer| answer.body == answers[0].body));
    }
    let list = user.client.get("/api/tasks?search=once&count=true").await.expect("an answer");
    assert_eq!(list.header("x-total-count"), Some("1"));
}

/// Refused bodies: status, and pointer and code of each error.
async fn bodies(user: &User) {
    type Errors = &'static [(&'static str, &'static str)];
    let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let table: [(&str, u16, Errors); 22] = [
        ("", 400, &[]),
        ("{", 400, &[]),
        (r#"{"title":"a"} x"#, 400, &[]),
        (r#"{"title":"a","title":"b"}"#, 400, &[]),
        (r#"{"title":"a","recurrence_rule":{"frequency":"daily","frequency":"daily"}}"#, 400, &[]),
        ("\u{feff}{\"title\":\"marked\"}", 201, &[]),
        ("{\"title\":\"\u{200b}\u{2800}\u{fe0f}\"}", 422, &[("/title", "required")]),
        ("{\"title\":\"t\",\"tags\":[\"\u{3164}\"]}", 422, &[("/tags/0", "required")]),
        (r#"{"title":"t","due_date":"2031-03-30T14:00:60Z"}"#, 422, &[("/due_date", "malformed")]),
        (
            r#"{"title":"t","due_date":"2031-03-30T14:00:00+24:00"}"#,
            422,
            &[("/due_date", "malformed")],
        ),
        (
            r#"{"title":"t","recurrence_rule":{"rrule":"FREQ=DAILY;;"}}"#,
            422,
            &[("/recurrence_rule/rrule", "malformed")],
        ),
        (r#"{"title":"t","recurrence_rule":{"rrule":"rrule:freq=daily;"}}"#, 201, &[]),
        (r#"{"title":"\ud800"}"#, 400, &[]),
        (&deep(33), 400, &[]),
        (&deep(32), 422, &[("", "malformed")]),
        (r#"{"title":"a\u0000"}"#, 422, &[("/title", "forbidden_character")]),
        (r#"{"title":1e400}"#, 422, &[("", "out_of_range")]),
        (r#"{"title":99999999999999999999}"#, 422, &[("/title", "malformed")]),
        (r#"{"a/b~c":1}"#, 422, &[("/a~1b~0c", "unknown_member"), ("/title", "required")]),
        (
            r#"{"title":" ","status":"done","priority":1,"tags":["a","",7],"time_zone":"Mars/X"}"#,
            422,
            &[
                ("/priority", "malformed"),
                ("/status", "unknown_value"),
                ("/tags/1", "required"),
                ("/tags/2", "malformed"),
                ("/time_zone", "unknown_time_zone"),
                ("/title", "required"),
            ],
        ),
        (
            r#"{"title":"t","reminder_offset":"P367D","recurrence_rule":{"frequency":"daily","interval":0}}"#,
            422,
            &[("/recurrence_rule/interval", "out_of_range"), ("/reminder_offset", "out_of_range")],
        ),
        (r#"{"title":"t","id":"x","revision":null,"created_at":7}"#, 201, &[]),
    ];
    for (body, status, expected) in table {
        let headers = [("content-type", "application/json")];
        let answer = send(&user.client, Method::POST, "/api/tasks", &headers, body).await;
        let kind = if status == 201 { "application/json" } else { "application/problem+json" };
        assert_eq!(answer.header("content-type"), Some(kind), "{body}");
        let problem = answer.expect(status).json();
        let errors = problem["errors"].as_array().cloned().unwrap_or_default();
        let mut found: Vec<_> = errors
            .iter()
            .map(|e| (e["pointer"].as_str().unwrap(), e["code"].as_str().unwrap()))
            .collect();
        found.sort_unstable();
        assert_eq!(found, expected, "{body}");
    }
}

/// Bodies that are encoded, and bodies whose header says that they are not.
async fn encodings(user: &User) {
    let task = created(&user.client, json!({"title": "t"})).await;
    let complete = format!("/api/tasks/{}/complete", task["id"]);
    for (path, body, coding, status) in [
        ("/api/tasks", r#"{"title":"t"}"#, "identity", 201),
        ("/api/tasks", r#"{"title":"t"}"#, "gzip", 415),
        ("/api/tasks", "{", "gzip", 415),
        (&complete, "{}", "gzip", 415),
        (&complete, "", "gzip", 200),
    ] {
        let headers = [("content-type", "application/json"), ("content-encoding", coding)];
        let answer = send(&user.client, Method::POST, path, &headers, body).await;
        assert_eq!(answer.status, status, "{path} {coding}: {}", answer.text());
        let wanted = (status == 415).then_some("identity");
        assert_eq!(answer.header("accept-encoding"), wanted, "{path} {coding}");
    }
}

/// Instants in every form of RFC 3339, and rules as other programs write them.
async fn spellings(user: &User) {
    for (sent, answered) in [
        ("2031-03-30t14:00:00z", "2031-03-30T14:00:00Z"),
        ("2031-03-30T14:00:00-00:00", "2031-03-30T14:00:00Z"),
        ("2031-03-30T14:00:00+23:59", "2031-03-29T14:01:00Z"),
        ("2031-03-30T14:00:00.1234567890123456789Z", "2031-03-30T14:00:00.123456Z"),
        ("2031-07-01T01:59:60+02:00", "2031-06-30T23:59:59Z"),
    ] {
        let task = created(&user.client, json!({"title": "t", "due_date": sent})).await;
        assert_eq!(task["due_date"], answered, "{sent}");
    }
    let rule = json!({"rrule": "RRULE:freq=weekly;byday=mo,we;"});
    let task = created(&user.client, json!({"title": "t", "recurrence_rule": rule})).await;
    assert_eq!(task["recurrence_rule"]["rrule"], "FREQ=WEEKLY;BYDAY=MO,WE");
}

/// A due date at the very end of the calendar, which programs use for a date that never comes.
async fn end_of_calendar(user: &User) {
    const END: &str = "9999-12-31T23:59:59Z";
    for (zone, offset, remind_at) in [
        ("UTC", "PT1H", "9999-12-31T22:59:59Z"),
        ("Pacific/Kiritimati", "P1DT3H", "9999-12-30T20:59:59Z"),
        ("America/New_York", "P1D", "9999-12-30T23:59:59Z"),
    ] {
        let body = json!({"title": zone, "due_date": END, "time_zone": zone,
                          "reminder_offset": offset, "recurrence_rule": {"frequency": "daily"}});
        let task = created(&user.client, body).await;
        assert_eq!((&task["due_date"], &task["time_zone"]), (&json!(END), &json!(zone)));
        let path = format!("/api/tasks/{}", task["id"]);
        let reminders = format!("/api/reminders?task_id={}", task["id"]);
        let reminders = user.client.get(&reminders).await.expect("an answer").expect(200).json();
        assert_eq!(reminders[0]["remind_at"], remind_at, "{zone}");
        let (own, offset) = (format!("{path}/reminders"), json!({"offset": "PT2H"}));
        let further = user.client.post(&own, &offset).await.expect("an answer").expect(201).json();
        assert_eq!(further["remind_at"], "9999-12-31T21:59:59Z", "{zone}");
        let renamed = user.client.patch(&path, &json!({"title": "renamed"})).await;
        assert_eq!(renamed.expect("an answer").expect(200).json()["due_date"], END);
        // No later day exists.
        let skip = user.client.post(&format!("{path}/skip"), &json!({})).await;
        assert_eq!(skip.expect("an answer").expect(409).json()["code"], "no_next_occurrence");
        let completed = user.client.post(&format!("{path}/complete"), &json!({})).await;
        assert_eq!(completed.expect("an answer").expect(200).json()["due_date"], END);
        let reopened = user.client.post(&format!("{path}/reopen"), &json!({})).await;
        reopened.expect("an answer").expect(200);
        let preview = json!({"due_date": END, "time_zone": zone, "count": 3,
                             "recurrence_rule": {"frequency": "daily"}});
        let preview = user.client.post("/api/recurrence/preview", &preview).await;
        let preview = preview.expect("an answer").expect(200).json();
        assert_eq!(preview["occurrences"].as_array().map(Vec::len), Some(1), "{zone}");
        // Moved there, and from there to an ordinary day.
        let moved = user.client.patch(&path, &json!({"due_date": "2031-01-01T09:00:00Z"})).await;
        moved.expect("an answer").expect(200);
        let moved = user.client.patch(&path, &json!({"due_date": END})).await;
        assert_eq!(moved.expect("an answer").expect(200).json()["due_date"], END);
    }
    created(&user.client, json!({"title": "soon", "due_date": "2031-01-01T00:00:00Z"})).await;
    let found = async |query: &str| {
        let list = user.client.get(&format!("/api/tasks?{query}")).await.expect("an answer");
        let next =
            list.header("link").map(|link| link[1..].split_once('>').expect("a link").0.to_owned());
        (list.expect(200).json().as_array().expect("a list").len(), next)
    };
    assert_eq!(found(&format!("due_date_start={END}&due_date_end={END}")).await.0, 3);
    assert_eq!(found("due_date_start=9999-12-31").await.0, 3);
    assert_eq!(found("due_date_end=9999-12-31").await.0, 4);
    let (mut listed, mut next) = found("sort_by=due_date&limit=1").await;
    while let Some(path) = next {
        let page = found(path.split_once('?').expect("a query").1).await;
        (listed, next) = (listed + page.0, page.1);
    }
    assert_eq!(listed, 4);
}

/// A uid names one live task of a user, whoever chose it, and never changes.
async fn uids(user: &User, other: &User) {
    let client = &user.client;
    let ours = created(client, json!({"title": "ours", "uid": null})).await["uid"].clone();
    let ours = ours.as_str().expect("a uid");
    assert!(ours.len() == 36 && ours.as_bytes()[14] == b'7', "{ours} is no UUID of version 7");

    let chosen = format!("~{}!", "x".repeat(253));
    let body = json!({"title": "t", "uid": chosen, "due_date": "2031-01-01T00:00:00Z",
                      "recurrence_rule": {"frequency": "daily"}});
    let create = async || client.post("/api/tasks", &body).await.expect("an answer");
    let (one, another) = tokio::join!(create(), create());
    let (task, refused) = if one.status == 201 { (one, another) } else { (another, one) };
    let task = task.expect(201).json();
    assert_eq!(refused.expect(409).json()["code"], "uid_taken");
    let refused = create().await.expect(409);
    let location = refused.header("location").expect("a location").to_owned();
    assert_eq!(client.get(&location).await.expect("an answer").expect(200).json(), task);
    created(&other.client, body.clone()).await;

    for uid in ["", "a b", "ü", "\u{7f}", &"x".repeat(256)] {
        let body = json!({"title": "t", "uid": uid});
        let answer = client.post("/api/tasks", &body).await.expect("an answer").expect(422);
        assert_eq!(answer.json()["errors"][0]["pointer"], "/uid", "{uid:?}");
    }
    let change = json!({"title": "u", "uid": "else"});
    for changed in [client.patch(&location, &change).await, client.put(&location, &change).await] {
        assert_eq!(changed.expect("an answer").expect(200).json()["uid"], chosen);
    }

    let with_uid = async |query: &str| {
        let list = client.get(&format!("/api/tasks?uid={query}")).await.expect("an answer");
        list.expect(200).json().as_array().expect("a list").len()
    };
    assert_eq!(with_uid(&chosen).await, 1);
    assert_eq!(with_uid(&format!("{chosen}&status=completed")).await, 0);
    assert_eq!(with_uid("else").await, 0);
    client.delete(&location).await.expect("an answer").expect(204);
    assert_eq!(with_uid(&chosen).await, 0);
    assert_ne!(created(client, body.clone()).await["id"], task["id"]);
}

/// The order of checks: the token, its user, the form, then the task.
async fn order_of_checks(user: &User, other: &User) {
    let nobody = Client::new(user.client.base());
    let json = ("content-type", "application/json");
    let text = ("content-type", "text/plain");
    let long = format!(r#"{{"title":"{}"}}"#, "x".repeat(1 << 20));
    let foreign = format!("/api/{}/tasks/0", other.id);
    type Asked<'a> = (&'a Client, Method, &'a str, (&'a str, &'a str), &'a str, u16);
    let table: [Asked<'_>; 16] = [
        (&nobody, Method::POST, &foreign, json, "{", 401),
        (&nobody, Method::GET, "/api/nothing", json, "", 401),
        (&user.client, Method::POST, &foreign, json, "{", 403),
        (&user.client, Method::GET, "/api/x/tasks", json, "", 403),
        (&user.client, Method::POST, "/api/tasks/0", text, "{", 405),
        (&user.client, Method::PUT, "/api/tasks", text, "{", 405),
        (&user.client, Method::GET, "/api/tasks/0/complete", text, "", 405),
        (&user.client, Method::DELETE, "/api/changes", text, "", 405),
        (&user.client, Method::PUT, "/api/tasks/0", text, &long, 413),
        (&user.client, Method::PUT, "/api/tasks/0", text, "{", 415),
        (&user.client, Method::PUT, "/api/tasks/0", json, "{", 400),
        (&user.client, Method::PUT, "/api/tasks/0", json, "{}", 422),
        (&user.client, Method::GET, "/api/tasks/0?x=1", json, "", 422),
        (&user.client, Method::PUT, "/api/tasks/0", json, r#"{"title":"t"}"#, 404),
        (&user.client, Method::GET, "/api/tasks/abc", json, "", 404),
        (&user.client, Method::GET, "/api/tasks/99999999999999999999", json, "", 404),
    ];
    for (client, method, path, content_type, body, status) in table {
        let headers = [content_type, ("x-request-id", "r-1"), ("if-match", "\"7\"")];
        let answer = send(client, method.clone(), path, &headers, body).await;
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text());
        assert_eq!(answer.json()["request_id"], "r-1");
        assert_eq!(answer.header("allow").is_some(), status == 405, "{method} {path}");
        assert_eq!(answer.header("www-authenticate").is_some(), status == 401, "{method} {path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_follow_the_contract() {
    let mut up = Up::start("task-request", &[("RATE_LIMITS", "off".to_owned())]).await;
    let new_user = async |name: &str| register(&up.http(), &format!("{name}@example.org")).await;
    conditions(&new_user("conditions").await).await;
    keys(&new_user("keys").await).await;
    keys_at_once(&new_user("at-once").await).await;
    bodies(&new_user("bodies").await).await;
    encodings(&new_user("encodings").await).await;
    spellings(&new_user("spellings").await).await;
    end_of_calendar(&new_user("end").await).await;
    uids(&new_user("uid").await, &new_user("other-uid").await).await;
    order_of_checks(&new_user("order").await, &new_user("other").await).await;
    up.stop().await;
}
