//! `rondo up` from its operator's point of view: files, logs, metrics, readiness, signals, and a Postgres
//! that crashes.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use http::Method;
use rondo_database::{Dsn, Session, SessionOptions, pool};
use rondo_testkit::process::{Program, Signal};
use rondo_testkit::wait::eventually;
use rondo_tests::arrangement::STOP;
use rondo_tests::operation::{Running, SOON, TRACE_ID, audited, create};
use rondo_tests::{metric, story};
use serde_json::json;

/// A session of the superuser.
async fn session(rondo: &Running) -> Session {
    let dsn = Dsn::parse(&rondo.database_url()).expect("a connection string");
    pool::connect(&dsn, &SessionOptions::default()).await.expect("a session")
}

fn kill(pid: &str) {
    assert!(Command::new("kill").args(["-KILL", pid]).status().expect("kill").success());
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).expect("it is there").permissions().mode() & 0o777
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_traced_to_its_mail_and_counted() {
    let rondo = Running::start("operation", &[]).await;
    assert_eq!(mode(&rondo.data().join("endpoints.json")), 0o600);
    let user = story::register(rondo.http.base(), "ada@example.org").await;
    let task_id = create(&user).await;
    let missing = format!("/api/{}/tasks/999?tok3n=hunter2", user.id);
    rondo.http.get(&missing).await.expect("an answer");

    let mails = rondo.data().join("mail");
    let mail = eventually("a mail", SOON, async || {
        let entries = std::fs::read_dir(&mails).map_err(|error| error.to_string())?;
        let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
        let is_reminder = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with("notification-") && name.ends_with(".eml")
        };
        let mut mails = paths.filter(is_reminder);
        mails.next().ok_or_else(|| "none".to_owned())
    })
    .await;
    assert_eq!((mode(&mails), mode(&mail)), (0o700, 0o600));
    audited(&user, task_id, "notification.sent").await;

    // Every stage logs a line with the client's trace id, each consumer in its own time.
    let lines = eventually("these lines", SOON, async || {
        let lines = rondo.logged(TRACE_ID);
        let words =
            |member| lines.iter().filter_map(|line| line[member].as_str()).collect::<BTreeSet<_>>();
        let (messages, consumers) = (words("message"), words("consumer"));
        let stages = ["request", "event relayed", "event acknowledged", "mail sent"];
        if messages.is_superset(&BTreeSet::from(stages))
            && consumers == BTreeSet::from(["audit", "notify", "recurrence"])
        {
            return Ok(lines);
        }
        Err(format!("{messages:?} of {consumers:?}"))
    })
    .await;
    assert!(lines.iter().all(|line| line["trace_id"] == TRACE_ID));
    let request = lines.iter().find(|line| line["message"] == "request").expect("found above");
    assert_eq!((&request["method"], &request["status"]), (&json!("POST"), &json!(201)));
    assert!(request["duration_ms"].is_number() && request["request_id"].is_string(), "{request}");
    // A query may contain a token; passwords and tokens are never logged.
    assert!(!rondo.logged("/tasks/999").is_empty());
    let log = rondo.process.log();
    for secret in ["hunter2", "tok3n", user.token.as_str(), "horse battery", &rondo.database_url()]
    {
        assert!(!log.contains(secret), "{secret:?} is logged");
    }

    for page in ["/", "/health", "/health/ready", "/metrics"] {
        let ask = async |method: Method| {
            rondo.http.request(method, page).send().await.expect("an answer")
        };
        let (whole, alone) =
            (ask(Method::GET).await.expect(200), ask(Method::HEAD).await.expect(200));
        assert!(alone.body.is_empty() && !whole.body.is_empty(), "{page}");
        assert_eq!(alone.header("content-type"), whole.header("content-type"), "{page}");
        for (method, status) in [(Method::OPTIONS, 204), (Method::POST, 405), (Method::PUT, 405)] {
            let answer = ask(method).await.expect(status);
            assert_eq!(answer.header("allow"), Some("GET, HEAD, OPTIONS"), "{page}");
        }
    }

    let expected = [
        "rondo_http_request_duration_seconds_count{route=\"/api/tasks\",method=\"POST\",status=\"2xx\"} 1",
        "rondo_http_request_duration_seconds_count{route=\"/api/tasks/{id}\",method=\"GET\",status=\"4xx\"} 1",
        "rondo_mails_total{outcome=\"failed\"} 0",
        "rondo_reminders_fired_total 1",
        "rondo_events_dead_lettered_total{consumer=\"audit\",type=\"task.created\"} 0",
        "rondo_reminder_lateness_seconds_count 1",
        "rondo_instances_max{calls=\"requests\"} 104",
        "rondo_instances{component=\"task-api\",state=\"waiting\"} 0",
        "rondo_database_connections_max{pool=\"task-api\"} 24",
        "rondo_database_connections_max{pool=\"relay\"} 4",
        "rondo_consumer_window_events_max{consumer=\"notify\"} 8192",
        "rondo_jobs_running_max{job=\"webhooks\"} 64",
        "rondo_dead_letters 0",
        "rondo_connections{kind=\"websocket\"} 0",
        "rondo_database_connections_max{pool=\"bridge\"} 8",
    ];
    let of_any_value = [
        // A busy machine may retry.
        "rondo_event_retries_total{consumer=\"audit\",type=\"task.created\"} ",
        "rondo_outbox_rows ",
        "rondo_outbox_oldest_age_seconds ",
        "rondo_consumer_lag{consumer=\"audit\"} ",
    ];
    // The mail is there before all that has been counted that led to it.
    let metrics = eventually("these metrics", SOON, async || {
        let metrics = rondo.metrics().await;
        let is_missing = |line: &&str| metrics.lines().all(|found| found != *line);
        let is_absent = |name: &&str| metrics.lines().all(|found| !found.starts_with(*name));
        let line = expected.into_iter().find(is_missing);
        match line.or_else(|| of_any_value.into_iter().find(is_absent)) {
            Some(line) => Err(format!("{line} is missing in\n{metrics}")),
            None => Ok(metrics),
        }
    })
    .await;
    metric::assert_complete("up", &metrics);
    let accept = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3";
    let asked = rondo.http.request(Method::GET, "/metrics").header("accept", accept);
    let answer = asked.send().await.expect("an answer").expect(200);
    let media_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!(answer.header("content-type"), Some(media_type));
    let exemplar = format!(" # {{trace_id=\"{TRACE_ID}\"}} ");
    for histogram in ["rondo_http_request_duration_seconds", "rondo_event_latency_seconds"] {
        let text = answer.text();
        let leads = |line: &str| line.starts_with(histogram) && line.contains(&exemplar);
        assert!(text.lines().any(leads) && text.ends_with("# EOF\n"), "{histogram}\n{text}");
    }
    rondo.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_private_postgres_is_restarted() {
    let mut rondo = Running::start("supervision", &[]).await;
    let user = story::register(rondo.http.base(), "ada@example.org").await;
    let url = rondo.database_url();
    for restarts in 1..=2 {
        kill(&rondo.postmaster());
        // Readiness may wait for the new server, so the loss need not be visible there.
        eventually("a restart of Postgres", SOON, async || match rondo.logged("restarting it") {
            lines if lines.len() >= restarts => Ok(()),
            lines => Err(format!("{} restarts", lines.len())),
        })
        .await;
        rondo.ready().await;
        // Requests and events work again, and programs find the server at the same address.
        let task_id = create(&user).await;
        audited(&user, task_id, "task.created").await;
        assert_eq!(rondo.database_url(), url);
        session(&rondo).await;
    }
    // If the server cannot be started again, the program ends with one line that says why.
    let control = rondo.data().join("postgres/global/pg_control");
    std::fs::rename(&control, control.with_extension("away")).expect("our own");
    kill(&rondo.postmaster());
    let status = rondo.process.exit(SOON + STOP).await;
    assert_eq!(status.code(), Some(1));
    let is_reason = |line: &str| line.starts_with("rondo: the private Postgres ended");
    let line = rondo.process.line("the reason", SOON, is_reason).await;
    assert!(line.contains("restarts failed"), "{line}");
    assert!(!rondo.data().join("endpoints.json").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blocked_consumer_is_named() {
    let rondo = Running::start("readiness", &[]).await;
    let user = story::register(rondo.http.base(), "ada@example.org").await;
    let session = session(&rondo).await;
    let lock_out = "ALTER ROLE rondo_audit NOLOGIN;
                    SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'rondo_audit'";
    session.batch_execute(lock_out).await.expect("no more audit");
    let task_id = create(&user).await;
    let reason = rondo.not_ready("events", |reason| reason.starts_with("audit: ")).await;
    assert!(!reason.contains("127.0.0.1"), "an address is revealed: {reason}");
    user.client.get("/api/audit/logs").await.expect("an answer").expect(503);
    let line = eventually("a line about it", SOON, async || {
        let mut lines = rondo.logged("\"request failed\"").into_iter();
        lines.find(|line| line["route"] == "/api/audit/logs").ok_or("none")
    })
    .await;
    assert_eq!((&line["level"], &line["status"]), (&json!("warn"), &json!(503)), "{line}");
    assert_eq!((&line["method"], &line["user_id"]), (&json!("GET"), &json!(user.id)), "{line}");
    assert!(line["trace_id"].is_string() && line["duration_ms"].is_number(), "{line}");
    session.batch_execute("ALTER ROLE rondo_audit LOGIN").await.expect("audit again");
    rondo.ready().await;
    audited(&user, task_id, "task.created").await;
    // One line when it begins to pause, however often it tries, and one when it goes on.
    let line = eventually("the end of the pause", SOON, async || {
        let mut lines = rondo.logged("\"consumer goes on\"").into_iter();
        lines.find(|line| line["consumer"] == "audit").ok_or("none")
    })
    .await;
    assert!(line["paused_ms"].as_u64().is_some_and(|paused_ms| paused_ms > 0), "{line}");
    let pauses = rondo.logged("consumer pauses: nothing can be tried");
    let pauses: Vec<_> = pauses.iter().filter(|line| line["consumer"] == "audit").collect();
    assert!(pauses.len() == 1 && pauses[0]["reason"].is_string(), "{pauses:?}");
    let metrics = rondo.metrics().await;
    assert!(!metrics.contains("rondo_consumer_pauses_total{consumer=\"audit\"} 0\n"), "{metrics}");
    let retries = "rondo_event_retries_total{consumer=\"audit\",type=\"task.created\"} 0\n";
    assert!(metrics.contains(retries), "{metrics}");
    rondo.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_is_redriven() {
    const POISON: &str = "00000000-0000-4000-8000-000000000001";
    let rondo = Running::start("redrive", &[]).await;
    let user = story::register(rondo.http.base(), "ada@example.org").await;
    let task_id = create(&user).await;
    audited(&user, task_id, "task.created").await;
    // Dead letters as if the audit component had failed to handle the events: one that it can handle, and one
    // that it never will.
    let session = session(&rondo).await;
    let insert = format!(
        "WITH lost AS (DELETE FROM audit_logs WHERE action_type = 'task.created' RETURNING *)
         INSERT INTO dead_letters (event_id, consumer, state, attempts, error_code, error_message, topic, key,
             headers, value, created_at, updated_at)
         SELECT event_id, 'audit', 'open', 5, 'attempts_exhausted', 'x', topic, user_id::text,
             jsonb_build_object('ce_type', action_type, 'ce_time', '2031-01-01T00:00:00Z'), payload::text, now(), now()
         FROM lost
         UNION ALL
         SELECT '{POISON}', 'audit', 'open', 1, 'rejected', 'x', 'task-events', '1',
             '{{\"ce_type\": \"task.created\", \"ce_time\": \"2031-01-01T00:00:00Z\"}}', '{{}}', now(), now()"
    );
    session.batch_execute(&insert).await.expect("two rows");
    rondo.measured("rondo_dead_letters 2").await;
    let mut redrive = Program::built("rondo")
        .arguments(["dlq", "redrive", "1", "2"])
        .env("DATABASE_URL", rondo.database_url())
        .start();
    assert_eq!(redrive.exit(SOON).await.code(), Some(0), "{}", redrive.log());
    audited(&user, task_id, "task.created").await;
    let states = "SELECT string_agg(state || attempts, ' ' ORDER BY event_id = $1::text::uuid) FROM dead_letters";
    eventually("what became of them", SOON, async || {
        let row = session.query_one(states, &[&POISON]).await.map_err(|error| error.to_string())?;
        match row.get::<_, String>(0) {
            found if found == "redriven5 open2" => Ok(()),
            found => Err(found),
        }
    })
    .await;
    rondo.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_at_once() {
    let mut rondo = Running::start("signal", &[]).await;
    // A request in flight: its body never comes.
    let address = rondo.http.base().trim_start_matches("http://").to_owned();
    let mut slow = TcpStream::connect(&address).expect("a connection");
    let head = "POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{";
    slow.write_all(head.as_bytes()).expect("written");
    // And the one that asks.
    rondo.measured("rondo_http_requests_in_flight 2").await;
    rondo.process.signal(Signal::SIGTERM);
    rondo.process.line("the first signal", SOON, |line| line.contains("\"stopping\"")).await;
    assert_eq!(rondo.process.exited(), None, "{}", rondo.process.log());
    rondo.process.signal(Signal::SIGTERM);
    assert_eq!(rondo.process.exit(SOON).await.code(), Some(130));
}

/// A shell without job control starts background processes with SIGINT ignored, and the private Postgres,
/// which SIGINT stops, inherits that.
#[tokio::test(flavor = "multi_thread")]
async fn sigint_shuts_down_cleanly_in_the_background_too() {
    Running::start_in_background("background").await.stop_by(Signal::SIGINT).await;
}
