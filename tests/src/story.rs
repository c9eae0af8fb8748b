//! The main use case from a user's point of view. A recurring task with a reminder is completed, and the next
//! occurrence follows. Its reminder fires, and a mail is sent. The audit log has every event once, and a
//! device receives each change as it happens.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use rondo_testkit::event_schema::assert_event_valid;
use rondo_testkit::http::Client;
use rondo_testkit::smtp::{Mail, SmtpServer};
use rondo_testkit::wait::eventually;
use rondo_testkit::websocket::WebSocket;
use serde_json::{Value, json};

use crate::account;

/// How long any effect may take on a busy machine.
pub const SOON: Duration = Duration::from_secs(30);

/// The password of every user registered here.
pub const PASSWORD: &str = "correct horse battery";

/// A registered user with a token.
pub struct User {
    pub client: Client,
    pub token: String,
    pub id: i64,
}

/// Registers a user.
///
/// # Panics
/// If that fails.
pub async fn register(http: &str, email: &str) -> User {
    let body = json!({"email": email, "password": PASSWORD, "name": "Ada"});
    let answer = Client::new(http).post("/api/auth/register", &body).await.expect("an answer");
    User::of(http, &answer.expect(201).json())
}

/// Logs in a registered user again.
///
/// # Panics
/// If that fails.
pub async fn login(http: &str, email: &str) -> User {
    let body = json!({"email": email, "password": PASSWORD});
    let answer = Client::new(http).post("/api/auth/login", &body).await.expect("an answer");
    User::of(http, &answer.expect(200).json())
}

impl User {
    fn of(http: &str, answer: &Value) -> Self {
        let token = answer["access_token"].as_str().expect("a token").to_owned();
        Self {
            client: Client::new(http).with_token(&token),
            token,
            id: answer["user"]["id"].as_i64().expect("an id"),
        }
    }
}

/// RFC 3339 in UTC, `seconds` from now.
///
/// # Panics
/// Never: the clock is after 1970.
#[must_use]
pub fn from_now(seconds: i64) -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    let at = i64::try_from(now.as_secs()).expect("a time in range") + seconds;
    let (days, rest) = (at.div_euclid(86_400), at.rem_euclid(86_400));
    // Civil date from days since the epoch, for years after 1970 (era arithmetic).
    let z = days + 719_468;
    let (era, day_of_era) = (z.div_euclid(146_097), z.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_index = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_index + 2) / 5 + 1;
    let month = if month_index < 10 { month_index + 3 } else { month_index - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z",
        rest / 3_600,
        rest / 60 % 60,
        rest % 60
    )
}

/// Plays the story on a running Rondo that mails to `smtp`.
///
/// # Panics
/// If an expectation fails.
pub async fn play(http: &str, ws: &str, smtp: &SmtpServer, email: &str) {
    let user = register(http, email).await;
    account::verify(http, smtp, email).await;
    let mut device =
        WebSocket::connect(&format!("{ws}?token={}", user.token)).await.expect("a session");
    let welcome = device.next(SOON).await.json();
    assert_eq!(welcome["type"], "welcome");

    // A task that recurs daily. Its own reminder was due long ago, like the task. The next occurrence's
    // reminder is a day ahead of its due date, and so comes due as soon as that occurrence is created.
    let path = format!("/api/{}/tasks", user.id);
    let created = user
        .client
        .post(
            &path,
            &json!({"title": "Water the plants <b>", "tags": ["home"], "priority": "high",
                    "due_date": from_now(-3_600), "reminder_offset": "P1D", "time_zone": "Europe/Paris",
                    "recurrence_rule": {"frequency": "daily"}}),
        )
        .await
        .expect("an answer")
        .expect(201)
        .json();
    let id = created["id"].as_i64().expect("an id");
    user.client
        .post(&format!("{path}/{id}/complete"), &json!({}))
        .await
        .expect("an answer")
        .expect(200);
    // Completing a completed task changes nothing.
    user.client
        .post(&format!("{path}/{id}/complete"), &json!({}))
        .await
        .expect("an answer")
        .expect(200);

    let successor = eventually("the next occurrence", SOON, async || {
        let tasks =
            user.client.get(&format!("{path}?status=pending")).await.map_err(|e| e.to_string())?;
        match tasks.json().as_array().map(Vec::as_slice) {
            Some([one]) => Ok(one.clone()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    assert_eq!(successor["parent_task_id"], id);
    assert_eq!(successor["title"], "Water the plants <b>");
    assert_eq!(successor["tags"], json!(["home"]));
    assert_ne!(successor["due_date"], created["due_date"]);

    let is_reminder = |mail: &Mail| {
        let subject = mail.header("Subject").unwrap_or_default();
        account::is_to(mail, email) && subject.contains("Water the plants")
    };
    let mail = smtp.await_mail("the reminder's mail", SOON, is_reminder).await;
    assert!(!mail.body().contains("plants <b></"), "a hostile title is escaped in the HTML part");

    eventually("the history of the mail", SOON, async || {
        let history = user
            .client
            .get(&format!("/api/{}/notifications", user.id))
            .await
            .map_err(|error| error.to_string())?
            .json();
        if history[0]["status"] == "sent" { Ok(()) } else { Err(history.to_string()) }
    })
    .await;
    // The verification and the reminder, each once.
    assert_eq!(smtp.mails().iter().filter(|mail| account::is_to(mail, email)).count(), 2);

    device
        .collect_until("each change", SOON, |frames| {
            let seen: Vec<&str> =
                frames.iter().filter_map(|frame| frame["event_type"].as_str()).collect();
            seen == ["task.created", "task.completed", "task.created"]
        })
        .await;

    let wanted = [
        "notification.sent",
        "reminder.due",
        "reminder.scheduled",
        "task.completed",
        "task.created",
        "task.created",
    ];
    let logs = eventually("every event in the audit log", SOON, async || {
        let logs = audited(&user).await;
        let mut types: Vec<&str> =
            logs.iter().filter_map(|log| log["action_type"].as_str()).collect();
        types.sort_unstable();
        if types == wanted { Ok(logs.clone()) } else { Err(format!("{types:?}")) }
    })
    .await;
    let ids: BTreeSet<&str> = logs.iter().filter_map(|log| log["event_id"].as_str()).collect();
    assert_eq!(ids.len(), logs.len(), "each event once");
    for log in &logs {
        assert_event_valid(&log["payload"]);
    }
    device.close().await;
}

/// The user's audit log, up to 500 entries.
///
/// # Panics
/// If there is no response.
pub async fn audited(user: &User) -> Vec<Value> {
    let answer = user.client.get("/api/audit/logs?limit=500").await.expect("an answer");
    answer.expect(200).json().as_array().cloned().unwrap_or_default()
}
