//! `bench recovery`: how long it takes until events flow again after a part was away, and what requests
//! and live sync see meanwhile.
//!
//! Everything runs as processes of their own, as in production: host, bridge, live sync, Postgres and a
//! Kafka broker; and as the single program `rondo up`, on either transport. A user creates and completes
//! recurring tasks at an even rate throughout. A part is killed with SIGKILL, stays away, and is brought
//! back. Times count from the moment it is back: the broker or Postgres answers, or the process of a
//! program of ours has been started.
//!
//! Nothing may be lost: at the end, every acknowledged change has its effects, and a device that
//! followed all along has seen the last state of every task.

mod traffic;

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use rondo_database::{Dsn, Session, SessionOptions, pool};
use rondo_testkit::http::Client;
use rondo_testkit::kafka::Broker;
use rondo_testkit::wait::eventually;
use rondo_tests::arrangement::separate::{Listener, Part, Separate};
use rondo_tests::arrangement::{Arrangement as _, Up};
use rondo_tests::story::{self, User};
use traffic::{Device, Load, Refusals};

/// Between two looks at what is measured.
const POLL: Duration = Duration::from_millis(20);
/// How long the effects may take to be all there.
const SETTLED: Duration = Duration::from_secs(120);
/// Steady state before each fault.
const BEFORE: Duration = Duration::from_secs(5);

#[derive(Args)]
pub struct Options {
    /// Parts that are away, one after another
    #[arg(
        long,
        value_enum,
        default_values = ["broker", "postgres", "host", "bridge", "sync", "up-kafka", "up"],
        value_delimiter = ','
    )]
    part: Vec<Away>,
    /// How often each is
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// How long a part is away, in seconds: for less and for more than a session with the broker
    #[arg(long, default_values_t = [2, 15], value_delimiter = ',')]
    away_s: Vec<u64>,
    /// Requests per second
    #[arg(long, default_value_t = 25)]
    rate: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Away {
    Broker,
    Postgres,
    Host,
    Bridge,
    Sync,
    /// `rondo up` on Kafka.
    UpKafka,
    /// `rondo up` on the local transport.
    Up,
}

impl Away {
    /// The part of the separate arrangement; none for `rondo up`.
    fn part(self) -> Option<Part> {
        match self {
            Self::Broker => Some(Part::Broker),
            Self::Postgres => Some(Part::Postgres),
            Self::Host => Some(Part::Host),
            Self::Bridge => Some(Part::Bridge),
            Self::Sync => Some(Part::Sync),
            Self::UpKafka | Self::Up => None,
        }
    }

    fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

/// What runs, and has a part that can be away.
enum Subject {
    Separate(Box<Separate>),
    Up(Box<Up>, Option<Box<Broker>>),
}

impl Subject {
    async fn start(away: Away) -> Self {
        let quiet = ("RONDO_LOG", "warn".to_owned());
        match away {
            Away::UpKafka => {
                let broker = Broker::start().await;
                let kafka = ("KAFKA_BROKERS", broker.bootstrap());
                Self::Up(
                    Box::new(Up::start("bench-recovery", &[quiet, kafka]).await),
                    Some(Box::new(broker)),
                )
            }
            Away::Up => Self::Up(Box::new(Up::start("bench-recovery", &[quiet]).await), None),
            _ => Self::Separate(Box::new(
                Separate::start("bench-recovery", Listener::Killable, &[quiet]).await,
            )),
        }
    }

    fn http(&self) -> String {
        match self {
            Self::Separate(separate) => separate.http(),
            Self::Up(up, _) => up.http(),
        }
    }

    fn ws(&self) -> String {
        match self {
            Self::Separate(separate) => separate.ws(),
            Self::Up(up, _) => up.ws(),
        }
    }

    fn database(&self) -> Database {
        match self {
            Self::Separate(separate) => Database::at(separate.postgres()),
            Self::Up(up, _) => Database::at(up.postgres()),
        }
    }

    fn operations(&self) -> Vec<String> {
        match self {
            Self::Separate(separate) => separate.operations().into(),
            Self::Up(up, _) => vec![up.http()],
        }
    }

    fn take_away(&mut self, away: Away) {
        match (self, away.part()) {
            (Self::Separate(separate), Some(part)) => separate.take_away(part),
            (Self::Up(up, _), None) => up.kill(),
            _ => unreachable!("the subject was started for this"),
        }
    }

    /// A program of ours has been started when this returns; a broker or Postgres answers.
    async fn bring_back(&mut self, away: Away) {
        match (self, away.part()) {
            (Self::Separate(separate), Some(part)) => separate.bring_back(part).await,
            (Self::Up(up, _), None) => up.launch(),
            _ => unreachable!("the subject was started for this"),
        }
    }

