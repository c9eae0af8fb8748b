//! `rondo doctor` on a data folder that the test holds as `rondo up` would: each fault is made, found,
//! and told with what to do.

use std::path::Path;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use rondo_database::provision::{self, ConnectionLimit};
use rondo_database::secret::Secret;
use rondo_database::server::{self, PrivateServer};
use rondo_database::{
    DataFolder, Role, Secrets, ServerOptions, Session, SessionOptions, migration, pool,
};
use rondo_testkit::clock::Clock;
use rondo_testkit::folder::Folder;
use rondo_testkit::smtp::{Demand, SmtpServer};
use serde_json::Value;

const SOON: Duration = Duration::from_secs(60);
/// Nothing listens there.
const NOWHERE: &str = "127.0.0.1:1";

/// An installation without its program: `rondo up` is the one thing that is wrong with it.
struct Patient {
    server: PrivateServer,
    _data: DataFolder,
    folder: Folder,
}

impl Patient {
    async fn new() -> Self {
        let folder = Folder::new("doctor");
        let path = folder.path().join("data");
        let data = DataFolder::open(&path).unwrap();
        let secrets = Secrets::load_or_create(&path).unwrap();
        let server = server::start(&data, &secrets, &ServerOptions::default()).await.unwrap();
        provision::roles(server.dsn(), &secrets, ConnectionLimit::Enforced).await.unwrap();
        let patient = Self { server, _data: data, folder };
        let mut session = patient.session().await;
        migration::up(&mut session, migration::embedded()).await.unwrap();
        patient.run("INSERT INTO transport (name, since) VALUES ('local', now())").await;
        patient
    }

    async fn session(&self) -> Session {
        pool::connect(self.server.dsn(), &SessionOptions::default()).await.unwrap()
    }

    async fn run(&self, sql: &str) {
        self.session().await.batch_execute(sql).await.unwrap();
    }

    /// Expects exactly these to be wrong or worth a warning beside `rondo up` and the mail folder, each
    /// with these words.
    async fn has(&self, expected: &[(&str, &str, &str)], settings: &[(&str, String)]) {
        let findings = examine(self.folder.path(), settings).await;
        let usual = [("rondo up", "wrong"), ("mail", "warning")];
        let mut found: Vec<_> = findings
            .iter()
            .filter(|finding| finding["verdict"] != "ok")
            .map(|finding| (text(finding, "check"), text(finding, "verdict"), finding))
            .filter(|(check, verdict, _)| !usual.contains(&(check, verdict)))
            .collect();
        for (check, verdict, words) in expected {
            let is_it = |(found_check, found_verdict, finding): &(&str, &str, &Value)| {
                (found_check, found_verdict) == (check, verdict)
                    && finding.to_string().contains(words)
                    && (*check == "settings" || !text(finding, "advice").is_empty())
            };
            let place = found.iter().position(is_it);
            let place = place.unwrap_or_else(|| panic!("no {check} with {words:?}: {found:#?}"));
            found.remove(place);
        }
        assert!(found.is_empty(), "{found:#?}");
    }
}

fn ahead(seconds: i64) -> Timestamp {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    Timestamp::from_second(i64::try_from(now).unwrap() + seconds).unwrap()
}

fn text<'a>(finding: &'a Value, name: &str) -> &'a str {
    finding[name].as_str().unwrap_or_default()
}

