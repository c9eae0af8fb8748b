//! A real Apache Kafka broker (KRaft, one node, no Docker), from jars that `cargo xtask test` has
//! fetched.
//!
//! A broker takes about two seconds to start and 250 MB. Topics have fixed names, so each test has a
//! broker of its own.

mod record;
mod secure;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};

use crate::folder::Folder;
use crate::port;
use crate::process::{Process, Program};
use crate::wait::eventually;

pub use record::Record;
pub use secure::SecureListener;

/// The folder with the broker's jars; by default the cache of `cargo xtask test`.
const JARS_VARIABLE: &str = "RONDO_TEST_KAFKA";

/// The release that `cargo xtask test` fetches.
const KAFKA_VERSION: &str = "4.3.1";

/// Kafka's form of a cluster id: 16 bytes in base64url.
const CLUSTER_ID: &str = "cm9uZG8tdGVzdC1rYWZrYQ";

/// Time limit for a start, even after a kill and on a busy machine.
const START_SECONDS_MAX: u64 = 60;

/// Time limit for a clean shutdown.
const STOP_SECONDS_MAX: u64 = 30;

/// Time limit for one response of the broker.
const ANSWER_SECONDS_MAX: u64 = 10;

/// How long a member handles what waits for it before it closes.
const SERVE_MS: u64 = 100;

const JVM_OPTIONS: [&str; 3] = ["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];

/// A broker that runs until this is dropped.
#[derive(Debug)]
pub struct Broker {
    plain_port: u16,
    secure: Option<SecureListener>,
    program: Program,
    process: Mutex<Option<Process>>,
    // Dropped after the process, which writes into it.
    _folder: Folder,
}

/// A foreign member of a consumer group; see [`Broker::join`].
pub struct Member {
    consumer: BaseConsumer,
}

impl Member {
    /// Whether it knows that the broker has ended it, because another has taken its place.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.consumer.client().fatal_error().is_some()
    }
}

impl Drop for Member {
    /// Handles what waits for it first: librdkafka 2.12 never closes a client that the broker has ended while a
    /// change of its partitions waits.
    fn drop(&mut self) {
        let end = Instant::now() + Duration::from_millis(SERVE_MS);
        while let Some(left) = end.checked_duration_since(Instant::now()) {
            self.consumer.poll(left);
        }
    }
}

/// Options of a broker.
#[derive(Debug, Clone, Copy, Default)]
pub struct BrokerBuilder {
    is_killable: bool,
    is_secure: bool,
}

impl BrokerBuilder {
    /// Shortens the broker's session, which has to expire before a restart after [`Broker::kill`]: the
    /// restart takes 3 s instead of 11. Only for tests that kill it: a busy machine may miss heartbeats.
    #[must_use]
    pub const fn killable(mut self) -> Self {
        self.is_killable = true;
        self
    }

    /// Adds a listener with TLS and SCRAM-SHA-512.
    #[must_use]
    pub const fn secure(mut self) -> Self {
        self.is_secure = true;
        self
    }

    /// Starts the broker and waits until it answers.
    ///
    /// # Panics
    /// When the jars or Java are missing, or the broker does not start.
    pub async fn start(self) -> Broker {
        let folder = Folder::new("kafka");
        let builder = self;
        let path = folder.path().to_owned();
        let prepared = tokio::task::spawn_blocking(move || builder.prepare(&path)).await;
        let (plain_port, secure) = prepared.expect("the broker's folder can be prepared");
        let program = java(&jars())
            .arguments(["kafka.Kafka", &properties_path(folder.path()).to_string_lossy()]);
        let process = Mutex::new(Some(program.start()));
        let broker = Broker { plain_port, secure, program, process, _folder: folder };
        broker.await_answer().await;
        broker
    }

    /// Writes the settings and formats the data folder.
    fn prepare(self, folder: &Path) -> (u16, Option<SecureListener>) {
        let (plain_port, controller_port) = (port::free(), port::free());
        let secure = self.is_secure.then(|| secure::listener(folder));
        let mut properties = self.properties(folder, plain_port, controller_port);
        if let Some(secure) = &secure {
            secure::add_listener(&mut properties, secure, folder);
        }
        let text: String =
            properties.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
        std::fs::write(properties_path(folder), text).expect("a folder of our own");

        let mut format = Command::new("java");
        format.args(JVM_OPTIONS).arg("-cp").arg(jars().join("*"));
        format.args(["kafka.tools.StorageTool", "format", "--standalone", "-t", CLUSTER_ID, "-c"]);
        format.arg(properties_path(folder));
        if self.is_secure {
            format.args(["--add-scram", &secure::scram_user()]);
        }
        run(&mut format);
        (plain_port, secure)
    }

