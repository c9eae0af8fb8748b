//! Dead letters: recorded once, listed, shown, redriven and discarded, by the table and by
//! `rondo dlq`. What becomes of a redriven one is seen on the whole program.

use std::time::Duration;

use host_bridge::pipeline::dead_letter::{DeadLetters, Failure, Filter};
use host_bridge::pipeline::record::Record;
use rondo_contract::cloud_event::CloudEvent;
use rondo_database::Role;
use serde_json::Value;

use crate::seed::Seed;

const SOON: Duration = Duration::from_secs(20);
const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

fn event(number: u8) -> Record {
    Record {
        event: CloudEvent {
            id: format!("00000000-0000-4000-8000-0000000000{number:02}"),
            event_type: "task.created".to_owned(),
            subject: Some("tasks/1".to_owned()),
            time: "2026-01-05T08:00:00Z".to_owned(),
            traceparent: Some(TRACE.to_owned()),
            topic: "task-events".to_owned(),
            data: format!("{{\"number\":{number}}}"),
        },
        key: "1".to_owned(),
        position: Some((2, 40 + i64::from(number))),
    }
}

/// Records one for a consumer; gives its id.
async fn dead_lettered(seed: &Seed, letters: &DeadLetters, number: u8, consumer: &str) -> i64 {
    let failure = Failure {
        consumer: consumer.to_owned(),
        attempts: 5,
        code: "attempts_exhausted".to_owned(),
        message: "no such zone".to_owned(),
    };
    letters.record(&event(number), &failure).await;
    let query = format!(
        "SELECT id FROM dead_letters WHERE event_id = '{}' AND consumer = '{consumer}'",
        event(number).event.id
    );
    seed.text(&query).await.parse().unwrap()
}

/// What `rondo dlq` answered.
struct Answer {
    code: Option<i32>,
    /// Standard output.
    lines: Vec<String>,
    /// Standard error.
    error: String,
}

async fn dlq(seed: &Seed, arguments: &[&str]) -> Answer {
    let running = tokio::process::Command::new(env!("CARGO_BIN_EXE_rondo"))
        .arg("dlq")
        .args(arguments)
        .env_clear()
        .env("DATABASE_URL", seed.database.dsn(Role::Bridge).expose_url())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(SOON, running).await.expect("an end").unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    Answer {
        code: output.status.code(),
        lines: text(&output.stdout).lines().map(str::to_owned).collect(),
        error: text(&output.stderr),
    }
}

/// The lines of a command that succeeds.
async fn told(seed: &Seed, arguments: &[&str]) -> Vec<Value> {
    let answer = dlq(seed, arguments).await;
    assert_eq!((answer.code, answer.error.as_str()), (Some(0), ""), "{arguments:?}");
    answer.lines.iter().map(|line| json(line)).collect()
}

/// Expects a command to fail with these words, in one line.
async fn refused(seed: &Seed, arguments: &[&str], words: &str) -> Answer {
    let answer = dlq(seed, arguments).await;
    assert_eq!(answer.code, Some(1), "{arguments:?}");
    assert!(answer.error.contains(words), "{arguments:?}: {}", answer.error);
    assert_eq!(answer.error.lines().count(), 1, "{}", answer.error);
    answer
}

fn json(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_listed_and_shown_is_the_whole_event() {
    let seed = Seed::new().await;
    let letters = DeadLetters::new(seed.bridge.clone());
    let first = dead_lettered(&seed, &letters, 1, "audit").await;
    let second = dead_lettered(&seed, &letters, 2, "notify").await;
    let all = told(&seed, &["list"]).await;
    let ids: Vec<_> = all.iter().map(|letter| letter["id"].as_i64().unwrap()).collect();
    assert_eq!(ids, [second, first], "newest first");
    assert_eq!(told(&seed, &["list", "--consumer", "audit"]).await.len(), 1);
    assert_eq!(told(&seed, &["list", "--limit", "1"]).await[0]["id"], second);

    let shown = told(&seed, &["show", &first.to_string()]).await;
    let letter = &shown[0];
    for (pointer, expected) in [
        ("/consumer", "\"audit\""),
        ("/state", "\"open\""),
        ("/attempts", "5"),
        ("/error/code", "\"attempts_exhausted\""),
        ("/error/message", "\"no such zone\""),
        ("/original/topic", "\"task-events\""),
        ("/original/partition", "2"),
        ("/original/offset", "41"),
        ("/original/key", "\"1\""),
        ("/original/value", "\"{\\\"number\\\":1}\""),
        ("/original/headers/ce_type", "\"task.created\""),
    ] {
        assert_eq!(
            letter.pointer(pointer).map(Value::to_string).as_deref(),
            Some(expected),
            "{pointer} of {letter}"
        );
    }
    assert_eq!(letter["original"]["headers"]["traceparent"], TRACE);
    // Announced on dlq-events, once each, also when it fails once more.
    dead_lettered(&seed, &letters, 1, "audit").await;
    let announced = "SELECT count(*) FROM outbox WHERE event_type = 'event.dead_lettered'";
    assert_eq!(seed.text(announced).await, "2");
    assert_eq!(told(&seed, &["show", &first.to_string()]).await[0]["attempts"], 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_an_open_one_is_decided_on() {
    let seed = Seed::new().await;
    let letters = DeadLetters::new(seed.bridge.clone());
    let first = dead_lettered(&seed, &letters, 1, "audit").await.to_string();
    let second = dead_lettered(&seed, &letters, 2, "audit").await.to_string();
    assert_eq!(told(&seed, &["discard", &first]).await[0]["state"], "discarded");
    for decision in ["redrive", "discard"] {
        let words = format!("dead letter {first} is discarded");
        refused(&seed, &[decision, &first], &words).await;
        refused(&seed, &[decision, "999999"], "there is no dead letter 999999").await;
    }
    refused(&seed, &["show", "999999"], "there is no dead letter 999999").await;
    // Those before one that cannot be decided on are, and the output says which.
    let answer = refused(&seed, &["redrive", &second, "999999"], "999999").await;
    assert_eq!(json(&answer.lines[0])["state"], "redriving");
    let left = told(&seed, &["list"]).await;
    assert_eq!(left.len(), 1, "a discarded one is not listed: {left:?}");
    assert_eq!(told(&seed, &["list", "--state", "all"]).await.len(), 2);
    // An event that was discarded and comes back stays discarded.
    dead_lettered(&seed, &letters, 1, "audit").await;
    assert_eq!(
        seed.text(&format!("SELECT state FROM dead_letters WHERE id = {first}")).await,
        "discarded"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_redrives_at_once_one_is_told_no() {
    let seed = Seed::new().await;
    let letters = DeadLetters::new(seed.bridge.clone());
    for number in 1..=20 {
        let id = dead_lettered(&seed, &letters, number, "audit").await;
        let (one, other) =
            tokio::join!(letters.mark(id, "redriving"), letters.mark(id, "redriving"));
        assert!(one.unwrap() ^ other.unwrap(), "dead letter {id}");
    }
    let filter = Filter { id: None, states: &["redriving"], consumer: Some("audit") };
    assert_eq!(letters.list(&filter, 100).await.unwrap().len(), 20);
    assert_eq!(letters.list(&filter, 3).await.unwrap().len(), 3);
}
