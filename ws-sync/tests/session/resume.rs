//! A returning device: missed changes come as snapshots, then it is live.

use std::collections::BTreeMap;

use rondo_testkit::websocket::WebSocket;
use serde_json::Value;

use crate::stage::{SOON, Stage, closed, revisions};

#[tokio::test]
async fn missed_changes_come_as_current_snapshots() {
    let stage = Stage::new().await;
    let tasks = stage.create("task", 4).await;
    stage.complete(tasks[0]).await;
    stage.delete(tasks[1]).await;
    stage.relay().await;
    let (mut socket, welcome) = stage.welcomed("&since=3").await;
    assert_eq!(welcome, 3);
    let frames = socket.collect_until("three", SOON, |frames| frames.len() == 3).await;
    assert_eq!(revisions(&frames), [4, 5, 6]);
    let expected = stage.tasks().await;
    assert_eq!((&frames[0]["type"], &frames[0]["task"]), (&"task.snapshot".into(), &expected[1]));
    assert_eq!(frames[1]["task"], expected[2]);
    assert_eq!((&frames[2]["task_id"], &frames[2]["task"]), (&tasks[1].into(), &Value::Null));

    // Nothing was missed, so it is live at once.
    let (mut socket, welcome) = stage.welcomed("&since=6").await;
    assert_eq!(welcome, 6);
    stage.create("next", 1).await;
    stage.relay().await;
    let frame = socket.next(SOON).await.json();
    assert_eq!((&frame["type"], &frame["revision"]), (&"task.updated".into(), &7.into()));
}

#[tokio::test]
async fn lists_are_missed_and_followed_like_tasks() {
    let stage = Stage::new().await;
    let kept = stage.create_list("kept").await;
    let gone = stage.create_list("gone").await;
    stage.create("task", 1).await;
    stage.delete_list(gone).await;
    let (mut socket, _) = stage.welcomed("&since=0").await;
    let missed = socket.collect_until("three", SOON, |frames| frames.len() == 3).await;
    assert_eq!(revisions(&missed), [1, 3, 4]);
    assert_eq!(missed[0]["type"], "list.snapshot");
    assert_eq!((&missed[0]["list_id"], &missed[0]["list"]["name"]), (&kept.into(), &"kept".into()));
    assert_eq!(missed[1]["type"], "task.snapshot");
    assert_eq!((&missed[2]["list_id"], &missed[2]["list"]), (&gone.into(), &Value::Null));

    let live = stage.create_list("live").await;
    stage.delete_list(kept).await;
    stage.relay().await;
    let frame = socket.next(SOON).await.json();
    assert_eq!(
        (&frame["type"], &frame["event_type"]),
        (&"list.updated".into(), &"list.created".into())
    );
    assert_eq!((&frame["list_id"], &frame["list"]["revision"]), (&live.into(), &5.into()));
    let frame = socket.next(SOON).await.json();
    assert_eq!((&frame["event_type"], &frame["list"]), (&"list.deleted".into(), &Value::Null));
    assert_eq!((&frame["list_id"], &frame["revision"]), (&kept.into(), &6.into()));
}

/// Many pages are read while the user keeps changing tasks and the relay lags behind.
#[tokio::test]
async fn a_long_absence_ends_without_gaps_or_repetitions() {
    let stage = Stage::new().await;
    let tasks = stage.create("task", 450).await;
    let (mut socket, _) = stage.welcomed("&since=0").await;
    let write = async {
        for (place, task) in tasks.iter().enumerate() {
            match place % 3 {
                0 => stage.complete(*task).await,
                1 => stage.delete(*task).await,
                _ => {}
            }
            if place % 50 == 0 {
                stage.relay().await;
            }
        }
        stage.relay().await;
    };
    let ((), frames) = tokio::join!(write, read_to(&mut socket, 450 + 300));
    let revisions = revisions(&frames);
    assert!(revisions.is_sorted_by(|one, next| one < next), "{revisions:?}");
    let mut held = BTreeMap::new();
    for frame in &frames {
        match &frame["task"] {
            Value::Null => held.remove(&frame["task_id"].as_i64().unwrap()),
            task => held.insert(frame["task_id"].as_i64().unwrap(), task.clone()),
        };
    }
    let mut held: Vec<Value> = held.into_values().collect();
    held.sort_by_key(|task| task["revision"].as_i64());
    assert_eq!(held, stage.tasks().await);
}

#[tokio::test]
async fn a_revision_that_cannot_be_continued_is_refused() {
    let stage = Stage::new().await;
    stage.create("task", 5).await;
    let session = stage.database.session().await;
    let sql = "INSERT INTO deletion_horizons (user_id, revision) VALUES ($1, 3)";
    session.execute(sql, &[&stage.user_id]).await.unwrap();
    for since in ["2", "6", "-1", "x", ""] {
        let mut socket = stage.connect(&format!("&since={since}")).await;
        assert_eq!(socket.next(SOON).await, closed(4410, "reset_required"), "{since}");
    }
    for (since, first) in [("0", 1), ("3", 4)] {
        let (mut socket, _) = stage.welcomed(&format!("&since={since}")).await;
        assert_eq!(socket.next(SOON).await.json()["revision"], first);
    }
    let (_, welcome) = stage.welcomed("&since=5").await;
    assert_eq!(welcome, 5);
}

#[tokio::test]
async fn without_a_database_a_device_is_asked_to_resume() {
    let stage = Stage::new().await;
    let session = stage.database.session().await;
    session.batch_execute("REVOKE SELECT ON user_revisions FROM rondo_sync").await.unwrap();
    let mut socket = stage.connect("").await;
    assert_eq!(socket.next(SOON).await, closed(1001, "going_away"));
}

async fn read_to(socket: &mut WebSocket, revision: i64) -> Vec<Value> {
    let is_last = |frames: &[Value]| frames.last().unwrap()["revision"] == revision;
    socket.collect_until("the last revision", SOON * 3, is_last).await
}
