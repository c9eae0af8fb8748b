//! Who may use the server.

use http::Method;
use rondo_testkit::http::Client;
use rondo_tests::assistant::{Assistant, PATH, api_token};
use rondo_tests::stage::Stage;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn a_challenge_says_where_tokens_come_from() {
    let stage = Stage::new().await;
    let user = stage.user("ada@example.org").await;
    let http = Client::of_twin(user.client.base());
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" });
    let metadata = "http://127.0.0.1:3000/.well-known/oauth-protected-resource/mcp";
    for client in [http.clone(), http.with_token("rondo_none"), http.with_token("x")] {
        let answer = client.post(PATH, &body).await.expect("an answer").expect(401);
        let challenge = answer.header("www-authenticate").expect("a challenge");
        assert!(challenge.starts_with("Bearer "), "{challenge}");
        assert!(challenge.contains(&format!("resource_metadata=\"{metadata}\"")), "{challenge}");
    }
    let document = user.client.get("/.well-known/oauth-protected-resource/mcp").await;
    let document = document.expect("an answer").expect(200).json();
    assert_eq!(document["resource"], "http://127.0.0.1:3000/mcp");
    assert_eq!(document["bearer_methods_supported"], json!(["header"]));
    // A session's token is as good as a personal one.
    http.with_token(&user.token).post(PATH, &body).await.expect("an answer").expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_sees_and_calls_what_its_scopes_allow() {
    let stage = Stage::new().await;
    let user = stage.user("ada@example.org").await;
    let names = async |scopes: &[&str]| {
        let tools = Assistant::of(&user, scopes).await.result("tools/list", json!({})).await;
        tools["tools"].as_array().map_or(0, Vec::len)
    };
    assert_eq!(names(&["tasks:read"]).await, 3);
    assert_eq!(names(&["tasks:read", "audit:read"]).await, 4);
    assert_eq!(names(&["tasks:read", "tasks:write"]).await, 11);
    assert_eq!(names(&["audit:read"]).await, 0);
    let reader = Assistant::of(&user, &["tasks:read"]).await;
    for (tool, scope) in [("add_task", "tasks:write"), ("search_history", "audit:read")] {
        let params = json!({ "name": tool, "arguments": { "tasks": [{ "title": "a" }] } });
        let answer = reader.send("tools/call", params).await.expect(403);
        let challenge = answer.header("www-authenticate").expect("a challenge");
        assert!(challenge.contains("error=\"insufficient_scope\""), "{challenge}");
        assert!(challenge.contains(&format!("scope=\"{scope}\"")), "{challenge}");
    }
    let blind = Assistant::of(&user, &["audit:read"]).await;
    blind.send("resources/read", json!({ "uri": "rondo://today" })).await.expect(403);
    let tasks = user.client.get("/api/tasks").await.expect("an answer").json();
    assert_eq!(tasks, json!([]), "refused calls leave no trace");
}

#[tokio::test(flavor = "multi_thread")]
async fn scripts_of_foreign_origins_are_refused() {
    let stage = Stage::with(&[("cors_origins", "https://app.example.org")]).await;
    let user = stage.user("ada@example.org").await;
    let token = api_token(&user, &["tasks:read"]).await;
    let http = Client::of_twin(user.client.base()).with_token(&token);
    for (origin, status) in [
        ("https://app.example.org", 200),
        ("http://127.0.0.1:3000", 200),
        ("http://localhost:3000", 200),
        ("https://evil.example.org", 403),
        ("http://localhost:3001", 403),
        ("null", 403),
    ] {
        let request = http.request(Method::POST, PATH).header("origin", origin);
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" });
        let answer = request.json(&body).send().await.expect("an answer");
        assert_eq!(answer.status.as_u16(), status, "{origin}");
    }
}
