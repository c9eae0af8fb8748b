//! Which transport a database's events travel by: claimed, refused by name, and changed over.

use std::time::Duration;

use host_bridge::pipeline::transport::{claim, switch};
use rondo_database::Role;
use rondo_testkit::process::Program;
use rondo_testkit::wait::eventually;

use crate::seed::Seed;

const SOON: Duration = Duration::from_secs(20);

const EVENT: &str = "INSERT INTO outbox (event_id, event_type, user_id, occurred_at, payload)
                     VALUES (gen_random_uuid(), 'task.created', 1, now(), '{}')";

#[tokio::test(flavor = "multi_thread")]
async fn local_is_for_one_process_and_kafka_for_many() {
    let seed = Seed::new().await;
    let dsn = seed.database.dsn(Role::Bridge);
    let local = claim(&dsn, "local").await.unwrap();
    for name in ["local", "kafka"] {
        let refusal = claim(&dsn, name).await.err().expect("a refusal").to_string();
        assert!(refusal.contains("in use by another rondo on the local transport"), "{refusal}");
    }
    let ended = local.ended();
    drop(local);
    ended.cancelled().await;
    // A session's locks go a moment after its connection.
    let first = eventually("the freed database", SOON, async || claim(&dsn, "kafka").await).await;
    let second = claim(&dsn, "kafka").await.unwrap();
    let refusal = claim(&dsn, "local").await.err().expect("a refusal").to_string();
    assert!(refusal.contains("in use by another rondo on the kafka transport"), "{refusal}");
    drop((first, second));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_other_transport_is_refused_while_events_are_left() {
    let seed = Seed::new().await;
    let dsn = seed.database.dsn(Role::Bridge);
    drop(claim(&dsn, "local").await.unwrap());
    seed.run(EVENT).await;
    let refusal =
        eventually("a refusal for what is left", SOON, async || match claim(&dsn, "kafka").await {
            Err(error) if error.to_string().contains("still travel") => Ok(error.to_string()),
            Err(error) => Err(error.to_string()),
            Ok(_) => Err("claimed".to_owned()),
        })
        .await;
    assert!(
        refusal.contains("by the local transport")
            && refusal.contains("rondo transport switch kafka"),
        "{refusal}"
    );
    // The one that they travel by may go on with them, once the refused one has left.
    eventually("the freed database", SOON, async || claim(&dsn, "local").await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_switch_waits_until_nothing_is_left() {
    let seed = Seed::new().await;
    let dsn = seed.database.dsn(Role::Bridge);
    let running = claim(&dsn, "local").await.unwrap();
    seed.run(EVENT).await;
    let mut switching = Program::new(env!("CARGO_BIN_EXE_rondo"))
        .arguments(["transport", "switch", "kafka"])
        .env("DATABASE_URL", dsn.expose_url())
        .start();
    let looks = "SELECT count(*) > 0 FROM pg_stat_activity
                 WHERE datname = current_database() AND application_name = 'rondo transport'
                   AND query LIKE '%FROM outbox%'";
    eventually("a look at the outbox", SOON, async || match seed.text(looks).await.as_str() {
        "true" => Ok(()),
        _ => Err(switching.log()),
    })
    .await;
    assert_eq!(switching.exited(), None, "an event is left");
    assert_eq!(seed.text("SELECT name FROM transport").await, "local");
    seed.run("DELETE FROM outbox").await;
    assert!(switching.exit(SOON).await.success(), "{}", switching.log());
    assert_eq!(seed.text("SELECT name FROM transport").await, "kafka");
    drop(running);
    // Nothing left: at once.
    switch(&dsn, "local").await.unwrap();
    assert_eq!(seed.text("SELECT name FROM transport").await, "local");
}
