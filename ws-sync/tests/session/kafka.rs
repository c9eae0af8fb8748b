//! The Kafka source of the feed, and the program `rondo-sync`, with a real broker.

use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions};
use rdkafka::client::DefaultClientContext;
use rdkafka::producer::{FutureProducer, FutureRecord};
use rondo_contract::topic::TASK_UPDATES;
use rondo_database::Role;
use rondo_kafka::KafkaSettings;
use rondo_telemetry::{Metrics, metric};
use rondo_testkit::http::Client;
use rondo_testkit::kafka::Broker;
use rondo_testkit::port;
use rondo_testkit::process::Program;
use rondo_testkit::wait::eventually;
use rondo_testkit::websocket::WebSocket;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use ws_sync::feed::kafka;

use crate::stage::{SECRET, SOON, Stage, closed, good_token};

/// Time limit for a restarted broker to start, and for the consumer to find it again.
const RECOVERY: Duration = Duration::from_secs(60);

#[tokio::test]
async fn an_unavailable_broker_leaves_no_gap() {
    let broker = Broker::builder().killable().start().await;
    broker.create_topic(TASK_UPDATES.name, TASK_UPDATES.partitions.into()).await;
    let stage = Stage::new().await;
    // Events from before the feed are not live.
    stage.create("before", 3).await;
    produce(&broker, &stage).await;
    let following = Following::start(&stage, &broker);
    following.flowing().await;

    let (mut socket, welcome) = stage.welcomed("").await;
    assert_eq!(welcome, 3);
    stage.create("while it is there", 2).await;
    produce(&broker, &stage).await;
    for revision in [4, 5] {
        assert_eq!(socket.next(SOON).await.json()["revision"], revision);
    }

    broker.kill();
    eventually("the feed to say that Kafka is away", RECOVERY, async || {
        if following.state.borrow().is_err() { Ok(()) } else { Err("flowing") }
    })
    .await;
    broker.restart().await;
    stage.create("when it is back", 2).await;
    produce(&broker, &stage).await;
    for revision in [6, 7] {
        assert_eq!(socket.next(RECOVERY).await.json()["revision"], revision);
    }
    following.stop().await;
}

#[tokio::test]
async fn a_feed_that_may_have_a_gap_makes_devices_resume() {
    let broker = Broker::start().await;
    let stage = Stage::new().await;
    let following = Following::start(&stage, &broker);
    eventually("the missing topic to be named", SOON, async || match &*following.state.borrow() {
        Err(reason) if reason.contains(TASK_UPDATES.name) => Ok(()),
        state => Err(format!("{state:?}")),
    })
    .await;
    let mut early = stage.connect("").await;
    assert_eq!(early.next(SOON).await, closed(1001, "going_away"));

    broker.create_topic(TASK_UPDATES.name, 1).await;
    following.flowing().await;
    let (mut socket, _) = stage.welcomed("").await;
    // More partitions: keys have moved to some that no session reads.
    let admin: AdminClient<DefaultClientContext> = broker.client_config().create().unwrap();
    let more = NewPartitions::new(TASK_UPDATES.name, TASK_UPDATES.partitions.into());
    admin.create_partitions([&more], &AdminOptions::new()).await.unwrap();
    assert_eq!(socket.next(RECOVERY).await, closed(1001, "going_away"));
    following.flowing().await;
    let (mut socket, _) = stage.welcomed("").await;
    stage.create("task", 1).await;
    produce(&broker, &stage).await;
    assert_eq!(socket.next(SOON).await.json()["revision"], 1);
    following.stop().await;
}

