//! The story's user: her actions, her clock, her device and her mailbox.

use jiff::{SignedDuration, Timestamp};
use rondo_testkit::clock::Clock;
use rondo_testkit::http::Client;
use rondo_testkit::smtp::SmtpServer;
use rondo_testkit::wait::eventually;
use serde_json::{Value, json};

use crate::account;
use crate::story::{self, PASSWORD, SOON};

/// How long before a reminder the clock is set, in seconds: a reminder that is too early fires then, and a
/// correct one is sent within that time or shortly after.
const BEFORE_S: i64 = 2;
/// How late a reminder's mail may be, by the story's clock on a busy machine, in seconds.
const LATE_S_MAX: i64 = 30;

/// One user's two years.
pub struct Diary<'a> {
    clock: &'a Clock,
    smtp: &'a SmtpServer,
    email: String,
    http: String,
    client: Client,
    /// Number of audit entries already checked.
    seen: usize,
    reminded: usize,
    /// The open task.
    task: Value,
    /// The task completed last.
    done: Value,
}

impl<'a> Diary<'a> {
    /// Registers her.
    pub async fn begin(http: &str, clock: &'a Clock, smtp: &'a SmtpServer, email: &str) -> Self {
        let client = story::register(http, email).await.client;
        account::verify(http, smtp, email).await;
        let (email, http) = (email.to_owned(), http.to_owned());
        Self {
            clock,
            smtp,
            email,
            http,
            client,
            seen: 0,
            reminded: 0,
            task: Value::Null,
            done: Value::Null,
        }
    }

    /// Sets the clock and logs in again, because the device's token has long expired.
    pub async fn on(&mut self, moment: &str) {
        self.clock.set(at(moment));
        let password = json!({"email": self.email, "password": PASSWORD});
        let answer = Client::new(&self.http).post("/api/auth/login", &password).await;
        let answer = answer.expect("an answer").expect(200).json();
        let token = answer["access_token"].as_str().expect("a token");
        self.client = Client::new(&self.http).with_token(token);
    }

    pub async fn create(&mut self, task: &Value) -> Value {
        let answer = self.client.post("/api/tasks", task).await.expect("an answer");
        self.task = answer.expect(201).json();
        self.task.clone()
    }

    pub async fn complete(&mut self) {
        self.done = self.act("complete", &self.task).await;
    }

    /// Completes the task and its subtasks.
    pub async fn complete_all(&mut self) {
        self.done = self.act("complete?subtasks=complete", &self.task).await;
    }

    /// Adds a subtask that is due on a day.
    pub async fn add_step(&self, title: &str, day: &str) {
        let step = json!({"title": title, "subtask_of": self.task["id"], "due_day": day});
        self.client.post("/api/tasks", &step).await.expect("an answer").expect(201);
    }

    /// Asserts that her task has one subtask, open and due on that day.
    pub async fn has_step_due_on(&self, day: &str) {
        let steps = self.list(&format!("subtask_of={}&status=pending", self.task["id"])).await;
        let due: Vec<_> = steps.iter().map(|step| step["due_day"].clone()).collect();
        assert_eq!(due, [day]);
    }

    /// Reopens the task completed last.
    pub async fn reopen(&mut self) {
        self.task = self.act("reopen", &self.done).await;
    }

    pub async fn skip(&mut self) {
        self.task = self.act("skip", &self.task).await;
    }

    async fn act(&self, action: &str, task: &Value) -> Value {
        let path = format!("/api/tasks/{}/{action}", task["id"]);
        self.client.post(&path, &json!({})).await.expect("an answer").expect(200).json()
    }

    pub async fn edit(&mut self, scope: &str, patch: &Value) -> Value {
        let path = format!("/api/tasks/{}?scope={scope}", self.task["id"]);
        let answer = self.client.patch(&path, patch).await.expect("an answer");
        self.task = answer.expect(200).json();
        self.task.clone()
    }

    pub async fn delete(&mut self, scope: &str) {
        let path = format!("/api/tasks/{}?scope={scope}", self.task["id"]);
        self.client.delete(&path).await.expect("an answer").expect(204);
    }