    fn properties(self, folder: &Path, plain: u16, controller: u16) -> Vec<(&'static str, String)> {
        let mut properties = vec![
            ("process.roles", "broker,controller".to_owned()),
            ("node.id", "1".to_owned()),
            ("controller.quorum.bootstrap.servers", format!("127.0.0.1:{controller}")),
            ("controller.listener.names", "CONTROLLER".to_owned()),
            (
                "listeners",
                format!("PLAINTEXT://127.0.0.1:{plain},CONTROLLER://127.0.0.1:{controller}"),
            ),
            ("advertised.listeners", format!("PLAINTEXT://127.0.0.1:{plain}")),
            (
                "listener.security.protocol.map",
                "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL".to_owned(),
            ),
            ("inter.broker.listener.name", "PLAINTEXT".to_owned()),
            ("log.dirs", folder.join("data").display().to_string()),
        ];
        // One node holds every topic; files and buffers are small; a group does not wait for more members; an
        // uncreated topic is an error.
        let fixed = [
            ("offsets.topic.replication.factor", "1"),
            ("offsets.topic.num.partitions", "3"),
            ("transaction.state.log.replication.factor", "1"),
            ("transaction.state.log.min.isr", "1"),
            ("transaction.state.log.num.partitions", "1"),
            ("share.coordinator.state.topic.replication.factor", "1"),
            ("share.coordinator.state.topic.min.isr", "1"),
            ("share.coordinator.state.topic.num.partitions", "1"),
            ("min.insync.replicas", "1"),
            ("group.initial.rebalance.delay.ms", "0"),
            ("auto.create.topics.enable", "false"),
            ("log.segment.bytes", "16777216"),
            ("log.index.size.max.bytes", "1048576"),
            ("log.cleaner.dedupe.buffer.size", "2097152"),
            ("num.network.threads", "2"),
            ("num.io.threads", "4"),
        ];
        properties.extend(fixed.map(|(name, value)| (name, value.to_owned())));
        if self.is_killable {
            properties.push(("broker.session.timeout.ms", "2000".to_owned()));
            properties.push(("broker.heartbeat.interval.ms", "500".to_owned()));
        }
        properties
    }
}

impl Broker {
    pub const fn builder() -> BrokerBuilder {
        BrokerBuilder { is_killable: false, is_secure: false }
    }

