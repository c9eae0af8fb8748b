//! Live frames, and the ends of sessions.

use rondo_testkit::websocket::Frame;

use crate::stage::{SOON, Stage, closed, good_token, register, revisions};

#[tokio::test]
async fn each_change_is_sent_as_it_happens() {
    let stage = Stage::new().await;
    let before = stage.create("before", 1).await[0];
    let (mut socket, welcome) = stage.welcomed("").await;
    assert_eq!(welcome, 1);
    // A change committed before the welcome but relayed after it is not repeated.
    stage.relay().await;
    let task = stage.create("call", 1).await[0];
    stage.relay().await;
    let frame = socket.next(SOON).await.json();
    let created = stage.tasks().await.pop().unwrap();
    assert!(frame["event_id"].is_string(), "{frame}");
    let members: Vec<_> = frame.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(members, ["event_id", "event_type", "revision", "task", "task_id", "type"]);
    assert_eq!(frame["type"], "task.updated");
    assert_eq!(frame["event_type"], "task.created");
    assert_eq!((&frame["revision"], &frame["task_id"]), (&2.into(), &task.into()));
    assert_eq!(frame["task"], created);

    stage.complete(task).await;
    stage.delete(before).await;
    stage.relay().await;
    let frame = socket.next(SOON).await.json();
    assert_eq!(frame["event_type"], "task.completed");
    assert_eq!(frame["task"]["status"], "completed");
    let frame = socket.next(SOON).await.json();
    assert_eq!(frame["event_type"], "task.deleted");
    assert_eq!((&frame["revision"], &frame["task_id"]), (&4.into(), &before.into()));
    assert!(frame["task"].is_null());
}

#[tokio::test]
async fn a_user_receives_only_their_own_changes() {
    let stage = Stage::new().await;
    let other = register(&stage.database, "bob@example.org").await;
    let mut theirs = stage.connect_with(&good_token(other), "").await;
    assert_eq!(theirs.next(SOON).await.json()["type"], "welcome");
    let (mut mine, _) = stage.welcomed("").await;
    let (mut mine_too, _) = stage.welcomed("").await;
    stage.create("mine", 1).await;
    stage.relay().await;
    let frame = mine.next(SOON).await;
    assert_eq!(frame, mine_too.next(SOON).await);
    // A frame of another user would have come before this answer.
    theirs.send(&serde_json::json!({"type": "ping"})).await.unwrap();
    assert_eq!(theirs.next(SOON).await.json()["type"], "pong");
}

#[tokio::test]
async fn a_slow_device_is_closed_and_delays_no_other() {
    let stage = Stage::new().await;
    let (mut slow, _) = stage.welcomed("").await;
    let (mut quick, _) = stage.welcomed("").await;
    let text = "x".repeat(16 * 1024);
    // More than the kernel buffers on both sides hold.
    let count = 2_000;
    for revision in 1..=count {
        let value = format!(
            r#"{{"event_id":"e","schema_version":"1.0","event_type":"task.updated","task_id":1,
            "user_id":{},"revision":{revision},"task_data":"{text}"}}"#,
            stage.user_id
        );
        stage.publisher.publish(stage.user_id, &value, None);
        if revision % 8 == 0 {
            // The fast device is at most eight frames behind, which its queue can hold.
            let is_last = |frames: &[serde_json::Value]| frames.len() == 8;
            let frames = quick.collect_until("eight frames", SOON, is_last).await;
            assert_eq!(revisions(&frames), (revision - 7..=revision).collect::<Vec<_>>());
        }
    }
    let mut last = 0;
    let end = loop {
        match slow.next(SOON).await {
            Frame::Json(frame) => {
                let revision = frame["revision"].as_i64().unwrap();
                assert_eq!(revision, last + 1);
                last = revision;
            }
            end => break end,
        }
    };
    assert_eq!(end, closed(4408, "too_slow"));
    assert!(last < count, "{last}");
}

#[tokio::test]
async fn connections_per_user_are_limited() {
    let stage = Stage::new().await;
    let mut held = Vec::new();
    for _ in 0..ws_sync::hub::CONNECTIONS_PER_USER_MAX {
        held.push(stage.welcomed("").await.0);
    }
    let mut refused = stage.connect("").await;
    assert_eq!(refused.next(SOON).await, closed(4429, "too_many_connections"));
    let connections = stage.hub().connections();
    held.pop().unwrap().close().await;
    rondo_testkit::wait::eventually("the connection to leave", SOON, async || {
        if stage.hub().connections() < connections { Ok(()) } else { Err("still there") }
    })
    .await;
    stage.welcomed("").await;
}

#[tokio::test]
async fn an_interrupted_feed_makes_devices_resume() {
    let stage = Stage::new().await;
    let (mut socket, welcome) = stage.welcomed("").await;
    // An event is missed.
    stage.create("missed", 1).await;
    stage.events().await;
    stage.publisher.interrupt();
    assert_eq!(socket.next(SOON).await, closed(1001, "going_away"));
    let (mut socket, _) = stage.welcomed(&format!("&since={welcome}")).await;
    assert_eq!(socket.next(SOON).await.json()["task"]["title"], "missed 1");
}

#[tokio::test]
async fn stopping_closes_every_session() {
    let stage = Stage::new().await;
    let (mut socket, _) = stage.welcomed("").await;
    stage.hub().end();
    assert_eq!(socket.next(SOON).await, closed(1001, "going_away"));
    stage.hub().emptied().await;
    let mut late = stage.connect("").await;
    assert_eq!(late.next(SOON).await, closed(1001, "going_away"));
}
