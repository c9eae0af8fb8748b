//! `rondo up`, and what its operator observes: files, log, readiness, metrics.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use rondo_testkit::folder::Folder;
use rondo_testkit::http::Client;
use rondo_testkit::process::{Process, Program, Signal};
use rondo_testkit::wait::eventually;
use serde_json::{Value, json};

use crate::arrangement::{START, STOP};
use crate::story::{User, from_now};

/// How long any effect may take on a busy machine.
pub const SOON: Duration = Duration::from_secs(30);
/// Id of the trace that [`create`] starts.
pub const TRACE_ID: &str = "0af7651916cd43dd8448eb211c80319c";

/// A running `rondo up` with a data folder of its own.
pub struct Running {
    pub process: Process,
    pub http: Client,
    folder: Folder,
}

impl Running {
    /// Starts it with these settings and waits until it reports that it is up.
    ///
    /// # Panics
    /// If that takes too long.
    pub async fn start(name: &str, settings: &[(&str, String)]) -> Self {
        Self::start_at("127.0.0.1:0", name, settings).await
    }

    /// The same at another address.
    ///
    /// # Panics
    /// If that takes too long.
    pub async fn start_at(listen: &str, name: &str, settings: &[(&str, String)]) -> Self {
        Self::start_in(Folder::new(name), listen, settings).await
    }

    /// The same on the data folder `data` of a folder, which may already exist.
    ///
    /// # Panics
    /// If that takes too long.
    pub async fn start_in(folder: Folder, listen: &str, settings: &[(&str, String)]) -> Self {
        let mut program = up(listen, &folder);
        for (name, value) in settings {
            program = program.env(name, value);
        }
        Self::announced(&program, folder).await
    }

    /// Starts it without settings, like [`Program::in_background`].
    ///
    /// # Panics
    /// If that takes too long.
    pub async fn start_in_background(name: &str) -> Self {
        let folder = Folder::new(name);
        let program = up("127.0.0.1:0", &folder).in_background();
        Self::announced(&program, folder).await
    }

    async fn announced(program: &Program, folder: Folder) -> Self {
        let mut process = program.start();
        let is_up = |line: &str| line.starts_with("Rondo is up: ");
        let line = process.line("the announcement", START, is_up).await;
        let url = line.split([' ', ',']).find(|word| word.starts_with("http://"));
        let http = Client::new(url.expect("its address"));
        Self { process, http, folder }
    }

    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The addresses in its `endpoints.json`.
    ///
    /// # Panics
    /// If the file is missing.
    #[must_use]
    pub fn endpoints(&self) -> Value {
        let text = std::fs::read_to_string(self.data().join("endpoints.json")).expect("written");
        serde_json::from_str(&text).expect("JSON")
    }

    /// The superuser's URL of its Postgres.
    ///
    /// # Panics
    /// If `endpoints.json` is missing.
    #[must_use]
    pub fn database_url(&self) -> String {
        self.endpoints()["postgres"].as_str().expect("an address").to_owned()
    }

