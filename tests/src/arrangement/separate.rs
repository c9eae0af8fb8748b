//! The production arrangement on one machine: `rondo migrate`, `rondo host`, `rondo bridge` and `rondo-sync`
//! as separate processes, with the operator's database and a real Kafka.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use rondo_database::server::BinarySource;
use rondo_database::{DataFolder, Dsn, PrivateServer};
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
    /// Plain, and the broker is killed and restarted.
    Killable,
}

/// One of our programs, with the port it listens on.
struct Service {
    name: &'static str,
    program: Program,
    port: u16,
    process: Option<Process>,
}

impl Service {
    fn new(name: &'static str, program: Program, port: u16) -> Self {
        Self { name, program, port, process: None }
    }

    fn start(&mut self) {
        assert!(self.process.is_none(), "{} still runs", self.name);
        self.process = Some(self.program.start());
    }

    fn kill(&mut self) {
        self.running().kill();
        self.process = None;
    }

    fn running(&mut self) -> &mut Process {
        self.process.as_mut().unwrap_or_else(|| panic!("{} does not run", self.name))
    }

    fn http(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Waits until it answers that it is ready.
    async fn ready(&mut self) {
        let http = Client::new(self.http());
        let name = self.name;
        ready(name, self.running(), async || super::is_ready(&http).await).await;
    }
}

/// What can be away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Broker,
    Postgres,
    Host,
    Bridge,
    Sync,
}

/// Postgres, broker, host, bridge and live sync.
pub struct Separate {
    pub broker: Broker,
    bridge: Service,
    host: Service,
    sync: Service,
    /// As `rondo env` wrote it.
    environment: Vec<(String, String)>,
    postgres: String,
    server: Option<PrivateServer>,
    // In the order in which they go: the folder has the data of the server.
    data: Option<DataFolder>,
    folder: Folder,
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
            Listener::Killable => builder.killable().start().await,
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
        let bridge_program = Program::built("rondo")
            .argument("bridge")
            .env("RONDO_LISTEN", listen(bridge_port))
            .env("RONDO_DATA", folder.path().join("bridge"));
        let bridge_program = with_environment(bridge_program);
        let sync = Program::built("rondo-sync").arguments(["--listen", &listen(sync_port)]);
        let mut separate = Self {
            bridge: Service::new("bridge", bridge_program, bridge_port),
            host: Service::new("host", with_environment(host), host_port),
            sync: Service::new("live sync", with_environment(sync), sync_port),
            broker,
            environment,
            postgres,
            server: Some(server),
            data: Some(data),
            folder,
        };
        separate.host.start();
        separate.sync.start();
        // The bridge makes the topics that live sync follows.
        separate.start_again().await;
        let http = Client::new(separate.http());
        // The host has no health of its own, as Spin has none: a component answers.
        ready("host", separate.host.running(), async || match http.get("/api/tasks").await {
            Ok(response) if response.status == 401 => Ok(()),
            Ok(response) => Err(response.text()),
            Err(error) => Err(error.to_string()),
        })
        .await;
        separate.sync.ready().await;
        separate
    }

    /// kill -9 of a part.
    ///
    /// # Panics
    /// When it does not run.
    pub fn take_away(&mut self, part: Part) {
        match part {
            Part::Broker => self.broker.kill(),
            Part::Postgres => {
                let server = self.server.take().expect("Postgres runs");
                let pid = server.pid().to_string();
                server.leave_running();
                let killed = Command::new("kill").args(["-KILL", &pid]).status();
                assert!(killed.is_ok_and(|status| status.success()), "Postgres does not run");
                self.data = None;
            }
            Part::Host => self.host.kill(),
            Part::Bridge => self.bridge.kill(),
            Part::Sync => self.sync.kill(),
        }
    }

    /// Brings a part back on the same data and port: the broker and Postgres answer when this returns, a
    /// program of ours has been started.
    ///
    /// # Panics
    /// When it still runs, or does not start.
    pub async fn bring_back(&mut self, part: Part) {
        match part {
            Part::Broker => self.broker.restart().await,
            Part::Postgres => {
                let port = Dsn::parse(&self.postgres).expect("its address").port();
                let binaries = BinarySource::SystemOrFetched;
                let started = database::start_at(self.folder.path(), binaries, Some(port)).await;
                let (server, data) = started.expect("a Postgres");
                (self.server, self.data) = (Some(server), Some(data));
            }
            Part::Host => self.host.start(),
            Part::Bridge => self.bridge.start(),
            Part::Sync => self.sync.start(),
        }
    }

    /// Where bridge and live sync tell whether they are ready.
    #[must_use]
    pub fn operations(&self) -> [String; 2] {
        [self.bridge.http(), self.sync.http()]
    }

    /// Waits until the bridge is ready.
    ///
    /// # Panics
    /// When it is not in time.
    pub async fn bridge_ready(&mut self) {
        self.bridge.ready().await;
    }

    /// What the bridge has logged since its start.
    pub fn bridge_log(&mut self) -> String {
        self.bridge.running().log()
    }

    /// One more bridge beside the first, ready.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn another_bridge(&self) -> Process {
        let port = port::free();
        let program = self.bridge.program.clone().env("RONDO_LISTEN", format!("127.0.0.1:{port}"));
        let mut another = Service::new("another bridge", program, port);
        another.start();
        another.ready().await;
        another.process.expect("started above")
    }

    /// What `/metrics` of each program has, by the program's name.
    ///
    /// # Panics
    /// When one does not answer.
    pub async fn metrics(&self) -> [(&'static str, String); 3] {
        let ports =
            [("host", self.host.port), ("bridge", self.bridge.port), ("sync", self.sync.port)];
        let mut metrics = ports.map(|(program, _)| (program, String::new()));
        for ((_, text), (_, port)) in metrics.iter_mut().zip(ports) {
            let http = Client::new(format!("http://127.0.0.1:{port}"));
            *text = http.get("/metrics").await.expect("an answer").expect(200).text();
        }
        metrics
    }

    #[must_use]
    pub fn ws(&self) -> String {
        format!("ws://127.0.0.1:{}/ws", self.sync.port)
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
        let listen = format!("127.0.0.1:{}", self.bridge.port);
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
        for service in [&mut self.sync, &mut self.bridge, &mut self.host] {
            let name = service.name;
            let process = service.running();
            let status = process.terminate(STOP).await;
            assert!(status.success(), "{name}: {status}\n{}", process.log());
        }
        self.broker.stop().await;
        self.server.expect("Postgres runs").stop().await.expect("Postgres stops");
    }
}

impl Arrangement for Separate {
    fn http(&self) -> String {
        self.host.http()
    }

    fn postgres(&self) -> String {
        self.postgres.clone()
    }

    /// The bridge: all that is between a change and its effects is in it.
    fn kill(&mut self) {
        self.bridge.kill();
    }

    async fn start_again(&mut self) {
        self.bridge.start();
        self.bridge.ready().await;
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
    if listener != Listener::Secure {
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