/// What `rondo doctor --json` finds. Nothing that it prints is a secret.
async fn examine(folder: &Path, settings: &[(&str, String)]) -> Vec<Value> {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_rondo"));
    command.args(["doctor", "--json"]).current_dir(folder).env_clear().env("RONDO_DATA", "data");
    command.envs(settings.iter().map(|(name, value)| (name, value))).kill_on_drop(true);
    let output = tokio::time::timeout(SOON, command.output()).await.expect("an end").unwrap();
    let printed = String::from_utf8([&*output.stdout, &*output.stderr].concat()).unwrap();
    assert!(!printed.contains("hunter2") && !printed.contains("panicked"), "{printed}");
    let secrets = std::fs::read_to_string(folder.join("data/secrets")).unwrap_or_default();
    for secret in secrets.lines().filter_map(|line| line.split_once('=')) {
        assert!(!printed.contains(secret.1), "{} is printed", secret.0);
    }
    let findings: Vec<Value> = serde_json::from_slice(&output.stdout).expect("an array");
    let is_wrong = findings.iter().any(|finding| finding["verdict"] == "wrong");
    assert_eq!(output.status.code(), Some(i32::from(is_wrong)), "{printed}");
    findings
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_of_a_database_is_found() {
    let patient = Patient::new().await;
    patient.has(&[], &[]).await;

    // Waiting: an event, a dead letter, a reminder, a mail.
    let late = "now() - interval '5 minutes'";
    let waiting = format!(
        "INSERT INTO outbox (event_id, event_type, user_id, occurred_at, payload)
         VALUES (gen_random_uuid(), 'task.created', 1, {late}, '{{}}');
         INSERT INTO dead_letters (event_id, consumer, state, attempts, error_code, error_message, topic, key,
                                   headers, value, created_at, updated_at)
         VALUES (gen_random_uuid(), 'audit', 'open', 5, 'c', 'm', 'task-events', '1', '{{}}', '{{}}', now(), now());
         INSERT INTO reminders (user_id, task_id, kind, remind_at, state, created_at)
         VALUES (1, 1, 'further', {late}, 'armed', now());
         INSERT INTO notifications (user_id, digest_day, channel, status, created_at, next_attempt_at)
         VALUES (1, '2026-01-01', 'email', 'pending', now(), {late})"
    );
    patient.run(&waiting).await;
    let found = [
        ("outbox", "wrong", "rondo bridge"),
        ("dead letters", "warning", "rondo dlq list"),
        ("reminders", "wrong", "1 overdue"),
        ("mails", "wrong", "1 overdue"),
    ];
    patient.has(&found, &[]).await;
    patient.run("DELETE FROM outbox; DELETE FROM dead_letters; DELETE FROM reminders; DELETE FROM notifications").await;

    // The other transport.
    patient.run("UPDATE transport SET name = 'kafka'").await;
    patient.has(&[("transport", "wrong", "rondo transport switch local")], &[]).await;
    patient.run("UPDATE transport SET name = 'local'").await;

    // Roles.
    patient
        .run("ALTER ROLE rondo_sync CONNECTION LIMIT 3; ALTER ROLE rondo_audit CREATEROLE")
        .await;
    let found = [("roles", "warning", "rondo_sync"), ("roles", "wrong", "NOCREATEROLE")];
    patient.has(&found, &[]).await;
    patient
        .run("ALTER ROLE rondo_sync CONNECTION LIMIT 24; ALTER ROLE rondo_audit NOCREATEROLE")
        .await;
    patient.run("ALTER ROLE rondo_audit PASSWORD 'hunter2'").await;
    patient.has(&[("logins", "wrong", "rondo_audit cannot log in")], &[]).await;
    let secrets = Secrets::load_or_create(&patient.folder.path().join("data")).unwrap();
    let password = secrets.expose(Secret::Role(Role::Audit));
    patient.run(&format!("ALTER ROLE rondo_audit PASSWORD '{password}'")).await;

    // Schemas: the next release's, a later one's, an older one's.
    let later = "UPDATE schema_release SET release = '9.9.9', runs_from = $;
                 INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
                 SELECT max(version) + 1, 'later', true, '', 0 FROM _sqlx_migrations";
    patient.run(&later.replace('$', "runs_from")).await;
    patient.has(&[("schema", "warning", "newer than Rondo")], &[]).await;
    patient.run(&later.replace('$', "(SELECT max(version) + 1 FROM _sqlx_migrations)")).await;
    patient.has(&[("schema", "wrong", "9.9.9")], &[]).await;
    patient.run("DELETE FROM _sqlx_migrations WHERE description = 'later'").await;
    patient.run("DELETE FROM _sqlx_migrations WHERE version = (SELECT max(version) FROM _sqlx_migrations)").await;
    patient.has(&[("schema", "wrong", "rondo migrate up")], &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_around_a_database_is_found_too() {
    let patient = Patient::new().await;

    // A malformed setting, and settings that reach nothing.
    let set = |name, value: &str| (name, value.to_owned());
    patient.has(&[("settings", "wrong", "PUBLIC_URL")], &[set("PUBLIC_URL", "nowhere")]).await;
    patient
        .has(
            &[("kafka", "wrong", "KAFKA_BROKERS"), ("transport", "wrong", "switch kafka")],
            &[set("KAFKA_BROKERS", NOWHERE)],
        )
        .await;

    // Mail: nobody there, a password that is refused, and a server that is fine.
    let wrong = [("mail", "wrong", "SMTP_URL")];
    patient.has(&wrong, &[set("SMTP_URL", &format!("smtp://{NOWHERE}"))]).await;
    let credentials = Some(("ada".to_owned(), "correct".to_owned()));
    let server = SmtpServer::demanding(Demand { credentials, ..Demand::default() }).await;
    let url = |password: &str| format!("smtp://ada:{password}@127.0.0.1:{}", server.port());
    patient.has(&wrong, &[set("SMTP_URL", &url("hunter2"))]).await;
    patient.has(&[], &[set("SMTP_URL", &url("correct"))]).await;
    assert!(server.mails().is_empty(), "nothing is sent");

    // This machine's clock.
    let clock = Clock::at(ahead(600)).await;
    patient.has(&[("clock", "wrong", "NTP")], &clock.environment()).await;
    clock.set(ahead(5));
    patient.has(&[("clock", "warning", "NTP")], &clock.environment()).await;

    // A database that has stopped, and a folder that is none.
    let Patient { server, folder, _data } = patient;
    server.stop().await.unwrap();
    let findings = examine(folder.path(), &[]).await;
    let is_stopped = |finding: &Value| {
        text(finding, "check") == "database" && text(finding, "advice").contains("start `rondo up`")
    };
    assert!(findings.iter().any(is_stopped), "{findings:#?}");
    let elsewhere = Folder::new("doctor");
    let findings = examine(elsewhere.path(), &[]).await;
    assert!(
        findings.iter().any(|finding| text(finding, "check") == "data folder"),
        "{findings:#?}"
    );
}
