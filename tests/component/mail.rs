//! Mails from rendering to claim: a link does one thing for one user, and a claim checks the task at the
//! moment of sending.

use rondo_contract::link_token::{Link, Purpose};
use rondo_contract::notification;
use rondo_contract::token::HmacKey;
use rondo_database::Role;
use rondo_domain::notification::Decision;
use rondo_testkit::http::Response;
use rondo_tests::stage::{SECRET, Stage};
use rondo_tests::story::{User, from_now};
use rondo_wasm_host::CloudEvent;
use serde_json::{Value, json};
use tokio_postgres::types::ToSql;

const TITLE: &str = "Call <Bob> & \"co\"";
const SHOWN: &str = "Call &#60;Bob&#62; &#38; &#34;co&#34;";

/// A task with an unsent mail about its reminder.
async fn mailed(stage: &Stage, user: &User) -> i64 {
    let task = json!({"title": TITLE, "due_date": from_now(600), "reminder_offset": "PT1H"});
    let created = user.client.post("/api/tasks", &task).await.expect("an answer").expect(201);
    deliver_reminder(stage).await;
    created.json()["id"].as_i64().expect("an id")
}

/// Fires the one due reminder and renders its mail.
async fn deliver_reminder(stage: &Stage) {
    stage.fire_reminders().await;
    stage.deliver("notify", &stage.event("reminder.due").await).await;
}

/// The paths, with their tokens, of the links in the last mail's text.
async fn links(stage: &Stage) -> Vec<String> {
    let sql = "SELECT body_text FROM notifications ORDER BY id DESC LIMIT 1";
    let row = stage.database.session().await.query_one(sql, &[]).await.expect("a mail");
    let text: String = row.get(0);
    let base = "http://127.0.0.1:3000";
    text.lines().filter_map(|line| line.strip_prefix(base)).map(str::to_owned).collect()
}

async fn look(stage: &Stage, link: &str) -> Response {
    page(stage.client().get(link).await.expect("an answer"))
}

async fn press(stage: &Stage, link: &str) -> Response {
    let client = stage.client();
    let request = client.request(http::Method::POST, link);
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    page(request.body("List-Unsubscribe=One-Click").send().await.expect("an answer"))
}

/// Asserts that a page runs nothing, sends no referrer and is not cached.
#[track_caller]
fn page(answer: Response) -> Response {
    assert_eq!(
        answer.header("content-type"),
        Some("text/html; charset=utf-8"),
        "{}",
        answer.text()
    );
    let policy = answer.header("content-security-policy").expect("a policy");
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
    assert!(policy.contains("form-action 'self'") && !policy.contains("script"), "{policy}");
    assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    answer
}

#[track_caller]
fn says(answer: &Response, status: u16, words: &str) {
    let text = answer.text();
    assert_eq!(answer.status.as_u16(), status, "{text}");
    assert!(text.contains(words), "{words:?} is not in {text}");
}

async fn task(user: &User, id: i64) -> Value {
    user.client.get(&format!("/api/tasks/{id}")).await.expect("an answer").json()
}

