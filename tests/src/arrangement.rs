//! The program, started as its users start it.

use std::time::Duration;

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

    /// Starts it on the same data and port, and waits until it says that requests and events flow.
    ///
    /// # Panics
    /// When it does not get ready in time.
    pub async fn start_again(&mut self) {
        let mut program = Program::built("rondo")
            .arguments(["up", "--listen", &format!("127.0.0.1:{}", self.port), "--data"])
            .argument(self.folder.path().join("data"))
            .directory(root());
        for (name, value) in &self.environment {
            program = program.env(name, value);
        }
        let mut process = program.start();
        let http = Client::new(self.http());
        eventually("readiness", START, async || {
            if let Some(status) = process.exited() {
                panic!("rondo ended with {status}:\n{}", process.log());
            }
            match http.get("/health/ready").await {
                Ok(response) if response.status == 200 => Ok(()),
                Ok(response) => Err(format!("{}\n{}", response.text(), process.log())),
                Err(error) => Err(format!("{error}\n{}", process.log())),
            }
        })
        .await;
        self.process = Some(process);
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

    /// kill -9.
    ///
    /// # Panics
    /// When it is not running.
    pub fn kill(&mut self) {
        self.process.take().expect("a running rondo").kill();
    }

    /// SIGTERM; the exit status has to be 0.
    ///
    /// # Panics
    /// When it is not running, does not end in time, or ends with another status.
    pub async fn stop(&mut self) {
        let mut process = self.process.take().expect("a running rondo");
        let status = process.terminate(STOP).await;
        assert!(status.success(), "{status}:\n{}", process.log());
    }
}
