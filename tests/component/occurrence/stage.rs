//! A user with an API and a recurrence component, without a bridge: tests deliver the events.

use http::Method;
use rondo_contract::token::{self, Claims, HmacKey};
use rondo_database::{Role, Session};
use rondo_telemetry::{Gate, serve::serve};
use rondo_testkit::database::TestDatabase;
use rondo_testkit::http::Client;
use rondo_testkit::process::root;
use rondo_tests::stage::CONNECTIONS_MAX;
use rondo_wasm_host::variable::Values;
use rondo_wasm_host::{CloudEvent, Disposition, Manifest, WasmApp};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Maximum number of rounds of deliveries, before the events count as endless.
const ROUNDS_MAX: usize = 20;

pub struct Stage {
    app: WasmApp,
    session: Session,
    client: Client,
    user: i64,
    _serving: DropGuard,
    _database: TestDatabase,
}

impl Stage {
    pub async fn set() -> Self {
        let database = TestDatabase::new().await;
        let session = database.session().await;
        let user: i64 = session
            .query_one(
                "WITH made AS (INSERT INTO users (email, email_key, password_hash)
                               VALUES ('ada@example.org', 'ada@example.org', '-') RETURNING id)
                 INSERT INTO user_revisions (user_id) SELECT id FROM made RETURNING user_id",
                &[],
            )
            .await
            .expect("a user")
            .get(0);
        let dsn = |role| database.dsn(role).expose_url().to_string();
        let (host, port) = (database.admin().host().to_owned(), database.admin().port());
        let secret = "0".repeat(32);
        let manifest = Manifest::read(&root().join("spin.toml")).expect("our own spin.toml");
        let values = Values::resolve(&manifest.variables, |name| match name {
            "database_host" => Some(format!("{host}:{port}")),
            "jwt_secret" => Some(secret.clone()),
            _ if manifest
                .variables
                .get(name)
                .is_some_and(|variable| variable.default.is_some()) =>
            {
                None
            }
            _ => {
                let role = Role::ALL.into_iter().find(|role| role.dsn_variable() == name);
                Some(role.map_or_else(|| secret.clone(), dsn))
            }
        });
        let values = values.expect("every variable has a value");
        let app = WasmApp::load(&manifest, &values).expect("components");
        let claims = Claims {
            user_id: user,
            expires_at_s: 4_000_000_000,
            issued_at_s: 0,
            scope: "tasks:read tasks:write".to_owned(),
        };
        let token = token::sign(&claims, &HmacKey::new(secret.as_bytes()).expect("a key"));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let client = Client::new(format!("http://{address}")).with_token(&token);
        let serving = CancellationToken::new();
        let handler = {
            let app = app.clone();
            move |request| {
                let app = app.clone();
                async move { app.handle(request).await }
            }
        };
        tokio::spawn(serve(Gate::inner(listener, CONNECTIONS_MAX), handler, serving.clone()));
        let _serving = serving.drop_guard();
        Self { app, session, client, user, _serving, _database: database }
    }

    async fn call(&self, method: Method, path: &str, sent: Option<&Value>) -> (u16, Value) {
        let path = format!("/api/{}{path}", self.user);
        let request = self.client.request(method, &path);
        let request = match sent {
            Some(body) => request.json(body),
            None => request,
        };
        let answer = request.send().await.expect("an answer");
        (answer.status.as_u16(), serde_json::from_str(&answer.text()).unwrap_or(Value::Null))
    }

    pub async fn preview(&self, body: &Value) -> (u16, Value) {
        self.call(Method::POST, "/recurrence/preview", Some(body)).await
    }

    pub async fn create(&self, task: &Value) -> Value {
        let (status, answer) = self.call(Method::POST, "/tasks", Some(task)).await;
        assert_eq!(status, 201, "{answer}");
        answer
    }

    pub async fn patch(&self, task: &Value, patch: &Value) -> Value {
        self.edit(task, "this", patch).await
    }

    pub async fn edit(&self, task: &Value, scope: &str, patch: &Value) -> Value {
        let path = format!("/tasks/{}?scope={scope}", task["id"]);
        let (status, answer) = self.call(Method::PATCH, &path, Some(patch)).await;
        assert_eq!(status, 200, "{answer}");
        answer
    }

    pub async fn act(&self, task: &Value, action: &str) -> Value {
        let path = format!("/tasks/{}/{action}", task["id"]);
        let (status, answer) = self.call(Method::POST, &path, Some(&json!({}))).await;
        assert_eq!(status, 200, "{answer}");
        answer
    }

    pub async fn complete(&self, task: &Value) -> Value {
        self.act(task, "complete").await
    }

    pub async fn delete(&self, task: &Value, scope: &str) {
        let path = format!("/tasks/{}?scope={scope}", task["id"]);
        let (status, answer) = self.call(Method::DELETE, &path, None).await;
        assert_eq!(status, 204, "{answer}");
    }

    /// The tasks in the order of their creation.
    pub async fn tasks(&self) -> Vec<Value> {
        let path = "/tasks?sort_by=created_at&sort_order=asc&limit=500";
        let (status, answer) = self.call(Method::GET, path, None).await;
        assert_eq!(status, 200, "{answer}");
        answer.as_array().expect("a list").clone()
    }

    /// Every event so far, in order; nothing removes them here.
    pub async fn events(&self) -> Vec<CloudEvent> {
        let rows = self
            .session
            .query("SELECT event_id::text, event_type, payload FROM outbox ORDER BY id", &[])
            .await
            .expect("events");
        rows.iter()
            .map(|row| CloudEvent {
                id: row.get(0),
                event_type: row.get(1),
                subject: None,
                time: "2031-01-01T00:00:00Z".to_owned(),
                traceparent: None,
                topic: "task-events".to_owned(),
                data: row.get(2),
            })
            .collect()
    }

    /// A member of each event of one type, as text.
    pub async fn event_members(&self, event_type: &str, member: &str) -> Vec<String> {
        let events = self.events().await;
        let of_type = events.iter().filter(|event| event.event_type == event_type);
        of_type
            .map(|event| {
                let data: Value = serde_json::from_str(&event.data).expect("a value");
                data[member].as_str().map_or_else(|| data[member].to_string(), str::to_owned)
            })
            .collect()
    }

    /// Delivers events one by one, like one consumer.
    pub async fn deliver(&self, events: &[CloudEvent]) {
        for event in events {
            let answer = self.app.consume("recurrence", std::slice::from_ref(event)).await;
            let dispositions = answer.expect("dispositions");
            assert!(matches!(dispositions[..], [Disposition::Done]), "{dispositions:?}");
        }
    }

    /// Delivers the same events to many consumers at once.
    pub async fn deliver_to_many(&self, events: &[CloudEvent], consumers: usize) {
        let deliveries: Vec<_> = (0..consumers)
            .map(|_| {
                let (app, events) = (self.app.clone(), events.to_vec());
                tokio::spawn(async move {
                    for event in events {
                        let answer = app.consume("recurrence", &[event]).await;
                        let dispositions = answer.expect("dispositions");
                        assert!(matches!(dispositions[..], [Disposition::Done]));
                    }
                })
            })
            .collect();
        for delivery in deliveries {
            delivery.await.expect("a delivery");
        }
    }

    /// Delivers all events from the beginning, again and again, until no new one appears.
    pub async fn settle(&self) {
        let mut delivered = 0;
        for _ in 0..ROUNDS_MAX {
            let events = self.events().await;
            if events.len() == delivered {
                return;
            }
            delivered = events.len();
            self.deliver(&events).await;
        }
        panic!("events make events without end");
    }

    /// Slots recorded as skipped, in the series that started at a task.
    pub async fn skipped_slots(&self, first: &Value) -> Vec<String> {
        let rows = self
            .session
            .query(
                "SELECT o.slot::text FROM occurrences o JOIN series s ON s.id = o.series_id
                 WHERE s.first_task_id = $1 AND o.state = 'skipped' ORDER BY o.slot",
                &[&first["id"].as_i64()],
            )
            .await
            .expect("slots");
        rows.iter().map(|row| row.get(0)).collect()
    }

    /// The database's clock, as RFC 3339.
    pub async fn now(&self) -> String {
        let sql = "SELECT instant(clock_timestamp())";
        self.session.query_one(sql, &[]).await.expect("the time").get(0)
    }

    /// Asserts that no task has two successors, no slot two tasks, and every task of a series its row.
    pub async fn assert_one_successor_each(&self) {
        let doubled: i64 = self
            .session
            .query_one(
                "SELECT (SELECT count(*) FROM (
                             SELECT FROM occurrences WHERE predecessor_task_id IS NOT NULL
                             GROUP BY predecessor_task_id HAVING count(*) > 1) AS two_successors)
                      + (SELECT count(*) FROM (
                             SELECT FROM tasks WHERE series_id IS NOT NULL
                             GROUP BY series_id, slot HAVING count(*) > 1) AS two_tasks)
                      + (SELECT count(*) FROM tasks t WHERE t.series_id IS NOT NULL
                         AND NOT EXISTS (SELECT FROM occurrences o WHERE o.task_id = t.id
                                         AND o.series_id = t.series_id AND o.state = 'live'))",
                &[],
            )
            .await
            .expect("a count")
            .get(0);
        assert_eq!(doubled, 0);
    }
}
