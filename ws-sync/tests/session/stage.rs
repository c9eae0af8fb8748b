//! One user's sync service on a free port, with its database, and a relay that runs only when the test calls
//! it, so that the test decides which changes are live and which are missed.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rondo_contract::event::EventType;
use rondo_contract::token::{self, Claims, HmacKey};
use rondo_contract::topic::TASK_UPDATES;
use rondo_database::{Role, Session};
use rondo_telemetry::Gate;
use rondo_telemetry::connection::CONNECTIONS_MAX;
use rondo_testkit::database::TestDatabase;
use rondo_testkit::websocket::{Frame, WebSocket};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use ws_sync::{Hub, Publisher, Store, SyncService, route};

/// Time limit for anything that is expected.
pub const SOON: Duration = Duration::from_secs(10);

pub const SECRET: &str = "a secret that only these tests know";

pub struct Stage {
    pub service: SyncService,
    pub publisher: Publisher,
    pub user_id: i64,
    /// `127.0.0.1:port`
    pub address: String,
    pub database: TestDatabase,
    writer: Session,
    relay: Session,
    relayed: AtomicI64,
    _shutdown: DropGuard,
}

impl Stage {
    pub async fn new() -> Self {
        let database = TestDatabase::new().await;
        let store = Store::open(&database.dsn(Role::Sync)).unwrap();
        let service = SyncService::new(store, HmacKey::new(SECRET.as_bytes()).unwrap());
        let publisher = Publisher::open(service.hub());
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let shutdown = CancellationToken::new();
        tokio::spawn({
            let (routes, shutdown) = (route::router(service.clone()), shutdown.clone());
            route::serve(Gate::inner(listener, CONNECTIONS_MAX), routes, shutdown)
        });
        let user_id = register(&database, "ada@example.org").await;
        let writer = database.session_as(Role::TaskApi).await;
        let relay = database.session().await;
        let relayed = AtomicI64::new(0);
        let _shutdown = shutdown.drop_guard();
        Self { service, publisher, user_id, address, database, writer, relay, relayed, _shutdown }
    }

    pub fn hub(&self) -> &Hub {
        self.service.hub()
    }

    /// Connects with a valid token; `query` for example `&since=3`.
    pub async fn connect(&self, query: &str) -> WebSocket {
        self.connect_with(&good_token(self.user_id), query).await
    }

    pub async fn connect_with(&self, token: &str, query: &str) -> WebSocket {
        let url = format!("ws://{}/ws?token={token}{query}", self.address);
        WebSocket::connect(&url).await.unwrap()
    }

    /// Connects and reads the welcome.
    pub async fn welcomed(&self, query: &str) -> (WebSocket, i64) {
        let mut socket = self.connect(query).await;
        let frame = socket.next(SOON).await.json();
        assert_eq!(frame["type"], "welcome", "{frame}");
        (socket, frame["revision"].as_i64().unwrap())
    }

    /// Creates tasks titled `title 1` and so on; returns their ids.
    pub async fn create(&self, title: &str, count: i64) -> Vec<i64> {
        let sql = "SELECT (c.answer::jsonb ->> 'id')::bigint FROM generate_series(1, $3::bigint) AS n,
            LATERAL task_create($1, jsonb_build_object('title', $2::text || ' ' || n, 'status', 'pending'),
                                NULL, NULL, NULL, NULL) AS c";
        let rows = self.writer.query(sql, &[&self.user_id, &title, &count]).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }

    pub async fn complete(&self, task_id: i64) {
        let sql = "SELECT outcome FROM task_change($1, $2, NULL, 'task.completed',
            '{\"title\": \"done\", \"status\": \"completed\", \"completion\": \"set\"}', 'keep', NULL, NULL, NULL, NULL)";
        let row = self.writer.query_one(sql, &[&self.user_id, &task_id]).await.unwrap();
        assert_eq!(row.get::<_, &str>(0), "changed");
    }

    /// Creates a list; returns its id.
    pub async fn create_list(&self, name: &str) -> i64 {
        let sql = "SELECT (answer::jsonb ->> 'id')::bigint
            FROM list_create($1, jsonb_build_object('name', $2::text, 'archived', false), 9, NULL, NULL, NULL, NULL)";
        self.writer.query_one(sql, &[&self.user_id, &name]).await.unwrap().get(0)
    }

    pub async fn delete_list(&self, list_id: i64) {
        let sql = "SELECT outcome FROM list_delete($1, $2, NULL, 'inbox', NULL)";
        let row = self.writer.query_one(sql, &[&self.user_id, &list_id]).await.unwrap();
        assert_eq!(row.get::<_, &str>(0), "deleted");
    }

    pub async fn delete(&self, task_id: i64) {
        let sql = "SELECT outcome FROM task_delete($1, $2, NULL, 'this', NULL)";
        let row = self.writer.query_one(sql, &[&self.user_id, &task_id]).await.unwrap();
        assert_eq!(row.get::<_, &str>(0), "deleted");
    }

    /// The user's tasks by revision, as in the API.
    pub async fn tasks(&self) -> Vec<Value> {
        let sql = "SELECT t.representation FROM tasks t WHERE user_id = $1 ORDER BY revision";
        let rows = self.relay.query(sql, &[&self.user_id]).await.unwrap();
        rows.iter().map(|row| serde_json::from_str(row.get(0)).unwrap()).collect()
    }

    /// The unread events of task-updates, with their users.
    pub async fn events(&self) -> Vec<(i64, String)> {
        let sql = "SELECT id, payload FROM outbox WHERE id > $1 ORDER BY id";
        let last = self.relayed.load(Ordering::SeqCst);
        let rows = self.relay.query(sql, &[&last]).await.unwrap();
        if let Some(row) = rows.last() {
            self.relayed.store(row.get(0), Ordering::SeqCst);
        }
        let events = rows.iter().map(|row| row.get::<_, String>(1)).filter_map(|payload| {
            let event: Value = serde_json::from_str(&payload).unwrap();
            let event_type: EventType = event["event_type"].as_str().unwrap().parse().unwrap();
            let is_synced = event_type.topics().contains(&&TASK_UPDATES);
            is_synced.then(|| (event["user_id"].as_i64().unwrap(), payload))
        });
        events.collect()
    }

    /// Publishes the events since the last call.
    pub async fn relay(&self) {
        for (user_id, payload) in self.events().await {
            self.publisher.publish(user_id, &payload, None);
        }
    }
}

pub async fn register(database: &TestDatabase, email: &str) -> i64 {
    let sql = "SELECT user_id FROM account_register($1, $1, 'hash', NULL, NULL, NULL, NULL)";
    database.session_as(Role::Auth).await.query_one(sql, &[&email]).await.unwrap().get(0)
}

pub fn good_token(user_id: i64) -> String {
    token_for(user_id, 900, "tasks:read tasks:write")
}

/// A token that expires in `left_s` seconds.
pub fn token_for(user_id: i64, left_s: i64, scope: &str) -> String {
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let now_s = i64::try_from(now_s).unwrap();
    let claims = Claims {
        user_id,
        issued_at_s: now_s - 10,
        expires_at_s: now_s + left_s,
        scope: scope.to_owned(),
    };
    token::sign(&claims, &HmacKey::new(SECRET.as_bytes()).unwrap())
}

pub fn closed(code: u16, reason: &str) -> Frame {
    Frame::Closed { code, reason: reason.to_owned() }
}

pub fn revisions(frames: &[Value]) -> Vec<i64> {
    frames.iter().map(|frame| frame["revision"].as_i64().unwrap()).collect()
}
