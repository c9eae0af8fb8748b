//! Authentication of sessions, and their expiry.

use rondo_testkit::websocket::WebSocket;
use serde_json::json;

use crate::stage::{SOON, Stage, closed, good_token, token_for};

#[tokio::test]
async fn without_a_valid_token_a_session_is_closed() {
    let stage = Stage::new().await;
    let user = stage.user_id;
    let tampered = format!("{}x", good_token(user));
    let refused = [
        "",
        "x",
        &tampered,
        &token_for(user, -1, "tasks:read"),
        &token_for(user, 9, "tasks:write"),
    ];
    for token in refused {
        let mut socket = stage.connect_with(token, "").await;
        assert_eq!(socket.next(SOON).await, closed(4401, "unauthenticated"), "{token}");
    }
    let mut socket = WebSocket::connect(&format!("ws://{}/ws", stage.address)).await.unwrap();
    assert_eq!(socket.next(SOON).await, closed(4401, "unauthenticated"));
}

#[tokio::test]
async fn a_token_may_come_as_a_subprotocol_that_is_not_echoed() {
    let stage = Stage::new().await;
    let url = format!("ws://{}/ws?since=0", stage.address);
    let bearer = format!("bearer.{}", good_token(stage.user_id));
    let offered = ["rondo.v1", &bearer];
    let mut socket = WebSocket::connect_with_protocols(&url, &offered).await.unwrap();
    assert_eq!(socket.protocol.as_deref(), Some("rondo.v1"));
    assert_eq!(socket.next(SOON).await.json(), json!({"type": "welcome", "revision": 0}));
}

#[tokio::test]
async fn a_session_ends_with_its_token_unless_it_is_renewed() {
    let stage = Stage::new().await;
    let short = || token_for(stage.user_id, 2, "tasks:read");
    let mut ending = stage.connect_with(&short(), "").await;
    let mut renewed = stage.connect_with(&short(), "").await;
    for socket in [&mut ending, &mut renewed] {
        assert_eq!(socket.next(SOON).await.json()["type"], "welcome");
        assert_eq!(socket.next(SOON).await.json(), json!({"type": "token.expiring"}));
    }
    // Neither an invalid token nor another user's changes anything.
    for token in ["x".to_owned(), good_token(stage.user_id + 1)] {
        ending.send(&json!({"type": "auth", "token": token})).await.unwrap();
        let error = json!({"type": "error", "code": "invalid_token"});
        assert_eq!(ending.next(SOON).await.json(), error);
    }
    let token = good_token(stage.user_id);
    renewed.send(&json!({"type": "auth", "token": token})).await.unwrap();
    assert_eq!(ending.next(SOON).await, closed(4401, "unauthenticated"));
    // The other session, whose first token has expired too by now, continues.
    stage.create("task", 1).await;
    stage.relay().await;
    assert_eq!(renewed.next(SOON).await.json()["type"], "task.updated");
}