/// Types of the events since the last call.
async fn happened(stage: &Stage) -> Vec<String> {
    stage.events().await.into_iter().map(|event: CloudEvent| event.event_type).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_completes_its_task_when_its_button_is_pressed() {
    let stage = Stage::new().await;
    let user = stage.user("ada@example.org").await;
    let id = mailed(&stage, &user).await;
    let links = links(&stage).await;
    assert_eq!(links.len(), 5, "{links:?}");
    assert_eq!(links[3], format!("/#/tasks/{id}"));

    // Scanners follow every link of a mail, as often as they like.
    for link in links.iter().filter(|link| link.starts_with("/links/")) {
        for _ in 0..2 {
            says(&look(&stage, link).await, 200, "<form method=\"post\"><button>");
        }
    }
    assert!(happened(&stage).await.is_empty());
    assert_eq!(task(&user, id).await["status"], "pending");
    says(&look(&stage, &links[0]).await, 200, SHOWN);

    says(&press(&stage, &links[0]).await, 200, "<h1>Completed</h1>");
    assert_eq!(task(&user, id).await["status"], "completed");
    assert_eq!(happened(&stage).await, ["task.completed"]);
    for link in &links[..3] {
        for answer in [look(&stage, link).await, press(&stage, link).await] {
            says(&answer, 200, "<h1>Already completed</h1>");
            assert!(!answer.text().contains("<form"), "there is no button");
        }
    }
    assert!(happened(&stage).await.is_empty());

    let path = format!("/api/tasks/{id}");
    user.client.delete(&path).await.expect("an answer").expect(204);
    says(&press(&stage, &links[0]).await, 404, "<h1>This task is gone</h1>");
    says(&press(&stage, &links[1]).await, 404, "<h1>This task is gone</h1>");
}

#[tokio::test(flavor = "multi_thread")]
async fn links_snooze_a_reminder_once() {
    let stage = Stage::new().await;
    let user = stage.user("ada@example.org").await;
    let zone = json!({"time_zone": "Europe/Paris"});
    user.client.patch("/api/auth/me", &zone).await.expect("an answer").expect(200);
    for (place, least_s, most_s) in [(1, 3_500, 3_700), (2, 0, 2 * 86_400)] {
        let id = mailed(&stage, &user).await;
        let links = links(&stage).await;
        says(&look(&stage, &links[place]).await, 200, "(Europe/Paris).</p>");
        says(&press(&stage, &links[place]).await, 200, "<h1>Put off</h1>");
        assert_eq!(happened(&stage).await, ["reminder.scheduled"]);
        let path = format!("/api/reminders?task_id={id}");
        let reminder = user.client.get(&path).await.expect("an answer").json()[0].clone();
        assert_eq!((&reminder["status"], &reminder["snoozed"]), (&json!("armed"), &json!(true)));
        let at = reminder["remind_at"].as_str().expect("a moment").to_owned();
        assert!(at > from_now(least_s) && at < from_now(most_s), "{at}");
        for other in [1, 2] {
            says(&press(&stage, &links[other]).await, 200, "<h1>Nothing to put off</h1>");
        }
        assert!(happened(&stage).await.is_empty());
        // It fires again at its new moment, and the old mail is about an earlier firing.
        let session = stage.database.session().await;
        let pass = "UPDATE reminders SET remind_at = now() WHERE state = 'armed'";
        session.execute(pass, &[]).await.expect("time passes");
        deliver_reminder(&stage).await;
        says(&press(&stage, &links[1]).await, 200, "<h1>Nothing to put off</h1>");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_token_has_no_other_use() {
    let stage = Stage::new().await;
    let user = stage.user("ada@example.org").await;
    let id = mailed(&stage, &user).await;
    let mailed = links(&stage).await;
    let (path, token) = mailed[0].split_once("?token=").expect("a token");
    let key = HmacKey::new(SECRET.as_bytes()).expect("a key");
    let expired = Link {
        purpose: Purpose::Complete,
        user_id: user.id,
        subject_id: id,
        firing: 1,
        expires_at_s: 1,
    };
    for answer in
        [press(&stage, &expired.url("", &key)).await, look(&stage, &expired.url("", &key)).await]
    {
        says(&answer, 410, "<h1>This link has expired</h1>");
    }
    let stranger = HmacKey::new(&[7; 32]).expect("a key");
    let forged = Link { expires_at_s: i64::MAX, ..expired }.url("", &stranger);
    let another =
        token.replacen(&format!(".{}.{id}.", user.id), &format!(".{}.{}.", user.id, id + 1), 1);
    for link in [
        forged,
        format!("/links/snooze?token={token}"),
        format!("/links/unsubscribe?token={token}"),
        format!("{path}?token={another}"),
        format!("{path}?token={}", user.token),
        format!("{path}?token="),
        mailed[1].replace("/snooze", "/complete"),
        mailed[4].replace("/unsubscribe", "/complete"),
    ] {
        for answer in [press(&stage, &link).await, look(&stage, &link).await] {
            says(&answer, 403, "<h1>This link does not work</h1>");
        }
    }
    // Nor is it an access token: a link's token opens no route of the API.
    let answer = stage.client().with_token(token).get("/api/tasks").await.expect("an answer");
    assert_eq!(answer.status.as_u16(), 401);
    for (method, target, status) in [
        (http::Method::GET, path.to_owned(), 422),
        (http::Method::GET, format!("{}&more=1", mailed[0]), 422),
        (http::Method::PUT, mailed[0].clone(), 405),
    ] {
        let client = stage.client();
        let answer = client.request(method, &target).send().await.expect("an answer");
        assert_eq!(answer.status.as_u16(), status, "{}", answer.text());
    }
    assert!(happened(&stage).await.is_empty());
    assert_eq!(task(&user, id).await["status"], "pending");
}

/// Statuses of the user's notifications, newest first.
async fn statuses(user: &User) -> Vec<String> {
    let answer = user.client.get("/api/notifications").await.expect("an answer").expect(200).json();
    let list = answer.as_array().expect("an array").iter();
    list.map(|one| one["status"].as_str().unwrap_or_default().to_owned()).collect()
}

/// Claims like a mailer; returns the texts of the mails that may be sent.
async fn claim(stage: &Stage) -> Vec<String> {
    let bridge = stage.database.session_as(Role::Bridge).await;
    let sql = "SELECT id, facts, body_text FROM notifications_claim(16, 60000)";
    let mut texts = Vec::new();
    for row in bridge.query(sql, &[]).await.expect("a claim") {
        match notification::decide(row.get(1)).expect("a decision") {
            Decision::Send => texts.push(row.get(2)),
            decision => {
                let values: [&(dyn ToSql + Sync); 2] =
                    [&row.get::<_, i64>(0), &(decision == Decision::Rearm)];
                let cancel = "SELECT notification_cancel($1, $2)";
                bridge.execute(cancel, &values).await.expect("a cancellation");
            }
        }
    }
    texts
}

#[tokio::test(flavor = "multi_thread")]
async fn one_click_stops_all_mail_including_queued_ones() {
    let stage = Stage::new().await;
    let user = stage.user("ada@example.org").await;
    mailed(&stage, &user).await;
    let links = links(&stage).await;
    says(&look(&stage, &links[4]).await, 200, "<button>Unsubscribe</button>");
    let wants = async || {
        let me = user.client.get("/api/auth/me").await.expect("an answer").json();
        me["notifications"]["email"].clone()
    };
    assert_eq!(wants().await, true);
    for _ in 0..2 {
        says(&press(&stage, &links[4]).await, 200, "<h1>You have unsubscribed</h1>");
        assert_eq!(wants().await, false);
    }
    assert!(claim(&stage).await.is_empty());
    assert_eq!(statuses(&user).await, ["cancelled"]);
    mailed(&stage, &user).await;
    assert_eq!(statuses(&user).await, ["cancelled", "cancelled"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_between_rendering_and_sending_are_noticed() {
    let stage = Stage::new().await;
    // A change, and whether the mail is still sent.
    let ways: [(&str, &str, Value, bool); 7] = [
        ("renamed", "", json!({"title": "other"}), true),
        ("completed", "complete", json!({}), false),
        ("moved", "", json!({"due_date": "2031-01-01T09:00:00Z"}), false),
        ("with another offset", "", json!({"reminder_offset": "PT5M"}), false),
        ("without a reminder", "", json!({"reminder_offset": null}), false),
        ("without a due date", "", json!({"due_date": null, "reminder_offset": null}), false),
        ("deleted", "DELETE", json!(null), false),
    ];
    for (number, (name, action, change, goes_out)) in ways.into_iter().enumerate() {
        let user = stage.user(&format!("user{number}@example.org")).await;
        let id = mailed(&stage, &user).await;
        let path = format!("/api/tasks/{id}");
        let answer = match action {
            "DELETE" => user.client.delete(&path).await,
            "" => user.client.patch(&path, &change).await,
            action => user.client.patch(&format!("{path}/{action}"), &change).await,
        };
        assert!(answer.expect("an answer").status.is_success(), "{name}");
        assert_eq!(claim(&stage).await.len(), usize::from(goes_out), "{name}");
        let expected = if goes_out { "pending" } else { "cancelled" };
        assert_eq!(statuses(&user).await, [expected], "{name}");
        stage.events().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_states_the_current_due_date() {
    let stage = Stage::new().await;
    let user = stage.user("ada@example.org").await;
    let task = json!({"title": TITLE, "due_date": "2031-01-01T09:00:00Z"});
    let created = user.client.post("/api/tasks", &task).await.expect("an answer").expect(201);
    let path = format!("/api/tasks/{}", created.json()["id"]);
    let reminder = json!({"remind_at": from_now(60)});
    let reminders = format!("{path}/reminders");
    user.client.post(&reminders, &reminder).await.expect("an answer").expect(201);
    let session = stage.database.session().await;
    let pass = "UPDATE reminders SET remind_at = now(), planned_at = now()";
    session.execute(pass, &[]).await.expect("time passes");
    deliver_reminder(&stage).await;

    let change = json!({"due_date": "2031-02-03T09:00:00Z"});
    user.client.patch(&path, &change).await.expect("an answer").expect(200);
    assert!(claim(&stage).await.is_empty(), "it would state the old date");
    deliver_reminder(&stage).await;
    let mails = claim(&stage).await;
    assert_eq!(mails.len(), 1, "{mails:?}");
    assert!(mails[0].contains("Due Monday, 3 February 2031 at 09:00 (UTC)"), "{}", mails[0]);
    assert_eq!(statuses(&user).await, ["pending", "cancelled"]);
    assert!(claim(&stage).await.is_empty(), "the claim is a lease");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_digest_is_sent_once_a_day() {
    let stage = Stage::new().await;
    let user = stage.user("ada@example.org").await;
    let settings =
        json!({"time_zone": "Pacific/Auckland", "notifications": {"digest_at": "08:00"}});
    user.client.patch("/api/auth/me", &settings).await.expect("an answer").expect(200);
    let bridge = stage.database.session_as(Role::Bridge).await;
    let digest = async |due: Option<&str>, next: &str, day: Option<&str>| {
        let step = json!([{"user_id": user.id, "digest_at": "08:00", "time_zone": "Pacific/Auckland",
                           "due": due, "next": next, "day": day}]);
        let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let advance = "SELECT digests_advance($1, $2)";
        bridge.query_one(advance, &[&step, &trace]).await.expect("digests").get::<_, i64>(0)
    };
    let (first, second) = ("2031-03-01T19:00:00Z", "2031-03-02T19:00:00Z");
    assert_eq!(digest(None, first, None).await, 0, "planned");
    assert_eq!(digest(None, first, None).await, 0, "planned already");

    // An empty digest.
    assert_eq!(digest(Some(first), second, Some("2031-03-02")).await, 1);
    assert_eq!(digest(Some(first), second, Some("2031-03-02")).await, 0, "another clock was first");
    let event = stage.event("digest.due").await;
    stage.deliver("notify", &event).await;
    assert!(statuses(&user).await.is_empty());

    for (title, due) in [
        ("Overdue <i>", "2031-03-01T10:59:59Z"),
        ("Early", "2031-03-01T11:00:00Z"),
        ("Late", "2031-03-02T10:59:59Z"),
        ("Tomorrow", "2031-03-02T11:00:00Z"),
        ("Done", "2031-03-02T09:00:00Z"),
    ] {
        let task = json!({"title": title, "due_date": due});
        let created = user.client.post("/api/tasks", &task).await.expect("an answer").expect(201);
        if title == "Done" {
            let path = format!("/api/tasks/{}/complete", created.json()["id"]);
            user.client.post(&path, &json!({})).await.expect("an answer").expect(200);
        }
    }
    let session = stage.database.session().await;
    let missed = "INSERT INTO notifications (user_id, task_id, reminder_id, firing, channel, status, remind_at, created_at)
                  SELECT user_id, id, 1, 1, 'email', 'missed', '2031-02-28T08:00:00Z', now() FROM tasks WHERE title = 'Late'";
    session.execute(missed, &[]).await.expect("a missed reminder");
    for _ in 0..2 {
        stage.deliver("notify", &event).await;
    }
    assert_eq!(statuses(&user).await, ["pending", "missed"]);
    let history = user.client.get("/api/notifications").await.expect("an answer").json();
    assert_eq!(
        (&history[0]["digest_day"], &history[0]["task_id"]),
        (&json!("2031-03-02"), &Value::Null)
    );
    let mails = claim(&stage).await;
    let titles: Vec<_> = mails[0].lines().filter_map(|line| line.strip_prefix("- ")).collect();
    assert_eq!(
        titles,
        [
            "Overdue <i> (Saturday, 1 March 2031 at 23:59 (Pacific/Auckland))",
            "Early (Sunday, 2 March 2031 at 00:00 (Pacific/Auckland))",
            "Late (Sunday, 2 March 2031 at 23:59 (Pacific/Auckland))",
            "Late (Friday, 28 February 2031 at 21:00 (Pacific/Auckland))",
        ]
    );
    let told = "SELECT count(*) FROM notifications WHERE told_in IS NOT NULL";
    let told: i64 = session.query_one(told, &[]).await.expect("a count").get(0);
    assert_eq!(told, 1, "a missed reminder is named once");

    // Another hour invalidates the plan.
    let settings = json!({"notifications": {"digest_at": "09:00"}});
    user.client.patch("/api/auth/me", &settings).await.expect("an answer").expect(200);
    assert_eq!(digest(Some(second), "2031-03-03T19:00:00Z", Some("2031-03-03")).await, 0);
    // A user without a digest gets none.
    let settings = json!({"notifications": {"digest_at": null}});
    user.client.patch("/api/auth/me", &settings).await.expect("an answer").expect(200);
    let replay = CloudEvent { data: event.data.replace("2031-03-02", "2031-03-04"), ..event };
    stage.deliver("notify", &replay).await;
    assert_eq!(statuses(&user).await, ["pending", "missed"]);
}
