//! The production arrangement on one machine: `rondo migrate`, `rondo host`, `rondo bridge` and `rondo-sync`
//! as separate processes, with the operator's database and a real Kafka.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;

use rondo_database::server::BinarySource;
use rondo_database::{DataFolder, PrivateServer};
use rondo_testkit::folder::Folder;
use rondo_testkit::http::Client;
use rondo_testkit::kafka::{Broker, Record};
use rondo_testkit::process::{Process, Program};
use rondo_testkit::published::assert_published_valid;
use rondo_testkit::{database, port};

use super::{Arrangement, START, STOP, ready};

/// The service tokens that components take while one replaces the other: an operator's own.
pub const EVENT_TOKEN: &str = "the-service-token-of-this-test-now";
pub const EVENT_TOKEN_PREVIOUS: &str = "the-service-token-of-this-test-before";

/// How the topics' events are reached.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Listener {
    Plain,
    /// TLS and SCRAM-SHA-512.
    Secure,
}

/// Postgres, broker, host, bridge and live sync.
pub struct Separate {
    pub broker: Broker,
    bridge_program: Program,
    bridge_port: u16,
    bridge: Option<Process>,
    host_port: u16,
    host: Process,
    sync_port: u16,
    sync: Process,
    /// As `rondo env` wrote it.
    environment: Vec<(String, String)>,
    postgres: String,
    server: PrivateServer,
    // In the order in which they go: the folder has the data of the server.
    _data: DataFolder,
    _folder: Folder,
}

impl Separate {
    /// Starts everything with these settings and waits until it says that requests and events flow.
    ///
    /// # Panics
    /// When something does not start.
    pub async fn start(name: &str, listener: Listener, settings: &[(&str, String)]) -> Self {
        let builder = Broker::builder();
        let broker = match listener {
            Listener::Plain => builder.start().await,
            Listener::Secure => builder.secure().start().await,
        };
        let folder = Folder::new(name);
        let started = database::start(folder.path(), BinarySource::SystemOrFetched).await;
        let (server, data) = started.expect("a Postgres");
        let postgres = server.dsn().expose_url();
        let [host_port, bridge_port, sync_port] = [port::free(), port::free(), port::free()];
        let listen = |port: u16| format!("127.0.0.1:{port}");
        let own = format!(
            "# What an operator has chosen already.\n\
             SPIN_VARIABLE_EVENT_TOKEN={EVENT_TOKEN}\n\
             SPIN_VARIABLE_EVENT_TOKEN_PREVIOUS={EVENT_TOKEN_PREVIOUS}\n\
             COMPONENTS_URL=http://{}\n\
             # As `rondo up` has it on loopback: the story does not wait for an address to be verified.\n\
             SPIN_VARIABLE_REQUIRE_VERIFIED_EMAIL=false\n\
             SPIN_VARIABLE_REGISTRATION_LIMITS=off\n",
            listen(host_port)
        );
        let kafka = kafka_settings(&broker, listener);
        let environment = environment(&postgres, &folder, &own, &kafka).await;
        let with_environment = |program: Program| {
            let own = settings.iter().map(|(name, value)| (*name, value));
            let all = environment.iter().map(|(name, value)| (&**name, value)).chain(own);
            all.fold(program, |program, (name, value)| program.env(name, value))
        };
        let host = Program::built("rondo").arguments(["host", "--listen", &listen(host_port)]);
        let host = with_environment(host);
        let bridge_program = Program::built("rondo")
            .argument("bridge")
            .env("RONDO_LISTEN", listen(bridge_port))
            .env("RONDO_DATA", folder.path().join("bridge"));
        let bridge_program = with_environment(bridge_program);
        let sync = Program::built("rondo-sync").arguments(["--listen", &listen(sync_port)]);
        let sync = with_environment(sync);
        let mut separate = Self {
            host: host.start(),
            bridge_program,
            bridge_port,
            bridge: None,
            host_port,
            sync_port,
            sync: sync.start(),
            broker,
            environment,
            postgres,
            server,
            _data: data,
            _folder: folder,
        };
        // The bridge makes the topics that live sync follows.
        separate.start_again().await;
        let http = Client::new(separate.http());
        // The host has no health of its own, as Spin has none: a component answers.
        ready("host", &mut separate.host, async || match http.get("/api/tasks").await {
            Ok(response) if response.status == 401 => Ok(()),
            Ok(response) => Err(response.text()),
            Err(error) => Err(error.to_string()),
        })
        .await;
        let sync = Client::new(format!("http://127.0.0.1:{}", separate.sync_port));
        ready("live sync", &mut separate.sync, async || super::is_ready(&sync).await).await;
        separate
    }

