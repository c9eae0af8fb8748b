//! A call of a component leaves nothing in a database session that another call can see.

use std::time::Duration;

use rondo_testkit::database::TestDatabase;
use rondo_testkit::wait::eventually;
use rondo_tests::probe::{Probe, STATEMENT_SEPARATOR};

const SECONDS: Duration = Duration::from_secs(10);
const PID: &str = "SELECT pg_backend_pid()::text";

async fn start() -> (TestDatabase, Probe) {
    let database = TestDatabase::empty().await;
    let probe = Probe::start(&database.admin()).await;
    (database, probe)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_sees_the_session_state_of_another() {
    let (_database, probe) = start().await;
    for (left, inside, look, clean) in [
        (
            "BEGIN;;CREATE TABLE half (a int)",
            "SELECT 1::text",
            "SELECT to_regclass('half')::text",
            "1x1 DbValue::DbNull",
        ),
        (
            "SET work_mem = '77MB'",
            "SELECT '1' WHERE current_setting('work_mem') = '77MB'",
            "SELECT (current_setting('work_mem') = '77MB')::text",
            "1x1 false",
        ),
        (
            "SELECT set_config('x.y', '1', false)",
            "SELECT current_setting('x.y')",
            "SELECT coalesce(current_setting('x.y', true), '')",
            "1x1 ",
        ),
        (
            "UPDATE pg_settings SET setting = '7' WHERE name = 'work_mem'",
            "SELECT 1::text",
            "SELECT (current_setting('work_mem') = '7kB')::text",
            "1x1 false",
        ),
        (
            "CREATE TEMP TABLE kept AS SELECT 1::text AS a",
            "SELECT a FROM kept",
            "SELECT to_regclass('kept')::text",
            "1x1 DbValue::DbNull",
        ),
        ("PREPARE p AS SELECT 1::text", "EXECUTE p", "EXECUTE p", "26000"),
        (
            "SET ROLE pg_monitor",
            "SELECT 1::text",
            "SELECT (current_user = 'pg_monitor')::text",
            "1x1 false",
        ),
    ] {
        let mut statements: Vec<_> = left.split(STATEMENT_SEPARATOR).collect();
        statements.push(inside);
        let outcomes = probe.sql(&statements).await;
        assert_eq!(outcomes.last().unwrap(), "1x1 1", "the same connection sees it: {outcomes:?}");
        for _ in 0..3 {
            let outcome = probe.sql(&[look]).await;
            assert!(outcome[0].contains(clean), "{left}: {outcome:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_of_a_session_ends_with_the_request() {
    let (_database, probe) = start().await;
    probe.sql(&["SELECT pg_advisory_lock(7)::text"]).await;
    eventually("the lock to be free", SECONDS, async || {
        let outcome = probe.sql(&["SELECT pg_try_advisory_lock(7)::text"]).await;
        if outcome == ["1x1 true"] { Ok(()) } else { Err(format!("{outcome:?}")) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clean_session_is_reused() {
    let (database, probe) = start().await;
    let first = probe.sql(&[PID]).await;
    assert_eq!(probe.sql(&[PID]).await, first, "a session is not made for each request");
    assert!(probe.sql(&["SELECT 1/a FROM generate_series(0, 1) a"]).await[0].contains("22012"));
    assert_eq!(probe.sql(&[PID]).await, first, "an error does a session no harm");
    probe.sql(&["SET work_mem = '77MB'"]).await;
    let second = probe.sql(&[PID]).await;
    assert_ne!(second, first, "a session with a setting ends");

    // A statement prepared before a change of the schema is prepared again.
    let admin = database.session().await;
    admin.batch_execute("CREATE TABLE grown AS SELECT 'a'::text AS a").await.expect("a table");
    assert_eq!(probe.sql(&["SELECT * FROM grown"]).await, ["1x1 a"]);
    let grow = "ALTER TABLE grown ADD COLUMN b text DEFAULT 'b'";
    admin.batch_execute(grow).await.expect("a column");
    assert_eq!(probe.sql(&["SELECT * FROM grown"]).await, ["1x2 a,b"]);
    assert_eq!(probe.sql(&[PID]).await, second);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_is_cancelled_with_the_call_that_waits_for_it() {
    let (database, probe) = start().await;
    let admin = database.session().await;
    let asleep = async || -> i64 {
        let running = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'SELECT pg_sleep%' AND datname = current_database()";
        admin.query_one(running, &[]).await.expect("a count").get(0)
    };
    let request = probe.client.request(http::Method::POST, "/sql");
    let request = request.body("SELECT pg_sleep(600)::text").send();
    let (answer, ()) = tokio::join!(
        request,
        eventually("the statement to run", SECONDS, async || match asleep().await {
            1 => Ok(()),
            other => Err(format!("{other} of it")),
        })
    );
    let answer = answer.expect("an answer").expect(504);
    assert_eq!(answer.json()["code"], "deadline");
    eventually("the statement to be gone", SECONDS, async || match asleep().await {
        0 => Ok(()),
        other => Err(format!("{other} of it")),
    })
    .await;
    assert_eq!(probe.sql(&["SELECT 1::text"]).await, ["1x1 1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_and_errors_are_as_on_spin() {
    let (_database, probe) = start().await;
    for (statement, expected) in [
        ("SELECT 1::text, 'b'::text", "1x2 1,b"),
        // On Spin 4.0 this would never return.
        ("SELECT 1::text WHERE false", "text database error: a query must answer at least one row"),
        ("UPDATE pg_class SET relname = '' WHERE false", "0 affected"),
        ("SELECT 1::text UNION ALL SELECT 2::text", "2x1 1,2"),
        ("SELEC 1", "database database error: 42601:"),
        ("SELECT no_such", "database database error: 42703:"),
        // Spin reports a failure during a query only as text.
        ("SELECT 1/a FROM generate_series(0, 1) a", "text database error: 22012:"),
        ("SELECT '{}'::json", "other database error:"),
        ("SELECT now()", "other database error:"),
        ("SELECT 1; SELECT 2", "database database error: 42601:"),
    ] {
        let outcome = probe.sql(&[statement]).await;
        assert!(outcome[0].starts_with(expected), "{statement}: {outcome:?}");
    }
    let elsewhere = Probe::with_grant("postgres://u:x@127.0.0.1:1/d", "127.0.0.1:2").await;
    let outcome = elsewhere.sql(&["SELECT 1::text"]).await;
    assert!(outcome[0].contains("postgres://127.0.0.1:1 is not permitted"), "{outcome:?}");
    let nowhere = Probe::alone().await.sql(&["SELECT 1::text"]).await;
    assert!(nowhere[0].starts_with("connection database unavailable:"), "{nowhere:?}");
}
