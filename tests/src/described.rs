//! The operations of the served OpenAPI document, and a user who owns one of every resource that they use.

use http::Method;
use rondo_database::Session;
use rondo_testkit::http::{Client, Pending};
use serde_json::{Value, json};

use crate::arrangement::{self, Arrangement as _, Up};
use crate::story::{self, SOON, User};

/// One operation.
pub struct Operation {
    pub id: String,
    pub method: Method,
    /// With `{names}` for its parameters.
    pub path: String,
    /// The required scopes; none for an operation that everyone may call.
    pub scopes: Option<Vec<String>>,
    /// Whether it requires a session's token.
    pub needs_login: bool,
    /// Whether it requires a body.
    pub has_body: bool,
    /// Names and schemas of query parameters.
    pub query: Vec<(String, Value)>,
    /// Whether it takes an `Idempotency-Key`.
    pub takes_key: bool,
    /// Its successful statuses, each with the names of its headers.
    pub successes: Vec<(u16, Vec<String>)>,
}

/// Reads the document that `http` serves.
///
/// # Panics
/// If there is none.
pub async fn operations(http: &str) -> Vec<Operation> {
    let document = Client::new(http).get("/api/openapi.json").await.expect("an answer");
    let document = document.expect(200).json();
    let mut operations = Vec::new();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for (method, operation) in methods.as_object().expect("methods") {
            operations.push(Operation::read(&document, path, method, operation));
        }
    }
    assert!(operations.len() > 50, "{}", operations.len());
    operations
}

impl Operation {
    fn read(document: &Value, path: &str, method: &str, operation: &Value) -> Self {
        let parameters = operation["parameters"].as_array().map_or(&[][..], Vec::as_slice);
        let parameters: Vec<_> = parameters
            .iter()
            .map(|parameter| match parameter["$ref"].as_str() {
                Some(reference) => document.pointer(&reference[1..]).expect("a parameter"),
                None => parameter,
            })
            .collect();
        let query = parameters
            .iter()
            .filter(|parameter| parameter["in"] == "query")
            .map(|parameter| (text(&parameter["name"]), parameter["schema"].clone()))
            .collect();
        let successes = operation["responses"].as_object().expect("responses").iter();
        let successes = successes.filter_map(|(status, answer)| {
            let headers = answer["headers"].as_object()?.keys().cloned().collect();
            Some((status.parse().expect("a status"), headers))
        });
        let scopes = operation["security"].as_array().and_then(|security| security.first());
        Self {
            id: text(&operation["operationId"]),
            method: method.to_uppercase().parse().expect("a method"),
            path: path.to_owned(),
            scopes: scopes.map(|bearer| {
                bearer["bearer"].as_array().into_iter().flatten().map(text).collect()
            }),
            needs_login: operation["responses"]["403"]["$ref"]
                .as_str()
                .is_some_and(|reference| reference.ends_with("/forbidden")),
            has_body: operation["requestBody"]["required"] == true,
            query,
            takes_key: parameters.iter().any(|parameter| parameter["name"] == "Idempotency-Key"),
            successes: successes.filter(|(status, _)| *status < 400).collect(),
        }
    }

    /// Whether the path names a resource besides the user.
    #[must_use]
    pub fn names_resource(&self) -> bool {
        self.path.replace("{user_id}", "").contains('{')
    }