    /// One more bridge beside the first, ready.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn another_bridge(&self) -> Process {
        let port = port::free();
        let program = self.bridge_program.clone().env("RONDO_LISTEN", format!("127.0.0.1:{port}"));
        let mut bridge = program.start();
        let http = Client::new(format!("http://127.0.0.1:{port}"));
        ready("another bridge", &mut bridge, async || super::is_ready(&http).await).await;
        bridge
    }

    /// What `/metrics` of each program has, by the program's name.
    ///
    /// # Panics
    /// When one does not answer.
    pub async fn metrics(&self) -> [(&'static str, String); 3] {
        let ports =
            [("host", self.host_port), ("bridge", self.bridge_port), ("sync", self.sync_port)];
        let mut metrics = ports.map(|(program, _)| (program, String::new()));
        for ((_, text), (_, port)) in metrics.iter_mut().zip(ports) {
            let http = Client::new(format!("http://127.0.0.1:{port}"));
            *text = http.get("/metrics").await.expect("an answer").expect(200).text();
        }
        metrics
    }

    #[must_use]
    pub fn ws(&self) -> String {
        format!("ws://127.0.0.1:{}/ws", self.sync_port)
    }

    /// A command of `rondo` on the database, such as `dlq list`, to its end; its output.
    ///
    /// # Panics
    /// When it fails.
    pub async fn command(&self, arguments: &[&str]) -> String {
        let program = Program::built("rondo").arguments(arguments);
        let mut process = program.env("DATABASE_URL", &self.postgres).start();
        let status = process.exit(STOP).await;
        assert!(status.success(), "rondo {arguments:?}: {status}\n{}", process.log());
        process.log()
    }

    /// `rondo doctor` in the programs' environment with some settings changed: whether it finds nothing
    /// wrong, and its output.
    ///
    /// # Panics
    /// When it does not end in time.
    pub async fn doctor(&self, changed: &[(&str, &str)]) -> (bool, String) {
        let listen = format!("127.0.0.1:{}", self.bridge_port);
        let program = Program::built("rondo").argument("doctor").env("RONDO_LISTEN", listen);
        let own = self.environment.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let settings = own.chain(changed.iter().copied());
        let program = settings.fold(program, |program, (name, value)| program.env(name, value));
        let mut process = program.start();
        let status = process.exit(STOP).await;
        (status.success(), process.log())
    }

    /// Everything that was published, after each event was checked.
    ///
    /// # Panics
    /// When an event breaks its schema or the rules of its topic.
    pub async fn published(&self) -> BTreeMap<&'static str, Vec<Record>> {
        assert_published_valid(&self.broker).await
    }

    /// Stops what is ours by SIGTERM; all end well.
    ///
    /// # Panics
    /// When something ends with another status than 0, or not in time, or an event is not valid.
    pub async fn stop(mut self) {
        self.published().await;
        super::check_audited(&self.postgres).await;
        let bridge = self.bridge.take().expect("a running bridge");
        for (name, mut process) in [("sync", self.sync), ("bridge", bridge), ("host", self.host)] {
            let status = process.terminate(STOP).await;
            assert!(status.success(), "{name}: {status}\n{}", process.log());
        }
        self.broker.stop().await;
        self.server.stop().await.expect("Postgres stops");
    }
}

impl Arrangement for Separate {
    fn http(&self) -> String {
        format!("http://127.0.0.1:{}", self.host_port)
    }

    fn postgres(&self) -> String {
        self.postgres.clone()
    }

    /// The bridge: all that is between a change and its effects is in it.
    fn kill(&mut self) {
        self.bridge.take().expect("a running bridge").kill();
    }

    async fn start_again(&mut self) {
        let mut bridge = self.bridge_program.start();
        let http = Client::new(format!("http://127.0.0.1:{}", self.bridge_port));
        ready("bridge", &mut bridge, async || super::is_ready(&http).await).await;
        self.bridge = Some(bridge);
    }
}

/// Makes roles and schema and adds to an operator's own settings what the programs need, as an operator
/// does; reads what came of it as Spin does.
async fn environment(
    postgres: &str,
    folder: &Folder,
    own: &str,
    kafka: &[(&'static str, String)],
) -> Vec<(String, String)> {
    let file = folder.path().join(".env");
    std::fs::write(&file, own).expect("a file");
    for command in [&["migrate", "up"][..], &["env", "--write", file.to_str().expect("a path")]] {
        let program = Program::built("rondo")
            .arguments(command.iter().copied())
            .env("RONDO_DATA", folder.path().join("operator"))
            .env("DATABASE_URL", postgres);
        let program = kafka.iter().fold(program, |program, (name, value)| program.env(name, value));
        let mut process = program.start();
        let status = process.exit(START).await;
        assert!(status.success(), "rondo {command:?}: {status}\n{}", process.log());
    }
    let text = std::fs::read_to_string(&file).expect("the settings");
    assert!(text.starts_with(own), "what was there has changed:\n{text}");
    let mode = file.metadata().expect("a file").permissions().mode();
    assert_eq!(mode & 0o077, 0, "others can read it");
    let settings = dotenvy::from_path_iter(&file).expect("a file that Spin can read");
    settings.collect::<Result<_, _>>().expect("lines that Spin can read")
}

fn kafka_settings(broker: &Broker, listener: Listener) -> Vec<(&'static str, String)> {
    if listener == Listener::Plain {
        return vec![("KAFKA_BROKERS", broker.bootstrap())];
    }
    let secure = broker.secure_listener();
    vec![
        ("KAFKA_BROKERS", secure.bootstrap.clone()),
        ("KAFKA_SECURITY_PROTOCOL", "SASL_SSL".to_owned()),
        ("KAFKA_SASL_MECHANISM", "SCRAM-SHA-512".to_owned()),
        ("KAFKA_USERNAME", secure.username.clone()),
        ("KAFKA_PASSWORD", secure.password.clone()),
        ("KAFKA_CA", secure.ca.display().to_string()),
    ]
}