#[tokio::test]
async fn the_program_serves_and_stops() {
    let broker = Broker::start().await;
    broker.create_topic(TASK_UPDATES.name, TASK_UPDATES.partitions.into()).await;
    let stage = Stage::new().await;
    let address = format!("127.0.0.1:{}", port::free());
    let mut program = Program::new(env!("CARGO_BIN_EXE_rondo-sync"))
        .env("RONDO_LISTEN", &address)
        .env("DATABASE_URL", stage.database.dsn(Role::Sync).expose_url())
        .env("KAFKA_BROKERS", broker.bootstrap())
        .env("JWT_SECRET", SECRET)
        .env("RONDO_LOG", "debug")
        .start();
    let client = Client::new(format!("http://{address}"));
    eventually("the program to be ready", RECOVERY, async || {
        match client.get("/health/ready").await {
            Ok(response) if response.status == 200 => Ok(()),
            Ok(response) => Err(response.text()),
            Err(error) => Err(error.to_string()),
        }
    })
    .await;
    let token = good_token(stage.user_id);
    let url = format!("ws://{address}/ws?token={token}");
    let mut socket = WebSocket::connect(&url).await.unwrap();
    assert_eq!(socket.next(SOON).await.json()["type"], "welcome");
    stage.create("task", 1).await;
    produce(&broker, &stage).await;
    assert_eq!(socket.next(SOON).await.json()["type"], "task.updated");
    client.get("/health").await.unwrap().expect(200);
    let metrics = client.get("/metrics").await.unwrap().expect(200).text();
    assert!(
        metrics.lines().any(|line| line.contains("connections") && line.ends_with(" 1")),
        "{metrics}"
    );

    let ended = program.terminate(SOON);
    let (ended, frame) = tokio::join!(ended, socket.next(SOON));
    assert_eq!(frame, closed(1001, "going_away"));
    assert_eq!(ended.code(), Some(0));
    let log = program.log();
    assert!(!log.is_empty());
    for secret in [token.as_str(), SECRET] {
        assert!(!log.contains(secret), "{log}");
    }
}

#[tokio::test]
async fn a_missing_setting_is_named() {
    let settings = [
        ("DATABASE_URL", "postgres://rondo_sync:hunter2@localhost/rondo"),
        ("KAFKA_BROKERS", "127.0.0.1:1"),
        ("JWT_SECRET", SECRET),
    ];
    for (missing, _) in settings {
        let mut program = Program::new(env!("CARGO_BIN_EXE_rondo-sync"));
        for (name, value) in settings.iter().filter(|(name, _)| *name != missing) {
            program = program.env(name, value);
        }
        let mut process = program.start();
        assert_eq!(process.exit(SOON).await.code(), Some(2));
        // The log is read concurrently with the program's end.
        eventually("the setting's name", SOON, async || {
            let log = process.log();
            if log.contains(&format!("{missing}: ")) { Ok(()) } else { Err(log) }
        })
        .await;
        assert!(!process.log().contains("hunter2"), "{}", process.log());
    }
}

/// A running feed.
struct Following {
    state: watch::Receiver<Result<(), String>>,
    shutdown: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl Following {
    fn start(stage: &Stage, broker: &Broker) -> Self {
        let hub = stage.service.hub().clone();
        // The stage has opened it for its own publisher.
        hub.interrupt();
        let settings = KafkaSettings::plaintext(broker.bootstrap());
        let shutdown = CancellationToken::new();
        let (tell, state) = watch::channel(Err("starting".to_owned()));
        let task = tokio::spawn({
            let shutdown = shutdown.clone();
            async move {
                let report = move |state| {
                    let _ = tell.send_replace(state);
                };
                kafka::run(
                    &settings,
                    &hub,
                    &Metrics::new(metric::Program::Sync),
                    &report,
                    &shutdown,
                )
                .await;
            }
        });
        Self { state, shutdown, task }
    }

    async fn flowing(&self) {
        let mut state = self.state.clone();
        let flowing = state.wait_for(Result::is_ok);
        tokio::time::timeout(RECOVERY, flowing).await.expect("the feed flows").unwrap();
    }

    async fn stop(self) {
        self.shutdown.cancel();
        self.task.await.unwrap();
    }
}

/// Publishes the events since the last call, like the bridge's relay.
async fn produce(broker: &Broker, stage: &Stage) {
    let producer: FutureProducer = broker.client_config().set("acks", "all").create().unwrap();
    for (user_id, payload) in stage.events().await {
        let key = user_id.to_string();
        let record = FutureRecord::to(TASK_UPDATES.name).key(&key).payload(&payload);
        producer.send(record, RECOVERY).await.unwrap();
    }
}