    /// A request that succeeds for the owner.
    pub fn ask<'a>(&self, client: &'a Client, path: &str) -> Pending<'a> {
        let request = client.request(self.method.clone(), path);
        if self.has_body { request.json(&self.body()) } else { request }
    }

    /// A request with a given body.
    pub fn ask_with<'a>(&self, client: &'a Client, path: &str, body: &Value) -> Pending<'a> {
        client.request(self.method.clone(), path).json(body)
    }

    /// A valid body.
    #[must_use]
    pub fn body(&self) -> Value {
        match self.id.trim_end_matches("Own") {
            "createTask" | "replaceTask" | "changeTask" => json!({"title": "changed"}),
            "createFilter" | "replaceFilter" | "changeFilter" => {
                json!({"name": "changed", "query": "status=pending"})
            }
            "changeTasks" => {
                json!({"operations": [{"op": "create", "task": {"title": "changed"}}]})
            }
            "createList" | "replaceList" | "changeList" => json!({"name": "changed"}),
            "chat" => json!({"message": "help"}),
            "quickAdd" => json!({"text": "changed tomorrow"}),
            "changeTag" => json!({"name": "Private", "color": "#336699"}),
            "createReminder" => json!({"offset": "PT5M"}),
            "snoozeReminder" => json!({"for": "PT10M"}),
            // No change has this revision yet.
            "undo" => json!({"token": "r9007199254740991"}),
            "previewRecurrence" => json!({"recurrence_rule": {"frequency": "daily"}, "count": 1}),
            "createWebhook" => json!({"url": HOOK, "events": ["series.ended"]}),
            "changeWebhook" => json!({"enabled": false}),
            "createApiToken" => json!({"name": "changed", "scopes": ["tasks:read"]}),
            "changeMe" => json!({"name": "changed"}),
            _ => json!({}),
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

/// A user with a recurring task that has a reminder, a further reminder and a tag, with a deleted task, a list, a filter,
/// an API token, a disabled webhook with a delivery, a conversation, and a session.
pub struct Owner {
    pub user: User,
    pub task: i64,
    pub reminder: i64,
    trashed: i64,
    list: i64,
    filter: i64,
    token: i64,
    webhook: i64,
    delivery: i64,
    conversation: i64,
    /// One of the user's sessions.
    session: String,
}

/// The URL of a webhook that never receives anything: its host cannot exist (RFC 2606).
const HOOK: &str = "https://hook.invalid/";

/// The tag of an owner's task.
const TAG: &str = "private";

impl Owner {
    /// # Panics
    /// If something cannot be created.
    pub async fn register(http: &str, email: &str) -> Self {
        Self::of(story::register(http, email).await).await
    }

    /// A user with the scope `admin`.
    ///
    /// # Panics
    /// If something cannot be created.
    pub async fn admin(up: &Up, email: &str) -> Self {
        let owner = Self::register(&up.http(), email).await;
        let session = arrangement::session(&up.postgres()).await;
        let grant = "SELECT scope_grant($1, 'admin', true)";
        session.execute(grant, &[&email]).await.expect("a grant");
        Self { user: story::login(&up.http(), email).await, ..owner }
    }

    /// The given user with newly created resources.
    ///
    /// # Panics
    /// If something cannot be created.
    pub async fn of(user: User) -> Self {
        let id = |answer: Value| answer["id"].as_i64().expect("an id");
        let made = async |path: &str, body: Value| {
            id(user.client.post(path, &body).await.expect("an answer").expect(201).json())
        };
        let (task, reminder) = task_with_reminder(&user).await;
        let trashed = deleted_task(&user).await;
        let list = made("/api/lists", json!({"name": "mine"})).await;
        let filter = made("/api/filters", json!({"name": "mine", "query": ""})).await;
        let token = json!({"name": "mine", "scopes": ["tasks:read"]});
        let token = made("/api/auth/tokens", token).await;
        let webhook = made("/api/webhooks", json!({"url": HOOK, "events": ["series.ended"]})).await;
        let path = format!("/api/webhooks/{webhook}");
        let disabled = user.client.patch(&path, &json!({"enabled": false})).await;
        disabled.expect("an answer").expect(200);
        let test = user.client.post(&format!("{path}/test"), &json!({})).await;
        let delivery = id(test.expect("an answer").expect(202).json());
        let (conversation, session) = (conversation(&user).await, session(&user).await);
        Self {
            user,
            task,
            reminder,
            trashed,
            list,
            filter,
            token,
            webhook,
            delivery,
            conversation,
            session,
        }
    }

    /// Replaces the task by a new one with tag and reminder, and the deleted one by another.
    ///
    /// # Panics
    /// If it cannot be created.
    pub async fn renew_task(&mut self) {
        (self.task, self.reminder) = task_with_reminder(&self.user).await;
        self.trashed = deleted_task(&self.user).await;
    }

    /// Replaces the conversation and the session by others.
    ///
    /// # Panics
    /// If there is none.
    pub async fn renew_session(&mut self) {
        self.conversation = conversation(&self.user).await;
        self.session = session(&self.user).await;
    }

    /// The path of an operation on this owner's resources, under the user with this id.
    #[must_use]
    pub fn path(&self, operation: &Operation, user_id: i64) -> String {
        operation
            .path
            .replace("{user_id}", &user_id.to_string())
            .replace("{id}", &self.task.to_string())
            .replace("{reminder_id}", &self.reminder.to_string())
            .replace("{trashed_id}", &self.trashed.to_string())
            .replace("{list_id}", &self.list.to_string())
            .replace("{filter_id}", &self.filter.to_string())
            .replace("{conversation_id}", &self.conversation.to_string())
            .replace("{session_id}", &self.session)
            .replace("{token_id}", &self.token.to_string())
            .replace("{webhook_id}", &self.webhook.to_string())
            .replace("{delivery_id}", &self.delivery.to_string())
            .replace("{name}", TAG)
    }
}

async fn conversation(user: &User) -> i64 {
    let said = user.client.post("/api/chat", &json!({"message": "help"})).await;
    said.expect("an answer").expect(200).json()["conversation_id"].as_i64().expect("an id")
}

/// The session of a user that was used last.
async fn session(user: &User) -> String {
    let sessions = user.client.get("/api/auth/sessions").await.expect("an answer").expect(200);
    sessions.json()[0]["id"].as_str().expect("a session").to_owned()
}

/// The id of a deleted task.
async fn deleted_task(user: &User) -> i64 {
    let made = user.client.post("/api/tasks", &json!({"title": "deleted"})).await;
    let task = made.expect("an answer").expect(201).json()["id"].as_i64().expect("an id");
    let deleted = user.client.delete(&format!("/api/tasks/{task}")).await;
    deleted.expect("an answer").expect(204);
    task
}

/// The ids of a recurring task with a reminder, and of its further reminder.
async fn task_with_reminder(user: &User) -> (i64, i64) {
    let made = async |path: &str, body: Value| {
        let answer = user.client.post(path, &body).await.expect("an answer").expect(201);
        answer.json()["id"].as_i64().expect("an id")
    };
    let due = story::from_now(86_400);
    let task = json!({"title": "mine", "tags": [TAG], "due_date": due, "reminder_offset": "PT1H",
                      "recurrence_rule": {"frequency": "daily"}});
    let task = made("/api/tasks", task).await;
    let reminder = made(&format!("/api/tasks/{task}/reminders"), json!({"offset": "PT2H"})).await;
    (task, reminder)
}

/// All rows of the database, once nothing changes any more.
pub struct Trace(Session);

impl Trace {
    /// # Panics
    /// If the database cannot be reached.
    pub async fn of(up: &Up) -> Self {
        let endpoints = up.endpoints();
        Self(arrangement::session(endpoints["postgres"].as_str().expect("a database")).await)
    }

    /// Every table with its content.
    ///
    /// # Panics
    /// If a table cannot be read.
    pub async fn tables(&self) -> Vec<(String, String)> {
        const WAITING: &str = "SELECT (SELECT count(*) FROM outbox)
            + (SELECT count(*) FROM account_mails WHERE status = 'pending')
            + (SELECT count(*) FROM notifications WHERE status = 'pending')
            + (SELECT count(*) FROM webhook_deliveries WHERE status = 'pending')";
        rondo_testkit::wait::eventually("nothing on its way", SOON, async || {
            match self.0.query_one(WAITING, &[]).await.expect("a count").get::<_, i64>(0) {
                0 => Ok(()),
                waiting => Err(format!("{waiting} events, mails and deliveries")),
            }
        })
        .await;
        let names = "SELECT relname::text FROM pg_class \
                     WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY 1";
        let mut tables = Vec::new();
        for row in self.0.query(names, &[]).await.expect("the tables") {
            let name: String = row.get(0);
            let content = format!(
                "SELECT coalesce(string_agg(t::text, E'\\n' ORDER BY t::text), '') FROM \"{name}\" t"
            );
            let row = self.0.query_one(&content, &[]).await.expect("a table");
            tables.push((name, row.get(0)));
        }
        tables
    }

    /// # Panics
    /// If any table differs.
    pub async fn assert_unchanged(&self, before: &[(String, String)]) {
        for ((name, before), (_, after)) in before.iter().zip(self.tables().await) {
            assert_eq!(*before, after, "{name} has changed");
        }
    }
}
