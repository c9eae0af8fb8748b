//! Messages of clients, and requests that are not WebSockets.

use rondo_testkit::http::Client;
use serde_json::json;
use ws_sync::session::{CLIENT_MESSAGE_BYTES_CUT, CLIENT_MESSAGE_BYTES_MAX};

use crate::stage::{SOON, Stage, good_token};

#[tokio::test]
async fn a_ping_is_answered_and_anything_else_is_an_error() {
    let stage = Stage::new().await;
    let (mut socket, _) = stage.welcomed("").await;
    let long = "x".repeat(CLIENT_MESSAGE_BYTES_MAX + 1);
    let cases = [
        (r#"{"type":"ping"}"#, json!({"type": "pong"})),
        ("ping", json!({"type": "error", "code": "invalid_frame"})),
        (r#"{"type":"shout"}"#, json!({"type": "error", "code": "invalid_frame"})),
        (r#"{"type":"auth"}"#, json!({"type": "error", "code": "invalid_frame"})),
        (&long, json!({"type": "error", "code": "frame_too_large"})),
        (r#"{"type":"ping"}"#, json!({"type": "pong"})),
    ];
    for (text, answer) in cases {
        socket.send_text(text).await.unwrap();
        assert_eq!(socket.next(SOON).await.json(), answer, "{text:.40}");
    }
}

#[tokio::test]
async fn a_huge_message_ends_its_own_connection_only() {
    let stage = Stage::new().await;
    let (mut huge, _) = stage.welcomed("").await;
    let (mut other, _) = stage.welcomed("").await;
    // The server may disconnect before all of it is sent.
    let _ = huge.send_text(&"x".repeat(CLIENT_MESSAGE_BYTES_CUT + 1)).await;
    rondo_testkit::wait::eventually("the connection to leave", SOON, async || {
        if stage.hub().connections() == 1 { Ok(()) } else { Err("still there") }
    })
    .await;
    other.send(&json!({"type": "ping"})).await.unwrap();
    assert_eq!(other.next(SOON).await.json()["type"], "pong");
}

#[tokio::test]
async fn a_plain_request_learns_what_is_expected() {
    let stage = Stage::new().await;
    let client = Client::new(format!("http://{}", stage.address));
    let token = good_token(stage.user_id);
    let response = client.get(&format!("/ws?token={token}")).await.unwrap().expect(426);
    assert_eq!(response.header("content-type"), Some("application/problem+json"));
    assert_eq!(response.json()["code"], "websocket_expected");
    assert!(!response.text().contains(&token));
    client.post("/ws", &json!({})).await.unwrap().expect(405);
}
