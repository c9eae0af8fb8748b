//! Tasks that are due on a day without a time, and tasks that start later.

use rondo_tests::stage::Stage;
use rondo_tests::story::User;
use serde_json::{Value, json};

async fn create(user: &User, task: &Value) -> Value {
    user.client.post("/api/tasks", task).await.expect("an answer").expect(201).json()
}

async fn get(user: &User, path: &str) -> Value {
    user.client.get(path).await.expect("an answer").expect(200).json()
}

async fn patch(user: &User, path: &str, body: &Value) -> Value {
    user.client.patch(path, body).await.expect("an answer").expect(200).json()
}

async fn titles(user: &User, query: &str) -> Vec<String> {
    let tasks = get(user, &format!("/api/tasks?{query}")).await;
    let tasks = tasks.as_array().expect("a list");
    tasks.iter().map(|task| task["title"].as_str().expect("a title").to_owned()).collect()
}

async fn in_paris(stage: &Stage) -> User {
    let user = stage.user("ada@example.org").await;
    patch(&user, "/api/auth/me", &json!({"time_zone": "Europe/Paris"})).await;
    user
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_comes_after_its_times_and_ends_in_its_zone() {
    let stage = Stage::new().await;
    let user = in_paris(&stage).await;
    create(&user, &json!({"title": "day", "due_day": "2031-03-30"})).await;
    create(&user, &json!({"title": "evening", "due_date": "2031-03-30T21:30:00Z"})).await;
    create(&user, &json!({"title": "next", "due_date": "2031-03-30T22:30:00Z"})).await;
    create(&user, &json!({"title": "none"})).await;
    let sorted = "sort_by=due_date&sort_order=asc";
    assert_eq!(titles(&user, sorted).await, ["evening", "day", "next", "none"]);
    // Page by page, the cursor says where a day is.
    let mut path = format!("/api/tasks?{sorted}&limit=1");
    let mut found = Vec::new();
    loop {
        let answer = user.client.get(&path).await.expect("an answer").expect(200);
        found.push(answer.json()[0]["title"].as_str().expect("a title").to_owned());
        let Some(link) = answer.header("link") else { break };
        path = link.trim_start_matches('<').split('>').next().expect("a link").to_owned();
    }
    assert_eq!(found, ["evening", "day", "next", "none"]);
    let on_the_day = "due_date_start=2031-03-30&due_date_end=2031-03-30&sort_by=title";
    assert_eq!(titles(&user, on_the_day).await, ["evening", "day"]);
    let until_midnight = "due_date_end=2031-03-30T21:59:59Z&sort_by=title";
    assert_eq!(titles(&user, until_midnight).await, ["evening"]);
    assert_eq!(titles(&user, "has_due_date=false").await, ["none"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn reminders_of_a_day_count_from_the_users_time() {
    let stage = Stage::new().await;
    let user = in_paris(&stage).await;
    let remind_at = async |task: &Value| {
        let id = &task["id"];
        let reminders = get(&user, &format!("/api/reminders?task_id={id}")).await;
        let moments = reminders.as_array().expect("a list").iter();
        moments.map(|r| r["remind_at"].as_str().expect("an instant").to_owned()).collect::<Vec<_>>()
    };
    let body = json!({"title": "Tax return", "due_day": "2031-01-31", "reminder_offset": "P1D"});
    let first = create(&user, &body).await;
    assert_eq!(remind_at(&first).await, ["2031-01-30T08:00:00Z"]);
    let further = format!("/api/tasks/{}/reminders", first["id"]);
    user.client.post(&further, &json!({"offset": "PT2H"})).await.expect("an answer").expect(201);
    let me = patch(&user, "/api/auth/me", &json!({"day_reminder_time": "07:30"})).await;
    assert_eq!(me["day_reminder_time"], "07:30");
    let second = create(&user, &body).await;
    assert_eq!(remind_at(&second).await, ["2031-01-30T06:30:00Z"]);
    // Any change of a task counts anew.
    let path = format!("/api/tasks/{}", first["id"]);
    patch(&user, &path, &json!({"due_day": "2031-02-01"})).await;
    assert_eq!(remind_at(&first).await, ["2031-01-31T06:30:00Z", "2031-02-01T04:30:00Z"]);
    let event = stage.events().await.pop().expect("an event");
    assert_eq!(event.event_type, "reminder.scheduled");
    let wrong = user.client.patch("/api/auth/me", &json!({"day_reminder_time": "7:30"})).await;
    let problem = wrong.expect("an answer").expect(422).json();
    assert_eq!(problem["errors"][0]["pointer"], "/day_reminder_time");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_series_of_days_stays_one() {
    let stage = Stage::new().await;
    let user = in_paris(&stage).await;
    let first = create(
        &user,
        &json!({"title": "Bins", "due_day": "2061-01-31", "start_day": "2061-01-29", "reminder_offset": "PT0S",
                "recurrence_rule": {"frequency": "monthly"}}),
    )
    .await;
    let next_of = async |task: &Value| {
        stage.events().await;
        let path = format!("/api/tasks/{}/complete", task["id"]);
        user.client.post(&path, &json!({})).await.expect("an answer").expect(200);
        stage.deliver("recurrence", &stage.event("task.completed").await).await;
        let pending = get(&user, "/api/tasks?status=pending&deferred=true").await;
        assert_eq!(pending.as_array().map(Vec::len), Some(1), "{pending:#}");
        pending[0].clone()
    };
    let second = next_of(&first).await;
    let moments = |task: &Value| {
        ["due_date", "due_day", "start_day"].map(|name| task[name].as_str().map(str::to_owned))
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(moments(&second), [None, some("2061-02-28"), some("2061-02-26")]);
    let reminders = get(&user, "/api/reminders?status=armed").await;
    assert_eq!(reminders[0]["remind_at"], "2061-02-28T08:00:00Z");
    // This occurrence alone gets a time. The next one is due on a day again.
    let path = format!("/api/tasks/{}", second["id"]);
    let timed = json!({"due_date": "2061-02-28T16:00:00Z", "start_day": null});
    let second = patch(&user, &path, &timed).await;
    assert_eq!(moments(&second), [some("2061-02-28T16:00:00Z"), None, None]);
    let third = next_of(&second).await;
    assert_eq!(moments(&third), [None, some("2061-03-31"), None]);
    let path = format!("/api/tasks/{}/skip", third["id"]);
    let answer = user.client.post(&path, &json!({})).await.expect("an answer").expect(200);
    assert_eq!(moments(&answer.json()), [None, some("2061-04-30"), None]);
    // With times, the whole series starts anew from here.
    let path = format!("/api/tasks/{}?scope=all", third["id"]);
    let timed = json!({"due_date": "2061-04-30T16:00:00Z"});
    let third = patch(&user, &path, &timed).await;
    let fourth = next_of(&third).await;
    assert_eq!(moments(&fourth), [some("2061-05-30T16:00:00Z"), None, None]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preview_of_days() {
    let stage = Stage::new().await;
    let user = in_paris(&stage).await;
    let preview = async |body: Value, status| {
        let answer = user.client.post("/api/recurrence/preview", &body).await;
        answer.expect("an answer").expect(status).json()
    };
    let monthly = json!({"frequency": "monthly"});
    let body = json!({"due_day": "2031-01-31", "count": 2, "recurrence_rule": monthly});
    let found = preview(body, 200).await;
    let expected = json!([{"due_day": "2031-01-31"}, {"due_day": "2031-02-28"}]);
    assert_eq!(found["occurrences"], expected);
    let both = json!({"due_day": "2031-01-31", "due_date": "2031-01-31T09:00:00Z", "count": 2,
                      "recurrence_rule": monthly});
    assert_eq!(preview(both, 422).await["errors"][0]["pointer"], "/due_day");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deferred_task_is_listed_only_when_asked_for() {
    let stage = Stage::new().await;
    let user = in_paris(&stage).await;
    create(&user, &json!({"title": "now", "start_day": "2020-01-01"})).await;
    create(&user, &json!({"title": "later", "start_day": "2061-01-01", "uid": "later"})).await;
    create(&user, &json!({"title": "any"})).await;
    let of = async |query: &str| titles(&user, &format!("sort_by=title&{query}")).await;
    assert_eq!(of("").await, ["now", "any"]);
    assert_eq!(of("deferred=false").await, ["now", "any"]);
    assert_eq!(of("deferred=true").await, ["now", "later", "any"]);
    assert_eq!(of("deferred=only").await, ["later"]);
    assert_eq!(of("uid=later").await, ["later"]);
    assert_eq!(of("search=later").await, Vec::<String>::new());
    assert_eq!(of("search=later&deferred=true").await, ["later"]);
    let count = user.client.get("/api/tasks?count=true&limit=1").await.expect("an answer");
    assert_eq!(count.expect(200).header("x-total-count"), Some("2"));
    let refused =
        user.client.get("/api/tasks?deferred=maybe").await.expect("an answer").expect(422);
    assert_eq!(refused.json()["errors"][0]["pointer"], "?deferred");
}
