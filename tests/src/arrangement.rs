//! Rondo as its users start it, in each of its arrangements.

pub mod separate;

use std::time::Duration;

use rondo_database::{Dsn, Session, SessionOptions, pool};
use rondo_testkit::event_schema::assert_event_valid;
use rondo_testkit::folder::Folder;
use rondo_testkit::http::Client;
use rondo_testkit::port;
use rondo_testkit::process::{Process, Program, root};
use rondo_testkit::wait::eventually;
use serde_json::Value;

/// How long a start may take; the first one compiles the components.
pub const START: Duration = Duration::from_secs(120);
/// How long a stop may take.
pub const STOP: Duration = Duration::from_secs(40);

/// What can be killed in the middle of its work.
pub trait Arrangement {
    /// Where requests go.
    fn http(&self) -> String;

    /// The superuser's way into its database.
    fn postgres(&self) -> String;

    /// kill -9 of the process that carries the events.
    ///
    /// # Panics
    /// When it is not running.
    fn kill(&mut self);

    /// Starts it on the same data and port, and waits until it says that requests and events flow.
    ///
    /// # Panics
    /// When it does not get ready in time.
    fn start_again(&mut self) -> impl Future<Output = ()>;
}

/// `rondo up` with a data folder and a port of its own, on one transport.
pub struct Up {
    pub folder: Folder,
    port: u16,
    environment: Vec<(String, String)>,
    process: Option<Process>,
}

impl Up {
    /// Starts it; `environment` has the settings of this arrangement.
    pub async fn start(name: &str, environment: &[(&str, String)]) -> Self {
        let mut up = Self {
            folder: Folder::new(name),
            port: port::free(),
            environment: environment
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.clone()))
                .collect(),
            process: None,
        };
        up.start_again().await;
        up
    }

    /// See [`Arrangement::start_again`].
    ///
    /// # Panics
    /// When it does not get ready in time.
    pub async fn start_again(&mut self) {
        self.launch();
        let http = Client::new(self.http());
        let process = self.process.as_mut().expect("just launched");
        ready("rondo", process, async || is_ready(&http).await).await;
    }

    /// Starts it without waiting for anything.
    pub fn launch(&mut self) {
        let mut program = Program::built("rondo")
            .arguments(["up", "--listen", &format!("127.0.0.1:{}", self.port), "--data"])
            .argument(self.folder.path().join("data"))
            .directory(root());
        // Tests make more requests than anyone who is honest; one that is about limits sets them.
        program = program.env("RATE_LIMITS", "off");
        for (name, value) in &self.environment {
            program = program.env(name, value);
        }
        self.process = Some(program.start());
    }

    #[must_use]
    pub fn http(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    #[must_use]
    pub fn ws(&self) -> String {
        format!("ws://127.0.0.1:{}/ws", self.port)
    }

    /// What it wrote of its addresses.
    ///
    /// # Panics
    /// When it has written none.
    #[must_use]
    pub fn endpoints(&self) -> Value {
        let text = std::fs::read_to_string(self.folder.path().join("data/endpoints.json"))
            .expect("a started rondo has written its addresses");
        serde_json::from_str(&text).expect("addresses in JSON")
    }

    /// SIGTERM, after every event in the audit log was checked; the exit status has to be 0.
    ///
    /// # Panics
    /// When it is not running, does not end in time, or ends with another status; when an event
    /// breaks its schema.
    pub async fn stop(&mut self) {
        check_audited(&self.postgres()).await;
        let mut process = self.process.take().expect("a running rondo");
        let status = process.terminate(STOP).await;
        assert!(status.success(), "{status}:\n{}", process.log());
    }
}

impl Arrangement for Up {
    fn http(&self) -> String {
        self.http()
    }

    fn postgres(&self) -> String {
        self.endpoints()["postgres"].as_str().expect("the way into the database").to_owned()
    }

    fn kill(&mut self) {
        self.process.take().expect("a running rondo").kill();
    }

    async fn start_again(&mut self) {
        self.start_again().await;
    }
}

/// Waits until `look` finds a process ready.
async fn ready(name: &str, process: &mut Process, look: impl AsyncFn() -> Result<(), String>) {
    eventually(&format!("readiness of {name}"), START, async || {
        if let Some(status) = process.exited() {
            panic!("{name} ended with {status}:\n{}", process.log());
        }
        look().await.map_err(|seen| format!("{seen}\n{}", process.log()))
    })
    .await;
}

async fn is_ready(http: &Client) -> Result<(), String> {
    match http.get("/health/ready").await {
        Ok(response) if response.status == 200 => Ok(()),
        Ok(response) => Err(response.text()),
        Err(error) => Err(error.to_string()),
    }
}

/// A superuser's session in the database of an arrangement.
///
/// # Panics
/// When there is none to be had.
pub async fn session(postgres: &str) -> Session {
    let dsn = Dsn::parse(postgres).expect("a connection string");
    pool::connect(&dsn, &SessionOptions::default()).await.expect("a session")
}

/// Checks every event that the audit log has, of whichever user, against its schema.
async fn check_audited(postgres: &str) {
    let rows = session(postgres)
        .await
        .query("SELECT payload FROM audit_logs", &[])
        .await
        .expect("the audit log");
    for row in rows {
        assert_event_valid(&row.get::<_, Value>(0));
    }
}