    /// Process id of its private Postgres.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn postmaster(&self) -> String {
        let file = self.data().join("postgres/postmaster.pid");
        let text = std::fs::read_to_string(file).expect("a running server");
        text.lines().next().expect("an id").to_owned()
    }

    /// Waits until `/health/ready` reports that requests and events flow.
    ///
    /// # Panics
    /// If that takes too long.
    pub async fn ready(&self) {
        eventually("readiness", SOON, async || {
            let answer = self.http.get("/health/ready").await.map_err(|error| error.to_string())?;
            if answer.status == 200 { Ok(()) } else { Err(answer.text()) }
        })
        .await;
    }

    /// Waits until `/health/ready` reports that a part is not ready, and returns the reason.
    ///
    /// # Panics
    /// If that takes too long.
    pub async fn not_ready(&self, part: &str, is_it: impl Fn(&str) -> bool) -> String {
        eventually(&format!("that {part} is not ready"), SOON, async || {
            let answer = self.http.get("/health/ready").await.map_err(|error| error.to_string())?;
            let reason = answer.json()["parts"][part]["reason"].as_str().map(str::to_owned);
            let reason = reason.filter(|reason| answer.status == 503 && is_it(reason));
            reason.ok_or_else(|| answer.text())
        })
        .await
    }

    /// Waits until the metrics contain a line.
    ///
    /// # Panics
    /// If that takes too long.
    pub async fn measured(&self, line: &str) {
        eventually(line, SOON, async || {
            let metrics = self.metrics().await;
            if metrics.lines().any(|found| found == line) { Ok(()) } else { Err(metrics) }
        })
        .await;
    }

    /// # Panics
    /// When there is no answer.
    pub async fn metrics(&self) -> String {
        self.http.get("/metrics").await.expect("an answer").expect(200).text()
    }

    /// Log lines that contain a word, as JSON.
    ///
    /// # Panics
    /// If a line that looks like JSON is not valid.
    #[must_use]
    pub fn logged(&self, word: &str) -> Vec<Value> {
        let log = self.process.log();
        let lines = log.lines().filter(|line| line.starts_with('{') && line.contains(word));
        lines.map(|line| serde_json::from_str(line).expect("logs are JSON lines")).collect()
    }

    /// Shuts it down with SIGTERM, see [`Self::stop_by`].
    ///
    /// # Panics
    /// If the shutdown is not clean.
    pub async fn stop(self) {
        self.stop_by(Signal::SIGTERM).await;
    }

    /// Sends a signal and waits for a clean shutdown: exit status 0, and Postgres has stopped too. Returns
    /// the folder with the data.
    ///
    /// # Panics
    /// If the shutdown is not clean.
    pub async fn stop_by(mut self, signal: Signal) -> Folder {
        let postmaster = self.postmaster();
        self.process.signal(signal);
        let status = self.process.exit(STOP).await;
        assert_eq!(status.code(), Some(0), "{}", self.process.log());
        assert!(!self.data().join("endpoints.json").exists());
        assert!(!is_running(&postmaster), "Postgres outlives rondo");
        // An immediate shutdown, which requires recovery at the next start, does not log this.
        let log = std::fs::read_to_string(self.data().join("postgres.log")).expect("its log");
        assert!(log.trim_end().ends_with("database system is shut down"), "{log}");
        self.folder
    }
}

/// `rondo up`, with its data in a folder.
fn up(listen: &str, folder: &Folder) -> Program {
    Program::built("rondo")
        .arguments(["up", "--listen", listen, "--data"])
        .argument(folder.path().join("data"))
        .env("RONDO_LOG", "info,host_bridge=debug,rondo_telemetry=debug")
}

fn is_running(pid: &str) -> bool {
    Command::new("kill").args(["-0", pid]).output().is_ok_and(|output| output.status.success())
}

/// Creates a task with a due reminder, and returns its id.
///
/// # Panics
/// If that fails.
pub async fn create(user: &User) -> i64 {
    let task = json!({"title": "Water the plants", "due_date": from_now(3_600), "reminder_offset": "PT1H"});
    let parent = format!("00-{TRACE_ID}-b7ad6b7169203331-01");
    let client = user.client.with_header("traceparent", &parent);
    let path = format!("/api/{}/tasks", user.id);
    let created = client.post(&path, &task).await.expect("an answer").expect(201);
    created.json()["id"].as_i64().expect("an id")
}

/// Waits until the audit log has exactly one such event about a task.
///
/// # Panics
/// If that takes too long.
pub async fn audited(user: &User, task_id: i64, action: &str) {
    eventually(action, SOON, async || {
        let path = format!("/api/audit/logs?task_id={task_id}&action_type={action}");
        let answer = user.client.get(&path).await.map_err(|error| error.to_string())?;
        match answer.json().as_array().map(Vec::len) {
            Some(1) => Ok(()),
            _ => Err(answer.text()),
        }
    })
    .await;
}