    /// A plain broker.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start() -> Self {
        Self::builder().start().await
    }

    /// `127.0.0.1:PORT`, as for `KAFKA_BROKERS`. It stays the same over restarts.
    #[must_use]
    pub fn bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.plain_port)
    }

    /// # Panics
    /// If the broker was started without one.
    #[must_use]
    pub fn secure_listener(&self) -> &SecureListener {
        self.secure.as_ref().expect("a broker that was built with `secure()`")
    }

    /// Settings for a client of the plain listener, with a short session.
    #[must_use]
    pub fn client_config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.bootstrap()).set("session.timeout.ms", "6000");
        // Clients would warn about brokers that were killed on purpose.
        config.set_log_level(rdkafka::config::RDKafkaLogLevel::Emerg);
        config
    }

    /// Sends SIGKILL.
    pub fn kill(&self) {
        if let Some(mut process) = self.process().take() {
            process.kill();
        }
    }

    /// Starts it again on the same ports and data, and waits until the broker responds.
    ///
    /// # Panics
    /// When it still runs, or does not start.
    pub async fn restart(&self) {
        {
            let mut process = self.process();
            assert!(process.is_none(), "the broker still runs");
            *process = Some(self.program.start());
        }
        self.await_answer().await;
    }

    /// Sends SIGTERM and waits for the end.
    ///
    /// # Panics
    /// If that takes too long.
    pub async fn stop(&self) {
        let process = self.process().take();
        if let Some(mut process) = process {
            process.terminate(Duration::from_secs(STOP_SECONDS_MAX)).await;
        }
    }

    /// Creates a topic that keeps records of any age.
    ///
    /// # Panics
    /// When the broker refuses, for example because the topic exists.
    pub async fn create_topic(&self, name: &str, partitions: i32) {
        let admin: AdminClient<DefaultClientContext> =
            self.client_config().create().expect("an admin client");
        let topic =
            NewTopic::new(name, partitions, TopicReplication::Fixed(1)).set("retention.ms", "-1");
        let created = admin.create_topics([&topic], &AdminOptions::new()).await;
        for result in created.expect("an answer about the topic") {
            result.unwrap_or_else(|(name, error)| panic!("topic {name}: {error}"));
        }
    }

    /// Publishes a record, like a foreign program.
    ///
    /// # Panics
    /// When the broker rejects it.
    pub async fn publish(&self, topic: &str, key: &str, headers: &[(&str, &str)], value: &str) {
        let producer: FutureProducer = self.client_config().create().expect("a producer");
        let headers = headers.iter().fold(OwnedHeaders::new(), |all, (key, value)| {
            all.insert(Header { key, value: Some(*value) })
        });
        let record = FutureRecord::to(topic).key(key).payload(value).headers(headers);
        let sent = producer.send(record, Duration::from_secs(ANSWER_SECONDS_MAX)).await;
        sent.unwrap_or_else(|(error, _)| panic!("{topic}: {error}"));
    }

    /// The ids of a group's members; that of a static one begins with its instance's.
    ///
    /// # Panics
    /// When the broker does not answer.
    pub async fn members(&self, group: &str) -> Vec<String> {
        let (config, group) = (self.client_config(), group.to_owned());
        let ask = move || {
            let consumer: BaseConsumer = config.create().expect("a consumer");
            let limit = Duration::from_secs(ANSWER_SECONDS_MAX);
            let list = consumer.fetch_group_list(Some(&group), limit).expect("a group");
            let members = list.groups().iter().flat_map(|group| group.members());
            members.map(|member| member.id().to_owned()).collect()
        };
        tokio::task::spawn_blocking(ask).await.expect("an answer about the group")
    }

    /// Lets a foreign program be a member of a group until this is dropped; static if it names an instance.
    /// It takes its partitions and then neither reads nor gives them up, as one that hangs.
    ///
    /// # Panics
    /// When the client refuses.
    #[must_use]
    pub fn join(&self, group: &str, instance: Option<&str>, topics: &[&str]) -> Member {
        let mut config = self.client_config();
        config.set("group.id", group).set("partition.assignment.strategy", "cooperative-sticky");
        if let Some(instance) = instance {
            config.set("group.instance.id", instance);
        }
        let consumer: BaseConsumer = config.create().expect("a consumer");
        consumer.subscribe(topics).expect("a subscription");
        Member { consumer }
    }

    /// All present records of a topic, by partition and offset.
    ///
    /// # Panics
    /// When the topic does not exist or the broker does not answer.
    pub async fn records(&self, topic: &str) -> Vec<Record> {
        let config = self.client_config();
        let topic = topic.to_owned();
        let read = tokio::task::spawn_blocking(move || {
            record::read_topic(&config, &topic, Duration::from_secs(ANSWER_SECONDS_MAX))
        })
        .await;
        read.expect("the topic can be read")
    }

    /// Waits until the broker answers a metadata request; its port is open long before.
    async fn await_answer(&self) {
        let config = self.client_config();
        let mut first_error = None;
        eventually(
            "an answer of the Kafka broker",
            Duration::from_secs(START_SECONDS_MAX),
            async || {
                if let Some(process) = &mut *self.process()
                    && let Some(status) = process.exited()
                {
                    return Ok(Err(format!("the broker ended with {status}:\n{}", process.log())));
                }
                let config = config.clone();
                match tokio::task::spawn_blocking(move || has_answer(&config)).await {
                    Ok(Ok(())) => Ok(Ok(())),
                    Ok(Err(error)) => Err(first_error.get_or_insert(error).clone()),
                    Err(error) => Err(error.to_string()),
                }
            },
        )
        .await
        .unwrap_or_else(|end| panic!("{end}"));
    }

    fn process(&self) -> MutexGuard<'_, Option<Process>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Requests the cluster's metadata.
fn has_answer(config: &ClientConfig) -> Result<(), String> {
    let consumer: BaseConsumer = config.create().map_err(|error| error.to_string())?;
    let metadata =
        consumer.fetch_metadata(None, Duration::from_secs(1)).map_err(|error| error.to_string())?;
    if metadata.brokers().is_empty() { Err("no broker yet".to_owned()) } else { Ok(()) }
}

/// A JVM with the broker's jars.
fn java(jars: &Path) -> Program {
    let class_path = jars.join("*");
    Program::new("java").arguments(JVM_OPTIONS).argument("-cp").argument(class_path)
}

/// # Panics
/// When there are none; tests never download.
fn jars() -> PathBuf {
    let cached = || {
        let base = std::env::var_os("XDG_CACHE_HOME")
            .filter(|named| !named.is_empty())
            .map(PathBuf::from)
            .or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")))?;
        Some(base.join("rondo").join(format!("kafka-{KAFKA_VERSION}")))
    };
    let folder = std::env::var_os(JARS_VARIABLE).map(PathBuf::from).or_else(cached);
    folder.filter(|folder| folder.is_dir()).unwrap_or_else(|| {
        panic!("Kafka {KAFKA_VERSION} is not in the cache: `cargo xtask test` fetches it once")
    })
}

fn properties_path(folder: &Path) -> PathBuf {
    folder.join("server.properties")
}

fn run(command: &mut Command) {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}", command.get_program().display()));
    assert!(
        output.status.success(),
        "{:?} ended with {}: {}{}",
        command.get_args().collect::<Vec<_>>(),
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
