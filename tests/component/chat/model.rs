//! Turns that a model answers: what it is told, whatever its provider does, and what it costs.

use rondo_contract::confirmation::CONFIRMATION_LIFETIME_S;
use rondo_testkit::receiver::Reaction;
use serde_json::{Value, json};

use super::provider::{KEY, MODEL, Scene, body, call, delta, raw, stream, text};
use super::{confirmation, create, reply, say, titles, turn};

#[tokio::test(flavor = "multi_thread")]
async fn a_model_acts_by_the_tools() {
    let scene = Scene::new().await;
    let user = &scene.user;
    let id = create(user, json!({ "title": "Call the dentist" })).await;
    let provider = &scene.provider;
    provider.react(stream(&[
        text("I will "),
        text("look."),
        call(0, "list_tasks", &json!({ "search": "dentist" })),
    ]));
    provider.react(stream(&[call(0, "complete_task", &json!({ "ids": [id] }))]));
    provider.react(stream(&[text("Done, the dentist is called.")]));
    let answer = say(user, "the dentist call is done").await;
    let message = &answer["message"];
    assert_eq!(message["text"], "I will look.\n\nDone, the dentist is called.");
    assert_eq!((&message["source"], &message["notice"]), (&json!("model"), &Value::Null));
    let tools: Vec<_> =
        message["tools"].as_array().unwrap().iter().map(|tool| &tool["tool"]).collect();
    assert_eq!(tools, ["list_tasks", "complete_task"]);
    assert!(titles(user).await.is_empty());

    let received = provider.received();
    assert!(received.iter().all(|request| request.line == "POST /v1/chat/completions"));
    assert!(
        received.iter().all(|request| request.header("authorization") == format!("Bearer {KEY}"))
    );
    let first = body(&received[0]);
    assert_eq!((&first["model"], &first["stream"]), (&json!(MODEL), &json!(true)));
    let tools = first["tools"].as_array().unwrap();
    assert_eq!(tools.len(), 12);
    assert!(!first["tools"].to_string().contains("\"confirm\""), "only the user confirms");
    let last = body(&received[2])["messages"].clone();
    let roles: Vec<_> =
        last.as_array().unwrap().iter().map(|message| message["role"].clone()).collect();
    assert_eq!(roles, ["system", "user", "assistant", "tool", "assistant", "tool"]);
    assert_eq!(last[2]["tool_calls"][0]["id"], last[3]["tool_call_id"]);
    assert!(last[3]["content"].as_str().unwrap().contains("Call the dentist"));

    // The next turn knows what was said, and undo is the same for grammar and model.
    provider.react(stream(&[text("You are welcome.")]));
    let thanks = reply(user, &answer, "thanks").await;
    let history = scene.asked().last().unwrap()["messages"].clone();
    assert_eq!(history[1]["content"], "the dentist call is done");
    assert_eq!(history[3]["content"], "thanks");
    assert_eq!(thanks["message"]["text"], "You are welcome.");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_goes_to_a_model_before_its_user_agrees() {
    let scene = Scene::new().await;
    let stranger = scene.stage.user("bob@example.org").await;
    let answer = say(&stranger, "add milk").await;
    assert_eq!(answer["message"]["notice"], "not_shared");
    assert_eq!(titles(&stranger).await, ["milk"]);
    assert!(scene.asked().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_by_a_model_waits_for_the_user() {
    let scene = Scene::new().await;
    let user = &scene.user;
    let id = create(user, json!({ "title": "Old plan" })).await;
    let delete =
        |confirm: Value| call(0, "delete_task", &json!({ "ids": [id], "confirm": confirm }));
    let provider = &scene.provider;
    provider.react(stream(&[delete(json!("9999999999.AAAA"))]));
    provider.react(stream(&[delete(json!(true)), text("Shall I?")]));
    provider.react(stream(&[text(" I propose to delete it.")]));
    let asked = say(user, "delete the old plan").await;
    assert_eq!(titles(user).await, ["Old plan"]);
    let confirm = confirmation(&asked);
    // The token is the user's alone.
    let told = scene.asked().iter().map(Value::to_string).collect::<String>();
    assert!(!told.contains(confirm["confirm"].as_str().unwrap()));
    // A word of agreement asks the model again, and changes nothing by itself.
    provider.react(stream(&[delete(Value::Null)]));
    provider.react(stream(&[text("Please confirm.")]));
    let again = reply(user, &asked, "yes").await;
    assert_eq!(titles(user).await, ["Old plan"], "{again}");
    turn(user, &confirm, 200).await;
    assert!(titles(user).await.is_empty());
    let until = asked["message"]["proposals"][0]["expires_at"].as_str().unwrap();
    assert!(until > asked["message"]["created_at"].as_str().unwrap());
    assert_eq!(CONFIRMATION_LIFETIME_S, 600, "as docs/assistants.md says");
}

#[tokio::test(flavor = "multi_thread")]
async fn oddities_of_providers_are_survived() {
    let scene = Scene::new().await;
    let user = &scene.user;
    let add = |title: &str| json!({ "tasks": [{ "title": title }] });
    let oddities: [(&str, Reaction); 9] = [
        ("no id, no index", stream(&[delta(json!({ "tool_calls": [{
            "function": { "name": "add_task", "arguments": add("alpha one").to_string() } }] }))])),
        ("arguments in pieces", raw(&pieces(&add("alpha two").to_string()))),
        ("arguments as an object", stream(&[delta(json!({ "tool_calls": [{
            "index": 0, "id": "", "function": { "name": "add_task", "arguments": add("alpha three") } }] }))])),
        ("finished with stop", stream(&[
            call(0, "add_task", &add("alpha four")),
            json!({ "choices": [{ "delta": {}, "finish_reason": "stop" }] }),
        ])),
        ("the same id twice", stream(&[
            delta(json!({ "tool_calls": [{ "index": 0, "id": "x", "function": { "name": "add_task", "arguments": add("alpha five").to_string() } }] })),
            delta(json!({ "tool_calls": [{ "index": 1, "id": "x", "function": { "name": "add_task", "arguments": add("alpha six").to_string() } }] })),
        ])),
        ("no stream", Reaction::with_header(200, "Content-Type: application/json", &json!({
            "choices": [{ "message": { "content": null, "tool_calls": [{
                "id": "a", "type": "function", "function": { "name": "add_task", "arguments": add("alpha seven").to_string() },
            }] } }],
        }).to_string())),
        ("comments and no end", raw(&format!(": ping\r\n\r\ndata: {}\r\n\r\n", call(0, "add_task", &add("alpha eight"))))),
        ("the old form", stream(&[delta(json!({ "function_call": { "name": "add_task", "arguments": add("alpha nine").to_string() } }))])),
        ("usage without choices", stream(&[
            json!({ "choices": [], "usage": { "total_tokens": 12 } }),
            call(0, "add_task", &add("alpha ten")),
        ])),
    ];
    let count = oddities.len() + 1;
    for (what, oddity) in oddities {
        scene.provider.react(oddity);
        scene.provider.react(stream(&[text("Added.")]));
        let answer = say(user, "add alpha one two three four five six seven eight nine ten").await;
        assert_eq!(answer["message"]["text"], "Added.", "{what}: {answer}");
    }
    assert_eq!(titles(user).await.len(), count);
}

/// A stream whose arguments come one character at a time.
fn pieces(arguments: &str) -> String {
    let mut parts = format!(
        "data: {}\n\n",
        delta(
            json!({ "tool_calls": [{ "index": 0, "id": "a", "function": { "name": "add_task", "arguments": "" } }] })
        )
    );
    for c in arguments.chars() {
        let piece =
            json!({ "tool_calls": [{ "index": 0, "function": { "arguments": c.to_string() } }] });
        parts += &format!("data: {}\n\n", delta(piece));
    }
    parts
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_model_gets_wrong_it_is_told() {
    let scene = Scene::new().await;
    let user = &scene.user;
    scene.provider.react(stream(&[delta(json!({ "tool_calls": [
        { "index": 0, "id": "a", "function": { "name": "add_task", "arguments": "{\"tasks\": [" } },
        { "index": 1, "id": "b", "function": { "name": "drop_database", "arguments": "{}" } },
        { "index": 2, "id": "c", "function": { "name": "get_task", "arguments": "{\"id\": 999999}" } },
        { "index": 3, "id": "d", "function": { "name": "list_tasks", "arguments": "{\"colour\": 1}" } },
    ] }))]));
    scene.provider.react(stream(&[text("Sorry.")]));
    let answer = say(user, "add milk").await;
    assert_eq!(answer["message"]["text"], "Sorry.");
    let told = scene.asked()[1]["messages"].clone();
    for (at, part) in
        ["one JSON object", "no tool \\\"drop_database\\\"", "no such task", "colour is not known"]
            .iter()
            .enumerate()
    {
        let result = told[3 + at]["content"].to_string();
        assert!(result.contains(part), "{result}");
    }
    assert!(titles(user).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_calls_at_most_eight_tools() {
    let scene = Scene::new().await;
    let user = &scene.user;
    let calls: Vec<_> = (0..20).map(|index| call(index, "list_tasks", &json!({}))).collect();
    scene.provider.otherwise(stream(&calls));
    let answer = say(user, "show my tasks").await;
    assert_eq!(answer["message"]["tools"].as_array().map(Vec::len), Some(8), "{answer}");
    // The last request offers no tools, and what it calls anyway is not called.
    let asked = scene.asked();
    assert_eq!(asked.len(), 2);
    assert!(asked[0]["tools"].is_array() && asked[1]["tools"].is_null());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_provider_the_grammar_answers() {
    let scene = Scene::new().await;
    let user = &scene.user;
    let silent = raw("data: [DONE]\n\n");
    let cut =
        Reaction::Answer("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\ndata: {\"cho".to_owned());
    let quota =
        json!({ "error": { "message": "quota", "code": "insufficient_quota" } }).to_string();
    for (at, reaction) in [
        Reaction::Drop,
        Reaction::status(500, "oh"),
        Reaction::status(429, &quota),
        Reaction::status(401, KEY),
        Reaction::with_header(302, "Location: http://127.0.0.1:1/", ""),
        Reaction::Answer("no HTTP".to_owned()),
        silent,
        cut,
        raw("<html>"),
    ]
    .into_iter()
    .enumerate()
    {
        scene.provider.react(reaction);
        let answer = say(user, &format!("add milk {at}")).await;
        let message = &answer["message"];
        assert_eq!(
            (&message["source"], &message["notice"]),
            (&json!("grammar"), &json!("model_unavailable")),
            "{at}"
        );
        assert!(!answer.to_string().contains(KEY), "{answer}");
        assert_eq!(titles(user).await.len(), at + 1, "{answer}");
    }
    // A provider that knows less gets a plainer request.
    scene.provider.react(Reaction::status(400, "unknown field stream_options"));
    scene.provider.react(stream(&[text("Hello.")]));
    assert_eq!(say(user, "hello").await["message"]["text"], "Hello.");
    let asked = scene.asked();
    assert!(asked[asked.len() - 2]["stream_options"].is_object());
    assert!(asked[asked.len() - 1]["stream_options"].is_null());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tokens_of_a_day_are_bounded() {
    let scene = Scene::with(&[("llm_tokens_per_day", "20000")]).await;
    let user = &scene.user;
    let used = |tokens: i64| json!({ "choices": [], "usage": { "total_tokens": tokens } });
    scene.provider.react(stream(&[text("One."), used(9_000)]));
    scene.provider.react(stream(&[text("Two."), used(9_000)]));
    for expected in ["One.", "Two."] {
        assert_eq!(say(user, "hello").await["message"]["text"], expected);
    }
    let answer = say(user, "add milk").await;
    assert_eq!(answer["message"]["notice"], "tokens_used_up", "{answer}");
    assert_eq!(titles(user).await, ["milk"]);
    assert_eq!(scene.asked().len(), 2);
    // Another user has a day of their own.
    let other = scene.stage.user("bob@example.org").await;
    let shared = json!({ "share_with_model": true });
    other.client.patch("/api/auth/me", &shared).await.expect("an answer").expect(200);
    scene.provider.react(stream(&[text("Three.")]));
    assert_eq!(say(&other, "hello").await["message"]["text"], "Three.");
}