    async fn stop(self) {
        match self {
            Self::Separate(separate) => separate.stop().await,
            Self::Up(mut up, broker) => {
                up.stop().await;
                if let Some(broker) = broker {
                    broker.stop().await;
                }
            }
        }
    }
}

/// A look into the database, which may be away.
struct Database {
    address: String,
    session: tokio::sync::Mutex<Option<Arc<Session>>>,
}

impl Database {
    fn at(address: String) -> Self {
        Self { address, session: tokio::sync::Mutex::default() }
    }

    async fn session(&self) -> Result<Arc<Session>, String> {
        let mut session = self.session.lock().await;
        match &*session {
            Some(session) if !session.is_closed() => Ok(session.clone()),
            _ => {
                let dsn = Dsn::parse(&self.address).map_err(|error| error.to_string())?;
                let opened = pool::connect(&dsn, &SessionOptions::default()).await;
                let opened = Arc::new(opened.map_err(|error| error.to_string())?);
                *session = Some(opened.clone());
                Ok(opened)
            }
        }
    }

    /// The user's last revision.
    async fn revision(&self, user: i64) -> Result<i64, String> {
        let sql = "SELECT revision FROM user_revisions WHERE user_id = $1";
        let row = self.session().await?.query_one(sql, &[&user]).await;
        row.map(|row| row.get(0)).map_err(|error| error.to_string())
    }