    /// Asserts that exactly these events have reached the audit log since the last call. They come by two
    /// topics, so their order is not fixed.
    pub async fn sees(&mut self, types: &[&str]) {
        let mut wanted = types.to_vec();
        wanted.sort_unstable();
        eventually(&format!("{types:?}"), SOON, async || {
            let answer = self.client.get("/api/audit/logs?limit=500").await;
            let logs = answer.map_err(|error| error.to_string())?.expect(200).json();
            let logs = logs.as_array().cloned().unwrap_or_default();
            let fresh = &logs[..logs.len() - self.seen];
            let mut types: Vec<_> =
                fresh.iter().map(|log| log["action_type"].as_str().unwrap_or_default()).collect();
            types.sort_unstable();
            if types == wanted { Ok(()) } else { Err(format!("{types:?}")) }
        })
        .await;
        self.seen += types.len();
        // Another task may be the open one now.
        if let [task] = &self.pending().await[..] {
            self.task = task.clone();
        }
    }

    /// Asserts that she has one open task, due at that moment.
    pub async fn is_due(&self, moment: &str) {
        let due: Vec<_> =
            self.pending().await.iter().map(|task| task["due_date"].clone()).collect();
        assert_eq!(due, [at(moment).to_string()], "{moment}");
    }

    /// Asserts that she has one open task, due on that day.
    pub async fn is_due_on(&self, day: &str) {
        let due: Vec<_> = self.pending().await.iter().map(|task| task["due_day"].clone()).collect();
        assert_eq!(due, [day], "{day}");
    }

    /// Sets the time of day that reminders of days count from.
    pub async fn rises_at(&self, time: &str) {
        let settings = json!({"day_reminder_time": time});
        self.client.patch("/api/auth/me", &settings).await.expect("an answer").expect(200);
    }

    pub async fn has_nothing_to_do(&self) {
        assert_eq!(self.pending().await, [] as [Value; 0]);
    }

    /// Asserts that a mail about her task is sent at that moment and not before.
    pub async fn is_reminded(&mut self, moment: &str) {
        let remind_at = at(moment);
        self.on(&(remind_at - SignedDuration::from_secs(BEFORE_S)).to_string()).await;
        let mail = eventually(&format!("a mail at {moment}"), SOON, async || {
            let mails = self.reminders();
            mails.get(self.reminded).cloned().ok_or_else(|| format!("{} mails", mails.len()))
        })
        .await;
        let late = mail - remind_at;
        assert!(
            (0..=LATE_S_MAX).contains(&late.get_seconds()),
            "a mail that was to be sent at {remind_at} was sent at {mail}"
        );
        self.reminded += 1;
        self.sees(&["reminder.due", "notification.sent"]).await;
    }

    pub fn got_no_other_mail(&self) {
        assert_eq!(self.reminders().len(), self.reminded);
    }

    /// All her tasks, in the order of their creation.
    pub async fn tasks(&self) -> Vec<Value> {
        self.list("sort_by=created_at&sort_order=asc").await
    }

    /// The open tasks that are no subtasks.
    async fn pending(&self) -> Vec<Value> {
        let mut tasks = self.list("status=pending").await;
        tasks.retain(|task| task["subtask_of"].is_null());
        tasks
    }

    async fn list(&self, parameters: &str) -> Vec<Value> {
        let path = format!("/api/tasks?limit=500&{parameters}");
        let answer = self.client.get(&path).await.expect("an answer").expect(200).json();
        answer.as_array().expect("a list").clone()
    }

    /// The time of each mail about her task.
    fn reminders(&self) -> Vec<Timestamp> {
        let mails = self.smtp.mails();
        let title = "Back up the server";
        let about = mails.iter().filter(|mail| {
            account::is_to(mail, &self.email)
                && mail.header("Subject").unwrap_or_default().contains(title)
        });
        about
            .map(|mail| {
                let date = mail.header("Date").expect("a date");
                jiff::fmt::rfc2822::parse(&date).expect("a date of RFC 2822").timestamp()
            })
            .collect()
    }
}

fn at(moment: &str) -> Timestamp {
    moment.parse().unwrap_or_else(|error| panic!("{moment:?}: {error}"))
}
