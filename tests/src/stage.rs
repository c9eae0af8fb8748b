//! The built components on the Wasm host, with their own database and no bridge. Events stay in the outbox
//! until a test delivers them to the typed export, as often and in whatever order it likes.

use rondo_contract::event::EventType;
use rondo_database::Role;
use rondo_telemetry::{Gate, serve};
use rondo_testkit::database::TestDatabase;
use rondo_testkit::event_schema::assert_event_valid;
use rondo_testkit::http::Client;
use rondo_testkit::process::root;
use rondo_wasm_host::variable::Values;
use rondo_wasm_host::{CallError, CloudEvent, Disposition, Manifest, WasmApp};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::story::{self, User};

/// Key of access tokens, key of links and service token of these tests.
pub const SECRET: &str = "a secret for the tests of components";

/// Maximum number of connections of a test's clients.
pub const CONNECTIONS_MAX: usize = 1_000;

/// Maximum number of reminders fired by one call.
const REMINDERS_MAX: i32 = 100;
/// How late a reminder may fire.
const LATENESS_MINUTES: i32 = 24 * 60;

/// Components that are served and can be called.
pub struct Stage {
    pub database: TestDatabase,
    pub app: WasmApp,
    http: String,
    _server: DropGuard,
}

impl Stage {
    /// # Panics
    /// If a component has not been built, or there is no Postgres.
    pub async fn new() -> Self {
        Self::with(&[]).await
    }

    /// The same with other values of these variables.
    ///
    /// # Panics
    /// As for [`Stage::new`].
    pub async fn with(variables: &[(&str, &str)]) -> Self {
        let database = TestDatabase::new().await;
        let address = database.dsn(Role::Audit);
        let address = format!("{}:{}", address.host(), address.port());
        let app = load(&address, variables, |role| database.dsn(role).expose_url());
        let (http, server) = serve(app.clone()).await;
        Self { database, app, http, _server: server }
    }

    /// Components whose database does not respond.
    ///
    /// # Panics
    /// As for [`Stage::new`].
    pub async fn without_database() -> Self {
        let database = TestDatabase::new().await;
        let nowhere = format!("127.0.0.1:{}", rondo_testkit::port::free());
        let app = load(&nowhere, &[], |role| format!("postgres://{role}:x@{nowhere}/rondo"));
        let (http, server) = serve(app.clone()).await;
        Self { database, app, http, _server: server }
    }

    /// A client without a token.
    #[must_use]
    pub fn client(&self) -> Client {
        Client::new(&self.http)
    }

    /// A new account.
    pub async fn user(&self, email: &str) -> User {
        story::register(&self.http, email).await
    }

    /// Takes every event out of the outbox, in order, and checks their schemas.
    ///
    /// # Panics
    /// If an event violates its schema.
    pub async fn events(&self) -> Vec<CloudEvent> {
        let sql = "WITH taken AS (DELETE FROM outbox RETURNING *)
                   SELECT event_id::text, event_type, task_id, instant(occurred_at), traceparent, payload
                   FROM taken ORDER BY id";
        let rows = self.database.session().await.query(sql, &[]).await.expect("the outbox");
        let event = |row: &tokio_postgres::Row| {
            let (event_type, data): (String, String) = (row.get(1), row.get(5));
            assert_event_valid(&serde_json::from_str::<Value>(&data).expect("JSON"));
            let known: EventType = event_type.parse().expect("a type of the contract");
            CloudEvent {
                id: row.get(0),
                subject: row.get::<_, Option<i64>>(2).map(|task| format!("tasks/{task}")),
                time: row.get(3),
                traceparent: row.get(4),
                topic: known.topics()[0].name.to_owned(),
                event_type,
                data,
            }
        };
        rows.iter().map(event).collect()
    }

    /// Takes every event out of the outbox and returns the one of this type.
    ///
    /// # Panics
    /// If there is none, or more than one.
    pub async fn event(&self, event_type: &str) -> CloudEvent {
        let events = self.events().await;
        let types: Vec<_> = events.iter().map(|event| event.event_type.clone()).collect();
        let mut found = events.into_iter().filter(|event| event.event_type == event_type);
        match (found.next(), found.next()) {
            (Some(event), None) => event,
            _ => panic!("not one {event_type} in {types:?}"),
        }
    }

    /// Delivers one event to a capability, and expects `done`.
    ///
    /// # Panics
    /// If the disposition differs.
    pub async fn deliver(&self, capability: &str, event: &CloudEvent) {
        let answer = self.app.consume(capability, std::slice::from_ref(event)).await;
        assert!(matches!(answer.as_deref(), Ok([Disposition::Done])), "{capability}: {answer:?}");
    }

    /// Delivers a batch and returns one word per event: its disposition.
    ///
    /// # Errors
    /// If the component could not try anything.
    pub async fn outcomes(
        &self,
        capability: &str,
        batch: &[CloudEvent],
    ) -> Result<Vec<&'static str>, CallError> {
        let dispositions = self.app.consume(capability, batch).await?;
        let word = |disposition: &Disposition| match disposition {
            Disposition::Done => "done",
            Disposition::Retry { .. } => "retry",
            Disposition::Reject { .. } => "reject",
        };
        Ok(dispositions.iter().map(word).collect())
    }

    /// Fires every due reminder, like the bridge's clock.
    ///
    /// # Panics
    /// If the database fails.
    pub async fn fire_reminders(&self) {
        let bridge = self.database.session_as(Role::Bridge).await;
        let fire = "SELECT fired FROM reminders_fire($1, $2)";
        let fired = bridge.query_one(fire, &[&REMINDERS_MAX, &LATENESS_MINUTES]).await;
        fired.expect("reminders that come due");
    }
}

/// The application of spin.toml; each component has the DSN that `url` returns for its role.
fn load(address: &str, variables: &[(&str, &str)], url: impl Fn(Role) -> String) -> WasmApp {
    let manifest = Manifest::read(&root().join("spin.toml")).expect("our own spin.toml");
    let other = |name: &str| variables.iter().find(|(of, _)| *of == name).map(|(_, value)| *value);
    let values = Values::resolve(&manifest.variables, |name| match name {
        _ if other(name).is_some() => other(name).map(str::to_owned),
        "database_host" => Some(address.to_owned()),
        "jwt_secret" | "link_secret" | "event_token" => Some(SECRET.to_owned()),
        // No test here verifies an address.
        "require_verified_email" => Some("false".to_owned()),
        // All clients have the same address.
        "registration_limits" => Some("off".to_owned()),
        _ => Role::ALL.into_iter().find(|role| role.dsn_variable() == name).map(&url),
    });
    WasmApp::load(&manifest, &values.expect("every variable has a value")).expect("components")
}

async fn serve(app: WasmApp) -> (String, DropGuard) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let http = format!("http://{}", listener.local_addr().expect("a bound port"));
    let shutdown = CancellationToken::new();
    let handler = move |request| {
        let app = app.clone();
        async move { app.handle(request).await }
    };
    tokio::spawn(serve::serve(Gate::inner(listener, CONNECTIONS_MAX), handler, shutdown.clone()));
    (http, shutdown.drop_guard())
}