    /// How many of the user's first `upto` revisions are in the audit log: each has one task event.
    async fn entries(&self, user: i64, upto: i64) -> Result<i64, String> {
        let sql = "SELECT count(*) FROM audit_logs WHERE user_id = $1 AND action_type LIKE 'task.%'
                   AND (payload ->> 'revision')::bigint <= $2";
        let row = self.session().await?.query_one(sql, &[&user, &upto]).await;
        row.map(|row| row.get(0)).map_err(|error| error.to_string())
    }
}

/// What one fault cost.
#[derive(Clone, Copy, Debug, Default)]
struct Cost {
    /// Until every program says that it is ready.
    ready_s: f64,
    /// Until an event that happened before the part was back has its effect.
    effect_s: f64,
    /// Until all of those have.
    drained_s: f64,
    /// Until the device has a frame of a change made after the part was back.
    frame_s: f64,
    refusals: Refusals,
}

/// Measures and prints.
///
/// # Errors
/// When a change is lost, or live sync leaves a gap.
///
/// # Panics
/// When something does not start, or does not recover in two minutes.
pub async fn run(options: &Options) -> anyhow::Result<()> {
    println!(
        "{:<9} {:>5} {:>7} {:>8} {:>9} {:>7} {:>5} {:>10} {:>5} {:>9}",
        "away",
        "for s",
        "ready s",
        "effect s",
        "drained s",
        "frame s",
        "503",
        "unanswered",
        "other",
        "refused s"
    );
    let mut left = options.part.as_slice();
    while let Some(&first) = left.first() {
        // Parts of the separate arrangement share one.
        let together = left.iter().take_while(|away| away.part().is_some()).count().max(1);
        let (parts, rest) = left.split_at(together);
        measure(first, parts, options).await?;
        left = rest;
    }
    Ok(())
}

/// Measures parts of one running subject.
async fn measure(first: Away, parts: &[Away], options: &Options) -> anyhow::Result<()> {
    let mut subject = Subject::start(first).await;
    let user = Arc::new(story::register(&subject.http(), "recovery@example.org").await);
    let load = Load::start(user.clone(), options.rate);
    let device = Device::start(subject.ws(), user.clone());
    tokio::time::sleep(BEFORE).await;
    for away in parts {
        for away_s in &options.away_s {
            for _ in 0..options.rounds {
                let pause = Duration::from_secs(*away_s);
                let cost = fault(&mut subject, &user, &load, &device, *away, pause).await;
                let Refusals { unavailable, unanswered, other, span_s } = cost.refusals;
                println!(
                    "{:<9} {away_s:>5} {:>7.2} {:>8.2} {:>9.2} {:>7.2} {unavailable:>5} {unanswered:>10} \
                     {other:>5} {span_s:>9.2}",
                    away.name(),
                    cost.ready_s,
                    cost.effect_s,
                    cost.drained_s,
                    cost.frame_s
                );
                tokio::time::sleep(BEFORE).await;
            }
        }
    }
    let acknowledged = load.stop().await;
    let database = subject.database();
    eventually("every effect", SETTLED, async || is_whole(&database, &user, &acknowledged).await)
        .await;
    let final_revisions = revisions(&database, user.id).await.map_err(anyhow::Error::msg)?;
    eventually("the last state of every task at the device", SETTLED, async || {
        let seen = device.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let missing = final_revisions
            .iter()
            .filter(|(task, revision)| seen.tasks.get(task) != Some(revision));
        match missing.count() {
            0 => Ok(()),
            count => Err(format!("{count} tasks")),
        }
    })
    .await;
    let resumed = device.stop().await?;
    println!(
        "{} changes were acknowledged, none is lost; the device resumed {resumed} times, without a gap",
        acknowledged.len()
    );
    subject.stop().await;
    Ok(())
}

/// Takes a part away, brings it back and measures.
async fn fault(
    subject: &mut Subject,
    user: &User,
    load: &Load,
    device: &Device,
    away: Away,
    pause: Duration,
) -> Cost {
    load.forget_refusals();
    let database = subject.database();
    subject.take_away(away);
    tokio::time::sleep(pause).await;
    subject.bring_back(away).await;
    let back = Instant::now();
    let since = |moment: Instant| moment.duration_since(back).as_secs_f64();
    let before = tokio::sync::OnceCell::new();
    // Of `rondo up`, the database comes back with the program.
    let before = async || {
        let look = async || {
            let upto = database.revision(user.id).await?;
            Ok::<_, String>((upto, database.entries(user.id, upto).await?))
        };
        before.get_or_try_init(look).await.copied()
    };
    let (operations, device) = (subject.operations(), &device.seen);
    let ready = first("readiness", async || {
        for operation in &operations {
            match Client::new(operation).get("/health/ready").await {
                Ok(answer) if answer.status == 200 => {}
                Ok(answer) => return Err(answer.text()),
                Err(error) => return Err(error.to_string()),
            }
        }
        Ok(())
    });
    // When nothing waits, the first effect is that of the next change.
    let effect = first("an effect", async || {
        let (_, entries_before) = before().await?;
        let entries = database.entries(user.id, i64::MAX).await?;
        if entries > entries_before { Ok(()) } else { Err(format!("{entries} entries")) }
    });
    let drained = first("a drained backlog", async || {
        let (upto, _) = before().await?;
        let entries = database.entries(user.id, upto).await?;
        if entries == upto { Ok(()) } else { Err(format!("{entries} of {upto}")) }
    });
    let frame = first("a frame", async || {
        let (upto, _) = before().await?;
        let last = device.lock().unwrap_or_else(PoisonError::into_inner).last;
        if last > upto { Ok(()) } else { Err(format!("revision {last}")) }
    });
    let (ready, effect, drained, frame) = tokio::join!(ready, effect, drained, frame);
    Cost {
        ready_s: since(ready),
        effect_s: since(effect),
        drained_s: since(drained),
        frame_s: since(frame),
        refusals: load.refusals(),
    }
}

/// The first moment at which `look` finds what it looks for.
async fn first(what: &str, look: impl AsyncFn() -> Result<(), String>) -> Instant {
    let deadline = Instant::now() + SETTLED;
    loop {
        match look().await {
            Ok(()) => return Instant::now(),
            Err(seen) => assert!(Instant::now() < deadline, "{what} does not come: {seen}"),
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Each task with its revision.
async fn revisions(database: &Database, user: i64) -> Result<BTreeMap<i64, i64>, String> {
    let session = database.session().await?;
    let sql = "SELECT id, revision FROM tasks WHERE user_id = $1";
    let rows = session.query(sql, &[&user]).await.map_err(|error| error.to_string())?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

/// Whether every acknowledged change is there with its effects, once.
async fn is_whole(
    database: &Database,
    user: &User,
    acknowledged: &BTreeMap<i64, bool>,
) -> Result<(), String> {
    let sql = "SELECT t.id, t.status = 'completed',
                      (SELECT count(*) FROM occurrences o WHERE o.predecessor_task_id = t.id),
                      (SELECT count(*) FROM audit_logs a
                       WHERE a.task_id = t.id AND a.action_type IN ('task.created', 'task.completed'))
               FROM tasks t WHERE t.user_id = $1";
    let session = database.session().await?;
    let rows = session.query(sql, &[&user.id]).await.map_err(|error| error.to_string())?;
    let mut there = BTreeMap::new();
    for row in &rows {
        let (id, is_completed): (i64, bool) = (row.get(0), row.get(1));
        let seen: [i64; 2] = [row.get(2), row.get(3)];
        let wanted = if is_completed { [1, 2] } else { [0, 1] };
        if seen != wanted {
            return Err(format!("task {id}: successors and entries are {seen:?}, not {wanted:?}"));
        }
        there.insert(id, is_completed);
    }
    for (id, was_completed) in acknowledged {
        match there.get(id) {
            None => return Err(format!("task {id} is lost")),
            Some(false) if *was_completed => return Err(format!("the completion of {id} is lost")),
            _ => {}
        }
    }
    Ok(())
}
