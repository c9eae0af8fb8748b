//! The protocol, in both generations, at one address.

use http::Method;
use rondo_tests::assistant::{Assistant, INITIALIZED, PATH, STATELESS, api_token};
use rondo_tests::stage::Stage;
use serde_json::{Value, json};

const ALL: [&str; 3] = ["tasks:read", "tasks:write", "audit:read"];

fn request(method: &str) -> Value {
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": STATELESS,
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    json!({ "jsonrpc": "2.0", "id": 7, "method": method, "params": { "_meta": meta } })
}

#[tokio::test(flavor = "multi_thread")]
async fn both_generations_are_served() {
    let stage = Stage::new().await;
    let user = stage.user("ada@example.org").await;
    let token = api_token(&user, &ALL).await;
    let stateless = Assistant::with(&token, &user, Some(json!({})));
    let found = stateless.result("server/discover", json!({})).await;
    assert_eq!(found["supportedVersions"], json!([STATELESS, INITIALIZED, "2025-06-18"]));
    assert_eq!(found["resultType"], "complete");
    assert_eq!(found["_meta"]["io.modelcontextprotocol/serverInfo"]["name"], "rondo");
    assert!(found["ttlMs"].is_u64() && found["cacheScope"] == "private", "{found}");
    let tools = stateless.result("tools/list", json!({})).await;
    assert_eq!(tools["tools"].as_array().map(Vec::len), Some(12));
    let again = stateless.result("tools/list", json!({})).await;
    assert_eq!(tools, again, "in a fixed order");

    let earlier = Assistant::with(&token, &user, None);
    for (asked, got) in [
        (INITIALIZED, INITIALIZED),
        ("2025-06-18", "2025-06-18"),
        ("2024-11-05", INITIALIZED),
        (STATELESS, INITIALIZED),
        ("2099-01-01", INITIALIZED),
    ] {
        let params = json!({
            "protocolVersion": asked, "capabilities": {}, "clientInfo": { "name": "t", "version": "1" },
        });
        let answer = earlier.send("initialize", params).await.expect(200);
        assert_eq!(answer.header("mcp-session-id"), None);
        let result = answer.json()["result"].clone();
        assert_eq!(result["protocolVersion"], got, "{asked}");
        assert!(result["capabilities"]["tools"].is_object() && result.get("resultType").is_none());
    }
    assert_eq!(earlier.result("ping", json!({})).await, json!({}));
    let tools = earlier.result("tools/list", json!({})).await;
    assert_eq!(tools["tools"].as_array().map(Vec::len), Some(12));
    assert!(tools.get("ttlMs").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_say_what_the_body_says() {
    let stage = Stage::new().await;
    let user = stage.user("ada@example.org").await;
    let http = Assistant::of(&user, &ALL).await.http;
    let mut no_meta = request("tools/list");
    no_meta["params"] = json!({});
    let mut no_capabilities = request("tools/list");
    no_capabilities["params"]["_meta"] =
        json!({ "io.modelcontextprotocol/protocolVersion": STATELESS });
    let mut unknown = request("tools/list");
    unknown["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"] = "2099-01-01".into();
    let mut call = request("tools/call");
    call["params"]["name"] = "list_tasks".into();
    let version = ("mcp-protocol-version", STATELESS);
    let list = ("mcp-method", "tools/list");
    let of_call = ("mcp-method", "tools/call");
    for (headers, body, status, code) in [
        (vec![version, list], request("tools/list"), 200, 0),
        (vec![version, ("mcp-method", " tools/list ")], request("tools/list"), 200, 0),
        (vec![list], request("tools/list"), 400, -32020),
        (vec![version], request("tools/list"), 400, -32020),
        (vec![version, ("mcp-method", "Tools/List")], request("tools/list"), 400, -32020),
        (vec![("mcp-protocol-version", INITIALIZED), list], request("tools/list"), 400, -32020),
        (vec![version, list], unknown.clone(), 400, -32020),
        (vec![("mcp-protocol-version", "2099-01-01"), list], unknown, 400, -32022),
        (vec![version, list], no_meta, 400, -32602),
        (vec![version, list], no_capabilities, 400, -32602),
        (vec![version, of_call], call.clone(), 400, -32020),
        (vec![version, of_call, ("mcp-name", "get_task")], call.clone(), 400, -32020),
        (vec![version, of_call, ("mcp-name", "list_tasks")], call.clone(), 200, 0),
        (vec![version, of_call, ("mcp-name", "=?base64?bGlzdF90YXNrcw==?=")], call.clone(), 200, 0),
        (vec![version, of_call, ("mcp-name", "=?base64?!?=")], call, 400, -32020),
        (vec![version, ("mcp-method", "ping")], request("ping"), 404, -32601),
        (vec![version, ("mcp-method", "initialize")], request("initialize"), 404, -32601),
        (vec![version, ("mcp-method", "x/y")], request("x/y"), 404, -32601),
    ] {
        let mut asked = http.request(Method::POST, PATH);
        for (name, value) in &headers {
            asked = asked.header(name, value);
        }
        let answer = asked.json(&body).send().await.expect("an answer").expect(status).json();
        assert_eq!(
            answer["error"]["code"].as_i64().unwrap_or_default(),
            code,
            "{headers:?}: {answer}"
        );
        assert_eq!(answer["id"], 7);
        if code == -32022 {
            assert_eq!(answer["error"]["data"]["requested"], "2099-01-01");
            assert_eq!(answer["error"]["data"]["supported"][0], STATELESS);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_that_are_no_requests() {
    let stage = Stage::new().await;
    let user = stage.user("ada@example.org").await;
    let http = Assistant::of(&user, &ALL).await.http;
    let post = async |body: &str, status: u16| {
        let request = http.request(Method::POST, PATH).header("content-type", "application/json");
        request.body(body.to_owned()).send().await.expect("an answer").expect(status)
    };
    let notified = post(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#, 202).await;
    assert_eq!(notified.text(), "");
    post(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#, 202).await;
    assert_eq!(post("{", 400).await.json()["error"]["code"], -32700);
    assert_eq!(post("[]", 400).await.json()["error"]["code"], -32600);
    let form = http.request(Method::POST, PATH).header("content-type", "text/plain");
    form.body("{}").send().await.expect("an answer").expect(415);
    for method in [Method::GET, Method::DELETE, Method::PUT] {
        let answer = http.request(method, PATH).send().await.expect("an answer").expect(405);
        assert_eq!(answer.header("allow"), Some("POST, OPTIONS"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn resources_prompts_and_completions() {
    let stage = Stage::new().await;
    let user = stage.user("ada@example.org").await;
    let assistant = Assistant::of(&user, &ALL).await;
    let tasks = json!([
        { "title": "Late", "due": "2020-01-01", "tags": ["home", "Häuser"] },
        { "title": "Today", "due": "today", "tags": ["work"] },
        { "title": "Never", "uid": "a uid/1" },
    ]);
    let refused = assistant.refused("add_task", json!({ "tasks": tasks })).await;
    assert!(refused.contains("uid"), "{refused}");
    let mut tasks = tasks;
    tasks[2]["uid"] = "uid/1".into();
    assistant.done("add_task", json!({ "tasks": tasks })).await;

    let listed = assistant.result("resources/list", json!({})).await;
    let uris: Vec<_> = listed["resources"].as_array().expect("a list").iter().collect();
    assert_eq!((uris[0]["uri"].as_str(), uris.len()), (Some("rondo://today"), 2));
    let read = async |uri: &str| {
        let result = assistant.result("resources/read", json!({ "uri": uri })).await;
        let text = result["contents"][0]["text"].as_str().expect("a text");
        serde_json::from_str::<Value>(text).expect("JSON")
    };
    let titles = |tasks: &Value| {
        let tasks = tasks.as_array().expect("a list").iter();
        tasks.map(|task| task["title"].as_str().expect("a title").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(titles(&read("rondo://today").await), ["Late", "Today"]);
    assert_eq!(titles(&read("rondo://overdue").await), ["Late"]);
    assert_eq!(read("rondo://tasks/uid%2F1").await["title"], "Never");
    for unknown in ["rondo://tasks/none", "rondo://tasks/a%20b", "rondo://x", "http://127.0.0.1/"] {
        let answer = assistant.send("resources/read", json!({ "uri": unknown })).await.expect(200);
        assert_eq!(answer.json()["error"]["code"], -32602, "{unknown}");
        assert_eq!(answer.json()["error"]["data"]["uri"], unknown);
    }
    let templates = assistant.result("resources/templates/list", json!({})).await;
    assert_eq!(templates["resourceTemplates"][0]["uriTemplate"], "rondo://tasks/{uid}");

    let prompts = assistant.result("prompts/list", json!({})).await;
    assert_eq!(prompts["prompts"][0]["name"], "plan_my_day");
    let params = json!({ "name": "weekly_review", "arguments": { "tag": "home" } });
    let prompt = assistant.result("prompts/get", params).await;
    let text = prompt["messages"][0]["content"]["text"].as_str().expect("a text");
    assert!(text.ends_with("Consider only tasks with the tag \"home\"."), "{text}");
    let unknown = assistant.send("prompts/get", json!({ "name": "none" })).await.json();
    assert_eq!(unknown["error"]["code"], -32602);
    let params = json!({
        "ref": { "type": "ref/prompt", "name": "plan_my_day" },
        "argument": { "name": "tag", "value": "h" },
    });
    let found = assistant.result("completion/complete", params).await;
    assert_eq!(found["completion"]["total"], 2, "{found}");
}
